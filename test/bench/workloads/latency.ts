/** End-to-end latency at a steady rate: from when a record was due at the source to when its copy was consumed. */
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchCluster } from '../bench-cluster.ts'
import type { Run } from '../results.ts'
import { type LatencyMs, latencyOf } from '../statistics.ts'
import { ReplicatingProcess } from '../systems/replicating-process.ts'
import type { CopyJob, System } from '../systems/system.ts'
import { rssGrowth } from '../window.ts'
import { SteadyLoad } from './steady-load.ts'
import type { LatencyWorkload } from './workload.ts'

/** How long a system may take to create the topic, to catch up after warming up, and to deliver the last record. */
const patienceSeconds = 90
const sampleMs = 500

/**
 * One round. The replicator is stopped when it returns or throws.
 *
 * @throws Error if the target topic does not appear, the replicator cannot keep up, or a record does not arrive
 */
export async function measureLatency(
  system: System,
  workload: LatencyWorkload,
  at: {
    readonly job: CopyJob
    readonly source: BenchCluster
    readonly target: BenchCluster
    readonly round: number
  },
  signal: AbortSignal,
): Promise<Run> {
  const targetTopic = system.targetTopic(at.job)
  if (system.wantsTargetTopic) await at.target.createTopic(targetTopic, workload.partitions)
  const replicator = await ReplicatingProcess.start(await system.prepare(at.job), at.job.folder)
  try {
    await until(() => at.target.hasTopic(targetTopic), 'the target topic did not appear', signal)
    const load = await startLoad(workload, { ...at, sourceTopic: at.job.topic, targetTopic })
    try {
      return await measure(load, workload, { replicator, round: at.round }, signal)
    } finally {
      await load.close()
    }
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${replicator.logTail()}`, { cause: error })
  } finally {
    await replicator.stop()
  }
}

/** The same load consumed from the source itself: what the measuring process adds to every figure. */
export async function measureLatencyFloor(
  workload: LatencyWorkload,
  at: { readonly source: BenchCluster; readonly topic: string },
  signal: AbortSignal,
): Promise<LatencyMs> {
  const topics = { sourceTopic: at.topic, targetTopic: at.topic }
  const load = await startLoad(workload, { source: at.source, target: at.source, ...topics })
  try {
    const from = await warmUp(load, workload, signal)
    await delay(10_000, undefined, { signal })
    return await finish(load, from, signal)
  } finally {
    await load.close()
  }
}

function startLoad(
  workload: LatencyWorkload,
  at: {
    readonly source: BenchCluster
    readonly target: BenchCluster
    readonly sourceTopic: string
    readonly targetTopic: string
  },
): Promise<SteadyLoad> {
  return SteadyLoad.start({
    ...at,
    partitions: workload.partitions,
    recordBytes: workload.recordBytes,
    recordsPerSecond: workload.recordsPerSecond,
    secondsMax: workload.warmUpSeconds + patienceSeconds + workload.seconds + 5,
  })
}

async function measure(
  load: SteadyLoad,
  workload: LatencyWorkload,
  at: { readonly replicator: ReplicatingProcess; readonly round: number },
  signal: AbortSignal,
): Promise<Run> {
  const startSeconds = (performance.now() - at.replicator.startedAtMs) / 1000
  const from = await warmUp(load, workload, signal)
  const fromMs = performance.now()
  const usages = [at.replicator.usage()]
  while (performance.now() - fromMs < workload.seconds * 1000) {
    await delay(sampleMs, undefined, { signal })
    usages.push(at.replicator.usage())
  }
  const seconds = (performance.now() - fromMs) / 1000
  const records = load.sent - from
  const latencyMs = await finish(load, from, signal)
  const bytes = records * workload.recordBytes
  const last = usages.at(-1)!
  return {
    round: at.round,
    seconds,
    recordsPerSecond: records / seconds,
    bytesPerSecond: bytes / seconds,
    cpuSecondsPerGB: ((last.cpuSeconds - usages[0]!.cpuSeconds) / bytes) * 1e9,
    cpuSecondsTotal: last.cpuSeconds,
    startSeconds,
    rssPeakBytes: Math.max(...usages.map((usage) => usage.rssPeakBytes)),
    rssGrowthBytes: rssGrowth(usages),
    recordsExtra: 0,
    latencyMs,
  }
}

/** Returns the number of the first record to count, once the copies are less than half a second behind. */
async function warmUp(load: SteadyLoad, workload: LatencyWorkload, signal: AbortSignal): Promise<number> {
  await delay(workload.warmUpSeconds * 1000, undefined, { signal })
  const behindMax = workload.recordsPerSecond / 2
  await until(async () => load.sent - load.received < behindMax, 'the replicator did not catch up', signal)
  return load.sent
}

async function finish(load: SteadyLoad, from: number, signal: AbortSignal): Promise<LatencyMs> {
  await load.stopProducing()
  await until(async () => load.received >= load.sent, 'not every record arrived', signal)
  return latencyOf(load.latenciesMs(from, load.sent))
}

async function until(condition: () => Promise<boolean>, failure: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + patienceSeconds * 1000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`${failure} within ${patienceSeconds} s`)
    await delay(50, undefined, { signal })
  }
}
