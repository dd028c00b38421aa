import type { VisitedBatch } from '../logs/log-walk.ts'
import {
  baseOffset,
  baseSequence,
  isDense,
  lastOffsetDelta,
  producerEpoch,
  producerId,
  recordCount,
} from '../records/batch-header.ts'
import { CorruptBatchError, DecompressionLimitError } from '../records/corrupt-batch.ts'
import { decodeBatch } from '../records/decode.ts'
import type { SourceBatch } from './source-stretch.ts'
import type { TargetBatch } from './target-stretch.ts'

/**
 * @param isForwarded whether the forwarding rule takes the batch
 * @param from offsets below are not asked for
 */
export function sourceBatchOf(
  { raw, verdict }: VisitedBatch,
  isForwarded: boolean,
  from: number,
): SourceBatch {
  const { buffer, at } = raw
  const base = Number(baseOffset(buffer, at))
  const next = base + lastOffsetDelta(buffer, at) + 1
  if (verdict !== 'deliver' || !isForwarded) return { base, next, forwarded: 'none' }
  if (isDense(buffer, at)) return { base, next, forwarded: 'all' }
  return { base, next, forwarded: recordCount(buffer, at) === 0 ? [] : survivorsOf(raw, from) }
}

/** @param isOurs whether its producer is one of this flow's */
export function targetBatchOf({ raw: { buffer, at }, verdict }: VisitedBatch, isOurs: boolean): TargetBatch {
  const base = Number(baseOffset(buffer, at))
  const next = base + lastOffsetDelta(buffer, at) + 1
  if (verdict === 'control' || !isOurs) return { base, next, producer: undefined }
  return {
    base,
    next,
    producer: {
      producerId: producerId(buffer, at),
      producerEpoch: producerEpoch(buffer, at),
      baseSequence: baseSequence(buffer, at),
    },
  }
}

/** Where records are left of a compacted batch. Of one that cannot be decoded nothing is known. */
function survivorsOf(raw: VisitedBatch['raw'], from: number): readonly number[] {
  try {
    return decodeBatch(raw)
      .records.map(({ offset }) => Number(offset))
      .filter((offset) => offset >= from)
  } catch (error) {
    if (error instanceof CorruptBatchError || error instanceof DecompressionLimitError) return []
    throw error
  }
}
