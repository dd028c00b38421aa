/** The benchmark's result as the README shows it. Pure; a test holds the README against the committed result. */
import { judge } from './figures.ts'
import {
  type BenchReport,
  findResult,
  type Result,
  systemLabels,
  systemNames,
  type WorkloadName,
} from './results.ts'

interface Row {
  readonly title: string
  readonly workload: WorkloadName
  readonly cell: (result: Result) => string
}

const rate = (result: Result): string => {
  const { bytesPerSecond, cpuSecondsPerGB } = result
  return `${(bytesPerSecond / 1e6).toFixed(0)} MB/s, ${cpuSecondsPerGB.toFixed(1)} CPU-s/GB`
}

const rows: readonly Row[] = [
  { title: '1 KiB records, 8 partitions', workload: 'throughput-1k', cell: rate },
  { title: 'the same in lz4 batches', workload: 'throughput-lz4', cell: rate },
  { title: '100-byte records', workload: 'throughput-100b', cell: rate },
  { title: '1 KiB records, TLS on both sides', workload: 'throughput-1k-tls', cell: rate },
  {
    title: 'latency at 10 MB/s, p50 / p99 / p99.9',
    workload: 'latency-10mbs',
    cell: ({ latencyMs: of }) =>
      of ? `${[of.p50, of.p99, of.p999].map((ms) => ms.toFixed(0)).join(' / ')} ms` : '-',
  },
  { title: '80 ms link, 1 partition', workload: 'long-link-1', cell: rate },
  { title: '80 ms link, 8 partitions', workload: 'long-link-8', cell: rate },
  {
    title: 'peak memory, first row',
    workload: 'throughput-1k',
    cell: ({ rssPeakBytes }) => `${(rssPeakBytes / 1024 ** 2).toFixed(0)} MiB`,
  },
]

/** Markdown: what was measured, on which machine, and every goal with what came of it. */
export function readmeTable(report: BenchReport): string {
  const systems = systemNames.filter((name) => report.results.some(({ system }) => system === name))
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const table = rows.map(({ title, workload, cell }) =>
    line([
      title,
      ...systems.map((system) => {
        const result = findResult(report.results, system, workload)
        return result === undefined ? '-' : cell(result)
      }),
    ]),
  )
  const { machine, settings } = report
  const memory = (machine.memoryBytes / 1024 ** 3).toFixed(0)
  const verdicts = judge(report).map(({ figure, goal, outcome, measured }) =>
    line([figure, goal, measured, outcome]),
  )
  return [
    line(['', ...systems.map((system) => systemLabels[system])]),
    line(['---', ...systems.map(() => '---')]),
    ...table,
    '',
    `${machine.cpu}, ${machine.cores} cores, ${memory} GiB, shared by brokers, replicator and measuring process; Kafka ${machine.kafka}, Node ${machine.node}; medians of ${settings.rounds} rounds, ${machine.date.slice(0, 10)}. Rates and CPU are taken from the first to the last record on the target.`,
    '',
    line(['Causeway', 'goal', 'measured', '']),
    line(['---', '---', '---', '---']),
    ...verdicts,
  ].join('\n')
}
