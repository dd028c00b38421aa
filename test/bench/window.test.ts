import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { measureWindow, rssGrowth, type Sample } from './window.ts'

function sample(seconds: number, records: number, cpuSeconds = 0, rssBytes = 1): Sample {
  return { seconds, records, cpuSeconds, rssBytes, rssPeakBytes: rssBytes }
}

const goal = { round: 1, recordsTotal: 1000, recordBytes: 1_000_000, partitions: 8 }

describe('the measured window', () => {
  test('leaves out starting up: its time, its CPU and the records already there', () => {
    const run = measureWindow(
      [sample(0, 0), sample(5, 0, 9), sample(6, 200, 10), sample(8, 600, 11), sample(10, 1000, 14)],
      goal,
    )
    assert.equal(run.seconds, 4)
    assert.equal(run.recordsPerSecond, 200)
    assert.equal(run.bytesPerSecond, 200_000_000)
    assert.equal(run.cpuSecondsPerGB, 5)
    assert.equal(run.cpuSecondsTotal, 14)
    assert.equal(run.startSeconds, 6)
  })

  test('does not begin with the markers of a takeover', () => {
    const run = measureWindow([sample(0, 0), sample(1, 8, 1), sample(2, 208, 2), sample(6, 1000, 4)], goal)
    assert.equal(run.seconds, 4)
    assert.equal(run.startSeconds, 2)
  })

  test('begins a sample earlier when one sample saw everything', () => {
    const run = measureWindow([sample(0, 0), sample(1, 0, 1), sample(2, 1000, 3)], goal)
    assert.equal(run.recordsPerSecond, 1000)
    assert.equal(run.cpuSecondsPerGB, 2)
  })

  test('counts no duplicates as work done, and reports them', () => {
    const run = measureWindow([sample(0, 0), sample(1, 500), sample(2, 1010)], goal)
    assert.equal(run.recordsPerSecond, 500)
    assert.equal(run.recordsExtra, 10)
  })

  test('refuses a copy that is not complete', () => {
    assert.throws(() => measureWindow([sample(0, 0), sample(1, 999)], goal), RangeError)
  })
})

test('memory growth compares the last quarter with the second', () => {
  const rss = [1, 1, 50, 50, 60, 60, 70, 70].map((rssBytes) => ({ rssBytes }))
  assert.equal(rssGrowth(rss), 20)
  assert.equal(rssGrowth(rss.slice(0, 3)), 0)
})
