import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import {
  baseOffset,
  baseSequence,
  batchBytes,
  codecOf,
  hasDeleteHorizon,
  isControl,
  isDense,
  isLogAppendTime,
  isProducedBy,
  isTransactional,
  lastOffset,
  magicOf,
  maxTimestamp,
  maxTimestampMs,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  recordCount,
  rewriteForTarget,
  sequenceAfter,
  sequenceDistance,
  storedCrc,
} from '../../../replicator/records/batch-header.ts'
import { batchHeaderBytes } from '../../../replicator/records/batch-layout.ts'
import { crcMatches } from '../../../replicator/records/crc.ts'

/** A batch of arbitrary content: only length, magic and CRC are made right. */
const sealed = (bytes: Uint8Array): Buffer => {
  const batch = Buffer.from(bytes)
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeInt8(2, 16)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

const anyBatch = fc.uint8Array({ minLength: batchHeaderBytes, maxLength: 3000, size: 'max' }).map(sealed)
const anyProducer = fc.record({
  producerId: fc.bigInt({ min: -1n, max: 2n ** 63n - 1n }),
  producerEpoch: fc.integer({ min: -1, max: 32767 }),
  baseSequence: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
})

describe('the header of a record batch', () => {
  test('is read field by field', () => {
    const batch = Buffer.alloc(70)
    batch.writeBigInt64BE(5_000_000_000n, 0)
    batch.writeInt32BE(58, 8)
    batch.writeInt32BE(7, 12)
    batch.writeInt8(2, 16)
    batch.writeUInt32BE(0xfedcba98, 17)
    batch.writeInt16BE(0b0101_1011, 21)
    batch.writeInt32BE(9, 23)
    batch.writeBigInt64BE(1_700_000_000_123n, 35)
    batch.writeBigInt64BE(2n ** 40n + 3n, 43)
    batch.writeInt16BE(12, 51)
    batch.writeInt32BE(77, 53)
    batch.writeInt32BE(10, 57)
    const framed = Buffer.concat([Buffer.alloc(13, 0xff), batch])
    assert.equal(baseOffset(framed, 13), 5_000_000_000n)
    assert.equal(lastOffset(framed, 13), 5_000_000_009n)
    assert.equal(batchBytes(framed, 13), 70)
    assert.equal(partitionLeaderEpoch(framed, 13), 7)
    assert.equal(magicOf(framed, 13), 2)
    assert.equal(storedCrc(framed, 13), 0xfedcba98)
    assert.equal(codecOf(framed, 13), 'lz4')
    assert.equal(isLogAppendTime(framed, 13), true)
    assert.equal(isTransactional(framed, 13), true)
    assert.equal(isControl(framed, 13), false)
    assert.equal(hasDeleteHorizon(framed, 13), true)
    assert.equal(maxTimestampMs(framed, 13), 1_700_000_000_123)
    assert.equal(maxTimestamp(framed, 13), 1_700_000_000_123n)
    assert.equal(producerId(framed, 13), 2n ** 40n + 3n)
    assert.equal(producerEpoch(framed, 13), 12)
    assert.equal(baseSequence(framed, 13), 77)
    assert.equal(recordCount(framed, 13), 10)
    assert.equal(isDense(framed, 13), true)
    batch.writeInt32BE(9, 57)
    assert.equal(isDense(batch, 0), false)
    batch.writeInt32BE(0, 57)
    batch.writeInt32BE(-1, 23)
    assert.equal(isDense(batch, 0), false)
    batch.writeInt16BE(5, 21)
    assert.equal(codecOf(batch, 0), 'unassigned')
    batch.writeBigInt64BE(-1n, 35)
    assert.equal(maxTimestampMs(batch, 0), -1)
  })
})

describe('the producer of a batch', () => {
  test('is one id in one epoch', () => {
    fc.assert(
      fc.property(anyBatch, fc.nat(40), anyProducer, (batch, before, producer) => {
        rewriteForTarget(batch, 0, producer)
        const framed = Buffer.concat([Buffer.alloc(before, 0xa5), batch])
        const { producerId, producerEpoch } = producer
        assert.equal(isProducedBy(framed, before, producer), true)
        assert.equal(isProducedBy(framed, before, { producerId: producerId ^ 1n, producerEpoch }), false)
        assert.equal(isProducedBy(framed, before, { producerId: ~producerId, producerEpoch }), false)
        assert.equal(
          isProducedBy(framed, before, { producerId, producerEpoch: producerEpoch ^ 0x100 }),
          false,
        )
        assert.equal(isProducedBy(framed, before, { producerId, producerEpoch: producerEpoch ^ 1 }), false)
      }),
    )
  })

  test('numbers records on from 2^31 - 1 to 0', () => {
    const anySequence = fc.nat(2 ** 31 - 1)
    fc.assert(
      fc.property(anySequence, anySequence, (from, count) => {
        const to = sequenceAfter(from, count)
        assert.ok(to >= 0 && to < 2 ** 31)
        assert.equal(sequenceDistance(from, to), count)
      }),
    )
    assert.equal(sequenceAfter(2 ** 31 - 1, 1), 0)
    assert.equal(sequenceDistance(2 ** 31 - 2, 3), 5)
    assert.equal(sequenceDistance(7, 7), 0)
    assert.equal(sequenceDistance(8, 7), 2 ** 31 - 1)
    assert.equal(sequenceAfter(-1, 5), -1)
  })
})

describe('rewriting a batch for the target', () => {
  test('sets exactly the promised fields and a CRC that a full computation agrees with', () => {
    fc.assert(
      fc.property(anyBatch, fc.nat(40), anyProducer, (batch, before, producer) => {
        const framed = Buffer.concat([Buffer.alloc(before, 0xa5), batch, Buffer.alloc(3, 0x5a)])
        const expected = Buffer.from(framed)
        expected.writeBigInt64BE(0n, before)
        expected.writeInt32BE(-1, before + 12)
        expected.writeInt16BE(batch.readInt16BE(21) & ~0b0101_1000, before + 21)
        expected.writeBigInt64BE(producer.producerId, before + 43)
        expected.writeInt16BE(producer.producerEpoch, before + 51)
        expected.writeInt32BE(producer.baseSequence, before + 53)
        expected.writeUInt32BE(crc32c(expected.subarray(before + 21, before + batch.length)), before + 17)
        rewriteForTarget(framed, before, producer)
        assert.deepEqual(framed, expected)
        assert.ok(crcMatches(framed, before, batch.length))
      }),
      { numRuns: 500 },
    )
  })

  test('holds for payloads longer than each of the shift tables', () => {
    for (const bytes of [61, 62, 57 + 255, 57 + 256, 57 + 65_535, 57 + 65_536, 57 + 65_537, 17_000_001]) {
      const batch = sealed(Buffer.alloc(bytes, 0x37))
      rewriteForTarget(batch, 0, { producerId: 123_456_789_012n, producerEpoch: 3, baseSequence: 99 })
      assert.ok(crcMatches(batch, 0, bytes), `${bytes} bytes`)
    }
  })

  test('leaves damage visible', () => {
    fc.assert(
      fc.property(anyBatch, fc.nat(), anyProducer, (batch, where, producer) => {
        const damaged = 57 + (where % (batch.length - 57))
        batch[damaged]! ^= 0x10
        rewriteForTarget(batch, 0, producer)
        assert.ok(!crcMatches(batch, 0, batch.length))
      }),
    )
  })
})
