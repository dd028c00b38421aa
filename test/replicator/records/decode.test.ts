import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import { hasDeleteHorizon, isDense, rewriteForTarget } from '../../../replicator/records/batch-header.ts'
import { CorruptBatchError, DecompressionLimitError } from '../../../replicator/records/corrupt-batch.ts'
import { crcMatches } from '../../../replicator/records/crc.ts'
import { decodeBatch } from '../../../replicator/records/decode.ts'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { nextBatch, type RawBatch, rawBatch } from '../../../replicator/records/record-batch.ts'
import { anyCodec, anyRecords } from './arbitrary-records.ts'
import { everyShape, type GoldenRecord, overwritten, severalBlocks } from './golden/contents.ts'
import { asGolden, goldenBatches, goldenCodecs } from './golden/golden-batches.ts'

const decoded = (batch: RawBatch): readonly GoldenRecord[] => decodeBatch(batch).records.map(asGolden)

/** An uncompressed batch around a payload written by hand. */
const around = (payload: string, recordCount: number): RawBatch => {
  const records = Buffer.from(payload, 'hex')
  const batch = Buffer.concat([Buffer.alloc(61), records])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt8(2, 16)
  batch.writeInt32BE(recordCount - 1, 23)
  batch.writeInt32BE(recordCount, 57)
  return rawBatch(batch, 0, batch.length)
}

describe('batches of a real broker', () => {
  for (const codec of goldenCodecs) {
    test(`${codec}: every shape of record`, () => {
      const [batch, ...others] = goldenBatches(codec)
      assert.equal(others.length, 0)
      assert.ok(crcMatches(batch!.buffer, batch!.at, batch!.bytes))
      assert.equal(decodeBatch(batch!).codec, codec === 'uncompressed' ? 'none' : codec)
      assert.deepEqual(decoded(batch!), everyShape)
      assert.deepEqual(
        decodeBatch(batch!).records.map(({ offset }) => offset),
        [0n, 1n, 2n, 3n, 4n],
      )
    })
    if (codec === 'uncompressed') continue
    test(`${codec}: more than a block`, () => {
      assert.deepEqual(decoded(goldenBatches(`${codec}-large`)[0]!), severalBlocks)
    })
  }

  test('LogAppendTime: the records show the time of the batch', () => {
    const [batch] = goldenBatches('log-append-time')
    const appended = batch!.buffer.readBigInt64BE(35)
    assert.ok(appended > 1_790_000_000_000n)
    assert.deepEqual(
      decoded(batch!),
      everyShape.map((record) => ({ ...record, timestamp: appended })),
    )
  })

  test('compacted: gaps, a batch without records, a delete horizon', () => {
    const [gapped, emptied, withHorizon] = goldenBatches('compacted')
    assert.equal(isDense(gapped!.buffer, gapped!.at), false)
    assert.deepEqual(decoded(gapped!), [overwritten[0]![1]])
    assert.equal(decodeBatch(gapped!).records[0]!.offset, 1n)
    assert.equal(decodeBatch(gapped!).lastOffset, 3n)
    assert.deepEqual(decoded(emptied!), [])
    assert.equal(decodeBatch(emptied!).lastOffset, 5n)
    assert.equal(hasDeleteHorizon(withHorizon!.buffer, withHorizon!.at), true)
    assert.deepEqual(decoded(withHorizon!), overwritten[2])
  })

  test('rewritten for the target, they carry the same payload and a valid CRC', () => {
    for (const name of [...goldenCodecs, 'log-append-time', 'transactions', 'compacted']) {
      for (const { buffer, at, bytes } of goldenBatches(name)) {
        const payload = Buffer.from(buffer.subarray(at + 61, at + bytes))
        rewriteForTarget(buffer, at, { producerId: 77n, producerEpoch: 1, baseSequence: 12 })
        assert.ok(crcMatches(buffer, at, bytes))
        assert.deepEqual(buffer.subarray(at + 61, at + bytes), payload)
      }
    }
    const [withHorizon] = goldenBatches('compacted').slice(2)
    rewriteForTarget(withHorizon!.buffer, withHorizon!.at, {
      producerId: 1n,
      producerEpoch: 0,
      baseSequence: 0,
    })
    assert.equal(hasDeleteHorizon(withHorizon!.buffer, withHorizon!.at), false)
    assert.deepEqual(decoded(withHorizon!), overwritten[2])
  })
})

describe('encoding and decoding', () => {
  test('give back every record, for every codec', () => {
    fc.assert(
      fc.property(anyRecords, anyCodec, (records, codec) => {
        const bytes = encodeBatch(records, { codec })
        assert.deepEqual(nextBatch(bytes, 0), { kind: 'batch', bytes: bytes.length })
        assert.ok(crcMatches(bytes, 0, bytes.length))
        const batch = decodeBatch(rawBatch(bytes, 0, bytes.length))
        assert.deepEqual(
          batch.records,
          records.map(({ timestamp, key, value, headers }, i) => ({
            offset: BigInt(i),
            timestamp,
            key,
            value,
            headers,
          })),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('any damage is seen by the CRC, and decoding it nevertheless throws only what it promises', () => {
    fc.assert(
      fc.property(
        anyRecords,
        anyCodec,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (records, codec, where, flip) => {
          const bytes = encodeBatch(records, { codec })
          bytes[17 + (where % (bytes.length - 17))]! ^= flip
          assert.ok(!crcMatches(bytes, 0, bytes.length))
          try {
            decodeBatch(rawBatch(bytes, 0, bytes.length), { decompressedBytesMax: 10_000_000 })
          } catch (error) {
            assert.ok(
              error instanceof CorruptBatchError || error instanceof DecompressionLimitError,
              String(error),
            )
          }
        },
      ),
      { numRuns: 1000 },
    )
  })

  test('any payload under a valid CRC, too', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(7), fc.nat(10), (payload, codec, count) => {
        const { buffer, bytes } = around(Buffer.from(payload).toString('hex'), count + 1)
        buffer[22] = codec
        buffer.writeUInt32BE(crc32c(buffer.subarray(21)), 17)
        try {
          decodeBatch(rawBatch(buffer, 0, bytes), { decompressedBytesMax: 10_000_000 })
        } catch (error) {
          assert.ok(
            error instanceof CorruptBatchError || error instanceof DecompressionLimitError,
            String(error),
          )
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('malformed records', () => {
  const cases: readonly [what: string, payload: string, count: number, reason: RegExp, position?: number][] =
    [
      ['a record longer than the payload', '7e000000010100', 1, /record of 63 bytes does not fit/, 0],
      ['a negative record length', '01000000010100', 1, /record of -1 bytes/, 0],
      ['bytes after the last field', '10000000010100ffff', 1, /2 bytes of a record are left over/, 7],
      ['bytes after the last record', '0c00000001010000', 1, /1 bytes follow the last record/, 7],
      ['a key beyond its record', '0c00000010010000000000000000', 1, /field of 8 bytes reaches beyond/, 4],
      ['a negative number of headers', '0c000000010103', 1, /-2 headers/, 6],
      ['a header without a name', '1000000001010201ff', 1, /header without a name/, 7],
      ['a record cut off', '06000000010100', 1, /a field is cut off/, 4],
      ['a varint that goes on', 'ffffffffffff01', 1, /varint of more than 5 bytes/, 0],
      ['a varlong that goes on', '2000ffffffffffffffffffff0101010000', 1, /varint of more than 10 bytes/, 2],
      ['an offset twice', '0c0000000101000c000000010100', 2, /offset delta 0 after 0/, 10],
      ['an offset beyond the last', '0c000002010100', 1, /offset delta 1 after -1 in a batch up to 0/, 3],
      ['more records than bytes', '0c000000010100', 1000, /1000 records in 7 bytes/],
    ]
  for (const [what, payload, count, reason, position] of cases) {
    test(what, () => {
      assert.throws(
        () => decodeBatch(around(payload, count)),
        (error: unknown) => {
          assert.ok(error instanceof CorruptBatchError)
          assert.match(error.message, reason)
          assert.equal(error.position, position)
          return true
        },
      )
    })
  }

  test('a codec that is not assigned', () => {
    const batch = around('0c000000010100', 1)
    batch.buffer[22] = 6
    assert.throws(() => decodeBatch(batch), /codec is not assigned/)
  })

  test('the smallest record is well-formed', () => {
    assert.equal(decodeBatch(around('0c000000010100', 1)).records.length, 1)
  })
})
