/** Draws a result as an SVG for the README: readable on light and on dark pages, without fonts or scripts of its own. Pure. */
import {
  type BenchReport,
  findResult,
  type Result,
  type SystemName,
  systemLabels,
  systemNames,
  type WorkloadName,
} from './results.ts'

/** A group of bars, one per system. */
interface Panel {
  readonly title: string
  readonly workload: WorkloadName
  readonly value: (result: Result) => number | undefined
  readonly digits: number
}

const panels: readonly Panel[] = [
  {
    title: 'Throughput, MB/s (more is better)',
    workload: 'throughput-1k',
    value: (result) => result.bytesPerSecond / 1e6,
    digits: 0,
  },
  {
    title: 'CPU seconds per GB (less is better)',
    workload: 'throughput-1k',
    value: (result) => result.cpuSecondsPerGB,
    digits: 1,
  },
  {
    title: 'p99 latency at 10 MB/s, ms (less is better)',
    workload: 'latency-10mbs',
    value: (result) => result.latencyMs?.p99,
    digits: 0,
  },
]

const width = 760
const labelWidth = 190
const barsWidth = width - labelWidth - 80
const rowHeight = 26
const titleHeight = 36

/**
 * One panel per measure that the report holds, one bar per system.
 *
 * @throws RangeError if the report holds none of them
 */
export function plot(report: BenchReport): string {
  const drawn: string[] = []
  let y = 10
  for (const panel of panels) {
    const bars = systemNames.flatMap((system) => {
      const result = findResult(report.results, system, panel.workload)
      const value = result && panel.value(result)
      return value === undefined ? [] : [{ system, value }]
    })
    if (bars.length === 0) continue
    drawn.push(drawPanel(panel, bars, y))
    y += titleHeight + bars.length * rowHeight + 14
  }
  if (drawn.length === 0) throw new RangeError('the result holds nothing to plot')
  const { machine } = report
  const notes = [
    '1 KiB records on 8 partitions, uncompressed. Brokers, replicator and measuring process on the same machine:',
    `${machine.cpu}, ${machine.cores} cores. Kafka ${machine.kafka}. ${machine.date.slice(0, 10)}`,
  ]
  const height = y + 42
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="Causeway against other replicators">`,
    `<style>${style}</style>`,
    ...drawn,
    ...notes.map(
      (note, line) => `<text class="note" x="0" y="${y + 12 + 16 * line}">${escapeXml(note)}</text>`,
    ),
    '</svg>',
    '',
  ].join('\n')
}

const style = [
  'text{font:13px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}',
  '.title{font-weight:600;font-size:14px}.note{font-size:11px;fill:#59636e}',
  '.own{fill:#0969da}.rival{fill:#afb8c1}',
  '@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.note{fill:#9198a1}.own{fill:#4493f8}.rival{fill:#656c76}}',
].join('')

function drawPanel(
  panel: Panel,
  bars: readonly { readonly system: SystemName; readonly value: number }[],
  top: number,
): string {
  const highest = Math.max(...bars.map((bar) => bar.value))
  const rows = bars.map((bar, index) => {
    const y = top + titleHeight + index * rowHeight
    const length = Math.max(1, (bar.value / highest) * barsWidth)
    return [
      `<text x="${labelWidth - 10}" y="${y + 14}" text-anchor="end">${escapeXml(systemLabels[bar.system])}</text>`,
      `<rect class="${bar.system === 'causeway' ? 'own' : 'rival'}" x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="18" rx="2"/>`,
      `<text x="${(labelWidth + length + 8).toFixed(1)}" y="${y + 14}">${bar.value.toFixed(panel.digits)}</text>`,
    ].join('')
  })
  return [`<text class="title" x="0" y="${top + 16}">${escapeXml(panel.title)}</text>`, ...rows].join('\n')
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
