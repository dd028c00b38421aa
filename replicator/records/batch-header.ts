/**
 * Reads and rewrites the header of a record batch in place. Nothing here allocates, except the bigints that
 * its name or type announces. Callers have found the batch with `nextBatch`, so its header is wholly inside
 * the buffer and its magic is 2; otherwise the reads throw `ERR_OUT_OF_RANGE` or mean nothing.
 */
import { attributeBits, batchLayout, lengthPrefixBytes } from './batch-layout.ts'
import { extendLinearByByte, extendLinearByWord, shiftLinear } from './crc.ts'

/** A compression codec of the record batch format. */
export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** The codec whose number is in the attributes; numbers 5 to 7 are not assigned. */
export const codecOf = (buffer: Buffer, at: number): Codec | 'unassigned' =>
  codecs[buffer[at + batchLayout.attributes + 1]! & attributeBits.codec] ?? 'unassigned'

/** The number of a codec in the attributes. */
export const codecNumber = (codec: Codec): number => codecs.indexOf(codec)

const has = (buffer: Buffer, at: number, bit: number): boolean =>
  (buffer[at + batchLayout.attributes + 1]! & bit) !== 0

/** Bytes of the whole batch, its length prefix included. */
export const batchBytes = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at + batchLayout.batchLength) + lengthPrefixBytes

/** The version of the batch's format. It is at the same place in every version. */
export const magicOf = (buffer: Buffer, at: number): number => buffer.readInt8(at + batchLayout.magic)

/** Whether the records' time is the one the broker gave the batch (`maxTimestamp`), not their own. */
export const isLogAppendTime = (buffer: Buffer, at: number): boolean =>
  has(buffer, at, attributeBits.logAppendTime)

export const isTransactional = (buffer: Buffer, at: number): boolean =>
  has(buffer, at, attributeBits.transactional)

/** Whether the batch holds markers of the broker and no records of users. */
export const isControl = (buffer: Buffer, at: number): boolean => has(buffer, at, attributeBits.control)

/** Whether the base timestamp is the time until which tombstones are kept (KIP-534). */
export const hasDeleteHorizon = (buffer: Buffer, at: number): boolean =>
  has(buffer, at, attributeBits.deleteHorizon)

export const baseOffset = (buffer: Buffer, at: number): bigint =>
  buffer.readBigInt64BE(at + batchLayout.baseOffset)

/** The offset of the last record that was ever in the batch, compacted away or not. */
export const lastOffset = (buffer: Buffer, at: number): bigint =>
  baseOffset(buffer, at) + BigInt(lastOffsetDelta(buffer, at))

export const partitionLeaderEpoch = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at + batchLayout.partitionLeaderEpoch)

export const storedCrc = (buffer: Buffer, at: number): number => buffer.readUInt32BE(at + batchLayout.crc)

export const lastOffsetDelta = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at + batchLayout.lastOffsetDelta)

/** Records in the batch. Less than `lastOffsetDelta + 1` after compaction, 0 when all were removed. */
export const recordCount = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at + batchLayout.recordCount)

/** Whether every offset of the batch has its record: only then may it be produced as it is. */
export const isDense = (buffer: Buffer, at: number): boolean => {
  const count = recordCount(buffer, at)
  return count > 0 && count === lastOffsetDelta(buffer, at) + 1
}

const readInt64AsNumber = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)

/** The largest record timestamp in milliseconds since 1970, or the append time; -1 on the wire means none. */
export const maxTimestampMs = (buffer: Buffer, at: number): number =>
  readInt64AsNumber(buffer, at + batchLayout.maxTimestamp)

/** As {@link maxTimestampMs}, exact for every 64-bit value. */
export const maxTimestamp = (buffer: Buffer, at: number): bigint =>
  buffer.readBigInt64BE(at + batchLayout.maxTimestamp)

/** What record timestamps count from, in milliseconds; with a delete horizon, that horizon. */
export const baseTimestamp = (buffer: Buffer, at: number): bigint =>
  buffer.readBigInt64BE(at + batchLayout.baseTimestamp)

/** -1 when the producer was not idempotent. */
export const producerId = (buffer: Buffer, at: number): bigint =>
  buffer.readBigInt64BE(at + batchLayout.producerId)

export const producerEpoch = (buffer: Buffer, at: number): number =>
  buffer.readInt16BE(at + batchLayout.producerEpoch)

export const baseSequence = (buffer: Buffer, at: number): number =>
  buffer.readInt32BE(at + batchLayout.baseSequence)

/** Who produces a batch, and where it stands in that producer's sequence of the partition. */
export interface ProducerFields {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
}

/** The fields of a producer that is not idempotent. */
export const noProducer: ProducerFields = { producerId: -1n, producerEpoch: -1, baseSequence: -1 }

/** Whether the batch was written by this producer in this epoch. Markers bear the producer whose transaction they end. */
export const isProducedBy = (
  buffer: Buffer,
  at: number,
  producer: Pick<ProducerFields, 'producerId' | 'producerEpoch'>,
): boolean =>
  producerEpoch(buffer, at) === producer.producerEpoch && producerId(buffer, at) === producer.producerId

/** After the largest sequence number comes 0. */
const SEQUENCE_MAX = 0x7fff_ffff

/** The sequence after `count` records: after 2^31 - 1 comes 0. Without idempotence (-1) there is none. */
export const sequenceAfter = (sequence: number, count: number): number =>
  // A mask is cheaper than `%` of numbers that do not fit into 32 bits.
  sequence < 0 ? sequence : (sequence + count) & SEQUENCE_MAX

/** How many records on from the sequence `from` the sequence `to` is, in 0 to 2^31 - 1. Neither may be -1. */
export const sequenceDistance = (from: number, to: number): number => (to - from) & SEQUENCE_MAX

const idScratch = new BigInt64Array(1)
const idHalves = new DataView(idScratch.buffer)
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const highHalf = littleEndian ? 4 : 0
const lowHalf = 4 - highHalf

const clearedBits = attributeBits.logAppendTime | attributeBits.transactional | attributeBits.deleteHorizon

/** The linear CRC of a change of the attributes' low byte, seen from the first byte of the producer id. */
const attributesSeenFromProducer = Int32Array.from({ length: 256 }, (_, changed) =>
  shiftLinear(extendLinearByByte(0, changed), batchLayout.producerId - batchLayout.attributes - 2),
)

/**
 * Makes a fetched batch acceptable to the target's broker, in place: base offset 0, leader epoch -1, the
 * timestamp-type, transactional and delete-horizon bits clear, the given producer's fields, and a CRC that
 * follows from the old one and the changed bits without reading the payload. A batch whose CRC was wrong
 * before is wrong after, so damage is never sealed in.
 *
 * Only for dense data batches with times of their own: gaps, control markers and LogAppendTime batches need
 * another path. Records keep their timestamps: they count from the base timestamp, which stays.
 */
export const rewriteForTarget = (buffer: Buffer, at: number, producer: ProducerFields): void => {
  buffer.writeInt32BE(0, at + batchLayout.baseOffset)
  buffer.writeInt32BE(0, at + batchLayout.baseOffset + 4)
  buffer.writeInt32BE(-1, at + batchLayout.partitionLeaderEpoch)

  const attributes = buffer[at + batchLayout.attributes + 1]!
  const changedBits = attributes & clearedBits
  buffer[at + batchLayout.attributes + 1] = attributes ^ changedBits

  idScratch[0] = producer.producerId
  const idAt = at + batchLayout.producerId
  const idHigh = idHalves.getInt32(highHalf, littleEndian)
  const idLow = idHalves.getInt32(lowHalf, littleEndian)
  const { producerEpoch: epoch, baseSequence: sequence } = producer
  let change = attributesSeenFromProducer[changedBits]!
  change = extendLinearByWord(change, buffer.readInt32BE(idAt) ^ idHigh)
  change = extendLinearByWord(change, buffer.readInt32BE(idAt + 4) ^ idLow)
  const epochChange = buffer.readInt16BE(idAt + 8) ^ epoch
  change = extendLinearByByte(change, (epochChange >> 8) & 0xff)
  change = extendLinearByByte(change, epochChange & 0xff)
  change = extendLinearByWord(change, buffer.readInt32BE(idAt + 10) ^ sequence)
  buffer.writeInt32BE(idHigh, idAt)
  buffer.writeInt32BE(idLow, idAt + 4)
  buffer.writeInt16BE(epoch, idAt + 8)
  buffer.writeInt32BE(sequence, idAt + 10)

  if (change === 0) return
  const restBytes = batchBytes(buffer, at) - batchLayout.recordCount
  const crcAt = at + batchLayout.crc
  buffer.writeInt32BE(buffer.readInt32BE(crcAt) ^ shiftLinear(change, restBytes), crcAt)
}
