import { type Codec, noProducer } from '../../../replicator/records/batch-header.ts'
import { batchLayout } from '../../../replicator/records/batch-layout.ts'
import type { RecordContent } from '../../../replicator/records/decode.ts'
import { sealBatch } from '../../../replicator/records/encode.ts'
import { type RawBatch, rawBatch } from '../../../replicator/records/record-batch.ts'
import { RecordWriter } from '../../../replicator/records/record-writer.ts'

/** A batch as a broker stores it: at a base offset, with the gaps that compaction leaves. */
export const gappedBatch = (
  records: readonly (RecordContent & { readonly offsetDelta: number })[],
  fields: { readonly baseOffset: bigint; readonly lastOffsetDelta: number; readonly codec?: Codec },
): RawBatch => {
  const baseTimestamp = records[0]?.timestamp ?? -1n
  const writer = new RecordWriter()
  for (const record of records) {
    writer.append(record, record.offsetDelta, record.timestamp - baseTimestamp)
  }
  const buffer = sealBatch(writer.payload, {
    codec: fields.codec ?? 'none',
    lastOffsetDelta: fields.lastOffsetDelta,
    recordCount: records.length,
    baseTimestamp,
    maxTimestamp: records.reduce((max, { timestamp }) => (timestamp > max ? timestamp : max), -1n),
    producer: noProducer,
    transactional: false,
  })
  buffer.writeBigInt64BE(fields.baseOffset, batchLayout.baseOffset)
  return rawBatch(buffer, 0, buffer.length)
}
