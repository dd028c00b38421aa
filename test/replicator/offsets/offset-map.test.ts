import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type CoarseSpan, OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { RunStore } from '../../../replicator/offsets/run-store.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { checkAgainst } from './check-map.ts'
import { happen, newTruth, step, type Truth } from './copy-model.ts'

const s = (value: number) => sourceOffset(BigInt(value))
const t = (value: number) => targetOffset(BigInt(value))
const pair = (source: number, target: number) => ({ source: s(source), target: t(target) })
const run = (source: number, target: number, count: number) => ({ ...pair(source, target), count })
const span = (sourceFrom: number, sourceTo: number, targetFrom: number, targetTo: number): CoarseSpan => ({
  sourceFrom: s(sourceFrom),
  sourceTo: s(sourceTo),
  targetFrom: t(targetFrom),
  targetTo: t(targetTo),
})
const exact = (offset: bigint | number, isNextRecord = true) => ({
  kind: 'exact',
  offset: BigInt(offset),
  isNextRecord,
})

describe('the offset map of a partition', () => {
  test('runs that follow each other on both sides are one', () => {
    const map = new OffsetMap(pair(100, 7))
    map.append(run(100, 7, 10))
    map.append(run(110, 17, 5))
    assert.deepEqual([...map.spans()], [run(100, 7, 15)])
    // A marker in the source, then somebody else's record in the target.
    map.append(run(116, 22, 4))
    map.append(run(120, 27, 4))
    assert.deepEqual([...map.spans()], [run(100, 7, 15), run(116, 22, 4), run(120, 27, 4)])
    assert.deepEqual(map.end, pair(124, 31))
  })

  test('translates both ways; a gap belongs to the record behind it', () => {
    const map = new OffsetMap(pair(0, 0))
    map.append(run(0, 0, 10))
    map.append(run(12, 15, 10))
    assert.deepEqual(map.translate(s(0)), exact(0))
    assert.deepEqual(map.translate(s(9)), exact(9))
    for (const position of [10, 11, 12]) assert.deepEqual(map.translate(s(position)), exact(15))
    assert.deepEqual(map.translate(s(13)), exact(16))
    for (const position of [10, 12, 15]) assert.deepEqual(map.translateBack(t(position)), exact(12))
    assert.deepEqual(map.translateBack(t(9)), exact(9))
    assert.deepEqual(map.translateBack(t(24)), exact(21))
  })

  test('says where it ends and where it begins', () => {
    const map = new OffsetMap(pair(5, 50))
    assert.deepEqual(map.translate(s(5)), exact(50, false))
    assert.deepEqual(map.translate(s(6)), { kind: 'not-copied-yet', last: pair(5, 50) })
    assert.deepEqual(map.translate(s(4)), { kind: 'before-the-map', first: pair(5, 50) })
    map.append(run(7, 50, 3))
    assert.deepEqual(map.translate(s(10)), exact(53, false))
    assert.deepEqual(map.translateBack(t(53)), exact(10, false))
    assert.deepEqual(map.translate(s(11)), { kind: 'not-copied-yet', last: pair(10, 53) })
    assert.deepEqual(map.translateBack(t(54)), { kind: 'not-copied-yet', last: pair(10, 53) })
    assert.deepEqual(map.translateBack(t(49)), { kind: 'before-the-map', first: pair(5, 50) })
    map.reach(pair(11, 53))
    assert.deepEqual(map.translate(s(11)), exact(53, false))
    map.reach(pair(8, 60))
    assert.deepEqual(map.end, pair(11, 60))
    assert.deepEqual(map.translateBack(t(57)), exact(11, false))
  })

  test('positions beyond what the arrays hold are beyond the map', () => {
    const map = new OffsetMap(pair(0, 0))
    map.append(run(0, 0, 1))
    assert.equal(map.translate(sourceOffset(2n ** 63n - 1n)).kind, 'not-copied-yet')
    assert.equal(map.translate(sourceOffset(-1n)).kind, 'before-the-map')
    map.append({ source: sourceOffset(2n ** 53n - 3n), target: targetOffset(2n ** 53n - 4n), count: 2 })
    assert.deepEqual(map.translate(sourceOffset(2n ** 53n - 2n)), exact(2n ** 53n - 3n))
    assert.throws(
      () =>
        map.append({ source: sourceOffset(2n ** 53n - 1n), target: targetOffset(2n ** 53n - 2n), count: 1 }),
      RangeError,
    )
  })

  test('a coarse span has both its ends to offer until the logs are asked', () => {
    const map = new OffsetMap(pair(0, 0))
    map.append(run(0, 0, 10))
    const unseen = span(10, 30, 10, 25)
    map.appendCoarse(unseen)
    map.append(run(31, 25, 5))
    assert.deepEqual(map.translate(s(10)), exact(10, false))
    assert.deepEqual(map.translate(s(11)), { kind: 'between', from: 10n, to: 25n, span: unseen })
    assert.deepEqual(map.translateBack(t(24)), { kind: 'between', from: 10n, to: 30n, span: unseen })
    assert.deepEqual(map.translate(s(30)), exact(25))
    assert.equal(map.refined(unseen, [run(10, 10, 5), run(20, 15, 10)]), true)
    assert.deepEqual([...map.spans()], [run(0, 0, 15), run(20, 15, 10), run(31, 25, 5)])
    assert.deepEqual(map.translate(s(17)), exact(15))
    assert.equal(map.refined(unseen, []), false)
  })

  test('order on both sides is an invariant', () => {
    const map = new OffsetMap(pair(10, 10))
    map.append(run(10, 10, 5))
    assert.throws(() => map.append(run(14, 15, 1)), /copying got to source offset 15, target offset 15/)
    assert.throws(() => map.append(run(15, 14, 1)), /copying got to/)
    assert.throws(() => map.appendCoarse(span(14, 20, 15, 20)), /copying got to/)
    assert.throws(() => map.appendCoarse(span(15, 14, 15, 20)), /backwards/)
    assert.throws(() => map.appendCoarse(span(14, 14, 15, 20)), /copying got to/)
    assert.throws(() => map.append(run(15, 15, 0)), RangeError)
    const unseen = span(15, 25, 15, 25)
    map.appendCoarse(unseen)
    assert.throws(() => map.refined(unseen, [run(20, 20, 2), run(21, 22, 1)]), /below/)
    assert.throws(() => map.refined(unseen, [run(20, 20, 6)]), /above/)
    assert.throws(() => map.refined(unseen, [run(14, 15, 1)]), /below/)
    assert.deepEqual([...map.spans()], [run(10, 10, 5), unseen])
  })

  test('forgets below the start of either log; a coarse span goes as a whole', () => {
    const map = new OffsetMap(pair(0, 0))
    map.append(run(0, 0, 10))
    map.appendCoarse(span(10, 20, 10, 18))
    map.append(run(20, 18, 10))
    map.forgetBelow({ source: s(4) })
    assert.deepEqual(map.translate(s(3)), { kind: 'before-the-map', first: pair(4, 4) })
    assert.deepEqual(map.translate(s(4)), exact(4))
    map.forgetBelow({ target: t(17) })
    assert.deepEqual(map.start, pair(10, 10))
    map.forgetBelow({ target: t(20) })
    assert.deepEqual([...map.spans()], [run(22, 20, 8)])
    map.forgetBelow({ source: s(1000) })
    assert.equal(map.size, 0)
    assert.deepEqual([map.start, map.end], [pair(30, 28), pair(30, 28)])
    map.append(run(30, 28, 1))
    assert.deepEqual(map.translate(s(30)), exact(28))
  })

  test('never says anything but the truth, whatever happens to it', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 0, max: 3 }),
        (steps, blockSpansMax, base) => {
          const truth = newTruth(base, 2 * base)
          const map = new OffsetMap(new RunStore({ source: base, target: 2 * base }, [], 0, blockSpansMax))
          for (const one of steps) {
            const before = map.start
            happen(one, truth, map)
            if (one.kind === 'forget') forgotNoMore(one.side, one.at, before, truth, map)
            else assert.deepEqual(map.start, before)
            if (one.kind === 'coarsen') assert.ok(map.size <= Math.max(one.spansMax, one.newestKept + 1))
          }
          checkAgainst(truth, map)
        },
      ),
      { numRuns: 500 },
    )
  })
})

/** Forgetting goes up to where it was told, not beyond, and not above the next exact run. */
function forgotNoMore(
  side: 'source' | 'target',
  at: number,
  before: { readonly source: bigint; readonly target: bigint },
  truth: Truth,
  map: OffsetMap,
): void {
  const position = BigInt(Math.floor(at * truth[side]))
  const start = map.start[side]
  assert.ok(start >= before[side])
  assert.ok(start <= (position > before[side] ? position : before[side]))
  for (const known of map.spans()) {
    const to = 'count' in known ? known[side] + BigInt(known.count) : known[`${side}To`]
    assert.ok(to > position, 'nothing stays that lies below')
    if ('count' in known) assert.ok(known[side] >= position, 'runs are cut')
  }
}
