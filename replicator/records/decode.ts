import {
  baseOffset,
  baseTimestamp,
  type Codec,
  codecOf,
  isLogAppendTime,
  lastOffsetDelta,
  maxTimestamp,
  recordCount,
} from './batch-header.ts'
import { batchLayout } from './batch-layout.ts'
import { decompress } from './codec.ts'
import { CorruptBatchError } from './corrupt-batch.ts'
import type { RawBatch } from './record-batch.ts'
import { RecordReader } from './record-reader.ts'

/** A header of a record. Names are kept as bytes: nothing promises that they are UTF-8. */
export interface RecordHeader {
  readonly name: Buffer
  readonly value: Buffer | null
}

/** What a record carries, wherever it is stored. */
export interface RecordContent {
  /** Milliseconds since 1970; -1 on the wire when the producer gave none. */
  readonly timestamp: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** In order, with duplicates. */
  readonly headers: readonly RecordHeader[]
}

/** A record at its offset. Of a LogAppendTime batch the timestamp is the append time, as readers see it. */
export interface DecodedRecord extends RecordContent {
  readonly offset: bigint
}

/** A record batch whose records are known. Keys, values and headers may be views of the fetched buffer. */
export interface DecodedBatch {
  readonly kind: 'decoded'
  readonly codec: Codec
  readonly baseOffset: bigint
  /** The last offset the batch stands for, whether its record is still there or not. */
  readonly lastOffset: bigint
  readonly records: readonly DecodedRecord[]
}

/** What decoding may use when the caller does not say: 256 MiB of plain records per batch. */
export const decompressedBytesMaxDefault = 256 * 1024 * 1024

/** The least bytes of a record: length, attributes, two deltas, two lengths and the number of headers. */
const recordBytesMin = 7

const readHeaders = (reader: RecordReader): readonly RecordHeader[] => {
  const from = reader.position
  const count = reader.varint()
  if (count < 0) reader.fail(`${count} headers`, from)
  const headers: RecordHeader[] = []
  for (let i = 0; i < count; i += 1) {
    const nameFrom = reader.position
    const name = reader.bytes() ?? reader.fail('a header without a name', nameFrom)
    headers.push({ name, value: reader.bytes() })
  }
  return headers
}

/**
 * Decodes the records of a batch, also of a control batch. The CRC is not checked: see `crcMatches`.
 *
 * Throws {@link CorruptBatchError} for whatever contradicts the format, offsets that do not ascend within the
 * batch included, and `DecompressionLimitError` for records of more than `decompressedBytesMax` bytes.
 */
export const decodeBatch = (
  { buffer, at, bytes }: RawBatch,
  { decompressedBytesMax = decompressedBytesMaxDefault }: { readonly decompressedBytesMax?: number } = {},
): DecodedBatch => {
  const codec = codecOf(buffer, at)
  if (codec === 'unassigned') throw new CorruptBatchError('its compression codec is not assigned')
  const first = baseOffset(buffer, at)
  const lastDelta = lastOffsetDelta(buffer, at)
  const count = recordCount(buffer, at)
  const batch = { kind: 'decoded', codec, baseOffset: first, lastOffset: first + BigInt(lastDelta) } as const
  const stored = buffer.subarray(at + batchLayout.records, at + bytes)
  if (count === 0 && stored.length === 0) return { ...batch, records: [] }

  const plain = decompress(codec, stored, decompressedBytesMax)
  if (count < 0 || count * recordBytesMin > plain.length) {
    throw new CorruptBatchError(`${count} records in ${plain.length} bytes`)
  }
  const appendTime = isLogAppendTime(buffer, at) ? maxTimestamp(buffer, at) : undefined
  const since = baseTimestamp(buffer, at)
  const reader = new RecordReader(plain)
  const records: DecodedRecord[] = []
  let deltaBefore = -1
  for (let i = 0; i < count; i += 1) {
    reader.enterRecord()
    reader.byte()
    const timestamp = since + reader.varlong()
    const deltaFrom = reader.position
    const delta = reader.varint()
    if (delta <= deltaBefore || delta > lastDelta) {
      reader.fail(`offset delta ${delta} after ${deltaBefore} in a batch up to ${lastDelta}`, deltaFrom)
    }
    deltaBefore = delta
    const offset = first + BigInt(delta)
    const key = reader.bytes()
    const value = reader.bytes()
    records.push({ offset, timestamp: appendTime ?? timestamp, key, value, headers: readHeaders(reader) })
    reader.leaveRecord()
  }
  reader.finish()
  return { ...batch, records }
}
