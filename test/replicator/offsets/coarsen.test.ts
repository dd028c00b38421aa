import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { planCoarsening } from '../../../replicator/offsets/coarsen.ts'
import type { Span } from '../../../replicator/offsets/span.ts'

/** Runs of ten records with a marker behind each. */
const evenRuns = (count: number): readonly Span[] =>
  Array.from({ length: count }, (_, k) => ({
    sourceFrom: k * 11,
    sourceTo: k * 11 + 10,
    targetFrom: k * 10,
    targetTo: k * 10 + 10,
    isExact: true,
  }))

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)

describe('the choice of what becomes coarse', () => {
  test('nothing within the limit', () => {
    assert.deepEqual(
      planCoarsening(() => evenRuns(100), 100, { spansMax: 100 }),
      [],
    )
  })

  test('the oldest, up to a stretch, until an eighth is free', () => {
    // Three runs stretch over 32 offsets, four over 43. 101 spans must become 87: 14 less, two a group.
    const groups = planCoarsening(() => evenRuns(101), 101, { spansMax: 100, stretchMin: 40 })
    assert.deepEqual(groups, [3, 3, 3, 3, 3, 3, 3])
  })

  test('the newest are left alone, and the stretch doubles instead', () => {
    const groups = planCoarsening(() => evenRuns(101), 101, { spansMax: 100, newestKept: 85, stretchMin: 40 })
    assert.deepEqual(groups, [14, 2], '14 less of 16 old ones: fourteen stretch over 153 offsets')
  })

  test('by the side that stretches further', () => {
    const spans = evenRuns(10).map((span, k) => ({
      ...span,
      targetFrom: span.targetFrom + k * 1000,
      targetTo: span.targetTo + k * 1000,
    }))
    assert.deepEqual(
      planCoarsening(() => spans, 10, { spansMax: 8, newestKept: 0, stretchMin: 40 }),
      [2, 2, 2],
    )
  })

  test('all that is old, when the limits ask for more than there is', () => {
    assert.deepEqual(
      planCoarsening(() => evenRuns(10), 10, { spansMax: 4, newestKept: 6 }),
      [4],
    )
    assert.deepEqual(
      planCoarsening(() => evenRuns(10), 10, { spansMax: 4, newestKept: 9 }),
      [],
    )
  })

  test('keeps within the limits, takes no more than it must, and no stretch twice as long as needed', () => {
    const gaps = fc.array(fc.tuple(fc.nat(20), fc.nat(20), fc.integer({ min: 1, max: 20 })), {
      minLength: 2,
      maxLength: 80,
    })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 2, max: 40 }), fc.nat(40), (some, spansMax, newestKept) => {
        let [source, target] = [0, 0]
        const spans = some.map(([sourceGap, targetGap, count]) => {
          const [sourceFrom, targetFrom] = [source + sourceGap, target + targetGap]
          source = sourceFrom + count
          target = targetFrom + count
          return { sourceFrom, sourceTo: source, targetFrom, targetTo: target, isExact: true }
        })
        const limits = { spansMax, newestKept, stretchMin: 8 }
        const groups = planCoarsening(() => spans, spans.length, limits)
        assert.deepEqual(
          planCoarsening(() => spans, spans.length, limits),
          groups,
          'the same again',
        )
        if (groups.length === 0) {
          assert.ok(spans.length <= spansMax || spans.length - newestKept < 2)
          return
        }
        assert.ok(sum(groups) <= Math.max(0, spans.length - newestKept), 'the newest stay')
        const left = spans.length - sum(groups) + groups.length
        assert.ok(left <= spansMax || left === newestKept + 1)
        const wanted = Math.max(1, spansMax - Math.ceil(spansMax / 8))
        assert.ok(left >= wanted, 'no more than an eighth below')
        assert.ok(groups.at(-1)! > 1, 'nothing is listed behind the last merge')
      }),
    )
  })
})
