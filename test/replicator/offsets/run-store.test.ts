import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BLOCK_SPANS_MAX } from '../../../replicator/offsets/run-block.ts'
import { RunStore } from '../../../replicator/offsets/run-store.ts'
import { endOf, type Span } from '../../../replicator/offsets/span.ts'

const zero = { source: 0, target: 0 }
const exact = (sourceFrom: number, targetFrom: number, count: number): Span => ({
  sourceFrom,
  sourceTo: sourceFrom + count,
  targetFrom,
  targetTo: targetFrom + count,
  isExact: true,
})
const coarse = (sourceFrom: number, sourceTo: number, targetFrom: number, targetTo: number): Span => ({
  sourceFrom,
  sourceTo,
  targetFrom,
  targetTo,
  isExact: false,
})
/** Runs of ten, two offsets missing on the source and three on the target. */
const apart = (count: number, from = 0) =>
  Array.from({ length: count }, (_, k) => exact((from + k) * 12, (from + k) * 13, 10))

function storeOf(spans: readonly Span[], blockSpansMax?: number): RunStore {
  const store = new RunStore(zero, [], 0, blockSpansMax)
  for (const span of spans) store.append(span)
  return store
}

const sizesOf = (store: RunStore) => [...store.blocks()].map(({ block }) => block.size)

/** What must hold of any store. */
function assertInOrder(store: RunStore): void {
  let at = store.start
  const ids = new Set<number>()
  let size = 0
  for (const { block, end } of store.blocks()) {
    assert.deepEqual(block.start, at, 'blocks follow each other')
    for (const span of block.spans()) {
      assert.ok(at.source <= span.sourceFrom && at.target <= span.targetFrom)
      at = endOf(span)
    }
    assert.ok(at.source <= end.source && at.target <= end.target)
    at = end
    ids.add(block.id)
    size += block.size
  }
  assert.deepEqual(at, store.end)
  assert.equal(size, store.size)
  assert.equal(ids.size, [...store.blocks()].length, 'numbers are not given twice')
}

describe('the store of runs', () => {
  test('lengthens only what ends where the store does', () => {
    const store = storeOf([exact(0, 0, 10)])
    store.append(exact(10, 10, 5))
    assert.deepEqual([...store.spans()], [exact(0, 0, 15)])
    for (const beyond of [
      { source: 16, target: 15 },
      { source: 16, target: 16 },
    ]) {
      store.reach(beyond)
      assert.equal(store.extend(exact(15, 15, 1)), false)
      assert.throws(() => store.append(exact(15, 15, 1)), RangeError)
      assert.deepEqual(store.end, beyond)
    }
    store.append(exact(16, 16, 1))
    assert.equal(store.size, 2)
    assertInOrder(store)
  })

  test('fills one block after the other, and copies none', () => {
    const store = storeOf(apart(2000))
    assert.deepEqual(sizesOf(store), [512, 512, 512, 464])
    assertInOrder(store)
    const full = 33 * BLOCK_SPANS_MAX
    assert.equal(store.bytes, 4 * full)
    assert.equal(storeOf(apart(1)).bytes, 33 * 16)
    assert.equal(storeOf(apart(17)).bytes, 33 * 32)
  })

  test('finds by either side what a walk finds', () => {
    const spans = apart(1500)
    const store = storeOf(spans)
    for (let position = 0; position <= 1500 * 13; position += 5) {
      const bySource = spans.find((span) => span.sourceTo > position)
      const byTarget = spans.find((span) => span.targetTo > position)
      assert.deepEqual(store.firstEndingAbove('source', position), bySource)
      assert.deepEqual(store.firstEndingAbove('target', position), byTarget)
    }
  })

  test('refuses what does not lie behind its end', () => {
    const store = storeOf([exact(0, 0, 10)])
    assert.throws(() => store.append(exact(9, 10, 1)), RangeError)
    assert.throws(() => store.append(exact(10, 9, 1)), RangeError)
    store.reach({ source: 12, target: 10 })
    assert.throws(() => store.append(exact(11, 10, 1)), RangeError)
    store.append(exact(12, 10, 1))
    assert.equal(store.size, 2)
  })

  test('many spans take the place of one, in blocks that are at least half full', () => {
    const store = storeOf([
      ...apart(10),
      coarse(120, 120 + 12 * 1500, 130, 130 + 13 * 1500),
      ...apart(10, 1510),
    ])
    const span = [...store.spans()][10]!
    assert.equal(store.replace(span, apart(1500, 10)), true)
    assert.deepEqual([...store.spans()], apart(1520))
    assert.ok(sizesOf(store).every((size) => size >= BLOCK_SPANS_MAX / 2 && size <= BLOCK_SPANS_MAX))
    assertInOrder(store)
    assert.equal(store.replace(span, []), false, 'it is there no more')
    store.append(apart(1, 1520)[0]!)
    assertInOrder(store)
  })

  test('only the very span is replaced', () => {
    const store = storeOf([exact(0, 0, 10), coarse(10, 20, 10, 20), exact(20, 20, 5)])
    for (const other of [
      coarse(10, 20, 10, 19),
      coarse(10, 19, 10, 20),
      coarse(10, 20, 11, 20),
      coarse(11, 20, 10, 20),
      exact(10, 10, 10),
      coarse(25, 30, 25, 30),
    ]) {
      assert.equal(store.replace(other, []), false)
    }
    assert.equal(store.size, 3)
    assert.equal(new RunStore(zero).replace(coarse(0, 1, 0, 1), []), false)
    assert.equal(store.replace(coarse(10, 20, 10, 20), [exact(10, 10, 10)]), true)
    assert.deepEqual([...store.spans()], [exact(0, 0, 25)])
  })

  test('merging leaves the blocks in front as they were, and fills those behind', () => {
    const store = storeOf(apart(40), 4)
    const before = [...store.blocks()].map(({ block }) => block)
    // Two blocks of single spans, then one more span, then merges.
    store.mergeOldest([...Array.from({ length: 9 }, () => 1), 3, 2, 6])
    assertInOrder(store)
    const after = [...store.blocks()].map(({ block }) => block)
    assert.deepEqual(
      after.slice(0, 2).map(({ id, revision }) => [id, revision]),
      before.slice(0, 2).map(({ id, revision }) => [id, revision]),
    )
    assert.equal(after[0], before[0])
    assert.deepEqual(sizesOf(store), [4, 4, 4, ...Array.from({ length: 5 }, () => 4)])
    const merges = [coarse(108, 142, 117, 153), coarse(144, 166, 156, 179), coarse(168, 238, 182, 257)]
    assert.deepEqual([...store.spans()], [...apart(9), ...merges, ...apart(20, 20)])
    assert.throws(() => store.mergeOldest([30, 3]), RangeError)
    assertInOrder(store)
  })

  test('stays near 33 bytes a run, however often it is merged and refined', () => {
    const spans = apart(20_000)
    const store = storeOf(spans)
    for (let round = 0; round < 4; round++) {
      const spansInOne = 20 + round
      store.mergeOldest(Array.from({ length: Math.floor(18_000 / spansInOne) }, () => spansInOne))
      assert.ok(store.bytes / store.size < 60, `${store.bytes / store.size} bytes a run, merged`)
      for (const span of [...store.spans()].filter(({ isExact }) => !isExact)) {
        const runs = spans.slice(span.sourceFrom / 12, Math.ceil(span.sourceTo / 12))
        assert.equal(store.replace(span, runs), true)
      }
      assert.deepEqual(store.size, spans.length)
      assert.ok(store.bytes / store.size < 40, `${store.bytes / store.size} bytes a run, refined`)
      assertInOrder(store)
    }
    assert.deepEqual([...store.spans()], spans)
  })

  test('a block that is cut at its start says so; nothing else of it must be written again', () => {
    const store = storeOf(apart(10), 4)
    const [first] = [...store.blocks()]
    const { revision } = first!.block
    store.forgetBelow('source', 17)
    assert.deepEqual(store.start, { source: 17, target: 18 })
    assert.equal(first!.block.revision, revision)
    assert.deepEqual(store.firstEndingAbove('target', 0), exact(17, 18, 5))
    assertInOrder(store)
  })

  test('keeps its order whatever is appended, merged, replaced and forgotten', () => {
    const change = fc.oneof(
      fc.record({
        kind: fc.constant('append' as const),
        gap: fc.nat(2),
        count: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({ kind: fc.constant('merge' as const), groups: fc.array(fc.integer({ min: 1, max: 4 })) }),
      fc.record({ kind: fc.constant('replace' as const), which: fc.nat(), parts: fc.nat(7) }),
      fc.record({ kind: fc.constant('forget' as const), below: fc.nat(200) }),
    )
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        (changes, blockSpansMax) => {
          const store = new RunStore(zero, [], 0, blockSpansMax)
          for (const one of changes) {
            const { end, size } = store
            if (one.kind === 'append') store.append(exact(end.source + one.gap, end.target, one.count))
            else if (one.kind === 'forget') store.forgetBelow('target', one.below)
            else if (one.kind === 'merge') {
              const fitting = one.groups.filter((_, k) => sum(one.groups.slice(0, k + 1)) <= size)
              store.mergeOldest(fitting)
              assert.equal(store.size, size - sum(fitting) + fitting.length)
            } else if (size > 0) {
              const span = [...store.spans()][one.which % size]!
              const room = Math.min(span.sourceTo - span.sourceFrom, span.targetTo - span.targetFrom)
              const parts = Array.from({ length: Math.min(one.parts, Math.floor(room / 2)) }, (_, k) =>
                exact(span.sourceFrom + 2 * k, span.targetFrom + 2 * k, 1),
              )
              assert.equal(store.replace(span, parts), true)
            }
            assertInOrder(store)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
