/** `npm run bench`: see `--help`. */
import { mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installKafka } from '../../replicator/local/installation.ts'
import type { KafkaInstallation } from '../../replicator/local/kafka-files.ts'
import { startWatchdog } from '../../replicator/local/watchdog.ts'
import { type BenchClusters, startClusters } from './clusters.ts'
import { isExact, renderFailover } from './failover/failover-report.ts'
import { runFailovers } from './failover/failover-session.ts'
import { failoverPlan } from './failover/measure-failover.ts'
import { describeMachine } from './machine.ts'
import { type BenchOptions, parseOptions, usage } from './options.ts'
import { plot } from './plot.ts'
import { readmeTable } from './readme-table.ts'
import { renderReport } from './report.ts'
import { type BenchReport, ratiosOf, type SystemName } from './results.ts'
import { runSession } from './session.ts'
import { causeway } from './systems/causeway.ts'
import { mirrorMaker2AsShipped, mirrorMaker2Tuned, mirrorMaker2WithGroups } from './systems/mirrormaker2.ts'
import { redpandaConnect } from './systems/redpanda-connect.ts'
import type { System } from './systems/system.ts'
import { oneWayDelayMs, planWorkloads } from './workloads/workload.ts'

class Interrupted extends Error {}

/** Progress goes to stderr, with the time since the start; the report goes to stdout. */
function say(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(0).padStart(5)} s  ${line}\n`)
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2))
  if (!options) {
    process.stdout.write(usage)
    return 0
  }
  if (options.plotFrom) {
    const report = JSON.parse(await readFile(options.plotFrom, 'utf8')) as BenchReport
    await writePlot(options, report)
    process.stdout.write(`${readmeTable(report)}\n`)
    return 0
  }
  if (options.offsets) return await measureOffsets(options, stopOnSignals())
  const report = await measure(options, stopOnSignals())
  process.stdout.write(renderReport(report))
  if (options.jsonFile) await writeFile(options.jsonFile, `${JSON.stringify(report, undefined, 2)}\n`)
  await writePlot(options, report)
  return report.failures.length > 0 ? 1 : 0
}

async function measureOffsets(options: BenchOptions, signal: AbortSignal): Promise<number> {
  const report = await withClusters(options, signal, async (scene) => {
    const { javaPath, classpath } = scene.installation
    const known = [causeway(), mirrorMaker2WithGroups({ javaPath, classPath: classpath })]
    const systems = known.filter(({ name }) => options.systems.includes(name))
    return await runFailovers({ ...scene, systems, plan: failoverPlan(options.quick), say }, signal)
  })
  process.stdout.write(renderFailover(report))
  if (options.jsonFile) await writeFile(options.jsonFile, `${JSON.stringify(report, undefined, 2)}\n`)
  return report.failures.length === 0 && isExact(report) ? 0 : 1
}

interface Scene {
  readonly installation: KafkaInstallation
  readonly clusters: BenchClusters
  readonly folder: string
}

/** Everything is stopped and removed when `use` has ended. */
async function withClusters<Outcome>(
  options: BenchOptions,
  signal: AbortSignal,
  use: (scene: Scene) => Promise<Outcome>,
): Promise<Outcome> {
  const installation = await installKafka({ onProgress: say }, signal)
  const folder = await mkdtemp(join(tmpdir(), 'causeway-bench-'))
  const watchdog = startWatchdog(folder)
  try {
    await checkDisk(folder, options.quick || options.offsets ? 3e9 : 10e9)
    say('starting two clusters')
    const clusters = await startClusters(
      { installation, folder: join(folder, 'clusters'), oneWayDelayMs },
      signal,
    )
    try {
      return await use({ installation, clusters, folder })
    } finally {
      await clusters.stop()
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    await watchdog.end()
  }
}

async function measure(options: BenchOptions, signal: AbortSignal): Promise<BenchReport> {
  return await withClusters(options, signal, async ({ installation, clusters, folder }) => {
    const java = { javaPath: installation.javaPath, classPath: installation.classpath }
    const known: System[] = [
      causeway(),
      mirrorMaker2AsShipped(java),
      mirrorMaker2Tuned(java),
      redpandaConnect(process.env.PATH ?? ''),
    ]
    const asked = known.filter((system) => options.systems.includes(system.name))
    const notFound: Partial<Record<SystemName, string>> = {}
    for (const system of asked) {
      const missing = system.missing()
      if (missing === undefined) continue
      notFound[system.name] = missing
      say(`${system.name}: not found, left out (${missing})`)
    }
    const systems = asked.filter((system) => notFound[system.name] === undefined)
    const workloads = planWorkloads(options.quick).filter((workload) =>
      options.workloads.includes(workload.name),
    )
    const outcome = await runSession(
      { options, systems, clusters, installation, folder, say },
      workloads,
      signal,
    )
    return {
      machine: await describeMachine({
        javaPath: installation.javaPath,
        kafkaVersion: installation.version,
        date: new Date(),
      }),
      settings: {
        quick: options.quick,
        rounds: options.rounds,
        producerBatchBytes: options.producerBatchBytes,
        roundTripMs: 2 * oneWayDelayMs,
      },
      notFound,
      ...outcome,
      ratios: ratiosOf(outcome.results),
    }
  })
}

async function checkDisk(folder: string, bytesMin: number): Promise<void> {
  const disk = await statfs(folder)
  const free = disk.bavail * disk.bsize
  if (free >= bytesMin) return
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1)
  throw new Error(
    `${tmpdir()} has ${gigabytes(free)} GB free, the benchmark needs ${gigabytes(bytesMin)} GB: set TMPDIR to a larger disk`,
  )
}

async function writePlot(options: BenchOptions, report: BenchReport): Promise<void> {
  if (options.plotFile) await writeFile(options.plotFile, plot(report))
}

/** The exit code of a process that was interrupted, by convention of shells. */
const exitInterrupted = 130

/** The first signal stops everything in order, the second at once. */
function stopOnSignals(): AbortSignal {
  const stop = new AbortController()
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(exitInterrupted)
    say('stopping')
    stop.abort(new Interrupted('stopped by a signal'))
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return stop.signal
}

// kafkajs asks for timers in the past on recent versions of Node, which is harmless; other warnings are shown.
process.removeAllListeners('warning')
process.on('warning', (warning) => {
  if (warning.name !== 'TimeoutNegativeWarning') say(`${warning.name}: ${warning.message}`)
})

try {
  process.exitCode = await main()
} catch (error) {
  say(`bench: ${(error as Error).message}`)
  process.exitCode = error instanceof Interrupted ? exitInterrupted : 1
}
