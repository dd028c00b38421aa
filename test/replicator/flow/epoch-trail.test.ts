import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { EpochTrail } from '../../../replicator/flow/epoch-trail.ts'
import { judgeEpoch } from '../../../replicator/flow/judge-source.ts'

describe('the trail of leader epochs', () => {
  test('a fetch that begins in the epoch the one before ended in leaves no boundary', () => {
    const trail = new EpochTrail()
    readAnswer(trail, 3, 3, 10n)
    readAnswer(trail, 3, 5, 20n)
    readAnswer(trail, 5, 5, 30n)
    assert.deepEqual(trail.latest, { leaderEpoch: 5, next: 30n })
    assert.deepEqual(trail.boundaries, [])
  })

  test('one that begins in another epoch does, until it is verified', () => {
    const trail = new EpochTrail()
    readAnswer(trail, 3, 3, 10n)
    readAnswer(trail, 4, 4, 20n)
    readAnswer(trail, 7, 7, 30n)
    assert.deepEqual(trail.boundaries, [
      { leaderEpoch: 3, next: 10n },
      { leaderEpoch: 4, next: 20n },
    ])
    trail.verified(trail.boundaries[0]!)
    assert.deepEqual(trail.boundaries, [{ leaderEpoch: 4, next: 20n }])
  })

  test('epochs below 0 say nothing', () => {
    const trail = new EpochTrail()
    readAnswer(trail, -1, -1, 10n)
    assert.equal(trail.latest, undefined)
    readAnswer(trail, 2, 2, 20n)
    readAnswer(trail, -1, -1, 30n)
    assert.deepEqual(trail.latest, { leaderEpoch: 2, next: 20n })
    assert.deepEqual(trail.boundaries, [])
  })

  test('is bounded', () => {
    const trail = new EpochTrail()
    for (let epoch = 0; epoch < 1000; epoch++) readAnswer(trail, epoch, epoch, BigInt(epoch + 1))
    assert.ok(trail.boundaries.length <= 64)
    assert.equal(trail.boundaries.at(-1)?.leaderEpoch, 998)
  })

  test('finds every cut below what was read, and never one that is not there', () => {
    // A log is runs of epochs; it is read, cut and grown in any order. What was read and cut since must be found.
    const step = fc.oneof(
      fc.record({ kind: fc.constant('grow' as const), records: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('elect' as const) }),
      fc.record({ kind: fc.constant('cut' as const), records: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('read' as const), records: fc.integer({ min: 1, max: 5 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const trail = new EpochTrail()
        let log: number[] = []
        let epoch = 0
        let position = 0
        let isCut = false
        for (const one of steps) {
          if (one.kind === 'grow') log = [...log, ...Array.from({ length: one.records }, () => epoch)]
          else if (one.kind === 'elect') epoch++
          else if (one.kind === 'cut') {
            log = log.slice(0, Math.max(0, log.length - one.records))
            // Logs are cut by electing a leader.
            epoch++
            isCut ||= log.length < position
          } else if (position < log.length) {
            const answer = log.slice(position, position + one.records)
            position += answer.length
            readAnswer(trail, answer[0]!, answer.at(-1)!, BigInt(position))
          }
        }
        const marks = [...trail.boundaries, ...(trail.latest === undefined ? [] : [trail.latest])]
        const findings = marks.map((mark) => judgeEpoch(mark, endOf(log, mark.leaderEpoch)))
        assert.equal(
          findings.some((finding) => finding !== undefined),
          isCut,
        )
      }),
      { numRuns: 500 },
    )
  })
})

/** What a leader answers: the largest epoch up to the asked one, and where the next one begins. */
function endOf(log: readonly number[], asked: number) {
  const next = log.findIndex((epoch) => epoch > asked)
  const end = next === -1 ? log.length : next
  return { leaderEpoch: log[end - 1] ?? asked, endOffset: BigInt(end) }
}

/** A fetch answer whose first batch is of epoch `first` and whose last one is of epoch `last`. */
function readAnswer(trail: EpochTrail, first: number, last: number, next: bigint): void {
  trail.beginAnswer()
  trail.took(first, next - 1n)
  trail.took(last, next)
}
