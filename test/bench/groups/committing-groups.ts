/** Many consumer groups that commit, as they do who read along: each every so often, evenly spread. */
import { setTimeout as delay } from 'node:timers/promises'
import { systemRandom } from '../../../replicator/clock/random.ts'
import { systemClock } from '../../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../../replicator/kafka/kafka-cluster.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'

export interface CommittingOptions {
  readonly bootstrap: readonly string[]
  readonly topic: string
  readonly partitions: number
  readonly groups: readonly string[]
  /** Each group reads as many, and commits all of them in one request. */
  readonly partitionsPerGroup: number
  /** Between two commits of a group, in milliseconds. */
  readonly everyMs: number
  /** Where groups stand. */
  readonly positionOf: (partition: number) => number
  readonly onSending?: (commit: GroupCommit) => void
  /** The coordinator has answered. */
  readonly onAcknowledged?: (commit: GroupCommit, atMs: number) => void
}

export interface GroupCommit {
  readonly group: string
  readonly partition: number
  readonly position: number
}

/** Each has eight connections for commits: a broker works on one commit of a connection at a time. */
const clientsMax = 2

/** Groups without members: what a member's commits leave behind is the same. */
export class CommittingGroups {
  readonly #options: CommittingOptions
  readonly #clusters: readonly Cluster[]
  #stop = new AbortController()
  #working: Promise<unknown> = Promise.resolve()
  #commits = 0

  constructor(options: CommittingOptions) {
    this.#options = options
    this.#clusters = Array.from({ length: clientsMax }, () =>
      createKafkaCluster({
        alias: regionAlias('source'),
        settings: { bootstrap: options.bootstrap, clientId: 'bench-groups' },
        clock: systemClock,
        random: systemRandom,
      }),
    )
  }

  /** Requests that were acknowledged. */
  get commits(): number {
    return this.#commits
  }

  partitionsOf(index: number): readonly number[] {
    const { partitions, partitionsPerGroup } = this.#options
    return Array.from({ length: partitionsPerGroup }, (_, at) => (index + at) % partitions)
  }

  /** Every group commits once. */
  async commitAll(): Promise<void> {
    await Promise.all(this.#options.groups.map((_, index) => this.#commit(index)))
  }

  start(): void {
    this.#stop = new AbortController()
    this.#working = Promise.all(this.#options.groups.map((_, index) => this.#run(index, this.#stop.signal)))
    this.#working.catch(() => {})
  }

  /** @throws whatever ended committing before */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#working
  }

  async close(): Promise<void> {
    await this.stop().catch(() => {})
    await Promise.all(this.#clusters.map((cluster) => cluster.close()))
  }

  async #run(index: number, signal: AbortSignal): Promise<void> {
    const { everyMs, groups } = this.#options
    let dueMs = performance.now() + (everyMs * index) / groups.length
    while (!signal.aborted) {
      await delay(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      await this.#commit(index)
      // Who is late does not catch up: consumers do not either.
      dueMs = Math.max(dueMs + everyMs, performance.now())
    }
  }

  async #commit(index: number): Promise<void> {
    const { groups, topic, positionOf, onSending, onAcknowledged } = this.#options
    const [group, cluster] = [groups[index]!, this.#clusters[index % this.#clusters.length]!]
    const commits = this.partitionsOf(index).map((partition) => ({
      group,
      partition,
      position: positionOf(partition),
    }))
    for (const commit of commits) onSending?.(commit)
    const outcome = await cluster.commitGroupOffsets(
      group,
      commits.map(({ partition, position }) => ({
        topic,
        partition,
        offset: BigInt(position),
        leaderEpoch: undefined,
        metadata: '',
      })),
    )
    const atMs = performance.now()
    if (outcome.kind !== 'answered') throw new Error(`${group} has members`)
    for (const { result } of outcome.partitions) if (!result.ok) throw result.error
    this.#commits++
    for (const commit of commits) onAcknowledged?.(commit, atMs)
  }
}
