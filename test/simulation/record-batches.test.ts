import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { crcMatches } from '../../replicator/records/crc.ts'
import { decodeBatch } from '../../replicator/records/decode.ts'
import { rawBatch } from '../../replicator/records/record-batch.ts'
import { buildBatch, readRecords, type TestRecord } from './record-batches.ts'

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))
const nullable = fc.option(bytes)
const recordsArbitrary = fc
  .array(
    fc.record({
      timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
      key: nullable,
      value: nullable,
      headers: fc.array(fc.tuple(fc.string({ maxLength: 8 }), nullable), { maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((records) => records.map((record, offsetDelta): TestRecord => ({ offsetDelta, ...record })))
const codecArbitrary = fc.constantFrom('none', 'gzip', 'snappy', 'lz4', 'zstd')

describe('batches built for tests', () => {
  test('read back as they were', () => {
    fc.assert(
      fc.property(recordsArbitrary, codecArbitrary, (records, codec) => {
        const batch = buildBatch(records, { codec })
        assert(crcMatches(batch, 0, batch.length))
        assert.deepEqual(readRecords(batch), records)
      }),
    )
  })

  test('say the same to the product’s own decoder', () => {
    fc.assert(
      fc.property(recordsArbitrary, codecArbitrary, (records, codec) => {
        const batch = buildBatch(records, { codec, baseOffset: 100n })
        const decoded = decodeBatch(rawBatch(batch, 0, batch.length))
        assert.deepEqual(
          decoded.records.map(({ offset, timestamp, key, value, headers }) => ({
            offsetDelta: Number(offset - 100n),
            timestampMs: Number(timestamp),
            key,
            value,
            headers: headers.map((header) => [header.name.toString(), header.value]),
          })),
          records,
        )
      }),
    )
  })
})
