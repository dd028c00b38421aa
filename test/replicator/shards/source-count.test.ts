import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { VisitedBatch } from '../../../replicator/logs/log-walk.ts'
import { lastOffset } from '../../../replicator/records/batch-header.ts'
import { sourceOffset } from '../../../replicator/records/offsets.ts'
import { SourceCount, type SourceEnd } from '../../../replicator/shards/source-count.ts'
import { type BatchFields, buildBatch } from '../../simulation/record-batches.ts'
import { valuesOf, visited, visitedMarker, visitedRecords } from './visited-batches.ts'

/** One batch of a source log without gaps, and whether it was forwarded. */
interface Piece {
  readonly kind: 'forwarded' | 'foreign' | 'aborted' | 'marker'
  readonly records: number
}

const piece: fc.Arbitrary<Piece> = fc.record({
  kind: fc.constantFrom('forwarded', 'forwarded', 'forwarded', 'foreign', 'aborted', 'marker'),
  records: fc.integer({ min: 1, max: 4 }),
})

function visitedPiece({ kind, records }: Piece, baseOffset: bigint): VisitedBatch {
  if (kind === 'marker') return visitedMarker({ producerId: 5n, producerEpoch: 0 }, baseOffset)
  return visitedRecords(records, { baseOffset }, kind === 'aborted' ? 'aborted' : 'deliver')
}

function counted(from: bigint, records: number, batches: readonly VisitedBatch[]): SourceEnd {
  const count = new SourceCount(sourceOffset(from), records)
  for (const batch of batches) if (count.visit(batch, true) === 'enough') break
  return count.result
}

const batch = (count: number, fields: BatchFields) => visitedRecords(count, fields)

describe('counting forwarded records on the source', () => {
  test('ends behind the n-th forwardable record, whatever stands between', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 12 }),
        fc.nat({ max: 5 }),
        fc.integer({ min: 1, max: 20 }),
        (pieces, inside, wanted) => {
          const start = 100n
          const forwardable: bigint[] = []
          const visits: [VisitedBatch, boolean][] = []
          let offset = start
          for (const one of pieces) {
            const size = one.kind === 'marker' ? 1 : one.records
            if (one.kind === 'forwarded') for (let i = 0; i < size; i++) forwardable.push(offset + BigInt(i))
            visits.push([visitedPiece(one, offset), one.kind !== 'foreign'])
            offset += BigInt(size)
          }
          // Progress may lie inside a batch.
          const from = start + BigInt(Math.min(inside, Number(offset - start) - 1))
          const left = forwardable.filter((at) => at >= from)
          const count = new SourceCount(sourceOffset(from), wanted)
          for (const [visit, forwards] of visits) {
            if (lastOffset(visit.raw.buffer, visit.raw.at) < from) continue
            if (count.visit(visit, forwards) === 'enough') break
          }
          const nth = left[wanted - 1]
          assert.deepEqual(
            count.result,
            nth === undefined
              ? { kind: 'short', missing: wanted - left.length, end: offset }
              : { kind: 'reached', sourceNext: nth + 1n },
          )
        },
      ),
      { numRuns: 500 },
    )
  })

  test('a missing offset ends it: between batches, at the start, inside a batch, in an emptied batch', () => {
    const first = batch(3, { baseOffset: 10n })
    assert.deepEqual(counted(10n, 5, [first, batch(3, { baseOffset: 14n })]), { kind: 'gap', at: 13n })
    assert.deepEqual(counted(9n, 5, [first]), { kind: 'gap', at: 9n })
    const holed = valuesOf(3).filter(({ offsetDelta }) => offsetDelta !== 1)
    assert.deepEqual(counted(10n, 5, [visited(buildBatch(holed, { baseOffset: 10n }))]), {
      kind: 'gap',
      at: 10n,
    })
    const emptied = visited(buildBatch([], { baseOffset: 10n, lastOffsetDelta: 0 }))
    assert.deepEqual(counted(10n, 5, [emptied]), { kind: 'gap', at: 10n })
  })

  test('a gap behind the last record that is counted does not matter', () => {
    const result = counted(10n, 3, [batch(3, { baseOffset: 10n }), batch(1, { baseOffset: 20n })])
    assert.deepEqual(result, { kind: 'reached', sourceNext: 13n })
  })

  test('holes in a batch that was not forwarded do not matter', () => {
    const count = new SourceCount(sourceOffset(10n), 2)
    const holed = valuesOf(3).filter(({ offsetDelta }) => offsetDelta !== 1)
    count.visit(visited(buildBatch(holed, { baseOffset: 10n })), false)
    count.visit(visited(buildBatch(holed, { baseOffset: 13n }), 'aborted'), true)
    count.visit(batch(3, { baseOffset: 16n }), true)
    assert.deepEqual(count.result, { kind: 'reached', sourceNext: 18n })
  })
})
