import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { RawBatch } from '../records/record-batch.ts'

/** What walks need of their cluster. */
export interface LogWalksOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/** What a walk gives its visitor: bytes that are valid during the visit only. */
export interface VisitedBatch {
  readonly raw: RawBatch
  /** Under `read_committed`; `deliver` or `control` otherwise. */
  readonly verdict: 'deliver' | 'aborted' | 'control'
}

export interface WalkRequest {
  readonly topic: string
  readonly partition: number
  readonly from: bigint
  readonly isolation: 'read_committed' | 'read_uncommitted'
  /** What to do where the log ends: end the walk, or wait that long for more, in milliseconds. */
  readonly atEnd: 'stop' | { readonly waitMs: number }
  /** Called for every batch that ends at or after `from`, in order. `enough` ends the walk. */
  readonly visit: (batch: VisitedBatch) => 'on' | 'enough'
  /** Called with fetched bytes before their batches are visited. */
  readonly prepare?: (records: Buffer, signal: AbortSignal) => Promise<void> | undefined
}

/**
 * `enough`: the visitor had what it wanted. `end`: there is nothing more that the isolation lets through, or nothing came
 * while it was waited for.
 * `next` lies behind the last batch that was visited.
 */
export interface WalkEnd {
  readonly kind: 'enough' | 'end'
  readonly next: bigint
  readonly logStart: bigint
}

/** A walk under way. */
export interface Walk {
  readonly request: WalkRequest
  readonly signal: AbortSignal
  position: bigint
  /** Since when it has not got on, on the monotonic clock. */
  idleSinceMs: number
  /** Failures since it last got on. */
  attempt: number
  isOver: boolean
  readonly resolve: (end: WalkEnd) => void
  readonly reject: (reason: unknown) => void
}
