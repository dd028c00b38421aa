import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { latencyOf, percentile, spreadOf } from './statistics.ts'

const samples = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 })

describe('percentile', () => {
  test('is the nearest rank', () => {
    const sorted = Array.from({ length: 1000 }, (_, index) => index + 1)
    assert.equal(percentile(sorted, 0.5), 500)
    assert.equal(percentile(sorted, 0.99), 990)
    assert.equal(percentile(sorted, 0.999), 999)
    assert.equal(percentile(sorted, 1), 1000)
    assert.equal(percentile([7], 0.001), 7)
  })

  test('is a sample that enough samples do not exceed, and the smallest such', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0.001, max: 1, noNaN: true }), (values, fraction) => {
        const sorted = Float64Array.from(values).sort()
        const found = percentile(sorted, fraction)
        const upTo = (limit: number) => sorted.filter((value) => value <= limit).length
        assert.ok(upTo(found) >= fraction * sorted.length)
        const below = sorted.findLast((value) => value < found)
        if (below !== undefined) assert.ok(upTo(below) < fraction * sorted.length)
      }),
    )
  })

  test('refuses no samples and fractions out of range', () => {
    assert.throws(() => percentile([], 0.5), RangeError)
    assert.throws(() => percentile([1], 0), RangeError)
    assert.throws(() => percentile([1], 1.1), RangeError)
  })
})

test('latencies are sorted as numbers and the input is left as it was', () => {
  const input = [100, 9, 20]
  assert.deepEqual(latencyOf(input), { p50: 20, p99: 100, p999: 100 })
  assert.deepEqual(input, [100, 9, 20])
})

test('a spread has the middle value, or the mean of the middle two', () => {
  assert.deepEqual(spreadOf([10, 9, 100]), { min: 9, median: 10, max: 100 })
  assert.deepEqual(spreadOf([4, 1, 3, 2]), { min: 1, median: 2.5, max: 4 })
  assert.throws(() => spreadOf([]), RangeError)
})
