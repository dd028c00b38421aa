import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge } from './figures.ts'
import type { BenchReport } from './results.ts'
import { sampleReport } from './sample-report.ts'

function verdictOf(report: BenchReport, figure: RegExp) {
  const found = judge(report).filter((verdict) => figure.test(verdict.figure))
  assert.equal(found.length, 1, `${figure} names ${found.length} figures`)
  return found[0]!
}

describe('verdicts', () => {
  test('a figure that is met exactly is reached, a little less is not', () => {
    const against = (bytesPerSecond: number) =>
      verdictOf(
        sampleReport([
          ['causeway', 'throughput-1k', { bytesPerSecond }],
          ['mirrormaker2', 'throughput-1k', { bytesPerSecond: 50e6 }],
        ]),
        /throughput against mirrormaker2$/,
      )
    assert.deepEqual(against(200e6), {
      figure: 'throughput against mirrormaker2',
      goal: '>= 4.0x',
      outcome: 'reached',
      measured: '4.0x',
    })
    assert.equal(against(199e6).outcome, 'not reached')
  })

  test('CPU is judged as times less than the rival', () => {
    const report = sampleReport([
      ['causeway', 'throughput-1k', { cpuSecondsPerGB: 1.5 }],
      ['mirrormaker2-tuned', 'throughput-1k', { cpuSecondsPerGB: 18 }],
      ['redpanda-connect', 'throughput-1k', { cpuSecondsPerGB: 5.9 }],
    ])
    assert.equal(verdictOf(report, /CPU.*mirrormaker2-tuned/).outcome, 'reached')
    assert.equal(verdictOf(report, /CPU.*redpanda/).outcome, 'not reached')
  })

  test('a core is worth the inverse of CPU seconds per GB', () => {
    const report = sampleReport([
      ['causeway', 'throughput-1k', { cpuSecondsPerGB: 1.6 }],
      ['causeway', 'throughput-lz4', { cpuSecondsPerGB: 2 }],
    ])
    assert.deepEqual(
      [/per core.*uncompressed/, /per core.*lz4/].map((figure) => verdictOf(report, figure).measured),
      ['625 MB/s', '500 MB/s'],
    )
    assert.equal(verdictOf(report, /per core.*lz4/).outcome, 'not reached')
  })

  test('memory is judged by the worst workload, peaks and growth below the limit are reached', () => {
    const report = sampleReport([
      ['causeway', 'throughput-1k', { rssPeakBytes: 300 * 1024 ** 2, rssGrowthBytes: -5 * 1024 ** 2 }],
      ['causeway', 'long-link-8', { rssPeakBytes: 401 * 1024 ** 2 }, { rssGrowthBytes: 10 * 1024 ** 2 }],
      ['causeway', 'long-link-1', { seconds: 9, rssGrowthBytes: 99 * 1024 ** 2 }],
      ['mirrormaker2', 'throughput-1k', { rssPeakBytes: 9000 * 1024 ** 2 }],
    ])
    assert.deepEqual(verdictOf(report, /peak memory/).outcome, 'not reached')
    assert.deepEqual(verdictOf(report, /peak memory/).measured, '401 MiB')
    assert.deepEqual(verdictOf(report, /memory growth/).measured, '10 MiB')
    assert.deepEqual(verdictOf(report, /memory growth/).outcome, 'reached')
  })

  test('the long link is judged by its rate, and by its share of the direct one', () => {
    const report = sampleReport([
      ['causeway', 'throughput-1k', { bytesPerSecond: 200e6 }],
      ['causeway', 'long-link-1', { bytesPerSecond: 19e6 }],
      ['causeway', 'long-link-8', { bytesPerSecond: 150e6 }],
    ])
    assert.equal(verdictOf(report, /long link, 1 /).outcome, 'not reached')
    assert.equal(verdictOf(report, /long link, 8 /).measured, '0.75')
  })

  test('what was not measured is neither reached nor missed', () => {
    const verdicts = judge(sampleReport([['mirrormaker2', 'throughput-1k']]))
    assert.ok(verdicts.length > 10)
    assert.ok(verdicts.every((verdict) => verdict.outcome === 'not measured'))
  })
})
