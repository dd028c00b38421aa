/**
 * `npm run bench:overhead`: what exactly-once costs: CPU seconds per gigabyte of this tree against an earlier commit, the
 * one before it, on the same clusters, run by run in alternating order.
 *
 *   npm run bench:overhead -- [--against COMMIT] [--rounds N] [--workload NAME] [--quick] [--gigabytes N] [--json FILE]
 *   npm run bench:overhead -- --part exactly-once|maps [--rounds N] ...
 *   npm run bench:overhead -- --groups N [--rounds N] ...
 *
 * `--part exactly-once` leaves the offset maps out of this tree; `--part maps` compares it with itself without them.
 *
 * With `--groups` it is what following groups costs: N groups commit every two seconds in all runs, and this tree
 * follows them (`now`) or does not (`before`).
 *
 * A copy of the workload's 2 GB takes some four seconds, so what is done once after starting (maps are read 2 s later)
 * counts. With `--gigabytes` a larger topic tells what each further gigabyte costs.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { installKafka } from '../../../replicator/local/installation.ts'
import type { KafkaInstallation } from '../../../replicator/local/kafka-files.ts'
import { startWatchdog } from '../../../replicator/local/watchdog.ts'
import { type BenchClusters, startClusters } from '../clusters.ts'
import { CommittingGroups } from '../groups/committing-groups.ts'
import { describeMachine } from '../machine.ts'
import type { Run } from '../results.ts'
import { seedTopic } from '../seed.ts'
import { spreadOf } from '../statistics.ts'
import { causeway } from '../systems/causeway.ts'
import type { System } from '../systems/system.ts'
import { measureCopy } from '../workloads/copy.ts'
import { type CopyWorkload, planWorkloads } from '../workloads/workload.ts'
import { type Checkout, checkOut, checkOutWithoutMaps } from './trees.ts'

/** The last commit that copied at least once. */
const foundation = '855c296'
const topic = 'bench-overhead'
const batchBytes = 64 * 1024

type Tree = 'before' | 'now'

function say(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(0).padStart(5)} s  ${line}\n`)
}

/** What is compared with what: see the top. */
const parts = ['all', 'exactly-once', 'maps'] as const
type Part = (typeof parts)[number]

async function checkOutTrees(
  part: Part,
  against: string,
  folder: string,
): Promise<{ readonly [tree in Tree]: Checkout | undefined }> {
  return {
    before:
      part === 'maps'
        ? await checkOutWithoutMaps(join(folder, 'before'))
        : await checkOut(against, join(folder, 'before')),
    now: part === 'exactly-once' ? await checkOutWithoutMaps(join(folder, 'now')) : undefined,
  }
}

interface Parts {
  readonly clusters: BenchClusters
  readonly installation: KafkaInstallation
  readonly folder: string
  readonly workload: CopyWorkload
  /** That commit on the source while the copy runs. */
  readonly groups: number
}

/** Groups that have read half of the topic after a minute; `undefined` without any. */
async function startGroups(
  { clusters, workload, groups }: Parts,
  id: string,
): Promise<CommittingGroups | undefined> {
  if (groups === 0) return undefined
  const end = Math.floor(workload.records / workload.partitions / 2)
  const startedMs = performance.now()
  const committing = new CommittingGroups({
    bootstrap: [clusters.source.bootstrap],
    topic,
    partitions: workload.partitions,
    groups: Array.from({ length: groups }, (_, index) => `overhead-${id}-${index}`),
    partitionsPerGroup: 3,
    everyMs: 2000,
    positionOf: () => Math.min(end, Math.floor(((performance.now() - startedMs) / 60_000) * end)),
  })
  await committing.commitAll()
  committing.start()
  return committing
}

let jobs = 0

async function copyOnce(system: System, parts: Parts, round: number, follows: boolean): Promise<Run> {
  const { clusters, folder, workload } = parts
  const signal = new AbortController().signal
  const id = String(++jobs)
  const jobFolder = join(folder, `job-${id}`)
  await mkdir(jobFolder)
  const job = {
    id,
    folder: jobFolder,
    topic,
    sourceBootstrap: clusters.source.bootstrap,
    targetBootstrap: clusters.target.bootstrap,
    ...(follows && { groups: `overhead-${id}-.*` }),
  }
  const groups = await startGroups(parts, id)
  const at = { job, target: clusters.target, round }
  const result = await measureCopy(system, workload, at, signal).finally(() => groups?.close())
  await rm(jobFolder, { recursive: true })
  await clusters.target.deleteTopics([], signal)
  await delay(2000)
  return result
}

async function fill({ clusters, installation, folder, workload }: Parts): Promise<void> {
  await clusters.source.createTopic(topic, workload.partitions)
  await seedTopic(
    {
      ...workload,
      javaPath: installation.javaPath,
      classPath: installation.classpath,
      folder,
      bootstrap: clusters.source.bootstrap,
      topic,
      batchBytes,
    },
    new AbortController().signal,
  )
  await delay(3000)
}

async function compare(parts: Parts, systems: Readonly<Record<Tree, System>>, rounds: number) {
  const follows = (tree: Tree) => parts.groups > 0 && tree === 'now'
  await copyOnce(systems.now, parts, 0, follows('now'))
  const runs: Record<Tree, Run[]> = { before: [], now: [] }
  for (let round = 1; round <= rounds; round++) {
    const order: readonly Tree[] = round % 2 === 1 ? ['before', 'now'] : ['now', 'before']
    for (const tree of order) {
      const result = await copyOnce(systems[tree], parts, round, follows(tree))
      runs[tree].push(result)
      const rate = `${(result.bytesPerSecond / 1e6).toFixed(0)} MB/s`
      say(`round ${round}, ${tree}: ${result.cpuSecondsPerGB.toFixed(3)} CPU-s/GB, ${rate}`)
    }
  }
  const cpu = (tree: Tree) => runs[tree].map(({ cpuSecondsPerGB }) => cpuSecondsPerGB)
  const rate = (tree: Tree) => runs[tree].map(({ bytesPerSecond }) => bytesPerSecond)
  const paired = cpu('now').map((now, index) => now / (cpu('before')[index] ?? Number.NaN))
  return {
    cpuSecondsPerGB: { before: spreadOf(cpu('before')), now: spreadOf(cpu('now')) },
    bytesPerSecond: { before: spreadOf(rate('before')), now: spreadOf(rate('now')) },
    ratioOfMedians: spreadOf(cpu('now')).median / spreadOf(cpu('before')).median,
    ratioByRound: spreadOf(paired),
    runs,
  }
}

/** The same copy, of as many bytes as were asked for. */
function sized(workload: CopyWorkload, gigabytes: string | undefined): CopyWorkload {
  if (gigabytes === undefined) return workload
  const bytes = Number(gigabytes) * 1e9
  if (!(bytes > 0)) throw new Error(`--gigabytes ${gigabytes} is no size`)
  return { ...workload, records: Math.ceil(bytes / workload.recordBytes) }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      against: { type: 'string', default: foundation },
      part: { type: 'string', default: 'all' },
      groups: { type: 'string', default: '0' },
      rounds: { type: 'string', default: '6' },
      workload: { type: 'string', default: 'throughput-1k' },
      quick: { type: 'boolean', default: false },
      gigabytes: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const { signal } = new AbortController()
  const planned = planWorkloads(values.quick).find(({ name }) => name === values.workload)
  if (planned?.kind !== 'copy' || planned.link !== 'direct') {
    throw new Error(`--workload ${values.workload} is not one of the copies over a direct link`)
  }
  const workload = sized(planned, values.gigabytes)
  const installation = await installKafka({ onProgress: say }, signal)
  const folder = await mkdtemp(join(tmpdir(), 'causeway-overhead-'))
  const watchdog = startWatchdog(folder)
  const groups = Number(values.groups)
  if (!Number.isSafeInteger(groups) || groups < 0) throw new Error('--groups takes a whole number')
  const part = parts.find((one) => one === values.part)
  if (part === undefined) throw new Error(`--part takes ${parts.join(', ')}`)
  const trees = groups === 0 ? await checkOutTrees(part, values.against, folder) : undefined
  try {
    const clusters = await startClusters(
      { installation, folder: join(folder, 'clusters'), oneWayDelayMs: 0 },
      signal,
    )
    try {
      const scene = { clusters, installation, folder, workload, groups }
      say(`filling the source with ${((workload.records * workload.recordBytes) / 1e9).toFixed(2)} GB`)
      await fill(scene)
      const systems = { before: causeway(trees?.before?.folder), now: causeway(trees?.now?.folder) }
      const result = await compare(scene, systems, Number(values.rounds))
      const java = { javaPath: installation.javaPath, kafkaVersion: installation.version }
      const machine = await describeMachine({ ...java, date: new Date() })
      const against = groups > 0 ? 'without following' : part === 'maps' ? 'without maps' : values.against
      const { name, records } = workload
      const report = { machine, part, against, groups, workload: name, records, ...result }
      const text = `${JSON.stringify(report, undefined, 2)}\n`
      process.stdout.write(text)
      if (values.json !== undefined) await writeFile(values.json, text)
    } finally {
      await clusters.stop()
    }
  } finally {
    await trees?.before?.remove()
    await trees?.now?.remove()
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    await watchdog.end()
  }
}

await main()
process.exit()
