import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { VisitedBatch } from '../../../replicator/logs/log-walk.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import type { Progress } from '../../../replicator/shards/progress-record.ts'
import { type TargetTail, TargetTailReader } from '../../../replicator/shards/target-tail.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { visited, visitedMarker, visitedRecords } from './visited-batches.ts'

const ours = { producerId: 70n, producerEpoch: 3 }
const marker = { producerId: 70n, producerEpoch: 4 }

function progressAt(sequence: number): Progress {
  return {
    topicId: undefined,
    targetTopicId: undefined,
    sourceNext: sourceOffset(0n),
    targetNext: targetOffset(100n),
    producer: ours,
    sequence,
    rule: 'everything',
  }
}

function read(batches: readonly VisitedBatch[], sequence = 0, formerIds = new Set([70n, 71n])): TargetTail {
  const reader = new TargetTailReader(progressAt(sequence), marker, formerIds)
  for (const [index, batch] of batches.entries()) {
    if (reader.visit(batch) === 'on') continue
    assert.equal(index, batches.length - 1, 'nothing is read behind what ends it')
    break
  }
  return reader.result
}

const own = (baseOffset: bigint, records: number, baseSequence: number) =>
  visitedRecords(records, { baseOffset, baseSequence, ...ours })
const foreign = (baseOffset: bigint, records = 1) => visitedRecords(records, { baseOffset, producerId: 9n })
const end = (offset: bigint) => visitedMarker(marker, offset)

describe('the target log behind progress', () => {
  test('sequence numbers say how much was forwarded, whatever others wrote between, across their wrap', () => {
    const piece = fc.record({
      isOurs: fc.boolean(),
      records: fc.integer({ min: 1, max: 5 }),
    })
    const start = fc.oneof(fc.nat({ max: 100 }), fc.integer({ min: 2 ** 31 - 30, max: 2 ** 31 - 1 }))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), start, (pieces, from) => {
        let offset = 100n
        let forwarded = 0
        const batches = pieces.map(({ isOurs, records }) => {
          const base = offset
          offset += BigInt(records)
          if (!isOurs) return foreign(base, records)
          forwarded += records
          return own(base, records, (from + forwarded - records) % 2 ** 31)
        })
        assert.deepEqual(read([...batches, end(offset)], from), {
          kind: 'written',
          records: forwarded,
          complete: true,
          targetNext: offset + 1n,
        })
      }),
    )
  })

  test('markers of others, and of our own older epochs, are passed', () => {
    const older = visitedMarker({ producerId: 70n, producerEpoch: 2 }, 100n)
    const other = visitedMarker({ producerId: 8n, producerEpoch: 4 }, 101n)
    const tail = read([older, other, own(102n, 2, 0), end(104n)])
    assert.deepEqual(tail, { kind: 'written', records: 2, complete: true, targetNext: 105n })
  })

  test('a gap before a batch of ours is bridged by its sequence number', () => {
    const tail = read([own(100n, 2, 0), own(110n, 3, 9), end(113n)])
    assert.deepEqual(tail, { kind: 'written', records: 12, complete: false, targetNext: 114n })
  })

  test('records that the cleaner took from our batches still count', () => {
    const left = visited(buildBatch([], { baseOffset: 100n, baseSequence: 0, lastOffsetDelta: 4, ...ours }))
    assert.deepEqual(read([left, end(105n)]), {
      kind: 'written',
      records: 5,
      complete: true,
      targetNext: 106n,
    })
  })

  test('a gap behind the last batch of ours leaves it open how much was forwarded', () => {
    const tail = read([own(100n, 2, 0), end(104n)])
    assert.deepEqual(tail, { kind: 'uncertain', at: 102n, targetNext: 105n })
    assert.equal(read([end(103n)]).kind, 'uncertain')
    assert.equal(read([own(100n, 2, 0), foreign(103n), end(104n)]).kind, 'uncertain')
  })

  test('sequence numbers that repeat or skip without a gap are disorder', () => {
    const expected = { kind: 'disorder', at: 102n, expected: 2 }
    assert.deepEqual(read([own(100n, 2, 0), own(102n, 2, 0)]), { ...expected, sequence: 0 })
    assert.deepEqual(read([own(100n, 2, 0), own(102n, 2, 4)]), { ...expected, sequence: 4 })
    assert.equal(read([own(100n, 2, 1)]).kind, 'disorder')
  })

  test('a batch of the flow by another producer or epoch than progress names is a stranger', () => {
    for (const producer of [
      { producerId: 71n, producerEpoch: 0 },
      { producerId: 70n, producerEpoch: 2 },
      { producerId: 70n, producerEpoch: 4 },
    ]) {
      const batch = visitedRecords(1, { baseOffset: 102n, baseSequence: 0, ...producer })
      assert.deepEqual(read([own(100n, 2, 0), batch]), { kind: 'stranger', at: 102n, producer })
    }
  })

  test('without our marker there is no result', () => {
    const reader = new TargetTailReader(progressAt(0), marker, new Set([70n]))
    reader.visit(own(100n, 1, 0))
    assert.throws(() => reader.result, /marker/)
  })
})
