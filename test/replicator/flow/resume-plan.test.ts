import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  effectOf,
  isOtherTopic,
  offsetProblem,
  offsetQueryOf,
  parseResumeFrom,
} from '../../../replicator/flow/resume-plan.ts'

describe('where a person wants to go on', () => {
  test('is a word, an offset, or a time with its zone', () => {
    assert.deepEqual(parseResumeFrom('next'), { kind: 'next' })
    assert.deepEqual(parseResumeFrom('earliest'), { kind: 'earliest' })
    assert.deepEqual(parseResumeFrom('latest'), { kind: 'latest' })
    assert.deepEqual(parseResumeFrom('0184'), { kind: 'offset', offset: 184n })
    const timestampMs = Date.UTC(2026, 4, 1, 12, 30)
    assert.deepEqual(parseResumeFrom('2026-05-01T12:30:00Z'), { kind: 'time', timestampMs })
    assert.deepEqual(parseResumeFrom('2026-05-01T14:30+02:00'), { kind: 'time', timestampMs })
    for (const text of ['', '-1', '1.5', 'soon', '2026-05-01', '2026-05-01T12:30:00', '2026-99-01T12:30:00Z'])
      assert.equal(parseResumeFrom(text), undefined, text)
  })

  test('asks the source where it must, of a reader that sees committed records', () => {
    assert.equal(offsetQueryOf({ kind: 'latest' }), 'last-stable')
    assert.equal(offsetQueryOf({ kind: 'earliest' }), 'earliest')
    assert.deepEqual(offsetQueryOf({ kind: 'time', timestampMs: 5 }), { timestampMs: 5 })
    assert.equal(offsetQueryOf({ kind: 'next' }), undefined)
    assert.equal(offsetQueryOf({ kind: 'offset', offset: 5n }), undefined)
  })

  test('must lie in the log, its end included', () => {
    const bounds = { start: 5n, end: 9n }
    assert.equal(offsetProblem(5n, bounds), undefined)
    assert.equal(offsetProblem(9n, bounds), undefined)
    assert.match(offsetProblem(4n, bounds) ?? '', /holds offsets 5 to 8/)
    assert.match(offsetProblem(10n, bounds) ?? '', /holds offsets 5 to 8/)
    assert.match(offsetProblem(4n, { start: 5n, end: 5n }) ?? '', /is empty at offset 5/)
  })

  test('leaves out what lies above, and repeats what lies below and is still there', () => {
    const offset = fc.bigInt({ min: 0n, max: 50n })
    fc.assert(
      fc.property(offset, offset, offset, offset, (a, b, stands, at) => {
        const bounds = a < b ? { start: a, end: b } : { start: b, end: a }
        fc.pre(offsetProblem(at, bounds) === undefined)
        const effect = effectOf(stands, at, bounds)
        const touched = (candidate: bigint): string => {
          if (effect.kind !== 'skips' && effect.kind !== 'repeats') return 'once'
          return candidate >= effect.fromOffset && candidate < effect.toOffset ? effect.kind : 'once'
        }
        for (let candidate = 0n; candidate <= 50n; candidate++) {
          const wasCopied = candidate < stands
          const isCopied = candidate >= at && candidate < bounds.end
          const expected = wasCopied && isCopied ? 'repeats' : !wasCopied && candidate < at ? 'skips' : 'once'
          assert.equal(touched(candidate), expected, `${candidate}`)
        }
      }),
    )
  })

  test('topics without ids are never other ones', () => {
    assert.equal(isOtherTopic('a', 'b'), true)
    assert.equal(isOtherTopic('a', 'a'), false)
    assert.equal(isOtherTopic(undefined, 'b'), false)
    assert.equal(isOtherTopic('a', undefined), false)
  })
})
