import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resultOf } from './results.ts'
import { sampleReport, sampleRun } from './sample-report.ts'

test('a result is the median of its rounds, with the highest peak of all', () => {
  const result = resultOf('causeway', 'throughput-1k', [
    sampleRun({ bytesPerSecond: 300, cpuSecondsPerGB: 3, rssPeakBytes: 9 }),
    sampleRun({ bytesPerSecond: 100, cpuSecondsPerGB: 1, rssPeakBytes: 30 }),
    sampleRun({ bytesPerSecond: 110, cpuSecondsPerGB: 2, rssPeakBytes: 20 }),
  ])
  assert.equal(result.bytesPerSecond, 110)
  assert.equal(result.cpuSecondsPerGB, 2)
  assert.equal(result.rssPeakBytes, 30)
  assert.equal('latencyMs' in result, false)
})

test('ratios are above 1 where Causeway is better, and only for what both measured', () => {
  const latency = (p99: number) => ({ latencyMs: { p50: 1, p99, p999: 200 } })
  const { ratios } = sampleReport([
    ['causeway', 'throughput-1k', { bytesPerSecond: 400, cpuSecondsPerGB: 2, rssPeakBytes: 100 }],
    ['mirrormaker2', 'throughput-1k', { bytesPerSecond: 100, cpuSecondsPerGB: 30, rssPeakBytes: 900 }],
    ['causeway', 'latency-10mbs', latency(10)],
    ['mirrormaker2', 'latency-10mbs', latency(75)],
    ['redpanda-connect', 'long-link-1'],
  ])
  assert.deepEqual(ratios.mirrormaker2?.['throughput-1k'], { throughput: 4, cpu: 15, rss: 9 })
  assert.equal(ratios.mirrormaker2?.['latency-10mbs']?.latencyP99, 7.5)
  assert.equal(ratios['redpanda-connect'], undefined)
  assert.equal(ratios.causeway, undefined)
})
