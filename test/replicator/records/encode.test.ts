import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  baseOffset,
  baseSequence,
  codecOf,
  isTransactional,
  lastOffsetDelta,
  maxTimestamp,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
  recordCount,
} from '../../../replicator/records/batch-header.ts'
import { decodeBatch, type RecordContent } from '../../../replicator/records/decode.ts'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { rawBatch } from '../../../replicator/records/record-batch.ts'

const at = (timestamp: bigint): RecordContent => ({ timestamp, key: null, value: null, headers: [] })

describe('encoding a batch', () => {
  test('fills the header from its records and options', () => {
    const producer = { producerId: 7n, producerEpoch: 3, baseSequence: 44 }
    const batch = encodeBatch([at(50n), at(90n), at(20n)], { codec: 'zstd', producer, transactional: true })
    assert.equal(baseOffset(batch, 0), 0n)
    assert.equal(partitionLeaderEpoch(batch, 0), -1)
    assert.equal(codecOf(batch, 0), 'zstd')
    assert.equal(isTransactional(batch, 0), true)
    assert.equal(lastOffsetDelta(batch, 0), 2)
    assert.equal(recordCount(batch, 0), 3)
    assert.equal(maxTimestamp(batch, 0), 90n)
    assert.equal(producerId(batch, 0), 7n)
    assert.equal(producerEpoch(batch, 0), 3)
    assert.equal(baseSequence(batch, 0), 44)
    const plain = encodeBatch([at(1n)])
    assert.equal(isTransactional(plain, 0), false)
    assert.equal(producerId(plain, 0), -1n)
  })

  test('refuses to encode nothing', () => {
    assert.throws(() => encodeBatch([]), RangeError)
  })

  test('keeps timestamps at every width of a delta, both ways', () => {
    const deltas = Array.from({ length: 63 }, (_, bits) => 2n ** BigInt(bits))
    const timestamps = deltas.flatMap((delta) => [delta - 1n, delta, -delta, -delta - 1n])
    const batch = encodeBatch([0n, ...timestamps].map(at))
    const decoded = decodeBatch(rawBatch(batch, 0, batch.length))
    assert.deepEqual(
      decoded.records.map(({ timestamp }) => timestamp),
      [0n, ...timestamps],
    )
  })
})
