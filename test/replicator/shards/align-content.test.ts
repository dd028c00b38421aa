import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sourceOffset } from '../../../replicator/records/offsets.ts'
import { alignByContent } from '../../../replicator/shards/align-content.ts'

/** What was written to the source from some offset on, how much of it was forwarded, and what cleaners left of it. */
interface History {
  readonly contents: readonly string[]
  /** Offsets between records: markers, records of others. */
  readonly steps: readonly number[]
  readonly forwarded: number
  readonly keptOnSource: readonly boolean[]
  readonly keptOnTarget: readonly boolean[]
}

const from = 40n

function history(contents: fc.Arbitrary<string[]>): fc.Arbitrary<History> {
  return contents.chain((made) => {
    const size = { minLength: made.length, maxLength: made.length }
    return fc.record({
      contents: fc.constant(made),
      steps: fc.array(fc.integer({ min: 1, max: 3 }), size),
      forwarded: fc.integer({ min: 1, max: made.length }),
      keptOnSource: fc.array(fc.boolean(), size),
      keptOnTarget: fc.array(
        fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
        size,
      ),
    })
  })
}

const distinct = fc
  .integer({ min: 1, max: 12 })
  .map((count) => Array.from({ length: count }, (_, index) => `record ${index}`))
const repeating = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 10 })

function replay({ contents, steps, forwarded, keptOnSource, keptOnTarget }: History) {
  let offset = from - 1n
  const records = contents.map((content, index) => {
    offset += BigInt(steps[index] ?? 1)
    return { offset, content }
  })
  const target = contents.slice(0, forwarded).map((one, index) => (keptOnTarget[index] ? one : undefined))
  const source = records.filter((_, index) => keptOnSource[index])
  const alignment = alignByContent(sourceOffset(from), target, source)
  // Right is every position that parts what is left of the forwarded records from the others.
  const last = records.findLast((_, index) => index < forwarded && keptOnSource[index])
  const next = records.find((_, index) => index >= forwarded && keptOnSource[index])
  const isRight = (position: bigint): boolean =>
    (last === undefined || position > last.offset) && (next === undefined || position <= next.offset)
  return { alignment, isRight, target, source, records }
}

describe('alignment by content', () => {
  test('is right whenever it says anything, as long as contents differ', () => {
    fc.assert(
      fc.property(history(distinct), (one) => {
        const { alignment, isRight } = replay(one)
        if (alignment.kind === 'aligned') assert(isRight(alignment.sourceNext), String(alignment.sourceNext))
      }),
      { numRuns: 2000 },
    )
  })

  test('always finds the place when contents differ and the target holds all of them', () => {
    fc.assert(
      fc.property(history(distinct), (one) => {
        const complete = { ...one, keptOnTarget: one.contents.map(() => true) }
        const { alignment, isRight } = replay(complete)
        assert.equal(alignment.kind, 'aligned')
        assert(alignment.kind === 'aligned' && isRight(alignment.sourceNext))
      }),
      { numRuns: 1000 },
    )
  })

  test('is wrong only about a record that has an exact double', () => {
    fc.assert(
      fc.property(history(repeating), (one) => {
        const { alignment, isRight, records } = replay(one)
        if (alignment.kind !== 'aligned' || isRight(alignment.sourceNext)) return
        const decisive = records.find(({ offset }) => offset + 1n === alignment.sourceNext)
        const doubles = records.filter(({ content }) => content === decisive?.content)
        assert(doubles.length > 1, `${alignment.sourceNext} is wrong`)
      }),
      { numRuns: 3000 },
    )
  })

  test('doubles that are still there decide nothing', () => {
    const at = (offset: bigint, content: string) => ({ offset, content })
    const twiceOnSource = [at(41n, 'a'), at(43n, 'a')]
    assert.equal(alignByContent(sourceOffset(from), ['a'], twiceOnSource).kind, 'ambiguous')
    assert.equal(alignByContent(sourceOffset(from), ['a', 'b', 'a'], [at(44n, 'a')]).kind, 'ambiguous')
  })

  test('an unknown place where a survivor may have been decides nothing', () => {
    const source = [
      { offset: 40n, content: 'a' },
      { offset: 42n, content: 'b' },
    ]
    assert.equal(alignByContent(sourceOffset(from), ['a', undefined], source).kind, 'ambiguous')
    assert.equal(alignByContent(sourceOffset(from), [undefined, undefined], source).kind, 'ambiguous')
    // The unknown one lies before a survivor that was found: the one behind it was not forwarded.
    const known = alignByContent(sourceOffset(from), ['a', undefined, 'b'], source)
    assert.deepEqual(known, { kind: 'aligned', sourceNext: 43n })
  })

  test('nothing is left on the source: everything behind the start is new', () => {
    assert.deepEqual(alignByContent(sourceOffset(from), ['a'], []), { kind: 'aligned', sourceNext: from })
  })
})
