import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { nextFetchBytes, partitionFetchBytes } from '../../../replicator/flow/fetch-sizing.ts'

const KIB = 1024

describe('the size of the next fetch', () => {
  test('stays in its bounds, whatever was asked and came', () => {
    fc.assert(
      fc.property(
        fc.nat(1 << 24),
        fc.nat(1 << 25),
        fc.integer({ min: 1, max: 1 << 20 }),
        fc.nat(1 << 23),
        (asked, got, min, more) => {
          const bounds = { min, max: min + more }
          const from = Math.min(bounds.max, Math.max(bounds.min, asked))
          const next = nextFetchBytes(from, got, bounds)
          assert(next >= bounds.min && next <= bounds.max && Number.isInteger(next))
        },
      ),
    )
  })

  test('grows with a backlog up to the largest, shrinks without one to the smallest, and rests in between', () => {
    const bounds = { min: 64 * KIB, max: 1024 * KIB }
    let asked = bounds.min
    for (let i = 0; i < 10; i++) asked = nextFetchBytes(asked, asked, bounds)
    assert.equal(asked, bounds.max)
    assert.equal(nextFetchBytes(asked, asked * 0.4, bounds), asked)
    for (let i = 0; i < 10; i++) asked = nextFetchBytes(asked, 0, bounds)
    assert.equal(asked, bounds.min)
  })

  test('a partition alone may take all of it, many share it, none gets less than a useful read', () => {
    assert.equal(partitionFetchBytes(8192 * KIB, 1), 8192 * KIB)
    assert.equal(partitionFetchBytes(8192 * KIB, 2), 4096 * KIB)
    assert.equal(partitionFetchBytes(8192 * KIB, 1000), 2048 * KIB)
    assert.equal(partitionFetchBytes(64 * KIB, 1000), 256 * KIB)
  })
})
