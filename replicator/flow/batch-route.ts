import {
  baseOffset,
  isControl,
  isDense,
  isLogAppendTime,
  lastOffset,
  recordCount,
} from '../records/batch-header.ts'

/** Why a batch cannot pass through untouched and is decoded and encoded anew. */
export type ReencodeReason = 'compacted-gaps' | 'oversize' | 'log-append-time' | 'resume-inside-batch'

/** Why a batch is not forwarded at all. */
export type SkipReason = 'before-position' | 'control' | 'aborted' | 'foreign' | 'empty'

/** What becomes of one fetched batch. */
export type BatchRoute =
  | { readonly kind: 'forward' }
  | { readonly kind: 'skip'; readonly reason: SkipReason }
  | { readonly kind: 'reencode'; readonly reason: ReencodeReason }

const forward: BatchRoute = { kind: 'forward' }
const skips: Readonly<Record<SkipReason, BatchRoute>> = {
  'before-position': { kind: 'skip', reason: 'before-position' },
  control: { kind: 'skip', reason: 'control' },
  aborted: { kind: 'skip', reason: 'aborted' },
  foreign: { kind: 'skip', reason: 'foreign' },
  empty: { kind: 'skip', reason: 'empty' },
}
const reencodes: Readonly<Record<ReencodeReason, BatchRoute>> = {
  'compacted-gaps': { kind: 'reencode', reason: 'compacted-gaps' },
  oversize: { kind: 'reencode', reason: 'oversize' },
  'log-append-time': { kind: 'reencode', reason: 'log-append-time' },
  'resume-inside-batch': { kind: 'reencode', reason: 'resume-inside-batch' },
}

export interface RouteContext {
  /** The offset that the partition goes on from. */
  readonly position: bigint
  readonly aborted: boolean
  /** The flow forwards only what the source's own clients wrote, and a replicator wrote this. */
  readonly foreign: boolean
  /** The target topic's `max.message.bytes`, as far as it is known. */
  readonly targetBatchBytesMax: number
  /** Whether the target topic stamps records itself, so that append times cannot be kept. */
  readonly targetStamps: boolean
}

/**
 * Decides the path of the whole batch of `bytes` bytes at `at`, from its header alone.
 * Brokers refuse gapped, control and oversize batches; a LogAppendTime batch would lose its times.
 */
export function routeBatch(buffer: Buffer, at: number, bytes: number, context: RouteContext): BatchRoute {
  if (lastOffset(buffer, at) < context.position) return skips['before-position']
  if (isControl(buffer, at)) return skips.control
  if (context.aborted) return skips.aborted
  if (context.foreign) return skips.foreign
  if (recordCount(buffer, at) === 0) return skips.empty
  if (baseOffset(buffer, at) < context.position) return reencodes['resume-inside-batch']
  if (!isDense(buffer, at)) return reencodes['compacted-gaps']
  if (isLogAppendTime(buffer, at) && !context.targetStamps) return reencodes['log-append-time']
  if (bytes > context.targetBatchBytesMax) return reencodes.oversize
  return forward
}
