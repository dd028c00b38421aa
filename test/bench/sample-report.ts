/** A made-up result for the tests of what is computed from results. */
import {
  type BenchReport,
  type Run,
  ratiosOf,
  resultOf,
  type SystemName,
  type WorkloadName,
} from './results.ts'

/** A round at a rate; everything else has plausible values that tests may override. */
export function sampleRun(over: Partial<Run> = {}): Run {
  return {
    round: 1,
    seconds: 10,
    recordsPerSecond: 100_000,
    bytesPerSecond: 100e6,
    cpuSecondsPerGB: 1,
    cpuSecondsTotal: 2,
    startSeconds: 1,
    rssPeakBytes: 200 * 1024 ** 2,
    rssGrowthBytes: 0,
    recordsExtra: 0,
    ...over,
  }
}

/** A report of these measurements. */
export function sampleReport(
  measurements: readonly (readonly [SystemName, WorkloadName, ...Partial<Run>[]])[],
): BenchReport {
  const results = measurements.map(([system, workload, ...runs]) =>
    resultOf(system, workload, runs.length > 0 ? runs.map(sampleRun) : [sampleRun()]),
  )
  return {
    machine: {
      cpu: 'Testium <9000> & sons',
      cores: 2,
      memoryBytes: 16 * 1024 ** 3,
      kernel: 'linux 6.1 x64',
      node: 'v24.0.0',
      java: '17.0.1',
      kafka: '4.3.1',
      date: '2030-01-02T03:04:05.000Z',
    },
    settings: { quick: false, rounds: 1, producerBatchBytes: 65536, roundTripMs: 80 },
    notFound: {},
    failures: [],
    results,
    ratios: ratiosOf(results),
  }
}
