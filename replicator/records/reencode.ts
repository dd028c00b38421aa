import { type ProducerFields, sequenceAfter } from './batch-header.ts'
import type { DecodedBatch, DecodedRecord } from './decode.ts'
import { encodeBatch } from './encode.ts'

/** Neighbouring source offsets that became neighbouring records of one target batch. */
export interface OffsetRun {
  readonly firstOffset: bigint
  readonly recordCount: number
}

/** One dense target batch, ready to be produced. */
export interface ReencodedBatch {
  readonly batch: Buffer
  readonly recordCount: number
  /** The sequence its producer is to have given before it. */
  readonly baseSequence: number
  /** Source offset of its first record. */
  readonly firstOffset: bigint
  /** Source offset of its last record. */
  readonly lastOffset: bigint
  /** Its records' source offsets, exactly: target record i is the i-th of these. */
  readonly runs: readonly OffsetRun[]
}

/**
 * `batches`: possibly none, when nothing was kept; the position after them is `nextOffset`, gaps included.
 * `record-too-large`: the record at `offset` alone takes `bytes` as a batch, more than allowed, or was to be halved.
 * Nothing else of its batch was encoded; raising the target's `max.message.bytes` helps.
 */
export type Reencoding =
  | { readonly kind: 'batches'; readonly batches: readonly ReencodedBatch[]; readonly nextOffset: bigint }
  | { readonly kind: 'record-too-large'; readonly offset: bigint; readonly bytes: number }

/** How batches are re-encoded. */
export interface ReencodeOptions {
  /** Fields of the first batch; sequences of further ones follow. */
  readonly producer: ProducerFields
  /** The target's `max.message.bytes`: bytes of a whole batch, compressed. */
  readonly batchBytesMax: number
  /** Default `false`. */
  readonly transactional?: boolean
  /** At least two batches, although one would fit: for a limit that nobody knows. Default `false`. */
  readonly halve?: boolean
  /** Which records are wanted; default all. Also trims what lies before the position. */
  readonly keep?: (record: DecodedRecord) => boolean
}

const runsOf = (records: readonly DecodedRecord[]): readonly OffsetRun[] => {
  const runs: { firstOffset: bigint; recordCount: number }[] = []
  for (const { offset } of records) {
    const last = runs.at(-1)
    if (last !== undefined && last.firstOffset + BigInt(last.recordCount) === offset) last.recordCount += 1
    else runs.push({ firstOffset: offset, recordCount: 1 })
  }
  return runs
}

const contentBytes = ({ key, value, headers }: DecodedRecord): number =>
  headers.reduce(
    (sum, header) => sum + header.name.length + (header.value?.length ?? 0),
    8 + (key?.length ?? 0) + (value?.length ?? 0),
  )

/** Where to cut two or more records so that both parts carry about the same bytes and neither is empty. */
const middleOf = (records: readonly DecodedRecord[]): number => {
  const bytes = records.map(contentBytes)
  const half = bytes.reduce((sum, part) => sum + part, 0) / 2
  let before = 0
  let count = 0
  while (count < records.length - 1 && before + bytes[count]! / 2 < half) {
    before += bytes[count]!
    count += 1
  }
  return Math.max(1, count)
}

/**
 * Makes dense batches of one or several neighbouring source batches: for gaps that compaction left, batches
 * over the target's limit, LogAppendTime batches (records keep the append time as their own), filters, and
 * tiny batches worth joining. The codec is that of the first source batch. Order is kept; offsets ascend.
 * A batch over the limit is halved by content until its parts fit.
 */
export const reencode = (sources: readonly DecodedBatch[], options: ReencodeOptions): Reencoding => {
  const last = sources.at(-1)
  if (last === undefined) throw new RangeError('Nothing to re-encode')
  const { codec } = sources[0]!
  const { batchBytesMax, keep = () => true, transactional = false } = options
  let mustHalve = options.halve ?? false
  const batches: ReencodedBatch[] = []
  let producer = options.producer
  const open = [sources.flatMap((source) => source.records.filter(keep))]
  for (let records = open.pop(); records !== undefined; records = open.pop()) {
    const first = records[0]
    if (first === undefined) continue
    const batch = encodeBatch(records, { codec, producer, transactional })
    if (batch.length <= batchBytesMax && !mustHalve) {
      const { baseSequence } = producer
      const [recordCount, runs] = [records.length, runsOf(records)]
      const offsets = { firstOffset: first.offset, lastOffset: records.at(-1)!.offset }
      batches.push({ batch, recordCount, baseSequence, ...offsets, runs })
      producer = { ...producer, baseSequence: sequenceAfter(baseSequence, recordCount) }
    } else if (records.length === 1) {
      return { kind: 'record-too-large', offset: first.offset, bytes: batch.length }
    } else {
      mustHalve = false
      const middle = middleOf(records)
      open.push(records.slice(middle), records.slice(0, middle))
    }
  }
  return { kind: 'batches', batches, nextOffset: last.lastOffset + 1n }
}
