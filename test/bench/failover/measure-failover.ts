/** Groups that change clusters, by lag: what each system makes them skip and read again. */
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchClusters } from '../clusters.ts'
import type { SystemName } from '../results.ts'
import { ReplicatingProcess } from '../systems/replicating-process.ts'
import type { CopyJob, System } from '../systems/system.ts'
import { judge, type SequenceLog, type Verdict } from './judge.ts'
import { type LaggingGroup, LaggingGroups, type Positions, settledPositions } from './lagging-groups.ts'
import { readSequences } from './sequence-reader.ts'
import type { SequenceWriter } from './sequence-writer.ts'

export interface FailoverPlan {
  readonly partitions: number
  readonly recordBytes: number
  /** Written to each partition before anything is copied. */
  readonly records: number
  /** Of these, those that the source has deleted by then. */
  readonly deleted: number
  /** In records of each partition. */
  readonly lags: readonly number[]
  /** While groups commit under load, until they are judged; to each partition. */
  readonly loadPerSecond: number
  readonly loadSeconds: number
  /** A target is settled when no position has changed for this long. */
  readonly quietSeconds: number
}

/** @param quick a twentieth of the records, and no lag that needs more */
export function failoverPlan(quick: boolean): FailoverPlan {
  return {
    partitions: 2,
    recordBytes: 100,
    records: quick ? 60_000 : 1_200_000,
    deleted: quick ? 5_000 : 100_000,
    lags: quick ? [0, 1, 1000, 50_000] : [0, 1, 1000, 100_000, 1_000_000],
    loadPerSecond: 1000,
    loadSeconds: quick ? 5 : 15,
    quietSeconds: 15,
  }
}

/**
 * `at-rest`: the groups committed before the replicator began, and nothing is written any more. `under-load`: the
 * groups began at the first record; now records are written all the time, and they commit twice a second at their lag
 * until they stop.
 */
export const situations = ['at-rest', 'under-load'] as const
export type Situation = (typeof situations)[number]

/** One partition of one group. */
export type PartitionOutcome = Verdict & {
  readonly partition: number
  readonly sourcePosition: number
  readonly targetPosition?: number
}

export interface GroupOutcome {
  readonly situation: Situation
  readonly lag: number
  readonly partitions: readonly PartitionOutcome[]
}

export interface FailoverRun {
  readonly system: SystemName
  readonly groups: readonly GroupOutcome[]
  /** From when all was copied, or the groups had stopped, to the last change of a position on the target. */
  readonly lastChangeSeconds: Readonly<Record<Situation, number>>
  readonly seconds: number
}

const patienceMs = 60_000
/** A copy that gains no record for this long is stuck: starting takes the longest. */
const stallTimeoutMs = 180_000
const commitEveryMs = 500

export interface FailoverScene {
  readonly system: System
  /** Without groups: they get names of their own. */
  readonly job: CopyJob
  readonly clusters: Pick<BenchClusters, 'source' | 'target'>
  readonly writer: SequenceWriter
  readonly plan: FailoverPlan
  readonly say: (line: string) => void
}

/** One system on a filled topic. What it wrote to the target is left there. @throws Error if it does not copy */
export async function measureFailover(scene: FailoverScene, signal: AbortSignal): Promise<FailoverRun> {
  const { system, job, clusters, writer, plan, say } = scene
  const startedMs = performance.now()
  const name = `failover-${job.id}`
  const groupsOf = (situation: Situation): readonly LaggingGroup[] =>
    plan.lags.map((lag) => ({ id: `${name}-${situation}-${lag}`, lag }))
  const atRest = groupsOf('at-rest')
  const underLoad = groupsOf('under-load')
  const groups = new LaggingGroups(clusters.source.bootstrap, job.topic, writer)
  let replicator: ReplicatingProcess | undefined
  try {
    await groups.commit(atRest)
    // Those that commit later are there already: MirrorMaker 2 looks for new groups every ten minutes.
    await groups.commitAtStart(underLoad, plan.deleted)
    replicator = await ReplicatingProcess.start(
      await system.prepare({ ...job, groups: `${name}-.*` }),
      job.folder,
    )
    await copied(scene, replicator, signal)
    say(`${system.name}: all is copied`)
    const first = await settled(scene, atRest, signal)
    say(`${system.name}: at rest, the last change was after ${first.lastChangeMs.toFixed(0)} ms`)
    writer.startLoad(plan.loadPerSecond)
    await groups.commitFor(underLoad, { seconds: plan.loadSeconds, everyMs: commitEveryMs }, signal)
    const second = await settled(scene, underLoad, signal)
    say(`${system.name}: under load, the last change was after ${second.lastChangeMs.toFixed(0)} ms`)
    await writer.stopLoad()
    await copied(scene, replicator, signal)
    await replicator.stop()
    const logs = {
      source: await readSequences(clusters.source, job.topic, signal),
      target: await readSequences(clusters.target, system.targetTopic(job), signal),
    }
    return {
      system: system.name,
      groups: [
        ...judgeGroups('at-rest', { ...first, sources: groups.positions, logs }),
        ...judgeGroups('under-load', { ...second, sources: groups.positions, logs }),
      ],
      lastChangeSeconds: {
        'at-rest': first.lastChangeMs / 1000,
        'under-load': second.lastChangeMs / 1000,
      },
      seconds: (performance.now() - startedMs) / 1000,
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`${(error as Error).message}\n${replicator?.logTail() ?? ''}`, { cause: error })
  } finally {
    await writer.stopLoad().catch(() => {})
    await replicator?.stop()
    await groups.close()
  }
}

function settled(
  { system, job, clusters, plan }: FailoverScene,
  groups: readonly LaggingGroup[],
  signal: AbortSignal,
) {
  const { partitions, quietSeconds } = plan
  const where = { target: clusters.target, topic: system.targetTopic(job), partitions, groups }
  return settledPositions({ ...where, quietMs: quietSeconds * 1000, patienceMs }, signal)
}

/** Holds every position on the target against the group's on the source. */
export function judgeGroups(
  situation: Situation,
  of: {
    readonly positions: Positions
    readonly sources: ReadonlyMap<LaggingGroup, readonly number[]>
    readonly logs: { readonly source: readonly SequenceLog[]; readonly target: readonly SequenceLog[] }
  },
): readonly GroupOutcome[] {
  return [...of.positions].map(([group, targets]) => ({
    situation,
    lag: group.lag,
    partitions: targets.map((target, partition) => {
      const source = of.sources.get(group)?.[partition]
      const logs = { source: of.logs.source[partition], target: of.logs.target[partition] }
      if (source === undefined || logs.source === undefined || logs.target === undefined)
        throw new Error(`partition ${partition} of ${group.id} is not known`)
      return {
        partition,
        sourcePosition: source,
        ...(target === undefined ? {} : { targetPosition: target }),
        ...judge({ source: logs.source, target: logs.target }, { source, target }),
      }
    }),
  }))
}

/** Waits until the target has at least as many records as the source. */
async function copied(
  { system, job, clusters, writer, plan }: FailoverScene,
  replicator: ReplicatingProcess,
  signal: AbortSignal,
): Promise<void> {
  const topic = system.targetTopic(job)
  const records = writer.acknowledged.reduce((sum, one) => sum + one, 0) - plan.deleted * plan.partitions
  let [most, progressAtMs] = [0, performance.now()]
  for (;;) {
    const count = (await clusters.target.hasTopic(topic)) ? await clusters.target.countRecords(topic) : 0
    if ((count ?? 0) >= records) return
    replicator.usage()
    if ((count ?? 0) > most) [most, progressAtMs] = [count ?? 0, performance.now()]
    else if (performance.now() - progressAtMs > stallTimeoutMs)
      throw new Error(`stalled at ${most} of ${records} records`)
    await delay(200, undefined, { signal })
  }
}
