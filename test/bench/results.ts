/** What a benchmark run yields: its shape in the JSON file, how rounds are summed up, and the ratios. Pure. */
import type { Machine } from './machine.ts'
import { type LatencyMs, spreadOf } from './statistics.ts'

export const systemNames = ['causeway', 'mirrormaker2', 'mirrormaker2-tuned', 'redpanda-connect'] as const
export type SystemName = (typeof systemNames)[number]

/** What people call them. */
export const systemLabels: Readonly<Record<SystemName, string>> = {
  causeway: 'Causeway',
  mirrormaker2: 'MirrorMaker 2, as shipped',
  'mirrormaker2-tuned': 'MirrorMaker 2, tuned',
  'redpanda-connect': 'Redpanda Connect, tuned',
}

export const workloadNames = [
  'throughput-1k',
  'throughput-lz4',
  'throughput-100b',
  'throughput-1k-tls',
  'latency-10mbs',
  'long-link-1',
  'long-link-8',
] as const
export type WorkloadName = (typeof workloadNames)[number]

/** One round of one system on one workload. Bytes are record value bytes, 1 GB = 1e9 of them. */
export interface Run {
  readonly round: number
  /** Length of the measured window. */
  readonly seconds: number
  readonly recordsPerSecond: number
  readonly bytesPerSecond: number
  /** CPU of the replicating process tree inside the window, per GB copied inside the window. */
  readonly cpuSecondsPerGB: number
  /** The same CPU from process start to the last record, start-up included. */
  readonly cpuSecondsTotal: number
  /** From process start to the first record seen on the target. */
  readonly startSeconds: number
  readonly rssPeakBytes: number
  /** Median resident memory of the window's last quarter minus that of its second quarter. */
  readonly rssGrowthBytes: number
  /** Records on the target beyond those on the source: duplicates of an at-least-once copy. */
  readonly recordsExtra: number
  readonly latencyMs?: LatencyMs
}

/** A system on a workload: medians over the rounds, except the peak, which is the highest of all rounds. */
export interface Result {
  readonly system: SystemName
  readonly workload: WorkloadName
  readonly recordsPerSecond: number
  readonly bytesPerSecond: number
  readonly cpuSecondsPerGB: number
  readonly rssPeakBytes: number
  readonly latencyMs?: LatencyMs
  readonly runs: readonly Run[]
}

/** How Causeway compares to one rival on one workload; above 1 is better for Causeway in every member. */
export interface Ratio {
  /** Causeway's bytes/s over the rival's. */
  readonly throughput: number
  /** The rival's CPU per GB over Causeway's. */
  readonly cpu: number
  /** The rival's peak memory over Causeway's. */
  readonly rss: number
  /** The rival's p99 over Causeway's. */
  readonly latencyP99?: number
}

/** By rival, then by workload. */
export type Ratios = Readonly<Partial<Record<SystemName, Partial<Record<WorkloadName, Ratio>>>>>

/** The file that `--json` writes and `--plot-from` reads. */
export interface BenchReport {
  readonly machine: Machine
  readonly settings: {
    readonly quick: boolean
    readonly rounds: number
    readonly producerBatchBytes: number
    readonly roundTripMs: number
  }
  /** Systems that this machine lacks, with the reason. */
  readonly notFound: Readonly<Partial<Record<SystemName, string>>>
  /** Runs that did not finish. */
  readonly failures: readonly {
    readonly system: SystemName
    readonly workload: WorkloadName
    readonly reason: string
  }[]
  /** Latency of the measuring process alone, consuming from the source cluster: no replicator can be below it. */
  readonly latencyFloorMs?: LatencyMs
  readonly results: readonly Result[]
  readonly ratios: Ratios
}

/** Sums up the rounds of one system on one workload. @throws RangeError without any run */
export function resultOf(system: SystemName, workload: WorkloadName, runs: readonly Run[]): Result {
  const median = (pick: (run: Run) => number) => spreadOf(runs.map(pick)).median
  const latencies = runs.flatMap((run) => (run.latencyMs ? [run.latencyMs] : []))
  const latencyMs = latencies.length > 0 && {
    p50: spreadOf(latencies.map((l) => l.p50)).median,
    p99: spreadOf(latencies.map((l) => l.p99)).median,
    p999: spreadOf(latencies.map((l) => l.p999)).median,
  }
  return {
    system,
    workload,
    recordsPerSecond: median((run) => run.recordsPerSecond),
    bytesPerSecond: median((run) => run.bytesPerSecond),
    cpuSecondsPerGB: median((run) => run.cpuSecondsPerGB),
    rssPeakBytes: Math.max(...runs.map((run) => run.rssPeakBytes)),
    ...(latencyMs && { latencyMs }),
    runs,
  }
}

/** Looks up a measured combination. */
export function findResult(
  results: readonly Result[],
  system: SystemName,
  workload: WorkloadName,
): Result | undefined {
  return results.find((result) => result.system === system && result.workload === workload)
}

/** Causeway against every other system that was measured on the same workload. */
export function ratiosOf(results: readonly Result[]): Ratios {
  const ratios: Partial<Record<SystemName, Partial<Record<WorkloadName, Ratio>>>> = {}
  for (const rival of results) {
    const own = findResult(results, 'causeway', rival.workload)
    if (!own || rival.system === 'causeway') continue
    ratios[rival.system] ??= {}
    ratios[rival.system]![rival.workload] = {
      throughput: own.bytesPerSecond / rival.bytesPerSecond,
      cpu: rival.cpuSecondsPerGB / own.cpuSecondsPerGB,
      rss: rival.rssPeakBytes / own.rssPeakBytes,
      ...(own.latencyMs && rival.latencyMs && { latencyP99: rival.latencyMs.p99 / own.latencyMs.p99 }),
    }
  }
  return ratios
}
