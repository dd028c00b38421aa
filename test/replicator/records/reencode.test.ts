import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  baseSequence,
  isDense,
  isLogAppendTime,
  noProducer,
} from '../../../replicator/records/batch-header.ts'
import { crcMatches } from '../../../replicator/records/crc.ts'
import { type DecodedRecord, decodeBatch } from '../../../replicator/records/decode.ts'
import { rawBatch } from '../../../replicator/records/record-batch.ts'
import { type ReencodedBatch, type ReencodeOptions, reencode } from '../../../replicator/records/reencode.ts'
import { anyCodec, anyRecord } from './arbitrary-records.ts'
import { gappedBatch } from './gapped-batch.ts'
import { overwritten } from './golden/contents.ts'
import { asGolden, goldenBatches } from './golden/golden-batches.ts'

const unlimited: ReencodeOptions = { producer: noProducer, batchBytesMax: 1_000_000 }

const written = ({ batch }: ReencodedBatch): readonly DecodedRecord[] =>
  decodeBatch(rawBatch(batch, 0, batch.length)).records

const withoutOffset = ({ timestamp, key, value, headers }: DecodedRecord) => ({
  timestamp,
  key,
  value,
  headers,
})

const anyGappedBatch = fc
  .tuple(
    fc.array(fc.tuple(anyRecord, fc.nat(3)), { maxLength: 30 }),
    fc.nat(5),
    fc.bigInt({ min: 0n, max: 2n ** 40n }),
    anyCodec,
  )
  .map(([parts, gapAtEnd, baseOffset, codec]) => {
    let next = 0
    const records = parts.map(([record, gap]) => {
      const offsetDelta = next + gap
      next = offsetDelta + 1
      return { ...record, offsetDelta }
    })
    return decodeBatch(gappedBatch(records, { baseOffset, lastOffsetDelta: next + gapAtEnd, codec }))
  })

describe('re-encoding', () => {
  test('halves a batch that would fit when it is told to, and only once', () => {
    fc.assert(
      fc.property(anyGappedBatch, (source) => {
        const result = reencode([source], { ...unlimited, halve: true })
        if (result.kind === 'record-too-large') {
          assert.equal(source.records.length, 1)
          return
        }
        assert.equal(result.batches.length, Math.min(2, source.records.length))
        assert.deepEqual(
          result.batches.flatMap(written).map(withoutOffset),
          source.records.map(withoutOffset),
        )
      }),
    )
  })

  test('makes dense valid batches within the limit that carry every record once, in order', () => {
    fc.assert(
      fc.property(
        anyGappedBatch,
        fc.integer({ min: 300, max: 5000 }),
        fc.nat(),
        (source, batchBytesMax, sequence) => {
          const producer = { producerId: 5n, producerEpoch: 2, baseSequence: sequence }
          const result = reencode([source], { producer, batchBytesMax })
          if (result.kind === 'record-too-large') {
            assert.ok(result.bytes > batchBytesMax)
            assert.ok(source.records.some(({ offset }) => offset === result.offset))
            return
          }
          assert.equal(result.nextOffset, source.lastOffset + 1n)
          let expectedSequence = sequence
          for (const part of result.batches) {
            assert.ok(part.batch.length <= batchBytesMax)
            assert.ok(crcMatches(part.batch, 0, part.batch.length))
            assert.ok(isDense(part.batch, 0))
            assert.equal(baseSequence(part.batch, 0), expectedSequence)
            assert.equal(part.baseSequence, expectedSequence)
            expectedSequence = (expectedSequence + part.recordCount) % 2 ** 31
            const offsets = part.runs.flatMap(({ firstOffset, recordCount }) =>
              Array.from({ length: recordCount }, (_, i) => firstOffset + BigInt(i)),
            )
            assert.equal(offsets.length, part.recordCount)
            assert.deepEqual([offsets[0], offsets.at(-1)], [part.firstOffset, part.lastOffset])
          }
          assert.deepEqual(
            result.batches.flatMap(written).map(withoutOffset),
            source.records.map(withoutOffset),
          )
          const mapped = result.batches.flatMap(({ runs }) => runs.map((run) => run.recordCount))
          assert.equal(
            mapped.reduce((sum, count) => sum + count, 0),
            source.records.length,
          )
        },
      ),
      { numRuns: 300 },
    )
  })

  test('of a compacted batch of a real broker keeps codec, records and their source offsets', () => {
    const sources = goldenBatches('compacted').map((batch) => decodeBatch(batch))
    const gapped = reencode([sources[0]!], unlimited)
    assert.ok(gapped.kind === 'batches')
    assert.equal(gapped.nextOffset, 4n)
    assert.deepEqual(gapped.batches[0]!.runs, [{ firstOffset: 1n, recordCount: 1 }])
    assert.equal(
      decodeBatch(rawBatch(gapped.batches[0]!.batch, 0, gapped.batches[0]!.batch.length)).codec,
      'lz4',
    )
    const emptied = reencode([sources[1]!], unlimited)
    assert.deepEqual(emptied, { kind: 'batches', batches: [], nextOffset: 6n })
    const joined = reencode(sources, unlimited)
    assert.ok(joined.kind === 'batches')
    assert.deepEqual(joined.batches.flatMap(written).map(asGolden), [overwritten[0]![1], ...overwritten[2]!])
    assert.deepEqual(joined.batches[0]!.runs, [
      { firstOffset: 1n, recordCount: 1 },
      { firstOffset: 6n, recordCount: 4 },
    ])
    assert.equal(joined.nextOffset, 10n)
  })

  test('of a LogAppendTime batch makes the append time the records own', () => {
    const [source] = goldenBatches('log-append-time')
    const result = reencode([decodeBatch(source!)], unlimited)
    assert.ok(result.kind === 'batches')
    const [{ batch }] = result.batches as readonly [ReencodedBatch]
    assert.equal(isLogAppendTime(batch, 0), false)
    const appended = source!.buffer.readBigInt64BE(35)
    assert.deepEqual(
      new Set(written(result.batches[0]!).map(({ timestamp }) => timestamp)),
      new Set([appended]),
    )
  })

  test('says which record alone is over the limit', () => {
    const content = { timestamp: 1n, key: null, headers: [] }
    const records = [10, 5000, 10].map((bytes, i) => ({
      ...content,
      value: randomBytes(bytes),
      offsetDelta: i,
    }))
    const source = decodeBatch(gappedBatch(records, { baseOffset: 90n, lastOffsetDelta: 2, codec: 'zstd' }))
    const result = reencode([source], { ...unlimited, batchBytesMax: 4000 })
    assert.ok(result.kind === 'record-too-large')
    assert.equal(result.offset, 91n)
    assert.ok(result.bytes > 5000)
  })

  test('drops what is not wanted and still moves behind it', () => {
    const records = [0, 1, 2, 3].map((i) => ({
      timestamp: 1n,
      key: null,
      value: Buffer.from([i]),
      headers: [],
      offsetDelta: i,
    }))
    const source = decodeBatch(gappedBatch(records, { baseOffset: 10n, lastOffsetDelta: 3 }))
    const result = reencode([source], { ...unlimited, keep: ({ offset }) => offset >= 12n })
    assert.ok(result.kind === 'batches')
    assert.deepEqual(result.batches[0]!.runs, [{ firstOffset: 12n, recordCount: 2 }])
    assert.deepEqual(reencode([source], { ...unlimited, keep: () => false }), {
      kind: 'batches',
      batches: [],
      nextOffset: 14n,
    })
  })

  test('wraps sequences as the broker does', () => {
    const records = [0, 1, 2].map((i) => ({
      timestamp: 1n,
      key: null,
      value: randomBytes(300),
      headers: [],
      offsetDelta: i,
    }))
    const source = decodeBatch(gappedBatch(records, { baseOffset: 0n, lastOffsetDelta: 2 }))
    const producer = { producerId: 1n, producerEpoch: 0, baseSequence: 2 ** 31 - 2 }
    const result = reencode([source], { producer, batchBytesMax: 400 })
    assert.ok(result.kind === 'batches')
    assert.deepEqual(
      result.batches.map((part) => part.baseSequence),
      [2 ** 31 - 2, 2 ** 31 - 1, 0],
    )
    const anonymous = reencode([source], { producer: noProducer, batchBytesMax: 400 })
    assert.ok(anonymous.kind === 'batches')
    assert.deepEqual(
      anonymous.batches.map((part) => part.baseSequence),
      [-1, -1, -1],
    )
  })
})
