import { lastOffsetDelta, recordCount } from './batch-header.ts'
import { batchHeaderBytes, batchLayout, lengthPrefixBytes } from './batch-layout.ts'

/**
 * A record batch as it was fetched: bytes nobody has looked into. Valid as long as its buffer is leased.
 * What its records are is only known of a `DecodedBatch`.
 */
export interface RawBatch {
  readonly kind: 'raw'
  readonly buffer: Buffer
  /** Where the batch begins in `buffer`. */
  readonly at: number
  /** Bytes of the whole batch. */
  readonly bytes: number
}

/** A view of the batch that {@link nextBatch} found at `at`. */
export const rawBatch = (buffer: Buffer, at: number, bytes: number): RawBatch => ({
  kind: 'raw',
  buffer,
  at,
  bytes,
})

/**
 * What begins at a position of a fetched buffer.
 * `batch`: a whole batch of format version 2 with a coherent header; the CRC is not checked.
 * `partial`: the buffer ends before the batch does, or right here. A broker cuts off only what follows a whole
 * batch, so after `partial` at the very start another Fetch does not help.
 * `unsupported-magic`: an older (0, 1) or unknown format; no batch after it in this buffer can be reached.
 * `malformed`: a header that contradicts itself.
 */
export type NextBatch =
  | { readonly kind: 'batch'; readonly bytes: number }
  | { readonly kind: 'partial' }
  | { readonly kind: 'unsupported-magic'; readonly magic: number }
  | { readonly kind: 'malformed'; readonly reason: string }

const partial: NextBatch = { kind: 'partial' }
const malformed = (reason: string): NextBatch => ({ kind: 'malformed', reason })

/**
 * Looks at `at` for a batch without decoding it; continue at `at + bytes`. Never throws and never reads
 * outside the buffer; a found batch has at least 61 bytes, so a walk always ends. The first batch of a Fetch
 * may begin before the offset that was asked for: compare `lastOffset` with it.
 */
export const nextBatch = (buffer: Buffer, at: number): NextBatch => {
  const rest = buffer.length - at
  if (rest <= batchLayout.magic) return partial
  const magic = buffer.readInt8(at + batchLayout.magic)
  if (magic !== 2) return { kind: 'unsupported-magic', magic }
  const length = buffer.readInt32BE(at + batchLayout.batchLength)
  const bytes = length + lengthPrefixBytes
  if (bytes < batchHeaderBytes) return malformed(`batch length ${length} is less than that of a header`)
  if (rest < bytes) return partial
  if (buffer.readInt32BE(at + batchLayout.baseOffset) < 0) return malformed('negative base offset')
  const lastDelta = lastOffsetDelta(buffer, at)
  if (lastDelta < 0) return malformed(`negative last offset delta ${lastDelta}`)
  const records = recordCount(buffer, at)
  if (records < 0 || records > lastDelta + 1) {
    return malformed(`${records} records in ${lastDelta + 1} offsets`)
  }
  return { kind: 'batch', bytes }
}
