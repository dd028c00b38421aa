import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Freshness } from './freshness.ts'

function commit(freshness: Freshness, offset: number, ackedMs: number, key = 'a'): void {
  freshness.sending(key, offset)
  freshness.acknowledged(key, offset, ackedMs)
}

describe('freshness', () => {
  test('a commit took until the target shows it', () => {
    const freshness = new Freshness()
    commit(freshness, 10, 1000)
    commit(freshness, 10, 1000, 'b')
    freshness.seen('a', 9, 1100)
    assert.equal(freshness.unseen, 2)
    freshness.seen('a', 10, 1300)
    assert.deepEqual(freshness.samples, [{ ackedMs: 1000, tookMs: 300 }])
    assert.deepEqual([freshness.unseen, freshness.shown, freshness.ahead], [1, 1, 0])
  })

  test('a later commit shows the earlier ones, each with its own time', () => {
    const freshness = new Freshness()
    commit(freshness, 10, 1000)
    commit(freshness, 20, 2000)
    commit(freshness, 30, 3000)
    freshness.seen('a', 25, 3500)
    assert.deepEqual(
      freshness.samples.map(({ tookMs }) => tookMs),
      [2500, 1500],
    )
    assert.equal(freshness.unseen, 1)
  })

  test('what is shown before the answer is there took no time', () => {
    const freshness = new Freshness()
    freshness.sending('a', 10)
    freshness.seen('a', 10, 900)
    freshness.acknowledged('a', 10, 1000)
    assert.deepEqual(freshness.samples, [{ ackedMs: 1000, tookMs: 0 }])
    assert.deepEqual([freshness.unseen, freshness.ahead], [0, 0])
  })

  test('a commit without news is no sample, and does not count as shown at once', () => {
    const freshness = new Freshness()
    commit(freshness, 10, 1000)
    freshness.seen('a', 10, 1200)
    commit(freshness, 10, 3000)
    assert.deepEqual([freshness.samples.length, freshness.unseen], [1, 0])
  })

  test('a target that is ahead of what was committed is noticed', () => {
    const freshness = new Freshness()
    commit(freshness, 10, 1000)
    freshness.seen('a', 11, 1100)
    assert.equal(freshness.ahead, 1)
    assert.deepEqual([...freshness.expected], [['a', 10]])
  })
})
