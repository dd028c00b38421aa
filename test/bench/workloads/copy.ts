/** Copies a topic that was filled beforehand, and watches the target's end offsets and the process meanwhile. */
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchCluster } from '../bench-cluster.ts'
import type { Run } from '../results.ts'
import { ReplicatingProcess } from '../systems/replicating-process.ts'
import type { CopyJob, System } from '../systems/system.ts'
import { measureWindow, type Sample } from '../window.ts'
import type { CopyWorkload } from './workload.ts'

const pollMs = 50
const stallTimeoutMs = 90_000

/**
 * One round. The replicator is stopped when it returns or throws.
 *
 * @throws Error with the end of the replicator's log if it ended by itself or made no progress for 90 s
 */
export async function measureCopy(
  system: System,
  workload: CopyWorkload,
  at: { readonly job: CopyJob; readonly target: BenchCluster; readonly round: number },
  signal: AbortSignal,
): Promise<Run> {
  const topic = system.targetTopic(at.job)
  if (system.wantsTargetTopic) await at.target.createTopic(topic, workload.partitions)
  const replicator = await ReplicatingProcess.start(await system.prepare(at.job), at.job.folder)
  try {
    const samples = await watch(replicator, at.target, { topic, recordsTotal: workload.records }, signal)
    return measureWindow(samples, {
      round: at.round,
      recordsTotal: workload.records,
      recordBytes: workload.recordBytes,
      partitions: workload.partitions,
    })
  } finally {
    await replicator.stop()
  }
}

async function watch(
  replicator: ReplicatingProcess,
  target: BenchCluster,
  goal: { readonly topic: string; readonly recordsTotal: number },
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [{ seconds: 0, records: 0, cpuSeconds: 0, rssBytes: 0, rssPeakBytes: 0 }]
  let progressAt = performance.now()
  let exists = false
  for (let records = 0; records < goal.recordsTotal; ) {
    await delay(pollMs, undefined, { signal })
    exists ||= await target.hasTopic(goal.topic)
    const before = records
    if (exists) records = (await target.countRecords(goal.topic)) ?? records
    samples.push({
      seconds: (performance.now() - replicator.startedAtMs) / 1000,
      records,
      ...replicator.usage(),
    })
    if (records > before) progressAt = performance.now()
    else if (performance.now() - progressAt > stallTimeoutMs) {
      throw new Error(`stalled at ${records} of ${goal.recordsTotal} records:\n${replicator.logTail()}`)
    }
  }
  return samples
}
