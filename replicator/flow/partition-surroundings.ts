import type { KafkaError } from '../kafka/errors.ts'
import type { TargetOffset } from '../records/offsets.ts'
import type { ReencodeReason } from './batch-route.ts'
import type { OwnMemory } from './reencoding.ts'

/** What a partition has from the flow around it, and tells it. */
export interface SurroundingsOf<Partition> {
  /** Accounts for memory of the partition's own, until the lease is released. */
  readonly ownMemory: OwnMemory
  /** There is something to send. */
  readonly onSendable: (partition: Partition) => void
  /** Buffered bytes fell, or the status changed: it may be fetched again. Called for every batch that settles. */
  readonly onRoom: (partition: Partition) => void
  /** Every batch in flight has settled and the first one was refused. */
  readonly onRefused: (partition: Partition, error: KafkaError) => void
  readonly onReencoded: (partition: Partition, reason: ReencodeReason) => void
  readonly onWaiting: (partition: Partition, reason: string, wayOut: string) => void
  /** What {@link onWaiting} told is over. */
  readonly onRecovered: (partition: Partition) => void
  readonly onStopped: (partition: Partition, reason: string, wayOut: string) => void
  /** Whether this process is known to own the partition's shard at this very moment. Asked for every batch. */
  readonly mayWrite: () => boolean
  /** There is something to send and {@link mayWrite} says no. */
  readonly onUnproven: (partition: Partition) => void
  /** Only the target's log can tell what became of what was sent: the partition must be taken anew. */
  readonly onStale: (partition: Partition) => void
  /**
   * Offsets `from` to `to` (exclusive) of the target partition are not this partition's: somebody else's, or those of a
   * former self, which wrote with `formerIds`.
   */
  readonly onTargetGap: (
    partition: Partition,
    from: TargetOffset,
    to: TargetOffset,
    formerIds?: ReadonlySet<bigint>,
  ) => void
  /** Whether the forwarding rule takes the batch at `at`, whose origin was learnt before; `undefined`: it takes all. */
  readonly forwards: ((buffer: Buffer, at: number) => boolean) | undefined
}
