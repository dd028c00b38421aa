import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fingerprintOf, type RecordFingerprint } from '../../../replicator/records/record-fingerprint.ts'
import {
  type ComparisonResult,
  PartitionComparison,
} from '../../../replicator/verify/partition-comparison.ts'

interface Content {
  readonly key?: string | null
  readonly value?: string | null
  readonly headers?: readonly (readonly [string, string | null])[]
  readonly timestamp?: number
}

function record(offset: number, content: Content): RecordFingerprint {
  const bytes = (text: string | null | undefined) => (text == null ? null : Buffer.from(text))
  return fingerprintOf({
    offset: BigInt(offset),
    key: bytes(content.key),
    value: bytes(content.value),
    timestamp: BigInt(content.timestamp ?? 0),
    headers: (content.headers ?? []).map(([name, value]) => ({
      name: Buffer.from(name),
      value: bytes(value),
    })),
  })
}

/** Distinct records, one per letter; offsets from 0 on the source and from 100 on the target. */
function lettered(text: string, base = 0): RecordFingerprint[] {
  return [...text].map((letter, i) =>
    record(base + i, { key: 'same', value: letter, timestamp: letter.charCodeAt(0) }),
  )
}

function compare(
  source: readonly RecordFingerprint[],
  target: readonly RecordFingerprint[],
  { lookAhead = 64, pieces = 3 } = {},
): ComparisonResult {
  const comparison = new PartitionComparison(lookAhead)
  const left = { source: [...source], target: [...target] }
  for (let need = comparison.advance(); need !== 'nothing'; need = comparison.advance()) {
    if (left[need].length === 0) comparison.end(need)
    else comparison.offer(need, left[need].splice(0, pieces))
  }
  return comparison.result()
}

const compareText = (source: string, target: string) => compare(lettered(source), lettered(target, 100))

/** Only the kinds that occur. */
function found({ differences }: ComparisonResult) {
  return Object.fromEntries(Object.entries(differences).filter(([, count]) => count > 0))
}

describe('comparing partitions', () => {
  for (const [title, source, target, expected, first] of [
    ['nothing', '', '', {}, undefined],
    ['equal', 'abcdef', 'abcdef', {}, undefined],
    ['dropped first', 'abc', 'bc', { missing: 1 }, ['0', undefined]],
    ['dropped in the middle', 'abcdef', 'abdef', { missing: 1 }, ['2', undefined]],
    ['dropped last', 'abc', 'ab', { missing: 1 }, ['2', undefined]],
    ['dropped run', 'abcdefghij', 'abhij', { missing: 5 }, ['2', undefined]],
    ['everything dropped', 'abc', '', { missing: 3 }, ['0', undefined]],
    ['extra in the middle', 'abc', 'abXc', { extra: 1 }, [undefined, '102']],
    ['extra at the end', 'abc', 'abcX', { extra: 1 }, [undefined, '103']],
    ['extra on an empty source', '', 'X', { extra: 1 }, [undefined, '100']],
    ['duplicated at once', 'abc', 'abbc', { duplicated: 1 }, [undefined, '102']],
    ['duplicated later', 'abcdef', 'abcdaef', { duplicated: 1 }, [undefined, '104']],
    ['duplicated last', 'abc', 'abcc', { duplicated: 1 }, [undefined, '103']],
    ['duplicated run, as after a crash', 'abcdef', 'abcdbcdef', { duplicated: 3 }, [undefined, '104']],
    ['two swapped', 'abcd', 'acbd', { reordered: 1 }, ['1', '102']],
    ['moved back', 'abcdef', 'bcdaef', { reordered: 1 }, ['0', '103']],
    ['moved forward', 'abcdef', 'aebcdf', { reordered: 1 }, ['4', '101']],
    ['replaced by another', 'abc', 'aXc', { missing: 1, extra: 1 }, ['1', undefined]],
    ['several', 'abcdefgh', 'bcdXefhh', { missing: 2, extra: 1, duplicated: 1 }, ['0', undefined]],
    ['repeated content, one dropped', 'aaab', 'aab', { missing: 1 }, ['3', undefined]],
    ['repeated content, one more', 'aab', 'aaab', { duplicated: 1 }, [undefined, '102']],
  ] as const) {
    test(title, () => {
      const result = compareText(source, target)
      if (title !== 'repeated content, one dropped') {
        assert.deepEqual(result.first && [result.first.sourceOffset, result.first.targetOffset], first)
      }
      assert.deepEqual(found(result), expected)
      assert.equal(result.source.digest === result.target.digest, source === target)
      assert.deepEqual([result.source.records, result.target.records], [source.length, target.length])
    })
  }

  const original: Content = {
    key: 'k',
    value: 'v',
    headers: [
      ['h', '1'],
      ['h', '2'],
    ],
    timestamp: 5,
  }
  for (const [title, change, fields] of [
    ['key', { key: 'K' }, ['key']],
    ['key to null', { key: null }, ['key']],
    ['value', { value: 'V' }, ['value']],
    ['value to a tombstone', { value: null }, ['value']],
    ['null is not empty', { value: '' }, ['value']],
    ['long value', { value: 'x'.repeat(100) }, ['value']],
    [
      'header value',
      {
        headers: [
          ['h', '1'],
          ['h', '3'],
        ],
      },
      ['headers'],
    ],
    [
      'header order',
      {
        headers: [
          ['h', '2'],
          ['h', '1'],
        ],
      },
      ['headers'],
    ],
    ['header dropped', { headers: [['h', '1']] }, ['headers']],
    [
      'header split elsewhere',
      {
        headers: [
          ['h1', ''],
          ['h', '2'],
        ],
      },
      ['headers'],
    ],
    ['timestamp', { timestamp: 6 }, ['timestamp']],
    ['value and headers', { value: 'V', headers: [] }, ['value', 'headers']],
  ] as const) {
    test(`altered: ${title}`, () => {
      const around = [record(0, { value: 'before' }), record(2, { value: 'after' })] as const
      const result = compare(
        [around[0], record(1, original), around[1]],
        [around[0], record(1, { ...original, ...change }), around[1]],
      )
      assert.deepEqual(found(result), { altered: 1 })
      assert.deepEqual(result.first?.fields, fields)
      assert.equal(result.first?.sourceOffset, '1')
    })
  }

  test('tells null from empty, and long values of one length apart', () => {
    for (const [a, b] of [
      [null, ''],
      ['x'.repeat(100), 'y'.repeat(100)],
      ['x'.repeat(32), 'y'.repeat(32)],
    ] as const) {
      const result = compare([record(0, { key: 'k', value: a })], [record(0, { key: 'k', value: b })])
      assert.deepEqual(result.first?.fields, ['value'])
      assert.deepEqual(found(compare([record(0, { value: a })], [record(5, { value: a })])), {})
    }
  })

  test('shows no content', () => {
    const result = compare(
      [record(0, { key: 'secret', value: 'secret' })],
      [record(0, { key: 'secret', value: 'x' })],
    )
    assert.equal(
      JSON.stringify(result, (_, v) => (typeof v === 'bigint' ? `${v}` : v)).includes('secret'),
      false,
    )
  })

  test('a gap longer than the look-ahead is still found, and the rest still matches', () => {
    const all = Array.from({ length: 300 }, (_, i) => record(i, { key: 'same', value: `${i}`, timestamp: i }))
    const result = compare(all, all.slice(200), { lookAhead: 50 })
    assert.equal(result.differences.missing - result.differences.extra, 200)
    assert.equal(result.first?.kind, 'missing')
  })

  test('holds no more than the look-ahead and a piece', () => {
    const comparison = new PartitionComparison(10)
    let offered = 0
    comparison.offer('target', lettered('X'))
    while (comparison.advance() === 'source') comparison.offer('source', lettered('ab', offered++))
    assert.ok(offered <= 5)
  })

  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 30 })

  test('no differences exactly when equal, and the counts always add up', () => {
    fc.assert(
      fc.property(letters, letters, fc.integer({ min: 1, max: 40 }), (source, target, lookAhead) => {
        const result = compare(lettered(source), lettered(target, 100), { lookAhead })
        const { missing, extra, duplicated } = result.differences
        assert.equal(result.first === undefined, source === target)
        assert.equal(source.length - missing, target.length - extra - duplicated)
      }),
      { numRuns: 500 },
    )
  })

  test('one dropped record is one missing record, wherever it was', () => {
    const distinct = 'abcdefghijklmnopqrstuvwxyz'
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 25 }), fc.integer({ min: 1, max: 9 }), (at, pieces) => {
        const target = distinct.slice(0, at) + distinct.slice(at + 1)
        const result = compare(lettered(distinct), lettered(target, 100), { pieces })
        assert.deepEqual(found(result), { missing: 1 })
        assert.equal(result.first?.sourceOffset, `${at}`)
      }),
    )
  })
})
