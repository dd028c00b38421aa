import { type Codec, codecNumber, noProducer, type ProducerFields } from './batch-header.ts'
import { attributeBits, batchHeaderBytes, batchLayout, lengthPrefixBytes } from './batch-layout.ts'
import { compress } from './codec.ts'
import { crc32cOf } from './crc.ts'
import type { RecordContent } from './decode.ts'
import { RecordWriter } from './record-writer.ts'

/** The header fields of a batch that is written here; everything else follows from its records. */
export interface BatchFields {
  readonly codec: Codec
  readonly lastOffsetDelta: number
  readonly recordCount: number
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producer: ProducerFields
  /** Whether the batch belongs to a transaction of its producer. */
  readonly transactional: boolean
}

/** Puts a header with a valid CRC before `payload`: uncompressed records, compressed here. */
export const sealBatch = (payload: Buffer, fields: BatchFields): Buffer => {
  const stored = compress(fields.codec, payload)
  const batch = Buffer.allocUnsafe(batchHeaderBytes + stored.length)
  stored.copy(batch, batchLayout.records)
  batch.writeBigInt64BE(0n, batchLayout.baseOffset)
  batch.writeInt32BE(batch.length - lengthPrefixBytes, batchLayout.batchLength)
  batch.writeInt32BE(-1, batchLayout.partitionLeaderEpoch)
  batch.writeInt8(2, batchLayout.magic)
  const bits = codecNumber(fields.codec) | (fields.transactional ? attributeBits.transactional : 0)
  batch.writeInt16BE(bits, batchLayout.attributes)
  batch.writeInt32BE(fields.lastOffsetDelta, batchLayout.lastOffsetDelta)
  batch.writeBigInt64BE(fields.baseTimestamp, batchLayout.baseTimestamp)
  batch.writeBigInt64BE(fields.maxTimestamp, batchLayout.maxTimestamp)
  batch.writeBigInt64BE(fields.producer.producerId, batchLayout.producerId)
  batch.writeInt16BE(fields.producer.producerEpoch, batchLayout.producerEpoch)
  batch.writeInt32BE(fields.producer.baseSequence, batchLayout.baseSequence)
  batch.writeInt32BE(fields.recordCount, batchLayout.recordCount)
  batch.writeUInt32BE(crc32cOf(batch.subarray(batchLayout.attributes)), batchLayout.crc)
  return batch
}

/** How a batch is encoded. */
export interface EncodeOptions {
  /** Default `none`. */
  readonly codec?: Codec
  /** Default: not idempotent. */
  readonly producer?: ProducerFields
  /** Default `false`. */
  readonly transactional?: boolean
}

/**
 * Encodes records as one batch that a broker accepts: base offset 0, dense offsets, create timestamps, a
 * valid CRC. Throws RangeError for no records: there is no such batch to produce.
 */
export const encodeBatch = (
  records: readonly RecordContent[],
  { codec = 'none', producer = noProducer, transactional = false }: EncodeOptions = {},
): Buffer => {
  const first = records[0]
  if (first === undefined) throw new RangeError('A record batch needs at least one record')
  const baseTimestamp = first.timestamp
  let maxTimestamp = baseTimestamp
  const writer = new RecordWriter()
  for (const [i, record] of records.entries()) {
    if (record.timestamp > maxTimestamp) maxTimestamp = record.timestamp
    writer.append(record, i, record.timestamp - baseTimestamp)
  }
  return sealBatch(writer.payload, {
    codec,
    lastOffsetDelta: records.length - 1,
    recordCount: records.length,
    baseTimestamp,
    maxTimestamp,
    producer,
    transactional,
  })
}
