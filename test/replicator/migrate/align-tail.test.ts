import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { alignTail, type CopiedTail, type SourceRecord } from '../../../replicator/migrate/align-tail.ts'

const records = (contents: string): readonly SourceRecord[] =>
  [...contents].map((content, index) => ({ offset: BigInt(index), content }))

/** `-` is a place of the source that the cleaner emptied or a marker took. */
function tail(
  source: string,
  from: number,
  target: string,
  { elsewhere = '', holds = 'everything' as CopiedTail['holds'] } = {},
): CopiedTail {
  return {
    from: BigInt(from),
    source: records(source).filter(({ content }) => content !== '-'),
    elsewhere: new Set(elsewhere),
    target: [...target],
    holds,
  }
}

const aligned = (sourceNext: number, found: number) => ({
  kind: 'aligned',
  sourceNext: BigInt(sourceNext),
  found,
})

describe('aligning what MirrorMaker 2 copied', () => {
  const cases: readonly (readonly [string, CopiedTail, object])[] = [
    ['nothing beyond what was stored', tail('abcdef', 3, 'abc'), aligned(3, 0)],
    ['some beyond it', tail('abcdef', 3, 'abcde'), aligned(5, 2)],
    ['all of the source', tail('abcdef', 3, 'abcdef'), aligned(6, 3)],
    ['copied again from the stored offset on', tail('abcdef', 3, 'abcdedef'), aligned(6, 3)],
    ['copied again, and not as far as before', tail('abcdefgh', 3, 'abcdefgde'), aligned(7, 4)],
    ['a repeated request', tail('abcdef', 3, 'abcdede'), aligned(5, 2)],
    ['records of others in between', tail('abcdef', 3, 'aXbcYdZ'), aligned(4, 1)],
    ['a marker behind the last one', tail('abcd-e', 3, 'abcd'), aligned(4, 1)],
    ['a marker before the first one', tail('abc-de', 3, 'abc'), aligned(3, 0)],
    ['a source that was cleaned since', tail('a-c--f', 3, 'abcde'), aligned(3, 0)],
    ['a source that was cleaned in the middle', tail('abc--fg', 3, 'abcdef'), aligned(6, 1)],
    ['nothing was ever stored', tail('abcdef', 0, 'abc'), aligned(3, 3)],
    ['nothing is left of the source', tail('', 3, 'abc'), aligned(3, 0)],
    ['equal records that all stand before', tail('axxxe', 4, 'axxx'), aligned(4, 0)],
    ['equal records, and one behind them', tail('axxxe', 1, 'axxxe'), aligned(5, 4)],
    ['equal records behind which copying went on', tail('axxye', 1, 'axxy'), aligned(4, 3)],
    ['equal records that none was copied of', tail('abxxx', 2, 'ab'), aligned(2, 0)],
    ['a beginning that is gone', tail('abcdef', 3, 'bcde', { holds: 'its-end' }), aligned(5, 2)],
    ['everything is gone', tail('abcdef', 3, '', { holds: 'its-end' }), aligned(3, 0)],
    ['of a cleaned copy the last', tail('abcdef', 3, 'ae', { holds: 'survivors' }), aligned(5, 2)],
    ['of a cleaned copy nothing beyond', tail('abcdef', 3, 'c', { holds: 'survivors' }), aligned(3, 0)],
    ['a record that also stands far before', tail('abcd', 2, 'acb', { elsewhere: 'c' }), aligned(2, 0)],
  ]
  for (const [name, given, expected] of cases)
    test(name, () => {
      assert.deepEqual(alignTail(given), expected)
    })

  const ambiguous: readonly (readonly [string, CopiedTail, RegExp])[] = [
    ['equal records at the end', tail('axxxx', 1, 'axx'), /source offset 2 is equal to others/],
    ['one that also stands before', tail('abcd', 2, 'abc', { elsewhere: 'c' }), /source offset 2 is equal/],
    ['of a cleaned copy', tail('abxcx', 2, 'bx', { holds: 'survivors' }), /source offset 3 is equal|equal/],
  ]
  for (const [name, given, reason] of ambiguous)
    test(`is ambiguous: ${name}`, () => {
      const found = alignTail(given)
      assert.equal(found.kind, 'ambiguous')
      assert.match('reason' in found ? found.reason : '', reason)
    })

  const contradictory: readonly (readonly [string, CopiedTail, RegExp])[] = [
    ['what was stored is not there', tail('abcdef', 3, 'ab'), /offset 2, and the target does not hold it/],
    ['another topic', tail('abcdef', 3, 'XYZ'), /offset 0, and the target does not hold it/],
    ['a hole', tail('abcdef', 2, 'abd'), /offset 3 is on the target and the one at 2 before it is not/],
  ]
  for (const [name, given, reason] of contradictory)
    test(`is contradictory: ${name}`, () => {
      const found = alignTail(given)
      assert.equal(found.kind, 'contradictory')
      assert.match('reason' in found ? found.reason : '', reason)
    })
})

/** What a MirrorMaker 2 does to a source of these contents: runs that begin at what is stored, each cut somewhere. */
interface History {
  readonly contents: readonly string[]
  /** What is stored at the end. */
  readonly from: number
  /** How far any run came. */
  readonly copied: number
  readonly target: readonly string[]
}

const history = (content: fc.Arbitrary<string>): fc.Arbitrary<History> =>
  fc
    .record({
      contents: fc.array(content, { minLength: 1, maxLength: 40 }),
      runs: fc.array(
        fc.record({ length: fc.nat(15), stored: fc.nat(15), retried: fc.option(fc.nat(4), { freq: 4 }) }),
        { minLength: 1, maxLength: 4 },
      ),
    })
    .map(({ contents, runs }) => {
      let [from, copied] = [0, 0]
      const target: string[] = []
      for (const { length, stored, retried } of runs) {
        const end = Math.min(contents.length, from + length)
        const run = contents.slice(from, end)
        target.push(...run)
        // A request whose answer was lost.
        if (retried !== null && retried > 0) target.push(...run.slice(-retried))
        copied = Math.max(copied, end)
        from = Math.min(end, from + stored)
      }
      return { contents, from, copied, target }
    })

function given({ contents, from, target }: History, anchor: number): CopiedTail {
  return {
    from: BigInt(from),
    source: contents.map((content, offset) => ({ offset: BigInt(offset), content })).slice(anchor),
    elsewhere: new Set(contents.slice(0, anchor)),
    target,
    holds: 'everything',
  }
}

describe('aligning, whatever MirrorMaker 2 did', () => {
  const unique = fc.uuid()
  const repeating = fc.constantFrom('a', 'b', 'c', 'd')

  test('of records that differ the position is found', () => {
    fc.assert(
      fc.property(history(unique), (past) => {
        const found = alignTail(given(past, 0))
        assert.deepEqual(found, {
          kind: 'aligned',
          sourceNext: BigInt(past.copied),
          found: past.copied - past.from,
        })
      }),
      { numRuns: 500 },
    )
  })

  test('of equal records the right position is found, or none', () => {
    let [right, none] = [0, 0]
    fc.assert(
      fc.property(history(fc.oneof(unique, repeating)), fc.nat(40), (past, at) => {
        const found = alignTail(given(past, Math.min(at, past.from)))
        if (found.kind === 'aligned') {
          assert.equal(found.sourceNext, BigInt(past.copied))
          right++
        } else {
          assert.equal(found.kind, 'ambiguous')
          none++
        }
      }),
      { numRuns: 2000 },
    )
    assert.ok(right > none && none > 0, `${right} found, ${none} ambiguous`)
  })

  test('where the source was cleaned since, nothing that is there is copied again or left out', () => {
    fc.assert(
      fc.property(history(unique), fc.array(fc.boolean(), { maxLength: 40 }), (past, cleaned) => {
        const whole = given(past, 0)
        const found = alignTail({ ...whole, source: whole.source.filter((_, i) => cleaned[i] !== true) })
        assert.equal(found.kind, 'aligned')
        const next = found.kind === 'aligned' ? Number(found.sourceNext) : -1
        const left = (offset: number) => cleaned[offset] !== true
        const offsets = past.contents.map((_, offset) => offset).filter(left)
        assert.deepEqual(
          offsets.filter((offset) => offset >= next),
          offsets.filter((offset) => offset >= past.copied),
        )
      }),
      { numRuns: 500 },
    )
  })

  test('where the beginning of the target is gone, what is left is not copied again', () => {
    fc.assert(
      fc.property(history(unique), fc.nat(60), (past, cut) => {
        const target = past.target.slice(cut)
        const found = alignTail({ ...given(past, 0), target, holds: 'its-end' })
        assert.equal(found.kind, 'aligned')
        const kept = new Set(target)
        const next = found.kind === 'aligned' ? Number(found.sourceNext) : -1
        assert.ok(next <= past.copied, 'nothing is left out')
        assert.ok(!past.contents.slice(next).some((content) => kept.has(content)), 'nothing twice')
      }),
      { numRuns: 500 },
    )
  })

  test('of a cleaned target too', () => {
    fc.assert(
      fc.property(history(unique), fc.array(fc.boolean(), { maxLength: 60 }), (past, cleaned) => {
        const target = past.target.filter((_, i) => cleaned[i] !== true)
        const found = alignTail({ ...given(past, 0), target, holds: 'survivors' })
        assert.equal(found.kind, 'aligned')
        const kept = new Set(target)
        const next = found.kind === 'aligned' ? Number(found.sourceNext) : -1
        assert.ok(next <= past.copied && !past.contents.slice(next).some((content) => kept.has(content)))
      }),
      { numRuns: 500 },
    )
  })

  test('a million equal records do not take forever', () => {
    const source = Array.from({ length: 60_000 }, (_, i) => ({ offset: BigInt(i), content: 'x' }))
    const found = alignTail({
      ...{ from: 0n, source, elsewhere: new Set<string>() },
      ...{ target: Array.from({ length: 50_000 }, () => 'x'), holds: 'everything' },
    })
    assert.equal(found.kind, 'ambiguous')
  })
})
