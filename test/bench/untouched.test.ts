import assert from 'node:assert/strict'
import { test } from 'node:test'
import { splitSamples } from './untouched.ts'

test('records of a restart are told apart by whether their shard moved in it', () => {
  const sample = (shard: number, sentAtMs: number) => ({ shard, sentAtMs, latencyMs: 1 })
  const samples = [sample(0, 5), sample(0, 10), sample(1, 20), sample(0, 30), sample(0, 40), sample(1, 45)]
  const { untouched, moved } = splitSamples(samples, [
    { fromMs: 10, toMs: 20, touched: new Set([0]) },
    { fromMs: 40, toMs: 50, touched: new Set([1]) },
  ])
  assert.deepEqual(untouched, [sample(1, 20), sample(0, 40)])
  assert.deepEqual(moved, [sample(0, 10), sample(1, 45)])
})
