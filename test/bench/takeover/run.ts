/**
 * `npm run bench:takeover`: how long a flow of 1 000 partitions stands still when its owner is killed (-9).
 *
 *   npm run bench:takeover -- [--partitions N] [--restarts N] [--standbys N] [--json FILE]
 *
 * `restart`: the same replica (the same `replicas.instanceId`) is started at once, as an orchestrator would; what it
 * measures includes starting Node. `standby`: a second replica runs beside it and gets the dead one's shards once the
 * group's session timeout is over. Each time one record is sent to every partition right after the kill; "first" is
 * the first of them to be read from the target by a consumer, "all" the last one.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { kafkajsClient } from '../../../replicator/cli/demo/kafkajs-client.ts'
import { installKafka } from '../../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../../replicator/local/local-cluster.ts'
import { buildCommand } from '../../../replicator/packaging/build-command.ts'
import { shardOf } from '../../../replicator/shards/shard-of.ts'
import { sessionTimeoutMs } from '../../../replicator/topology/defaults.ts'
import { createTopics } from '../../integration/create-topics.ts'
import { ReplicateProcess, until } from '../../integration/replicate-process.ts'
import { describeMachine, memoryTouchMs } from '../machine.ts'
import { percentile, spreadOf } from '../statistics.ts'
import { Pulse } from './pulse.ts'

const shards = 8
const topic = 'takeover'
const moveTimeoutMs = 90_000

interface Takeover {
  /** From the kill. */
  readonly firstMs: number
  readonly allMs: number
  /** From the kill until the successor's process runs, before it has connected to anything; restarts only. */
  readonly processMs?: number
  /** What the machine took to hand out a MiB of memory just before the kill: see {@link memoryTouchMs}. */
  readonly memoryTouchMs: number
}

function say(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(1).padStart(7)} s  ${line}\n`)
}

const { values } = parseArgs({
  options: {
    partitions: { type: 'string', default: '1000' },
    restarts: { type: 'string', default: '30' },
    standbys: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
})
const partitions = Number(values.partitions)

/** The replicators of the one flow. */
class Replicas {
  readonly #folder: string
  readonly #clusters: readonly [LocalCluster, LocalCluster]
  readonly #command: string
  readonly #alive = new Map<string, ReplicateProcess>()

  /** @param command as it is published: starting is part of every takeover */
  constructor(folder: string, clusters: readonly [LocalCluster, LocalCluster], command: string) {
    this.#folder = folder
    this.#clusters = clusters
    this.#command = command
    process.once('exit', () => {
      for (const { child } of this.#alive.values()) child.kill('SIGKILL')
    })
  }

  async start(instanceId: string): Promise<ReplicateProcess> {
    const folder = await mkdtemp(join(this.#folder, 'replica-'))
    const [source, target] = this.#clusters
    const config = {
      name: 'takeover',
      pattern: 'active-passive',
      regions: {
        'us-east': { role: 'active', bootstrap: [...source.bootstrap] },
        'eu-west': { role: 'passive', bootstrap: [...target.bootstrap] },
      },
      topics: [{ name: topic }],
      replication: { shards },
      replicas: { instanceId },
    }
    const started = await ReplicateProcess.start(folder, config, { command: this.#command })
    this.#alive.set(instanceId, started)
    return started
  }

  of(instanceId: string): ReplicateProcess {
    const replica = this.#alive.get(instanceId)
    if (replica === undefined) throw new Error(`${instanceId} does not run`)
    return replica
  }

  /** What each owns, by instance id, once they own all shards together and everybody owns some. */
  async shared(): Promise<ReadonlyMap<string, readonly number[]>> {
    return until('every shard has an owner', async () => {
      const owned = new Map<string, readonly number[]>()
      for (const [id, replica] of this.#alive) {
        const state = (await replica.health('/healthz')).body.flows[0] as
          | { shards?: readonly number[] }
          | undefined
        owned.set(id, state?.shards ?? [])
      }
      const all = [...owned.values()].flat()
      const isFair = [...owned.values()].every(({ length }) => length > 0)
      return all.length === shards && new Set(all).size === shards && isFair ? owned : undefined
    })
  }

  /** What each has said last. */
  words(): string {
    return [...this.#alive].map(([id, { text }]) => `${id}:\n${text.slice(-6000)}`).join('\n')
  }

  async stop(): Promise<void> {
    for (const replica of this.#alive.values()) await replica.kill()
  }
}

const everyPartition = new Set(Array.from({ length: partitions }, (_, partition) => partition))

type Timed = Omit<Takeover, 'memoryTouchMs'>

async function restart(replicas: Replicas, pulse: Pulse): Promise<Timed> {
  const killedMs = performance.now()
  const killedWallMs = Date.now()
  await replicas.of('a').kill()
  const [arrivals] = await Promise.all([
    pulse.firstArrivals(everyPartition, killedMs, moveTimeoutMs),
    replicas.start('a'),
    pulse.burst(),
  ])
  const sorted = [...arrivals.values()].sort((x, y) => x - y)
  const started = await replicas.of('a').logged('started')
  return {
    firstMs: (sorted[0] ?? Number.NaN) - killedMs,
    allMs: (sorted.at(-1) ?? Number.NaN) - killedMs,
    processMs: Date.parse(String(started.time)) - killedWallMs,
  }
}

async function standby(replicas: Replicas, pulse: Pulse): Promise<Timed> {
  const owned = await replicas.shared()
  const mine = new Set(owned.get('a'))
  const moving = new Set(
    [...everyPartition].filter((partition) => mine.has(shardOf(topic, partition, shards))),
  )
  const killedMs = performance.now()
  await replicas.of('a').kill()
  const [arrivals] = await Promise.all([
    pulse.firstArrivals(moving, performance.now(), moveTimeoutMs),
    delay(1).then(() => pulse.burst()),
  ])
  const sorted = [...arrivals.values()].sort((x, y) => x - y)
  const takeover = {
    firstMs: (sorted[0] ?? Number.NaN) - killedMs,
    allMs: (sorted.at(-1) ?? Number.NaN) - killedMs,
  }
  await replicas.start('a')
  return takeover
}

function summary(takeovers: readonly Takeover[]) {
  const of = (pick: (takeover: Takeover) => number | undefined) => {
    const times = takeovers.map(pick).filter((ms) => ms !== undefined)
    if (times.length === 0) return undefined
    const sorted = Float64Array.from(times).sort()
    return { ...spreadOf(times), p90: percentile(sorted, 0.9), p99: percentile(sorted, 0.99) }
  }
  return {
    takeovers: takeovers.length,
    firstMs: of(({ firstMs }) => firstMs),
    allMs: of(({ allMs }) => allMs),
    processMs: of(({ processMs }) => processMs),
    memoryTouchMs: of((takeover) => takeover.memoryTouchMs),
    each: takeovers,
  }
}

async function repeat(
  what: string,
  times: number,
  takeOver: () => Promise<Timed>,
): Promise<readonly Takeover[]> {
  const takeovers: Takeover[] = []
  for (let i = 1; i <= times; i++) {
    await delay(1500 + ((i * 397) % 1000))
    const touchMs = memoryTouchMs()
    const takeover = { ...(await takeOver()), memoryTouchMs: touchMs }
    takeovers.push(takeover)
    const process = takeover.processMs === undefined ? '' : `, process ${takeover.processMs} ms`
    say(
      `${what} ${i}: first ${takeover.firstMs.toFixed(0)} ms, all ${takeover.allMs.toFixed(0)} ms${process}, memory ${touchMs.toFixed(2)} ms/MiB`,
    )
  }
  return takeovers
}

/**
 * The index files of a segment are sparse and mapped into memory: the first entry of each makes the kernel fill a
 * stretch with zeros. An even load brings all partitions to their first entry at once (4 KiB of log, about a minute),
 * and with Kafka's default of 10 MiB that stopped both brokers for half a minute.
 */
const configEntries = [{ name: 'segment.index.bytes', value: String(16 * 1024) }]

async function createTopic({ bootstrap }: LocalCluster): Promise<void> {
  const admin = kafkajsClient('takeover', bootstrap).admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions: partitions, configEntries }])
  await admin.disconnect()
}

async function main(): Promise<void> {
  const { signal } = new AbortController()
  const installation = await installKafka({ onProgress: say }, signal)
  const folder = await mkdtemp(join(tmpdir(), 'causeway-takeover-'))
  const clusters: LocalCluster[] = []
  let replicas: Replicas | undefined
  let pulse: Pulse | undefined
  try {
    for (const alias of ['takeover-source', 'takeover-target']) {
      clusters.push(
        await startLocalCluster({ alias, installation, folder, heapMb: 1024, tuning: 'throughput' }, signal),
      )
    }
    const [source, target] = clusters
    if (source === undefined || target === undefined) throw new Error('two clusters')
    await Promise.all([createTopic(source), createTopic(target)])
    // Under this tree, so that it finds the packages that are not in the bundle.
    const built = await buildCommand(join(import.meta.dirname, `../../../.causeway/takeover-${process.pid}`))
    replicas = new Replicas(folder, [source, target], built)
    pulse = await Pulse.start({
      source: source.bootstrap[0]!,
      target: target.bootstrap[0]!,
      topic,
      partitions,
      recordsPerSecond: 1000,
    })
    await replicas.start('a')
    await pulse.firstArrivals(everyPartition, performance.now(), moveTimeoutMs)
    const [running, load] = [replicas, pulse]
    const restarts = await repeat('restart', Number(values.restarts), () => restart(running, load))
    if (Number(values.standbys) > 0) await replicas.start('b')
    const standbys = await repeat('standby', Number(values.standbys), () => standby(running, load))
    const report = {
      machine: await describeMachine({
        javaPath: installation.javaPath,
        kafkaVersion: installation.version,
        date: new Date(),
      }),
      partitions,
      shards,
      sessionTimeoutMs,
      restart: summary(restarts),
      standby: summary(standbys),
    }
    const text = `${JSON.stringify(report, undefined, 2)}\n`
    process.stdout.write(text)
    if (values.json !== undefined) await writeFile(values.json, text)
  } catch (error) {
    say(replicas?.words() ?? 'no replica was started')
    throw error
  } finally {
    await replicas?.stop()
    await pulse?.close()
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await rm(join(import.meta.dirname, `../../../.causeway/takeover-${process.pid}`), {
      recursive: true,
      force: true,
    })
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

await main()
process.exit()
