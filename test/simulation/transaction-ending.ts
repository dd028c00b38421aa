import type { BrokerId, ProducerIdentity, TopicPartition } from '../../replicator/kafka/cluster.ts'
import { errorCode } from './broker-answer.ts'

/** Where a coordinator's markers go. */
export interface MarkerTarget {
  /** Writes an end marker to a partition; answers with an error code, 0 when it was written. */
  writeMarker(
    at: TopicPartition,
    producer: ProducerIdentity,
    end: 'commit' | 'abort',
    coordinatorEpoch: number,
  ): number
  /** `undefined` while the partition has no leader. */
  leaderOf(at: TopicPartition): BrokerId | 'unknown' | undefined
  /** Calls `fire` once, `ms` of simulated time from now; the returned function calls it off. */
  after(ms: number, fire: () => void): () => void
  /**
   * What becomes of the marker of a partition without a leader. Brokers with KRaft drop it and complete the transaction,
   * taking the partition for a deleted one; those with ZooKeeper wait for a leader.
   */
  readonly leaderlessMarkers: 'dropped' | 'delayed'
  /** How long the next markers are on their way, in milliseconds. */
  markerDelayMs(): number
}

export interface TransactionEndingOptions {
  readonly target: MarkerTarget
  readonly identity: ProducerIdentity
  readonly end: 'commit' | 'abort'
  readonly partitions: ReadonlyMap<string, TopicPartition>
  /** Every marker is written. */
  readonly onWritten: () => void
}

/** Of the simulated coordinator, which never moves. */
const coordinatorEpoch = 0

/** A deleted topic needs no marker. */
const needless: readonly number[] = [errorCode.UNKNOWN_TOPIC_OR_PARTITION]

/**
 * The markers of one decided transaction (`TransactionMarkerChannelManager`): those for one leader travel together.
 * What a leader refuses is tried again when leaders change. Where a newer epoch refuses it (47, 52), the transaction
 * stays undecided and its transactional id unusable, as on real brokers.
 */
export class TransactionEnding {
  readonly end: 'commit' | 'abort'
  readonly #options: TransactionEndingOptions
  readonly #outstanding: Map<string, TopicPartition>
  readonly #travelling = new Set<string>()

  constructor(options: TransactionEndingOptions) {
    this.#options = options
    this.end = options.end
    this.#outstanding = new Map(options.partitions)
  }

  /** Sends the markers that are not on their way and have somewhere to go. */
  schedule(): void {
    const { target } = this.#options
    const byLeader = new Map<BrokerId | 'nobody', string[]>()
    for (const [key, at] of this.#outstanding) {
      if (this.#travelling.has(key)) continue
      const known = target.leaderOf(at)
      const leader = known === undefined || known === 'unknown' ? 'nobody' : known
      if (known === undefined && target.leaderlessMarkers === 'delayed') continue
      const keys = byLeader.get(leader)
      if (keys === undefined) byLeader.set(leader, [key])
      else keys.push(key)
    }
    for (const keys of byLeader.values()) {
      for (const key of keys) this.#travelling.add(key)
      target.after(target.markerDelayMs(), () => {
        for (const key of keys) this.#travelling.delete(key)
        this.#write(keys)
      })
    }
  }

  /** Writes what can be written, without a delay. */
  writeNow(): void {
    this.#write([...this.#outstanding.keys()])
  }

  #write(keys: readonly string[]): void {
    if (this.#outstanding.size === 0) return
    const { target, identity, end, onWritten } = this.#options
    for (const key of keys) {
      const at = this.#outstanding.get(key)
      if (at === undefined) continue
      const code = target.writeMarker(at, identity, end, coordinatorEpoch)
      if (code === 0 || needless.includes(code) || this.#isDropped(at)) this.#outstanding.delete(key)
    }
    if (this.#outstanding.size === 0) onWritten()
  }

  #isDropped(at: TopicPartition): boolean {
    const { target } = this.#options
    return target.leaderlessMarkers === 'dropped' && target.leaderOf(at) === undefined
  }
}
