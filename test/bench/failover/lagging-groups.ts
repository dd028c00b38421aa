/** Consumer groups that stand a given number of records behind the end, and where a replicator puts them. */
import { setTimeout as delay } from 'node:timers/promises'
import { systemRandom } from '../../../replicator/clock/random.ts'
import { systemClock } from '../../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../../replicator/kafka/kafka-cluster.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { BenchCluster } from '../bench-cluster.ts'
import type { SequenceWriter } from './sequence-writer.ts'

export interface LaggingGroup {
  readonly id: string
  /** Records that are still to be read, of each partition, whenever it commits. */
  readonly lag: number
}

const lookEveryMs = 250

/** Of each group, of each partition: the committed offset, `undefined` where there is none. */
export type Positions = ReadonlyMap<LaggingGroup, readonly (number | undefined)[]>

/** The groups on the source. */
export class LaggingGroups {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #writer: Pick<SequenceWriter, 'positionBehind' | 'acknowledged'>
  readonly #positions = new Map<LaggingGroup, readonly number[]>()

  constructor(
    bootstrap: string,
    topic: string,
    writer: Pick<SequenceWriter, 'positionBehind' | 'acknowledged'>,
  ) {
    this.#cluster = createKafkaCluster({
      alias: regionAlias('source'),
      settings: { bootstrap: [bootstrap], clientId: 'bench-groups' },
      clock: systemClock,
      random: systemRandom,
    })
    this.#topic = topic
    this.#writer = writer
  }

  /** What each group has committed last. */
  get positions(): ReadonlyMap<LaggingGroup, readonly number[]> {
    return this.#positions
  }

  /** Each group commits where it stands now. @throws Error if a commit is refused */
  async commit(groups: readonly LaggingGroup[]): Promise<void> {
    await Promise.all(groups.map((group) => this.#commit(group, () => group.lag)))
  }

  /** Each group commits that it has read nothing but the first `records` of each partition, whatever its lag. */
  async commitAtStart(groups: readonly LaggingGroup[], records: number): Promise<void> {
    const lagOf = (partition: number) => (this.#writer.acknowledged[partition] ?? 0) - records
    await Promise.all(groups.map((group) => this.#commit(group, lagOf)))
  }

  /** Each group commits again and again, as consumers do that neither catch up nor fall behind. */
  async commitFor(
    groups: readonly LaggingGroup[],
    times: { readonly seconds: number; readonly everyMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const endMs = performance.now() + times.seconds * 1000
    while (performance.now() < endMs) {
      await this.commit(groups)
      await delay(times.everyMs, undefined, { signal })
    }
  }

  async close(): Promise<void> {
    await this.#cluster.close()
  }

  async #commit(group: LaggingGroup, lagOf: (partition: number) => number): Promise<void> {
    const topic = this.#topic
    const positions = this.#writer.acknowledged.map((_, partition) =>
      this.#writer.positionBehind(partition, lagOf(partition)),
    )
    const commits = positions.map((offset, partition) => ({
      topic,
      partition,
      offset: BigInt(offset),
      leaderEpoch: undefined,
      metadata: '',
    }))
    const outcome = await this.#cluster.commitGroupOffsets(group.id, commits)
    if (outcome.kind !== 'answered') throw new Error(`${group.id} has members`)
    for (const { result } of outcome.partitions) if (!result.ok) throw result.error
    this.#positions.set(group, positions)
  }
}

export interface SettleOptions {
  readonly target: BenchCluster
  readonly topic: string
  readonly partitions: number
  readonly groups: readonly LaggingGroup[]
  /** How long nothing may change. */
  readonly quietMs: number
  /** How long groups may stay without any commit. */
  readonly patienceMs: number
}

/**
 * The groups' positions on the target, once none has changed for a while; and how long the last change took.
 * Does not wait for anything that it could know from the source: whatever stands there in the end is the result.
 */
export async function settledPositions(
  options: SettleOptions,
  signal: AbortSignal,
): Promise<{ readonly positions: Positions; readonly lastChangeMs: number }> {
  const { target, topic, partitions, groups, quietMs, patienceMs } = options
  const startMs = performance.now()
  const deadlineMs = startMs + 2 * patienceMs
  let changedAtMs = startMs
  let last = ''
  for (;;) {
    const positions = new Map<LaggingGroup, readonly (number | undefined)[]>()
    for (const group of groups) {
      const committed = await target.committed(group.id, topic)
      positions.set(
        group,
        Array.from({ length: partitions }, (_, partition) => committed.get(partition)),
      )
    }
    const now = performance.now()
    const text = JSON.stringify([...positions.values()])
    if (text !== last) [last, changedAtMs] = [text, now]
    const lacks = [...positions.values()].some((each) => each.includes(undefined))
    const isQuiet = now - changedAtMs >= quietMs && (!lacks || now - startMs >= patienceMs)
    if (isQuiet) return { positions, lastChangeMs: changedAtMs - startMs }
    if (now > deadlineMs) throw new Error(`groups were still moving after ${2 * patienceMs} ms`)
    await delay(lookEveryMs, undefined, { signal })
  }
}
