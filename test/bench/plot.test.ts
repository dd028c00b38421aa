import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { plot } from './plot.ts'
import { sampleReport } from './sample-report.ts'

function widths(svg: string): number[] {
  return [...svg.matchAll(/<rect class="\w+"[^>]* width="([\d.]+)"/g)].map((match) => Number(match[1]))
}

describe('the plot', () => {
  const report = sampleReport([
    ['causeway', 'throughput-1k', { bytesPerSecond: 300e6, cpuSecondsPerGB: 1.5 }],
    ['mirrormaker2', 'throughput-1k', { bytesPerSecond: 75e6, cpuSecondsPerGB: 30 }],
  ])
  const svg = plot(report)

  test('draws bars in proportion, per panel', () => {
    const [ownRate, rivalRate, ownCpu, rivalCpu, ...others] = widths(svg)
    assert.equal(others.length, 0)
    assert.equal(ownRate! / rivalRate!, 4)
    assert.equal((rivalCpu! / ownCpu!).toFixed(1), '20.0')
  })

  test('writes the values and the machine, escaped', () => {
    assert.match(svg, />300<\/text>/)
    assert.match(svg, />1\.5<\/text>/)
    assert.match(svg, /Testium &lt;9000&gt; &amp; sons|Testium &lt;9000> &amp; sons/)
  })

  test('is one balanced SVG with colours for dark pages', () => {
    assert.match(svg, /^<svg [^>]*viewBox/)
    assert.equal(svg.match(/<text/g)?.length, svg.match(/<\/text>/g)?.length)
    assert.ok(svg.trimEnd().endsWith('</svg>'))
    assert.match(svg, /prefers-color-scheme:dark/)
  })

  test('keeps every bar and label inside the picture', () => {
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number)
    for (const match of svg.matchAll(/ x="([\d.]+)" y="([\d.]+)"/g)) {
      assert.ok(Number(match[1]) < width! && Number(match[2]) < height!, match[0])
    }
  })

  test('leaves out panels that were not measured, and refuses an empty result', () => {
    assert.doesNotMatch(svg, /latency/)
    const withLatency = sampleReport([
      ['causeway', 'latency-10mbs', { latencyMs: { p50: 1, p99: 8, p999: 9 } }],
    ])
    assert.match(plot(withLatency), /p99 latency/)
    assert.throws(() => plot(sampleReport([])), RangeError)
  })
})
