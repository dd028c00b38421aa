import {
  baseOffset,
  baseSequence,
  batchBytes,
  codecOf,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetDelta,
  magicOf,
  producerId,
  recordCount,
} from '../../replicator/records/batch-header.ts'
import { attributeBits, batchHeaderBytes, batchLayout } from '../../replicator/records/batch-layout.ts'
import { crcMatches } from '../../replicator/records/crc.ts'
import { readRecords, sealBatch, type TestRecord } from './record-batches.ts'

/** The topic configs that decide about a produced batch. */
export interface AppendLimits {
  readonly batchBytesMax: number
  readonly segmentBytes: number
  readonly compacted: boolean
  readonly logAppendTime: boolean
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
}

export interface Refusal {
  readonly code: number
  readonly detail: string
}

const CORRUPT_MESSAGE = 2
const RECORD_TOO_LARGE = 10
const RECORD_LIST_TOO_LARGE = 18
const INVALID_TIMESTAMP = 32
const INVALID_RECORD = 87

const refuse = (code: number, detail: string): Refusal => ({ code, detail })

/**
 * What a broker checks while it reads the request, before it looks at any log: a partition's bytes are exactly one
 * batch of format 2. Source: Kafka 4.3 `ProduceRequest.validateRecords`, `ByteBufferLogInputStream`.
 */
export function checkRequestBytes(bytes: Buffer): Refusal | undefined {
  const first = batchEnd(bytes, 0)
  if (typeof first !== 'number') return first ?? refuse(INVALID_RECORD, 'must have at least one record batch')
  if (magicOf(bytes, 0) !== 2) return refuse(INVALID_RECORD, 'only allowed to contain batches with magic 2')
  const second = batchEnd(bytes, first)
  if (typeof second === 'number') return refuse(INVALID_RECORD, 'only allowed to contain exactly one batch')
  return second
}

/** Where the batch at `at` ends; `undefined` when no whole batch is left. */
function batchEnd(bytes: Buffer, at: number): number | Refusal | undefined {
  if (bytes.length - at < batchLayout.crc) return undefined
  const size = batchBytes(bytes, at)
  if (size < 26) return refuse(CORRUPT_MESSAGE, `a record size of ${size} bytes is less than the minimum`)
  const magic = magicOf(bytes, at)
  if (magic < 0 || magic > 2) return refuse(CORRUPT_MESSAGE, `invalid magic ${magic}`)
  return at + size > bytes.length ? undefined : at + size
}

/**
 * What the log checks before it stamps a batch, in the broker's order. Source: Kafka 4.3
 * `UnifiedLog.analyzeAndValidateRecords`, then `LogValidator.validateBatch` and `validateRecord`.
 */
export function checkBatch(batch: Buffer, limits: AppendLimits, nowMs: number): Refusal | undefined {
  if (baseOffset(batch, 0) !== 0n) return refuse(INVALID_RECORD, 'the base offset should be 0')
  if (batch.length > limits.batchBytesMax) {
    return refuse(RECORD_TOO_LARGE, `${batch.length} bytes exceed max.message.bytes ${limits.batchBytesMax}`)
  }
  if (batch.length < batchHeaderBytes || !crcMatches(batch, 0, batch.length)) {
    return refuse(CORRUPT_MESSAGE, 'the checksum does not match')
  }
  return checkHeader(batch) ?? checkRecords(batch, limits, nowMs) ?? checkSegment(batch, limits)
}

function checkHeader(batch: Buffer): Refusal | undefined {
  const span = lastOffsetDelta(batch, 0) + 1
  const count = recordCount(batch, 0)
  if (span <= 0) return refuse(INVALID_RECORD, 'invalid offset range')
  if (count <= 0) return refuse(INVALID_RECORD, `invalid record count ${count}`)
  if (span !== count)
    return refuse(INVALID_RECORD, `inconsistent offset range: ${span} offsets, ${count} records`)
  if (isControl(batch, 0)) return refuse(INVALID_RECORD, 'clients may not write control records')
  if (producerId(batch, 0) >= 0n && baseSequence(batch, 0) < 0) {
    return refuse(INVALID_RECORD, 'a producer id without a sequence')
  }
  if (codecOf(batch, 0) === 'unassigned') return refuse(CORRUPT_MESSAGE, 'unknown compression type')
  return undefined
}

/** One bad record refuses the whole batch; a wrong timestamp outranks a missing key. */
function checkRecords(batch: Buffer, limits: AppendLimits, nowMs: number): Refusal | undefined {
  let records: TestRecord[]
  try {
    records = readRecords(batch)
  } catch (error) {
    return refuse(INVALID_RECORD, error instanceof Error ? error.message : String(error))
  }
  let refusal: Refusal | undefined
  for (const record of records) {
    const timestamp = checkTimestamp(batch, record, limits, nowMs)
    if (timestamp !== undefined) return timestamp
    if (limits.compacted && record.key === null) {
      refusal ??= refuse(INVALID_RECORD, 'a compacted topic cannot accept a record without key')
    }
  }
  return refusal
}

function checkTimestamp(
  batch: Buffer,
  { timestampMs }: TestRecord,
  limits: AppendLimits,
  nowMs: number,
): Refusal | undefined {
  if (!limits.logAppendTime && timestampMs !== -1) {
    const early = nowMs - timestampMs > limits.timestampBeforeMaxMs
    const late = timestampMs - nowMs > limits.timestampAfterMaxMs
    return early || late ? refuse(INVALID_TIMESTAMP, `timestamp ${timestampMs} is out of range`) : undefined
  }
  return isLogAppendTime(batch, 0)
    ? refuse(INVALID_TIMESTAMP, 'producers should not set the timestamp type to LogAppendTime')
    : undefined
}

const checkSegment = (batch: Buffer, limits: AppendLimits): Refusal | undefined =>
  batch.length > limits.segmentBytes
    ? refuse(RECORD_LIST_TOO_LARGE, `${batch.length} bytes exceed segment.bytes ${limits.segmentBytes}`)
    : undefined

/** Whether the batch may only come with a transactional id in its request. */
export const needsTransaction = (bytes: Buffer): boolean =>
  bytes.length >= batchHeaderBytes && magicOf(bytes, 0) === 2 && isTransactional(bytes, 0)

/**
 * Makes the accepted batch what the log keeps: its own copy, stamped with offset and leader epoch, and with the
 * time of the append where the topic says so. The checksum is renewed only if checked bytes changed.
 */
export function stampBatch(
  accepted: Buffer,
  offset: bigint,
  leaderEpoch: number,
  appendTimeMs: number | undefined,
): Buffer {
  const batch = Buffer.from(accepted)
  batch.writeBigInt64BE(offset, batchLayout.baseOffset)
  batch.writeInt32BE(leaderEpoch, batchLayout.partitionLeaderEpoch)
  const attributes = batch.readInt16BE(batchLayout.attributes)
  const wanted =
    appendTimeMs === undefined
      ? attributes & ~attributeBits.logAppendTime
      : attributes | attributeBits.logAppendTime
  const newest =
    appendTimeMs ??
    (wanted === attributes ? newestRecordMs(batch) : Number(batch.readBigInt64BE(batchLayout.maxTimestamp)))
  if (wanted === attributes && BigInt(newest) === batch.readBigInt64BE(batchLayout.maxTimestamp)) return batch
  batch.writeInt16BE(wanted, batchLayout.attributes)
  batch.writeBigInt64BE(BigInt(newest), batchLayout.maxTimestamp)
  sealBatch(batch)
  return batch
}

const newestRecordMs = (batch: Buffer): number =>
  Math.max(-1, ...readRecords(batch).map((record) => record.timestampMs))
