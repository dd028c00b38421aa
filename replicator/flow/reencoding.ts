import { noProducer } from '../records/batch-header.ts'
import { CorruptBatchError, DecompressionLimitError } from '../records/corrupt-batch.ts'
import { decodeBatch } from '../records/decode.ts'
import type { RawBatch } from '../records/record-batch.ts'
import { type ReencodedBatch, reencode } from '../records/reencode.ts'

/** Dense batches with the records of one that could not pass as it was, or why there are none. */
export type Reencoded =
  | { readonly kind: 'encoded'; readonly batches: readonly ReencodedBatch[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly wayOut: string }

/**
 * Decodes a batch and encodes its records from `position` on as dense batches of at most `batchBytesMax` bytes.
 * Sequences are given when they are sent.
 */
export function reencodeFrom(raw: RawBatch, position: bigint, batchBytesMax: number): Reencoded {
  try {
    const decoded = decodeBatch(raw)
    const keep = (record: { readonly offset: bigint }): boolean => record.offset >= position
    const outcome = reencode([decoded], { producer: noProducer, batchBytesMax, keep })
    if (outcome.kind === 'batches') return { kind: 'encoded', batches: outcome.batches }
    return {
      kind: 'refused',
      reason: `the record at offset ${outcome.offset} alone takes ${outcome.bytes} bytes as a batch; the target topic allows ${batchBytesMax}`,
      wayOut: `Raise max.message.bytes of the target topic to at least ${outcome.bytes}, then restart the flow.`,
    }
  } catch (error) {
    if (!(error instanceof CorruptBatchError || error instanceof DecompressionLimitError)) throw error
    return {
      kind: 'refused',
      reason: `a batch cannot be decoded: ${error.message}`,
      wayOut:
        'Check that partition of the source with kafka-dump-log; delete the damaged records (kafka-delete-records) or restore them, then restart the flow.',
    }
  }
}
