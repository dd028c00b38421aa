import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BarrenReads } from '../../../replicator/flow/barren-reads.ts'

test('nothing for five seconds on end counts, of each partition by itself', () => {
  const reads = new BarrenReads()
  const [one, other] = [{}, {}]
  assert.equal(reads.nothingCame(one, 1000), false)
  assert.equal(reads.nothingCame(one, 5999), false)
  assert.equal(reads.nothingCame(other, 6000), false)
  assert.equal(reads.nothingCame(one, 6000), true)
  reads.somethingCame(one)
  assert.equal(reads.nothingCame(one, 20_000), false)
})
