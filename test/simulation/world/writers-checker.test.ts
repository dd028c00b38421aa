import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { markerBatch } from '../marker-batch.ts'
import type { StoredBatch } from '../partition-log.ts'
import { buildBatch, recordsOf } from '../record-batches.ts'
import { Violation } from './violation.ts'
import { WritersChecker } from './writers-checker.ts'

const producerId = 7n
const stored = (bytes: Buffer, baseOffset: bigint): StoredBatch => ({
  bytes,
  baseOffset,
  lastOffset: baseOffset,
})
const batch = (producerEpoch: number, offset: bigint) =>
  stored(buildBatch(recordsOf([['key', 'value']], 0), { producerId, producerEpoch, baseSequence: 0 }), offset)
const marker = (epoch: number, offset: bigint) =>
  stored(
    markerBatch({
      producerId,
      epoch,
      end: 'abort',
      coordinatorEpoch: 0,
      offset,
      leaderEpoch: 0,
      timestampMs: 0,
    }),
    offset,
  )

/** Whether an older epoch may write behind a newer one's marker. */
function mayWriteBehind(isClientMarker: boolean, isCurrent: boolean): boolean {
  const checker = new WritersChecker('here', {
    isClientMarker: () => isClientMarker,
    isCurrent: () => isCurrent,
  })
  for (const one of [marker(0, 0n), batch(0, 1n), marker(1, 2n)]) checker.saw(one)
  try {
    checker.saw(batch(0, 3n))
    return true
  } catch (error) {
    assert(error instanceof Violation)
    return false
  }
}

describe('the checker of writers', () => {
  test('lets nobody write behind the marker of a successor', () => {
    assert.equal(mayWriteBehind(false, true), false)
    assert.equal(mayWriteBehind(false, false), false)
    assert.equal(mayWriteBehind(true, false), false)
  })

  test("lets a shard's owner write behind a marker that somebody who was replaced wrote about it", () => {
    assert.equal(mayWriteBehind(true, true), true)
  })

  test('lets no writer come back behind another one', () => {
    const checker = new WritersChecker('here', { isClientMarker: () => false, isCurrent: () => true })
    for (const one of [batch(0, 0n), batch(1, 1n)]) checker.saw(one)
    assert.throws(() => checker.saw(batch(0, 2n)), Violation)
  })
})
