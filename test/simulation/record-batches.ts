import { type Codec, codecNumber, codecOf } from '../../replicator/records/batch-header.ts'
import {
  attributeBits,
  batchHeaderBytes,
  batchLayout,
  lengthPrefixBytes,
} from '../../replicator/records/batch-layout.ts'
import { compress, decompress } from '../../replicator/records/codec.ts'
import { crc32cOf } from '../../replicator/records/crc.ts'

/*
 * A plain builder and reader of record batches (format 2, Kafka protocol guide, "Record Batch"), for tests and for
 * the simulated brokers. It shares only the field positions, the checksum and the compression with the product's
 * own decoder and encoder, so that each can be judged by the other.
 */

export interface TestRecord {
  readonly offsetDelta: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [string, Buffer | null])[]
}

export interface BatchFields {
  readonly baseOffset?: bigint
  readonly leaderEpoch?: number
  readonly codec?: Codec
  readonly logAppendTime?: boolean
  readonly transactional?: boolean
  readonly control?: boolean
  readonly deleteHorizonMs?: number
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
  /** Default: what the records need. */
  readonly lastOffsetDelta?: number
  /** Default: the records' count. */
  readonly count?: number
  /** Default: the largest of the records'. */
  readonly maxTimestampMs?: number
  /** Spoils the checksum. */
  readonly corrupt?: boolean
}

const decompressedBytesMax = 64 * 1024 * 1024

/** Shorthand for the records of a test: each its key and value, stamped `timestampMs`. */
export function recordsOf(pairs: readonly (readonly [string | null, string | null])[], timestampMs: number) {
  return pairs.map(
    ([key, value], offsetDelta): TestRecord => ({
      offsetDelta,
      timestampMs,
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers: [],
    }),
  )
}

/** Encodes a batch. Nothing is checked: tests need wrong batches too. */
export function buildBatch(records: readonly TestRecord[], fields: BatchFields = {}): Buffer {
  const times = records.map((record) => record.timestampMs)
  const baseTimestampMs = fields.deleteHorizonMs ?? times[0] ?? -1
  const plain = Buffer.concat(records.map((record) => encodeRecord(record, baseTimestampMs)))
  const codec = fields.codec ?? 'none'
  const payload = codec === 'none' ? plain : compress(codec, plain)
  const batch = Buffer.alloc(batchHeaderBytes + payload.length)
  payload.copy(batch, batchHeaderBytes)
  const attributes =
    codecNumber(codec) |
    (fields.logAppendTime ? attributeBits.logAppendTime : 0) |
    (fields.transactional ? attributeBits.transactional : 0) |
    (fields.control ? attributeBits.control : 0) |
    (fields.deleteHorizonMs === undefined ? 0 : attributeBits.deleteHorizon)
  batch.writeBigInt64BE(fields.baseOffset ?? 0n, batchLayout.baseOffset)
  batch.writeInt32BE(batch.length - lengthPrefixBytes, batchLayout.batchLength)
  batch.writeInt32BE(fields.leaderEpoch ?? -1, batchLayout.partitionLeaderEpoch)
  batch.writeInt8(2, batchLayout.magic)
  batch.writeInt16BE(attributes, batchLayout.attributes)
  batch.writeInt32BE(fields.lastOffsetDelta ?? records.at(-1)?.offsetDelta ?? 0, batchLayout.lastOffsetDelta)
  batch.writeBigInt64BE(BigInt(baseTimestampMs), batchLayout.baseTimestamp)
  batch.writeBigInt64BE(BigInt(fields.maxTimestampMs ?? Math.max(-1, ...times)), batchLayout.maxTimestamp)
  batch.writeBigInt64BE(fields.producerId ?? -1n, batchLayout.producerId)
  batch.writeInt16BE(fields.producerEpoch ?? -1, batchLayout.producerEpoch)
  batch.writeInt32BE(fields.baseSequence ?? -1, batchLayout.baseSequence)
  batch.writeInt32BE(fields.count ?? records.length, batchLayout.recordCount)
  sealBatch(batch)
  if (fields.corrupt) batch.writeUInt32BE((batch.readUInt32BE(batchLayout.crc) ^ 1) >>> 0, batchLayout.crc)
  return batch
}

/** Writes the checksum of the batch as it stands. */
export function sealBatch(batch: Buffer): void {
  batch.writeUInt32BE(crc32cOf(batch.subarray(batchLayout.attributes)), batchLayout.crc)
}

/**
 * The records of one whole batch.
 * @throws Error when the count, the lengths or the compression do not agree with the payload
 */
export function readRecords(batch: Buffer): TestRecord[] {
  const compressed = batch.subarray(batchHeaderBytes)
  const codec = codecOf(batch, 0)
  if (codec === 'unassigned') throw new Error('an unknown compression type')
  const plain = codec === 'none' ? compressed : decompress(codec, compressed, decompressedBytesMax)
  const count = batch.readInt32BE(batchLayout.recordCount)
  const baseTimestampMs = Number(batch.readBigInt64BE(batchLayout.baseTimestamp))
  const appendTimeMs =
    (batch.readInt16BE(batchLayout.attributes) & attributeBits.logAppendTime) === 0
      ? undefined
      : Number(batch.readBigInt64BE(batchLayout.maxTimestamp))
  const reader = new VarintReader(plain)
  const records: TestRecord[] = []
  for (let i = 0; i < count; i++) {
    const record = decodeRecord(reader, baseTimestampMs)
    records.push(appendTimeMs === undefined ? record : { ...record, timestampMs: appendTimeMs })
  }
  if (reader.at !== plain.length) throw new Error(`${plain.length - reader.at} bytes after the last record`)
  return records
}

function encodeRecord(record: TestRecord, baseTimestampMs: number): Buffer {
  const body: Buffer[] = [
    Buffer.from([0]),
    varint(BigInt(record.timestampMs) - BigInt(baseTimestampMs)),
    varint(BigInt(record.offsetDelta)),
    ...field(record.key),
    ...field(record.value),
    varint(BigInt(record.headers.length)),
    ...record.headers.flatMap(([name, value]) => [...field(Buffer.from(name)), ...field(value)]),
  ]
  const bytes = Buffer.concat(body)
  return Buffer.concat([varint(BigInt(bytes.length)), bytes])
}

function decodeRecord(reader: VarintReader, baseTimestampMs: number): TestRecord {
  const length = Number(reader.varint())
  const end = reader.at + length
  reader.bytes(1)
  const timestampMs = baseTimestampMs + Number(reader.varint())
  const offsetDelta = Number(reader.varint())
  const key = reader.field()
  const value = reader.field()
  const headers: [string, Buffer | null][] = []
  for (let left = Number(reader.varint()); left > 0; left--) {
    headers.push([(reader.field() ?? Buffer.alloc(0)).toString(), reader.field()])
  }
  if (reader.at !== end) throw new Error('a record is not as long as it says')
  return { offsetDelta, timestampMs, key, value, headers }
}

const field = (bytes: Buffer | null): Buffer[] =>
  bytes === null ? [varint(-1n)] : [varint(BigInt(bytes.length)), bytes]

/** Zigzag varint, up to 64 bits. */
function varint(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  const bytes: number[] = []
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

class VarintReader {
  at = 0
  readonly #from: Buffer

  constructor(from: Buffer) {
    this.#from = from
  }

  varint(): bigint {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#from.readUInt8(this.at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return (value >> 1n) ^ -(value & 1n)
    }
  }

  bytes(count: number): Buffer {
    if (count < 0 || this.at + count > this.#from.length) throw new Error('a record runs past its batch')
    this.at += count
    return this.#from.subarray(this.at - count, this.at)
  }

  field(): Buffer | null {
    const length = Number(this.varint())
    return length < 0 ? null : Buffer.from(this.bytes(length))
  }
}
