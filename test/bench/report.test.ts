import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { renderReport, renderTable } from './report.ts'
import { sampleReport } from './sample-report.ts'

test('tables align the first column left and the others right', () => {
  assert.equal(
    renderTable([
      ['a', 'bb'],
      ['ccc', 'd'],
    ]),
    '  a     bb\n  ccc    d',
  )
})

describe('the report', () => {
  const report = {
    ...sampleReport([
      ['causeway', 'throughput-1k', { bytesPerSecond: 300e6 }, { round: 2, bytesPerSecond: 200e6 }],
      ['mirrormaker2', 'throughput-1k', { bytesPerSecond: 50e6, cpuSecondsPerGB: 31.6 }],
      ['causeway', 'latency-10mbs', { latencyMs: { p50: 2.34, p99: 9, p999: 12 } }],
    ]),
    notFound: { 'redpanda-connect': 'redpanda-connect is not on PATH' },
    failures: [{ system: 'mirrormaker2', workload: 'long-link-1', reason: 'stalled' } as const],
    latencyFloorMs: { p50: 1.25, p99: 2, p999: 3 },
  }
  const text = renderReport(report)
  const lineOf = (start: string) => text.split('\n').find((line) => line.trim().startsWith(start))

  test('states the machine', () => assert.match(text, /Testium <9000> & sons, 2 cores, 16 GiB/))

  test('shows the median with the range of its rounds', () =>
    assert.match(lineOf('causeway ')!, /250\.0 \(200\.0-300\.0\)/))

  test('shows the ratios in the line of the rival', () =>
    assert.match(lineOf('mirrormaker2 ')!, /5\.0x\s+31\.6x$/))

  test('shows latency with its floor, and only workloads that were measured', () => {
    assert.match(text, /2\.3\s+9\.0\s+12\.0/)
    assert.match(lineOf('(no replicator)')!, /1\.3\s+2\.0\s+3\.0/)
    assert.doesNotMatch(text, /long-link-8/)
  })

  test('names what was not found and what failed', () => {
    assert.match(text, /redpanda-connect: not found \(redpanda-connect is not on PATH\)/)
    assert.match(text, /FAILED mirrormaker2 on long-link-1: stalled/)
  })

  test('warns of a latency that was taken under less than the asked load', () => {
    assert.doesNotMatch(text, /NOTE/)
    const latencyMs = { p50: 1, p99: 2, p999: 3 }
    const slow = { recordsPerSecond: 7000, bytesPerSecond: 7.2e6, latencyMs }
    const slowText = renderReport(sampleReport([['causeway', 'latency-10mbs', slow]]))
    assert.match(slowText, /NOTE causeway on latency-10mbs: the load fell to 7\.2 MB\/s/)
  })

  test('has a verdict for each figure', () => {
    assert.match(text, /throughput against mirrormaker2 +>= 4\.0x +5\.0x +REACHED/)
    assert.match(text, /NOT MEASURED/)
  })
})
