import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sourceOffset } from '../../../replicator/records/offsets.ts'
import { alignByContent, type SourceSurvivor } from '../../../replicator/shards/align-content.ts'

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

const at = (offset: bigint, content: string) => ({ offset, content })

/**
 * By trying every way: how many survivors were forwarded if the target looks as it does. Each offset held a survivor,
 * another record that was forwarded, or nothing of this.
 */
function explanations(
  records: readonly SourceSurvivor[],
  target: readonly (string | undefined)[],
): ReadonlySet<number> {
  const found = new Set<number>()
  // Behind the last survivor anything may be missing.
  const end = (records.at(-1)?.offset ?? from) + BigInt(target.length) + 1n
  const survivors = new Map(records.map(({ offset, content }) => [offset, content]))
  const go = (offset: bigint, place: number): void => {
    if (place === target.length) found.add(records.filter((record) => record.offset < offset).length)
    if (place === target.length || offset >= end) return
    const content = survivors.get(offset)
    if (content === undefined) go(offset + 1n, place)
    if (content === undefined || target[place] === undefined || target[place] === content)
      go(offset + 1n, place + 1)
  }
  go(from, 0)
  return found
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

  test('a known record takes no unknown place', () => {
    const source = [at(44n, 'a'), at(48n, 'b')]
    const aligned = alignByContent(sourceOffset(from), [undefined, undefined, 'a'], source)
    assert.deepEqual(aligned, { kind: 'aligned', sourceNext: 45n })
  })

  test('one number of survivors alone explains what is left: it is right, doubles or not', () => {
    let decided = 0
    fc.assert(
      fc.property(history(fc.oneof(distinct, repeating)), (one) => {
        const { alignment, isRight, target, source } = replay(one)
        if (explanations(source, target).size !== 1) return
        decided++
        assert(alignment.kind === 'aligned' && isRight(alignment.sourceNext))
      }),
      { numRuns: 3000 },
    )
    assert(decided > 100)
  })

  test('what was forwarded behind a survivor came from missing offsets there, so that it was not forwarded itself', () => {
    const target = [undefined, 'b', 'c']
    const source = [at(43n, 'd'), at(44n, 'e'), at(45n, 'f'), at(46n, 'g')]
    assert.deepEqual(alignByContent(sourceOffset(from), target, source), {
      kind: 'aligned',
      sourceNext: from,
    })
    const wider = [at(43n, 'd'), at(46n, 'e'), at(47n, 'f'), at(48n, 'g')]
    assert.equal(alignByContent(sourceOffset(from), target, wider).kind, 'ambiguous')
  })

  test('no offset is missing between survivors: the last record says how many were forwarded', () => {
    const source = [at(42n, 'a'), at(43n, 'b'), at(44n, 'c'), at(45n, 'd')]
    const target = [undefined, undefined, undefined, 'c']
    assert.deepEqual(alignByContent(sourceOffset(from), target, source), { kind: 'aligned', sourceNext: 45n })
  })

  test('nothing is left on the source: everything behind the start is new', () => {
    assert.deepEqual(alignByContent(sourceOffset(from), ['a'], []), { kind: 'aligned', sourceNext: from })
    assert.deepEqual(alignByContent(sourceOffset(from), [undefined], []), {
      kind: 'aligned',
      sourceNext: from,
    })
  })
})
