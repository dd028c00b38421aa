/** The report as text: one table per workload, then the verdicts. Pure. */
import { judge } from './figures.ts'
import { type BenchReport, type Result, type WorkloadName, workloadNames } from './results.ts'
import { producerLingerMs } from './seed.ts'
import { spreadOf } from './statistics.ts'
import { steadyRecordsPerSecond } from './workloads/workload.ts'

/** What each workload is, in the words of the report. */
const descriptions: Readonly<Record<WorkloadName, string>> = {
  'throughput-1k': '1 KiB records, uncompressed, 8 partitions',
  'throughput-lz4': '1 KiB records in lz4 batches, 8 partitions',
  'throughput-100b': '100-byte records, uncompressed, 8 partitions',
  'latency-10mbs': 'steady 10 MB/s of 1 KiB records, 8 partitions',
  'long-link-1': '1 KiB records, 1 partition, 80 ms round trip to the source',
  'throughput-1k-tls': '1 KiB records, uncompressed, 8 partitions, TLS on both sides',
  'long-link-8': '1 KiB records, 8 partitions, 80 ms round trip to the source',
}

/** Renders the whole report for a terminal. */
export function renderReport(report: BenchReport): string {
  const measured = workloadNames.filter((name) => report.results.some((result) => result.workload === name))
  return [
    renderMachine(report),
    ...measured.map((workload) => renderWorkload(report, workload)),
    renderVerdicts(report),
    ...Object.entries(report.notFound).map(([system, reason]) => `${system}: not found (${reason})`),
    ...renderSlowLoads(report),
    ...report.failures.map(
      (failure) => `FAILED ${failure.system} on ${failure.workload}: ${failure.reason.split('\n')[0]}`,
    ),
    '',
  ].join('\n')
}

/** Aligns columns: the first to the left, the others to the right. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('   ')
      .trimEnd()
  return rows.map((row) => `  ${line(row)}`).join('\n')
}

function renderMachine(report: BenchReport): string {
  const { machine, settings } = report
  return [
    '',
    `${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 1024 ** 3).toFixed(0)} GiB, ${machine.kernel}`,
    `Kafka ${machine.kafka}, Node ${machine.node}, Java ${machine.java}, ${machine.date}`,
    `Brokers, replicator and measuring process share the cores. Source batches: ${settings.producerBatchBytes / 1024} KiB, linger ${producerLingerMs} ms.`,
    'MB and GB are 10^6 and 10^9 bytes of record values. Rates and CPU are taken from the first to the last record on',
    'the target, for every system alike, so that starting up is held against none; CPU is of the whole process tree.',
    `Medians of ${settings.rounds === 1 ? 'one round' : `${settings.rounds} rounds (lowest-highest)`}; peaks are the highest of all rounds.`,
    '',
  ].join('\n')
}

function renderWorkload(report: BenchReport, workload: WorkloadName): string {
  const results = report.results.filter((result) => result.workload === workload)
  const latency = results.some((result) => result.latencyMs)
  const header = ['system', 'records/s', 'MB/s', 'CPU-s/GB', 'peak RSS MiB']
  if (latency) header.push('p50 ms', 'p99 ms', 'p99.9 ms', 'p99 vs causeway')
  else header.push('causeway is faster by')
  header.push('causeway uses less CPU by')
  const rows = results.map((result) => renderResult(report, result, latency))
  const floor = latency && report.latencyFloorMs
  if (floor) {
    rows.push(['(no replicator)', '', '', '', '', ms(floor.p50), ms(floor.p99), ms(floor.p999), '', ''])
  }
  return `${workload}: ${descriptions[workload]}\n${renderTable([header, ...rows])}\n`
}

function renderResult(report: BenchReport, result: Result, latency: boolean): string[] {
  const ratio = report.ratios[result.system]?.[result.workload]
  const times = (value: number | undefined) => (value === undefined ? '' : `${value.toFixed(1)}x`)
  const spread = (pick: (run: Result['runs'][number]) => number, digits: number) => {
    const { min, median, max } = spreadOf(result.runs.map(pick))
    const range = result.runs.length > 1 ? ` (${min.toFixed(digits)}-${max.toFixed(digits)})` : ''
    return `${median.toFixed(digits)}${range}`
  }
  const cells = [
    result.system,
    result.recordsPerSecond.toFixed(0),
    spread((run) => run.bytesPerSecond / 1e6, 1),
    spread((run) => run.cpuSecondsPerGB, 2),
    (result.rssPeakBytes / 1024 ** 2).toFixed(0),
  ]
  if (latency) {
    const { p50, p99, p999 } = result.latencyMs ?? { p50: Number.NaN, p99: Number.NaN, p999: Number.NaN }
    cells.push(ms(p50), ms(p99), ms(p999), times(ratio?.latencyP99))
  } else cells.push(times(ratio?.throughput))
  return [...cells, times(ratio?.cpu)]
}

/** A load that was not held says that the machine, or the replicator beside it, left no CPU to the measuring process. */
function renderSlowLoads(report: BenchReport): string[] {
  return report.results
    .filter((result) => result.latencyMs && result.recordsPerSecond < 0.97 * steadyRecordsPerSecond)
    .map(
      ({ system, workload, bytesPerSecond }) =>
        `NOTE ${system} on ${workload}: the load fell to ${(bytesPerSecond / 1e6).toFixed(1)} MB/s, so the machine was too busy; do not rely on this latency`,
    )
}

function renderVerdicts(report: BenchReport): string {
  const rows = judge(report).map((verdict) => [
    verdict.figure,
    verdict.goal,
    verdict.measured,
    verdict.outcome.toUpperCase(),
  ])
  return `Figures to reach\n${renderTable([['causeway', 'goal', 'measured', 'verdict'], ...rows])}\n`
}

function ms(value: number): string {
  return value.toFixed(1)
}
