import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { AbortedFilter, controlMarkerOf } from '../../../replicator/records/aborted.ts'
import { isControl } from '../../../replicator/records/batch-header.ts'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { type RawBatch, rawBatch } from '../../../replicator/records/record-batch.ts'
import { gappedBatch } from './gapped-batch.ts'
import { goldenBatches } from './golden/golden-batches.ts'

const listed: readonly (readonly [string, string])[] = JSON.parse(
  readFileSync(new URL('golden/transactions-aborted.json', import.meta.url), 'utf8'),
)
const aborted = listed.map(([producer, first]) => ({
  producerId: BigInt(producer),
  firstOffset: BigInt(first),
}))

const record = { timestamp: 1n, key: null, value: Buffer.from('v'), headers: [] }

const data = (producerId: bigint, baseOffset: bigint, transactional = true): RawBatch => {
  const producer = { producerId, producerEpoch: 0, baseSequence: 0 }
  const batch = encodeBatch([record], { producer, transactional })
  batch.writeBigInt64BE(baseOffset, 0)
  return rawBatch(batch, 0, batch.length)
}

const marker = (type: number, producerId: bigint, baseOffset: bigint): RawBatch => {
  const key = Buffer.from([0, 0, 0, type])
  const producer = { producerId, producerEpoch: 0, baseSequence: -1 }
  const batch = encodeBatch([{ ...record, key }], { producer, transactional: true })
  batch[22]! |= 0b10_0000
  batch.writeBigInt64BE(baseOffset, 0)
  return rawBatch(batch, 0, batch.length)
}

describe('read_committed', () => {
  test('of a real broker: interleaved transactions, one aborted', () => {
    const batches = goldenBatches('transactions')
    const filter = new AbortedFilter(aborted)
    assert.deepEqual(
      batches.map((batch) => filter.judge(batch)),
      ['deliver', 'aborted', 'control', 'control', 'deliver', 'deliver', 'control'],
    )
    const markers = batches.filter(({ buffer, at }) => isControl(buffer, at)).map(controlMarkerOf)
    assert.deepEqual(markers, ['commit', 'abort', 'commit'])
  })

  test('without a list drops only control batches', () => {
    const filter = new AbortedFilter([])
    assert.deepEqual(
      goldenBatches('transactions').map((batch) => filter.judge(batch)),
      ['deliver', 'deliver', 'control', 'control', 'deliver', 'deliver', 'control'],
    )
  })

  test('a commit of the same producer before its aborted transaction is not affected', () => {
    const filter = new AbortedFilter([
      { producerId: 7n, firstOffset: 30n },
      { producerId: 7n, firstOffset: 12n },
      { producerId: 8n, firstOffset: 13n },
    ])
    const steps: readonly [RawBatch, string][] = [
      [data(7n, 10n), 'deliver'],
      [marker(1, 7n, 11n), 'control'],
      [data(7n, 12n), 'aborted'],
      [data(8n, 13n), 'aborted'],
      [data(8n, 14n, false), 'deliver'],
      [data(9n, 15n), 'deliver'],
      [marker(1, 8n, 16n), 'control'],
      [data(8n, 17n), 'aborted'],
      [marker(0, 7n, 18n), 'control'],
      [data(7n, 19n), 'deliver'],
      [data(7n, 30n), 'aborted'],
      [marker(0, 8n, 31n), 'control'],
      [marker(0, 7n, 32n), 'control'],
      [data(7n, 33n), 'deliver'],
      [data(8n, 34n), 'deliver'],
    ]
    assert.deepEqual(
      steps.map(([batch]) => filter.judge(batch)),
      steps.map(([, verdict]) => verdict),
    )
  })

  test('markers of other kinds, and emptied ones, end nothing', () => {
    assert.equal(controlMarkerOf(marker(2, 1n, 0n)), 'other')
    assert.equal(controlMarkerOf(gappedBatch([], { baseOffset: 4n, lastOffsetDelta: 0 })), 'other')
    assert.equal(controlMarkerOf(data(1n, 0n)), 'other')
  })
})
