/** The figures Causeway sets out to reach, and whether a result reaches them. Pure. */
import { type BenchReport, findResult, type SystemName, type WorkloadName } from './results.ts'
import { spreadOf } from './statistics.ts'

/** A figure and what was measured for it. */
export interface Verdict {
  readonly figure: string
  readonly goal: string
  /** `not-measured`: a system or a workload that it needs was left out, not found, or failed. */
  readonly outcome: 'reached' | 'not reached' | 'not measured'
  readonly measured: string
}

interface Figure {
  readonly name: string
  readonly goal: number
  readonly atLeast: boolean
  readonly unit: string
  readonly digits?: number
  /** Undefined if it was not measured. */
  readonly value: (report: BenchReport) => number | undefined
}

const bulk: WorkloadName = 'throughput-1k'

/** Shorter runs end while buffers still fill. */
const growthSecondsMin = 10

const figures: readonly Figure[] = [
  throughputAgainst('mirrormaker2', 4),
  cpuAgainst('mirrormaker2', 18),
  totalCpuAgainst('mirrormaker2', 18),
  throughputAgainst('mirrormaker2-tuned', 1.5),
  cpuAgainst('mirrormaker2-tuned', 11),
  totalCpuAgainst('mirrormaker2-tuned', 11),
  throughputAgainst('redpanda-connect', 2),
  cpuAgainst('redpanda-connect', 4),
  perCore(bulk, '1 KiB records, uncompressed'),
  perCore('throughput-lz4', '1 KiB records, lz4'),
  latencyAgainst('mirrormaker2'),
  latencyAgainst('mirrormaker2-tuned'),
  {
    name: 'peak memory, all workloads',
    goal: 400,
    atLeast: false,
    unit: ' MiB',
    digits: 0,
    value: (report) => highest(own(report).map((result) => result.rssPeakBytes / 1024 ** 2)),
  },
  {
    name: `memory growth inside a run of ${growthSecondsMin} s or more`,
    goal: 32,
    atLeast: false,
    unit: ' MiB',
    digits: 0,
    value: (report) =>
      highest(
        own(report)
          .flatMap((result) => result.runs)
          .filter((run) => run.seconds >= growthSecondsMin)
          .map((run) => run.rssGrowthBytes / 1024 ** 2),
      ),
  },
  {
    name: 'long link, 1 partition',
    goal: 20,
    atLeast: true,
    unit: ' MB/s',
    value: (report) => megabytesPerSecond(report, 'long-link-1'),
  },
  {
    name: 'long link, 8 partitions, share of the direct figure',
    goal: 0.7,
    atLeast: true,
    unit: '',
    digits: 2,
    value: (report) => {
      const [long, direct] = [megabytesPerSecond(report, 'long-link-8'), megabytesPerSecond(report, bulk)]
      return long && direct && long / direct
    },
  },
]

/** Judges a report against every figure. Ratios are of medians; all systems are measured in the same run. */
export function judge(report: BenchReport): Verdict[] {
  return figures.map((figure) => {
    const show = (value: number) => `${value.toFixed(figure.digits ?? 1)}${figure.unit}`
    const value = figure.value(report)
    const goal = `${figure.atLeast ? '>=' : '<='} ${show(figure.goal)}`
    if (value === undefined) return { figure: figure.name, goal, outcome: 'not measured', measured: '-' }
    const reached = figure.atLeast ? value >= figure.goal : value <= figure.goal
    return { figure: figure.name, goal, outcome: reached ? 'reached' : 'not reached', measured: show(value) }
  })
}

function throughputAgainst(rival: SystemName, goal: number): Figure {
  return {
    name: `throughput against ${rival}`,
    goal,
    atLeast: true,
    unit: 'x',
    value: (report) => report.ratios[rival]?.[bulk]?.throughput,
  }
}

function cpuAgainst(rival: SystemName, goal: number): Figure {
  return {
    name: `CPU per GB, times less than ${rival}`,
    goal,
    atLeast: true,
    unit: 'x',
    value: (report) => report.ratios[rival]?.[bulk]?.cpu,
  }
}

function totalCpuAgainst(rival: SystemName, goal: number): Figure {
  const total = (report: BenchReport, system: SystemName): number | undefined => {
    const runs = findResult(report.results, system, bulk)?.runs
    return runs && spreadOf(runs.map((run) => run.cpuSecondsTotal)).median
  }
  return {
    name: `the same with start-up counted, against ${rival}`,
    goal,
    atLeast: true,
    unit: 'x',
    value: (report) => {
      const [theirs, ours] = [total(report, rival), total(report, 'causeway')]
      return theirs && ours && theirs / ours
    },
  }
}

function latencyAgainst(rival: SystemName): Figure {
  return {
    name: `p99 latency at 10 MB/s, times less than ${rival}`,
    goal: 2,
    atLeast: true,
    unit: 'x',
    value: (report) => report.ratios[rival]?.['latency-10mbs']?.latencyP99,
  }
}

function perCore(workload: WorkloadName, what: string): Figure {
  return {
    name: `per core of its own CPU, ${what}`,
    goal: 600,
    atLeast: true,
    unit: ' MB/s',
    digits: 0,
    value: (report) => {
      const result = findResult(report.results, 'causeway', workload)
      return result && 1000 / result.cpuSecondsPerGB
    },
  }
}

function megabytesPerSecond(report: BenchReport, workload: WorkloadName): number | undefined {
  const result = findResult(report.results, 'causeway', workload)
  return result && result.bytesPerSecond / 1e6
}

function own(report: BenchReport) {
  return report.results.filter((result) => result.system === 'causeway')
}

function highest(values: readonly number[]): number | undefined {
  return values.length > 0 ? Math.max(...values) : undefined
}
