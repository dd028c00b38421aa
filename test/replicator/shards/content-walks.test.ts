import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { ForwardedContents, SurvivorContents } from '../../../replicator/shards/content-walks.ts'
import type { Progress } from '../../../replicator/shards/progress-record.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { valuesOf, visited, visitedMarker, visitedRecords } from './visited-batches.ts'

const ours = { producerId: 70n, producerEpoch: 3 }
const marker = { producerId: 70n, producerEpoch: 4 }
const progress = (sequence: number): Progress => ({
  topicId: undefined,
  targetTopicId: undefined,
  sourceNext: sourceOffset(0n),
  targetNext: targetOffset(100n),
  producer: ours,
  sequence,
  rule: 'everything',
})

/** The contents of records, as the source has them. */
function contentsOf(records: ReturnType<typeof valuesOf>): readonly string[] {
  const survivors = new SurvivorContents(records.length, true, () => true)
  survivors.visit(visited(buildBatch(records)), 0n)
  return survivors.survivors.map(({ content }) => content)
}

describe('the contents of what was forwarded', () => {
  const records = valuesOf(6)
  const contents = contentsOf(records)
  const part = (from: number, to: number) =>
    records.slice(from, to).map((record) => ({ ...record, offsetDelta: record.offsetDelta - from }))

  test('stand at their places by sequence number; what the cleaner took is unknown', () => {
    const start = 2 ** 31 - 2
    const forwarded = new ForwardedContents(progress(start), marker, 6, true)
    const batch = (from: number, to: number, left: (index: number) => boolean) =>
      visited(
        buildBatch(
          part(from, to).filter((_, index) => left(index)),
          {
            baseOffset: 100n + BigInt(from),
            baseSequence: (start + from) % 2 ** 31,
            lastOffsetDelta: to - from - 1,
            ...ours,
          },
        ),
      )
    assert.equal(forwarded.visit(visitedRecords(2, { baseOffset: 90n, producerId: 5n })), 'on')
    assert.equal(
      forwarded.visit(visitedRecords(2, { producerId: 70n, producerEpoch: 2, baseSequence: 0 })),
      'on',
    )
    assert.equal(forwarded.visit(batch(0, 3, (index) => index !== 1)), 'on')
    assert.equal(forwarded.visit(visitedMarker({ producerId: 70n, producerEpoch: 3 }, 103n)), 'on')
    assert.equal(forwarded.visit(batch(4, 6, () => true)), 'on')
    assert.equal(forwarded.visit(visitedMarker(marker, 106n)), 'enough')
    assert.deepEqual(forwarded.contents, [
      contents[0],
      undefined,
      contents[2],
      undefined,
      contents[4],
      contents[5],
    ])
  })

  test('a target that stamps records changes nothing but their times', () => {
    const taken = (withTimestamps: boolean, logAppendTime: boolean) => {
      const forwarded = new ForwardedContents(progress(0), marker, 6, withTimestamps)
      const fields = { baseSequence: 0, logAppendTime, maxTimestampMs: 77_777, ...ours }
      forwarded.visit(visited(buildBatch(records, fields)))
      return forwarded.contents
    }
    assert.deepEqual(taken(false, true), taken(false, false))
    assert.notDeepEqual(taken(true, true), taken(true, false))
  })
})

describe('the contents that are left on the source', () => {
  test('from an offset on, without markers, aborted and foreign records, as many as are wanted', () => {
    const survivors = new SurvivorContents(4, true, (producerId) => producerId !== 8n)
    const from = 12n
    const visit = (...args: Parameters<typeof visitedRecords>) =>
      survivors.visit(visitedRecords(...args), from)
    assert.equal(visit(3, { baseOffset: 10n }), 'on')
    assert.equal(visit(3, { baseOffset: 13n, producerId: 8n }), 'on')
    assert.equal(visit(3, { baseOffset: 16n }, 'aborted'), 'on')
    assert.equal(survivors.visit(visitedMarker(marker, 19n), from), 'on')
    assert.equal(visit(9, { baseOffset: 20n }), 'enough')
    assert.deepEqual(
      survivors.survivors.map(({ offset }) => offset),
      [12n, 20n, 21n, 22n],
    )
    assert.equal(new Set(survivors.survivors.map(({ content }) => content)).size, 4)
  })
})
