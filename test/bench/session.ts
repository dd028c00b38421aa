/** A whole benchmark: every workload on every system, in alternating order, on the same clusters. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { KafkaInstallation } from '../../replicator/local/kafka-files.ts'
import type { BenchClusters } from './clusters.ts'
import type { BenchOptions } from './options.ts'
import { type BenchReport, type Run, resultOf, type SystemName } from './results.ts'
import { seedTopic } from './seed.ts'
import type { CopyJob, System } from './systems/system.ts'
import { measureCopy } from './workloads/copy.ts'
import { measureLatency, measureLatencyFloor } from './workloads/latency.ts'
import type { CopyWorkload, LatencyWorkload, Workload } from './workloads/workload.ts'

export interface SessionParts {
  readonly options: BenchOptions
  /** Those that can run here. */
  readonly systems: readonly System[]
  readonly clusters: BenchClusters
  readonly installation: KafkaInstallation
  readonly folder: string
  readonly say: (line: string) => void
}

type Outcome = Pick<BenchReport, 'results' | 'failures' | 'latencyFloorMs'>

/** Disks and page caches get this long to settle after topics were filled or deleted. */
function settle(parts: SessionParts, signal: AbortSignal): Promise<void> {
  return delay(parts.options.quick ? 1000 : 3000, undefined, { signal })
}

/** Runs the workloads one after the other. Rejects only if aborted or if the clusters fail. */
export async function runSession(
  parts: SessionParts,
  workloads: readonly Workload[],
  signal: AbortSignal,
): Promise<Outcome> {
  let outcome: Outcome = { results: [], failures: [] }
  for (const workload of workloads) {
    const next =
      workload.kind === 'copy'
        ? await runCopyWorkload(parts, workload, signal)
        : await runLatencyWorkload(parts, workload, signal)
    outcome = {
      ...outcome,
      ...next,
      results: [...outcome.results, ...next.results],
      failures: [...outcome.failures, ...next.failures],
    }
    await clearTopics(parts, [], signal)
  }
  return outcome
}

async function runCopyWorkload(
  parts: SessionParts,
  workload: CopyWorkload,
  signal: AbortSignal,
): Promise<Outcome> {
  const topic = `bench-${workload.name}`
  const gigabytes = (workload.records * workload.recordBytes) / 1e9
  parts.say(`${workload.name}: filling the source with ${gigabytes.toFixed(2)} GB`)
  await parts.clusters.source.createTopic(topic, workload.partitions)
  await seedTopic(
    {
      ...workload,
      javaPath: parts.installation.javaPath,
      classPath: parts.installation.classpath,
      folder: parts.folder,
      bootstrap: parts.clusters.source.bootstrap,
      topic,
      batchBytes: parts.options.producerBatchBytes,
    },
    signal,
  )
  await settle(parts, signal)
  const systems = parts.systems.filter(({ name }) => workload.systems?.includes(name) ?? true)
  const link = linkOf(workload, parts.clusters)
  if (!warm.has(parts)) await warmUp(parts, systems, { workload, topic, rounds: 1, link }, signal)
  return runRounds(
    { ...parts, systems },
    { workload, topic, rounds: parts.options.rounds, link },
    signal,
    (system, at) => measureCopy(system, workload, { ...at, target: parts.clusters.target }, signal),
  )
}

const warm = new WeakSet<SessionParts>()

/** One copy that nobody is judged by: brokers compile their own hot paths while they first serve, at the cost of whoever comes first. */
async function warmUp(
  parts: SessionParts,
  systems: readonly System[],
  plan: RoundsPlan & { readonly workload: CopyWorkload },
  signal: AbortSignal,
): Promise<void> {
  warm.add(parts)
  const system = systems[0]
  if (system === undefined || parts.options.quick) return
  parts.say(`${plan.workload.name}: one copy to warm the brokers, not counted`)
  const job = await makeJob(parts, plan)
  try {
    await measureCopy(system, plan.workload, { job, target: parts.clusters.target, round: 0 }, signal)
  } catch (error) {
    signal.throwIfAborted()
    parts.say(`${plan.workload.name}: the warm-up failed: ${(error as Error).message}`)
  }
  await rm(job.folder, { recursive: true })
  await clearTopics(parts, [plan.topic], signal)
}

async function runLatencyWorkload(
  parts: SessionParts,
  workload: LatencyWorkload,
  signal: AbortSignal,
): Promise<Outcome> {
  const { source, target } = parts.clusters
  const topic = `bench-${workload.name}`
  const afresh = async () => {
    await source.deleteTopics([], signal)
    await source.createTopic(topic, workload.partitions)
  }
  const link = { sourceBootstrap: source.bootstrap, targetBootstrap: target.bootstrap }
  const plan = { workload, topic, rounds: 1, link }
  const outcome = await runRounds(parts, plan, signal, async (system, at) => {
    await afresh()
    return measureLatency(system, workload, { ...at, source, target }, signal)
  })
  if (parts.options.quick) return outcome
  parts.say(`${workload.name}: no replicator, the floor of the measurement`)
  await afresh()
  return { ...outcome, latencyFloorMs: await measureLatencyFloor(workload, { source, topic }, signal) }
}

interface RoundsPlan {
  readonly workload: Workload
  readonly topic: string
  readonly rounds: number
  readonly link: Link
}

type Link = Pick<CopyJob, 'sourceBootstrap' | 'targetBootstrap' | 'caFile'>

function linkOf(
  { link }: CopyWorkload,
  { source, target, sourceOverLongLink, overTls }: BenchClusters,
): Link {
  if (link === 'tls') return overTls
  const sourceBootstrap = link === 'long' ? sourceOverLongLink : source.bootstrap
  return { sourceBootstrap, targetBootstrap: target.bootstrap }
}

/** Every other round runs backwards, so that no system always comes after the same one. A system that fails is left out. */
async function runRounds(
  parts: SessionParts,
  plan: RoundsPlan,
  signal: AbortSignal,
  measure: (system: System, at: { readonly job: CopyJob; readonly round: number }) => Promise<Run>,
): Promise<Outcome> {
  const runs = new Map<SystemName, Run[]>()
  const failures = new Map<SystemName, string>()
  for (let round = 1; round <= plan.rounds; round++) {
    for (const system of round % 2 === 1 ? parts.systems : parts.systems.toReversed()) {
      if (failures.has(system.name)) continue
      const job = await makeJob(parts, plan)
      try {
        const run = await measure(system, { job, round })
        runs.set(system.name, [...(runs.get(system.name) ?? []), run])
        parts.say(`${plan.workload.name}: ${describeRun(system.name, run)}`)
      } catch (error) {
        signal.throwIfAborted()
        failures.set(system.name, (error as Error).message)
        parts.say(`${plan.workload.name}: ${system.name} failed: ${(error as Error).message}`)
      }
      await rm(job.folder, { recursive: true })
      await clearTopics(parts, [plan.topic], signal)
    }
  }
  return {
    results: parts.systems.flatMap(({ name }) => {
      const own = runs.get(name)
      return own ? [resultOf(name, plan.workload.name, own)] : []
    }),
    failures: [...failures].map(([system, reason]) => ({ system, workload: plan.workload.name, reason })),
  }
}

let jobs = 0

async function makeJob(parts: SessionParts, plan: RoundsPlan): Promise<CopyJob> {
  const id = String(++jobs)
  const folder = join(parts.folder, `job-${id}`)
  await mkdir(folder)
  return {
    id,
    folder,
    topic: plan.topic,
    ...plan.link,
  }
}

async function clearTopics(
  parts: SessionParts,
  keepOnSource: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await parts.clusters.target.deleteTopics([], signal)
  await parts.clusters.source.deleteTopics(keepOnSource, signal)
  await settle(parts, signal)
}

function describeRun(system: SystemName, run: Run): string {
  const rate = `${(run.bytesPerSecond / 1e6).toFixed(1)} MB/s, ${run.cpuSecondsPerGB.toFixed(2)} CPU-s/GB`
  const memory = `${(run.rssPeakBytes / 1024 ** 2).toFixed(0)} MiB`
  const latency = run.latencyMs && `, p99 ${run.latencyMs.p99.toFixed(1)} ms`
  return `round ${run.round}, ${system}: ${rate}, ${memory}${latency ?? ''}`
}
