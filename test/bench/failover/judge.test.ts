import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { indexAt, judge, type SequenceLog } from './judge.ts'

const log = (
  records: readonly (readonly [offset: number, sequence: number])[],
  end: number,
): SequenceLog => ({
  offsets: records.map(([offset]) => offset),
  sequences: records.map(([, sequence]) => sequence),
  end,
})

/** Offsets 10 to 12 and 14 to 16: 13 and 17 are markers. */
const source = log(
  [10, 11, 12, 14, 15, 16].map((offset, sequence) => [offset, sequence] as const),
  18,
)
const target = log(
  [0, 1, 2, 3, 4, 5].map((offset) => [offset, offset] as const),
  6,
)
const goesOn = (counts: { skipped?: number; reread?: number; missing?: number }) => ({
  kind: 'goes-on',
  skipped: 0,
  reread: 0,
  missing: 0,
  ...counts,
})

describe('the judge of a change of clusters', () => {
  test('an offset between records is that of the next one', () => {
    assert.deepEqual(
      [0, 10, 11, 13, 14, 17, 18].map((offset) => indexAt(source, offset)),
      [0, 0, 1, 3, 3, 6, 6],
    )
  })

  test('passes the same record, whatever the offsets are', () => {
    for (const [from, to] of [
      [10, 0],
      [12, 2],
      [13, 3],
      [14, 3],
      [16, 5],
      [17, 6],
      [18, 6],
    ] as const) {
      assert.deepEqual(judge({ source, target }, { source: from, target: to }), goesOn({}), `${from} ${to}`)
    }
  })

  test('a commit that is too high skips, one that is too low reads again', () => {
    assert.deepEqual(judge({ source, target }, { source: 14, target: 4 }), goesOn({ skipped: 1 }))
    assert.deepEqual(judge({ source, target }, { source: 10, target: 6 }), goesOn({ skipped: 6 }))
    assert.deepEqual(judge({ source, target }, { source: 14, target: 2 }), goesOn({ reread: 1 }))
    assert.deepEqual(judge({ source, target }, { source: 18, target: 0 }), goesOn({ reread: 6 }))
  })

  test('offsets taken over as they are', () => {
    const shifted = log(
      Array.from({ length: 12 }, (_, at) => [at, at] as const),
      12,
    )
    const from = log(
      Array.from({ length: 12 }, (_, at) => [at + 5, at] as const),
      17,
    )
    assert.deepEqual(
      judge({ source: from, target: shifted }, { source: 7, target: 7 }),
      goesOn({ skipped: 5 }),
    )
    assert.deepEqual(judge({ source: from, target: shifted }, { source: 15, target: 15 }), {
      kind: 'out-of-range',
    })
  })

  test('what a copy has twice is read again; what it lacks is missing, not skipped', () => {
    const twice = log(
      [
        [0, 0],
        [1, 1],
        [2, 2],
        [3, 1],
        [4, 2],
        [5, 3],
      ],
      6,
    )
    assert.deepEqual(
      judge({ source, target: twice }, { source: 11, target: 1 }),
      goesOn({ reread: 2, missing: 2 }),
    )
    assert.deepEqual(
      judge({ source, target: twice }, { source: 14, target: 3 }),
      goesOn({ reread: 2, missing: 2 }),
    )
    const gap = log(
      [
        [0, 0],
        [1, 1],
        [2, 3],
        [3, 4],
        [4, 5],
      ],
      5,
    )
    assert.deepEqual(judge({ source, target: gap }, { source: 12, target: 2 }), goesOn({ missing: 1 }))
  })

  test('a group without a commit is nobody to be judged', () => {
    assert.deepEqual(judge({ source, target }, { source: 14, target: undefined }), { kind: 'no-commit' })
  })
})
