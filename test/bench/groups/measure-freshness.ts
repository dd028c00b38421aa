/** One replicator that follows many groups: how long each of their commits takes, and what that costs. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchCluster } from '../bench-cluster.ts'
import { ProcessMeter } from '../process-meter.ts'
import { percentile } from '../statistics.ts'
import { causeway } from '../systems/causeway.ts'
import { ReplicatingProcess } from '../systems/replicating-process.ts'
import type { CopyJob } from '../systems/system.ts'
import { CommitSightings } from './commit-sightings.ts'
import { CommittingGroups } from './committing-groups.ts'
import { type FollowedSample, Freshness } from './freshness.ts'
import type { SteadyWriter } from './steady-writer.ts'

export interface FreshnessPlan {
  readonly groups: number
  readonly partitions: number
  readonly partitionsPerGroup: number
  /** Between two commits of a group, in milliseconds. */
  readonly everyMs: number
  readonly recordsPerSecond: number
  /** Records are copied and nobody commits. */
  readonly baselineSeconds: number
  /** Commits before those that are counted. */
  readonly warmUpSeconds: number
  readonly seconds: number
}

export interface FreshnessScene {
  /** Without groups: they are called by its id. */
  readonly job: CopyJob
  readonly source: BenchCluster
  readonly target: BenchCluster
  readonly brokerPids: { readonly source: number; readonly target: number }
  readonly writer: SteadyWriter
  readonly plan: FreshnessPlan
  readonly say: (line: string) => void
}

export interface Times {
  readonly median: number
  readonly p99: number
  readonly max: number
}

export interface FreshnessResult {
  /** Where the replicator says it learns of commits. */
  readonly by: 'offsets-topic' | 'polling'
  /** Requests of the groups that the source acknowledged in the window. */
  readonly commitsPerSecond: number
  /** Of each partition of each commit in the window, from the source's acknowledgement. */
  readonly samples: number
  readonly followedMs: Times
  /** The first commits after nobody had committed for a while: where groups are polled, they are asked rarely then. */
  readonly firstMs: Times
  /** Commits that had not come to the target half a minute after the last one. */
  readonly unseen: number
  /** Positions at the end that are not the copy of the source's. */
  readonly wrong: number
  /** How often the target showed more than had been committed. */
  readonly ahead: number
  /** Of one core, with everything that it does: in the window, and before, when it copied and nobody committed. */
  readonly cpu: number
  readonly cpuWithoutCommits: number
  readonly rssPeakBytes: number
  /** Of both brokers in the window, of one core each. */
  readonly brokersCpu: { readonly source: number; readonly target: number }
}

const patienceMs = 90_000

/** The replicator is stopped when it returns or throws; what it wrote is left there. */
export async function measureFreshness(scene: FreshnessScene, signal: AbortSignal): Promise<FreshnessResult> {
  const { job, source, target, writer, plan, say } = scene
  const system = causeway()
  const targetTopic = system.targetTopic(job)
  const freshness = new Freshness()
  const shifts: number[] = []
  const keyOf = (group: string, partition: number) => `${group}/${partition}`
  const names = Array.from({ length: plan.groups }, (_, index) => `fresh-${job.id}-${index}`)
  const groups = new CommittingGroups({
    bootstrap: [source.bootstrap],
    topic: job.topic,
    ...plan,
    groups: names,
    positionOf: (partition) => writer.ends[partition] ?? 0,
    // Nothing can be said of commits before the shifts are known.
    onSending: ({ group, partition, position }) => {
      const shift = shifts[partition]
      if (shift !== undefined) freshness.sending(keyOf(group, partition), position - shift)
    },
    onAcknowledged: ({ group, partition, position }, atMs) => {
      const shift = shifts[partition]
      if (shift !== undefined) freshness.acknowledged(keyOf(group, partition), position - shift, atMs)
    },
  })
  const own = new Set(names)
  let sightings: CommitSightings | undefined
  let replicator: ReplicatingProcess | undefined
  try {
    await groups.commitAll()
    replicator = await ReplicatingProcess.start(
      await system.prepare({ ...job, groups: `fresh-${job.id}-.*` }),
      job.folder,
    )
    shifts.push(...(await copiedShifts(scene, targetTopic, signal)))
    sightings = await CommitSightings.start(
      [target.bootstrap],
      ({ group, topic, partition, offset }, atMs) => {
        if (topic === targetTopic && own.has(group)) freshness.seen(keyOf(group, partition), offset, atMs)
      },
    )
    await groups.commitAll()
    await until(
      'every group stands on the target',
      () => freshness.shown >= plan.groups * plan.partitionsPerGroup,
      signal,
    )
    say(`${job.id}: every group stands on the target`)
    freshness.ahead = 0
    const { window, first, ...load } = await underLoad({ ...scene, replicator, groups, freshness }, signal)
    const { rssPeakBytes } = replicator.usage()
    const wrong = await wrongPositions(scene, targetTopic, freshness)
    const shiftsAfter = await copiedShifts(scene, targetTopic, signal)
    if (shiftsAfter.join() !== shifts.join())
      throw new Error(`offsets moved apart meanwhile: ${shifts.join()} became ${shiftsAfter.join()}`)
    await replicator.stop()
    const log = await readFile(join(job.folder, 'replicator.log'), 'utf8')
    return {
      by: log.includes('"groups-polled"') ? 'polling' : 'offsets-topic',
      samples: window.length,
      followedMs: timesOf(window),
      firstMs: timesOf(first),
      unseen: freshness.unseen,
      wrong,
      ahead: freshness.ahead,
      rssPeakBytes,
      ...load,
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`${(error as Error).message}\n${replicator?.logTail() ?? ''}`, { cause: error })
  } finally {
    await writer.stop().catch(() => {})
    await replicator?.stop()
    await Promise.allSettled([groups.close(), sightings?.close()])
  }
}

async function underLoad(
  scene: FreshnessScene & {
    readonly replicator: ReplicatingProcess
    readonly groups: CommittingGroups
    readonly freshness: Freshness
  },
  signal: AbortSignal,
) {
  const { writer, plan, replicator, groups, freshness, job, say, brokerPids } = scene
  const cpuOver = async (seconds: number) => {
    const [fromMs, from] = [performance.now(), replicator.usage().cpuSeconds]
    await delay(seconds * 1000, undefined, { signal })
    return (replicator.usage().cpuSeconds - from) / ((performance.now() - fromMs) / 1000)
  }
  writer.start(plan.recordsPerSecond)
  const cpuWithoutCommits = await cpuOver(plan.baselineSeconds)
  const startMs = performance.now()
  groups.start()
  await delay(plan.warmUpSeconds * 1000, undefined, { signal })
  const [fromMs, commits] = [performance.now(), groups.commits]
  const brokers = { source: new ProcessMeter(brokerPids.source), target: new ProcessMeter(brokerPids.target) }
  const brokersSeconds = () => ({
    source: brokers.source.read().cpuSeconds,
    target: brokers.target.read().cpuSeconds,
  })
  const brokersFrom = brokersSeconds()
  const cpu = await cpuOver(plan.seconds)
  const brokersTo = brokersSeconds()
  const toMs = performance.now()
  const commitsPerSecond = (groups.commits - commits) / ((toMs - fromMs) / 1000)
  await groups.stop()
  await writer.stop()
  await until('the last commit is followed', () => freshness.unseen === 0, signal, 30_000).catch(() => {
    say(`${job.id}: ${freshness.unseen} commits were not followed within half a minute`)
  })
  return {
    window: freshness.samples.filter(({ ackedMs }) => ackedMs >= fromMs && ackedMs < toMs),
    first: freshness.samples.filter(({ ackedMs }) => ackedMs >= startMs && ackedMs < startMs + plan.everyMs),
    cpuWithoutCommits,
    cpu,
    commitsPerSecond,
    brokersCpu: {
      source: (brokersTo.source - brokersFrom.source) / plan.seconds,
      target: (brokersTo.target - brokersFrom.target) / plan.seconds,
    },
  }
}

/** Waits until all is copied. By how much offsets of the copy are below the source's, by partition. */
async function copiedShifts(
  { job, source, target, writer, plan }: FreshnessScene,
  targetTopic: string,
  signal: AbortSignal,
): Promise<readonly number[]> {
  let shifts: readonly number[] = []
  const records = (await source.ends(job.topic)).reduce((sum, end) => sum + end, 0)
  const deleted = plan.partitions * deletedOfEach
  await until(
    'all is copied',
    async () => {
      if (!(await target.hasTopic(targetTopic))) return false
      const copied = await target.countRecords(targetTopic)
      if (copied === undefined || copied < records - deleted) return false
      const ends = await target.ends(targetTopic)
      shifts = writer.ends.map((end, partition) => end - (ends[partition] ?? 0))
      return true
    },
    signal,
  )
  return shifts
}

/** Records at the beginning of each partition that the source has deleted, so that offsets of a copy differ. */
export const deletedOfEach = 2_000

/** Asked of the coordinator, as a consumer would. */
async function wrongPositions(
  { target, plan }: FreshnessScene,
  targetTopic: string,
  { expected }: Freshness,
): Promise<number> {
  let [wrong, asked] = [0, 0]
  for (const [group, keys] of Map.groupBy(expected.keys(), (key) => key.slice(0, key.lastIndexOf('/')))) {
    const committed = await target.committed(group, targetTopic)
    for (const key of keys) {
      asked++
      if (committed.get(Number(key.slice(key.lastIndexOf('/') + 1))) !== expected.get(key)) wrong++
    }
  }
  return wrong + plan.groups * plan.partitionsPerGroup - asked
}

function timesOf(samples: readonly FollowedSample[]): Times {
  if (samples.length === 0) throw new Error('no commit was followed: is the machine too busy?')
  const sorted = Float64Array.from(samples, ({ tookMs }) => tookMs).sort()
  return {
    median: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1),
  }
}

async function until(
  what: string,
  look: () => boolean | Promise<boolean>,
  signal: AbortSignal,
  timeoutMs = patienceMs,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await look())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`)
    await delay(50, undefined, { signal })
  }
}
