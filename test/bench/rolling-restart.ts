/**
 * `npm run bench:rolling-restart`: three replicas restart one after the other under load; how long records took whose
 * shards stayed where they were, and how long those whose shards moved.
 *
 *   npm run bench:rolling-restart -- [--rate N] [--rounds N] [--json FILE]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { shardOf } from '../../replicator/shards/shard-of.ts'
import { createTopics } from '../integration/create-topics.ts'
import { ReplicateProcess, until } from '../integration/replicate-process.ts'
import { describeMachine } from './machine.ts'
import { latencyOf } from './statistics.ts'
import { type RestartWindow, type Sample, splitSamples } from './untouched.ts'

const partitions = 24
const shards = 8
const names = ['0', '1', '2'] as const
/** What the figure is for. */
const goalMs = 2000

interface Setting {
  readonly source: LocalCluster
  readonly target: LocalCluster
  readonly folder: string
  /** Records a second. */
  readonly rate: number
  readonly rounds: number
}

function say(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(1).padStart(7)} s  ${line}\n`)
}

/** Writes at an even rate until it is stopped, and reads the copy. */
class Traffic {
  readonly samples: Sample[] = []
  readonly #topic: string
  readonly #setting: Setting
  #isStopped = false
  #sent = 0
  readonly #working: Promise<unknown>

  constructor(topic: string, setting: Setting) {
    this.#topic = topic
    this.#setting = setting
    this.#working = Promise.all([this.#write(), this.#read()])
    this.#working.catch(() => {})
  }

  /** Ends when everything that was sent has been read. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#working
  }

  async #write(): Promise<void> {
    const producer = kafkajsClient('rolling', this.#setting.source.bootstrap).producer()
    await producer.connect()
    const value = 'x'.repeat(300)
    const startedMs = performance.now()
    while (!this.#isStopped) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * this.#setting.rate) - this.#sent
      const messages = Array.from({ length: Math.min(due, 2000) }, (_, at) => ({
        partition: (this.#sent + at) % partitions,
        value,
        timestamp: String(Date.now()),
      }))
      if (messages.length > 0) await producer.send({ topic: this.#topic, acks: -1, messages })
      this.#sent += messages.length
      await delay(10)
    }
    await producer.disconnect()
  }

  async #read(): Promise<void> {
    const client = kafkajsClient('rolling', this.#setting.target.bootstrap)
    const admin = client.admin()
    await admin.connect()
    await until('the copy is there', async () =>
      (await admin.listTopics()).includes(this.#topic) ? true : undefined,
    )
    await admin.disconnect()
    const consumer = client.consumer({ groupId: `read-${this.#topic}`, maxWaitTimeInMs: 100 })
    await consumer.connect()
    await consumer.subscribe({ topic: this.#topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: async ({ batch }) => {
        const nowMs = Date.now()
        const shard = shardOf(this.#topic, batch.partition, shards)
        for (const { timestamp } of batch.messages)
          this.samples.push({ shard, sentAtMs: Number(timestamp), latencyMs: nowMs - Number(timestamp) })
      },
    })
    while (!this.#isStopped || this.samples.length < this.#sent) await delay(50)
    await consumer.disconnect()
  }
}

async function shardsOf(replica: ReplicateProcess): Promise<readonly number[]> {
  const { flows } = (await replica.health('/healthz')).body as unknown as { flows: { shards: number[] }[] }
  return flows[0]?.shards ?? []
}

/** Waits until the replicas share all shards evenly and forward all of their partitions. */
async function shared(replicas: readonly ReplicateProcess[]): Promise<void> {
  await until(
    'every replica has its share',
    async () => {
      const shares = await Promise.all(replicas.map(shardsOf))
      const sizes = shares.map(({ length }) => length)
      const isEven = new Set(shares.flat()).size === shards && Math.max(...sizes) - Math.min(...sizes) <= 1
      const health = await Promise.all(replicas.map((replica) => replica.health('/healthz')))
      const running = health.reduce((sum, { body }) => sum + (body.flows[0]?.partitions.running ?? 0), 0)
      return (isEven && running === partitions) || undefined
    },
    () => replicas.map(({ text }) => text.slice(-2000)).join('\n---\n'),
  )
}

/** Restarts the replicas one after the other, as often as it is asked to. */
async function restartAll(
  setting: Setting,
  start: (name: string) => Promise<ReplicateProcess>,
  topic: string,
  replicas: ReplicateProcess[],
): Promise<readonly RestartWindow[]> {
  const windows: RestartWindow[] = []
  const all: ReplicateProcess[] = [...replicas]
  for (let round = 0; round < setting.rounds; round++) {
    for (const [at, name] of names.entries()) {
      await delay(3000)
      const leaving = replicas[at]
      if (leaving === undefined) throw new Error(`no replica ${name}`)
      const had = await shardsOf(leaving)
      const fromMs = Date.now()
      await leaving.stop()
      const next = await start(name)
      all.push(next)
      replicas[at] = next
      await shared(replicas)
      const toMs = Date.now()
      const started = all
        .flatMap(({ log }) => log)
        .filter(({ event, time }) => event === 'partition-started' && Date.parse(String(time)) >= fromMs)
        .map(({ partition }) => shardOf(topic, Number(partition), shards))
      windows.push({ fromMs, toMs, touched: new Set([...had, ...started]) })
      say(`restart ${windows.length}: ${toMs - fromMs} ms until all have their shares again`)
    }
  }
  return windows
}

/** One rolling restart, or several, of replicas with or without instance ids. */
async function measure(mode: 'dynamic' | 'static', setting: Setting) {
  const { source, target, folder } = setting
  const topic = `rolling-${mode}`
  const admin = kafkajsClient('rolling', source.bootstrap).admin()
  await admin.connect()
  await createTopics(admin, [{ topic, numPartitions: partitions }])
  await admin.disconnect()
  const config = {
    name: topic,
    pattern: 'active-passive',
    regions: {
      'us-east': { role: 'active', bootstrap: [...source.bootstrap] },
      'eu-west': { role: 'passive', bootstrap: [...target.bootstrap] },
    },
    topics: [{ name: topic }],
    replication: { shards },
    ...(mode === 'static' && { replicas: { instanceId: 'pod-${env:POD_NAME}' } }),
  }
  const running: ReplicateProcess[] = []
  const start = async (name: string): Promise<ReplicateProcess> => {
    const own = await mkdtemp(join(folder, 'replica-'))
    const replica = await ReplicateProcess.start(own, config, { env: { POD_NAME: name } })
    running.push(replica)
    return replica
  }
  try {
    const replicas = await Promise.all(names.map(start))
    await shared(replicas)
    say(`${mode}: three replicas share ${shards} shards`)
    const traffic = new Traffic(topic, setting)
    const windows = await restartAll(setting, start, topic, replicas)
    await traffic.stop()
    for (const replica of replicas) await replica.stop()
    const { untouched, moved } = splitSamples(traffic.samples, windows)
    return {
      restarts: windows.length,
      restartMs: windows.map(({ fromMs, toMs }) => toMs - fromMs),
      untouched: figuresOf(untouched),
      moved: figuresOf(moved),
    }
  } finally {
    for (const replica of running) await replica.kill()
  }
}

function figuresOf(samples: readonly Sample[]) {
  const ms = samples.map(({ latencyMs }) => latencyMs)
  if (ms.length === 0) return { records: 0 }
  return {
    records: ms.length,
    latencyMs: latencyOf(ms),
    maxMs: ms.reduce((most, one) => Math.max(most, one)),
  }
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '2000' },
      rounds: { type: 'string', default: '1' },
      json: { type: 'string' },
    },
  })
  const { signal } = new AbortController()
  const installation = await installKafka({ onProgress: say }, signal)
  const folder = await mkdtemp(join(tmpdir(), 'causeway-rolling-'))
  const clusters: LocalCluster[] = []
  try {
    const start = async (alias: string): Promise<LocalCluster> => {
      const cluster = await startLocalCluster({ alias, installation, folder }, signal)
      clusters.push(cluster)
      return cluster
    }
    const [source, target] = await Promise.all([start('rolling-source'), start('rolling-target')])
    const [rate, rounds] = [Number(values.rate), Number(values.rounds)]
    const setting = { source, target, folder, rate, rounds }
    const figures = { dynamic: await measure('dynamic', setting), static: await measure('static', setting) }
    const machine = await describeMachine({
      javaPath: installation.javaPath,
      kafkaVersion: installation.version,
      date: new Date(),
    })
    const load = { recordsPerSecond: rate, partitions, shards, replicas: names.length }
    // More than the cores can do means that others were at work too, and that a quiet machine does better.
    const machineLoad = loadavg().map((average) => Math.round(average * 10) / 10)
    const text = `${JSON.stringify({ machine, machineLoad, goalMs, load, ...figures }, undefined, 2)}\n`
    process.stdout.write(text)
    if (values.json !== undefined) await writeFile(values.json, text)
    return [figures.dynamic, figures.static].every(
      ({ untouched }) => untouched.latencyMs !== undefined && untouched.latencyMs.p99 < goalMs,
    )
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

process.exit((await main()) ? 0 : 1)
