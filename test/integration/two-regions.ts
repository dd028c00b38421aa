import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kafka, Producer } from 'kafkajs'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { loadConfig } from '../../replicator/config/load-config.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { compareFlow } from '../../replicator/verify/compare-flow.ts'
import { formatVerdict } from '../../replicator/verify/format-verdict.ts'
import type { FlowReport } from '../../replicator/verify/report.ts'
import { kafkajsWithCodecs, readWithKafkajs, type SeenRecord } from './independent-readers.ts'
import { ReplicateProcess, until } from './replicate-process.ts'
import { endOfRecords } from './stored-batches.ts'

export const aliases = ['us-east', 'eu-west'] as const
export type Alias = (typeof aliases)[number]

/** Two clusters whose topics have one name on both, and processes that replicate in both directions. */
export class TwoRegions {
  readonly bootstrap: Readonly<Record<Alias, readonly string[]>>
  readonly #locals: readonly LocalCluster[]
  readonly #scratch: string
  readonly kafka: Readonly<Record<Alias, Kafka>>
  readonly clusters: Readonly<Record<Alias, Cluster>>
  readonly #processes: ReplicateProcess[] = []

  private constructor(locals: Readonly<Record<Alias, LocalCluster>>, scratch: string) {
    const each = <T>(of: (alias: Alias) => T) => ({ 'us-east': of('us-east'), 'eu-west': of('eu-west') })
    this.#locals = Object.values(locals)
    this.#scratch = scratch
    this.bootstrap = each((alias) => locals[alias].bootstrap)
    this.kafka = each((alias) => kafkajsWithCodecs(locals[alias].bootstrap))
    this.clusters = each((alias) =>
      createKafkaCluster({
        alias: regionAlias(alias),
        settings: { bootstrap: locals[alias].bootstrap, clientId: 'two-regions' },
        clock: systemClock,
        random: systemRandom,
      }),
    )
  }

  /** Boots clusters of their own: the cleaner of the shared ones looks every 15 s only. */
  static async start(): Promise<TwoRegions> {
    const { signal } = new AbortController()
    const installation = await installKafka({}, signal)
    const brokerConfig = { 'log.cleaner.backoff.ms': '100' }
    const boot = (alias: Alias) =>
      startLocalCluster({ alias, heapMb: 256, installation, brokerConfig }, signal)
    const [first, second] = await Promise.all([boot('us-east'), boot('eu-west')])
    const scratch = await mkdtemp(join(tmpdir(), 'causeway-two-regions-'))
    return new TwoRegions({ 'us-east': first, 'eu-west': second }, scratch)
  }

  /** A topology of its own, both directions under one name. */
  config(topic: string, more: object = {}): object {
    const region = (alias: Alias) => ({ bootstrap: this.bootstrap[alias] })
    return {
      name: topic,
      pattern: 'active-active',
      regions: { 'us-east': region('us-east'), 'eu-west': region('eu-west') },
      topics: [{ name: topic }],
      ...more,
    }
  }

  async createTopic(kind: string, partitions: number, configs: Readonly<Record<string, string>> = {}) {
    const name = `${kind}-${randomUUID().slice(0, 8)}`
    for (const cluster of Object.values(this.clusters)) {
      const topic = { name, partitions, replicationFactor: 1, configs: new Map(Object.entries(configs)) }
      const created = (await cluster.createTopics([topic])).get(name)
      assert(created?.ok, `${name} is created`)
      await until(`${name} has leaders`, async () => {
        const lookup = (await cluster.describeTopics([name])).get(name)
        const isThere = lookup?.kind === 'found' && lookup.topic.partitions.every(({ leader }) => leader)
        return isThere || undefined
      })
    }
    return name
  }

  /** `causeway replicate`, of the flows placed at `at` or of all. */
  async replicate(config: object, at?: Alias): Promise<ReplicateProcess> {
    const folder = await mkdtemp(join(this.#scratch, 'run-'))
    const args = at === undefined ? [] : ['--at', at]
    const started = await ReplicateProcess.start(folder, config, { args })
    this.#processes.push(started)
    return started
  }

  /** Compares both flows until they are identical. @throws AssertionError with the last comparison after two minutes */
  async caughtUp(config: object): Promise<readonly FlowReport[]> {
    const loaded = loadConfig({
      path: 'causeway.yaml',
      readFile: () => Buffer.from(JSON.stringify(config)),
      environment: {},
    })
    assert(loaded.ok, JSON.stringify(loaded))
    const { topology } = loaded.config
    let last = ''
    return until(
      'both sides are caught up',
      async () => {
        const reports: FlowReport[] = []
        for (const flow of topology.flows) {
          const partitions = await this.#partitionsOf(
            flow.topics[0]?.kind === 'name' ? flow.topics[0].name : '',
          )
          const name = topology.name
          reports.push(
            await compareFlow({
              topology,
              flow,
              source: this.clusters[flow.source as string as Alias],
              target: this.clusters[flow.target as string as Alias],
              pairs: [{ sourceTopic: name, targetTopic: name, partitions }],
              clock: systemClock,
              random: systemRandom,
              signal: AbortSignal.timeout(60_000),
            }),
          )
        }
        last = reports.map(formatVerdict).join('\n')
        return reports.every(({ identical }) => identical) ? reports : undefined
      },
      () => `${last}\n${this.#processes.at(-1)?.text.slice(-4000)}`,
    )
  }

  /** Every committed record of a topic as kafkajs reads it. */
  async read(alias: Alias, topic: string): Promise<readonly SeenRecord[]> {
    const partitions = await this.#partitionsOf(topic)
    const ends = new Map<number, bigint>()
    for (const partition of partitions)
      ends.set(partition, await endOfRecords(this.clusters[alias], topic, partition))
    return readWithKafkajs(this.kafka[alias], topic, ends)
  }

  async close(): Promise<void> {
    for (const process of this.#processes) await process.kill()
    for (const cluster of Object.values(this.clusters)) await cluster.close()
    await Promise.all(this.#locals.map((local) => local.stop()))
    await rm(this.#scratch, { recursive: true, force: true })
  }

  async #partitionsOf(topic: string): Promise<readonly number[]> {
    const lookup = (await this.clusters['us-east'].describeTopics([topic])).get(topic)
    assert(lookup?.kind === 'found')
    return lookup.topic.partitions.map(({ partition }) => partition)
  }
}

/** What one region's clients wrote, by partition, in order. */
export class RegionWriter {
  readonly alias: Alias
  readonly written: Map<number, string[]> = new Map()
  readonly #topic: string
  readonly #producers: { readonly [kind in 'plain' | 'idempotent' | 'transactional']: Producer }
  #count = 0

  constructor(regions: TwoRegions, alias: Alias, topic: string) {
    this.alias = alias
    this.#topic = topic
    const kafka = regions.kafka[alias]
    this.#producers = {
      plain: kafka.producer(),
      idempotent: kafka.producer({ idempotent: true, maxInFlightRequests: 1 }),
      transactional: kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        transactionalId: `${topic}-${alias}`,
      }),
    }
  }

  async connect(): Promise<void> {
    for (const producer of Object.values(this.#producers)) await producer.connect()
  }

  async disconnect(): Promise<void> {
    for (const producer of Object.values(this.#producers)) await producer.disconnect()
  }

  /** A batch of each kind to a partition: plain, idempotent, in a transaction, in one that is given up. */
  async round(partition: number): Promise<void> {
    const { plain, idempotent, transactional } = this.#producers
    await plain.send(this.#batch(partition, 3, true))
    await idempotent.send(this.#batch(partition, 4, true))
    for (const isCommitted of [true, false]) {
      const transaction = await transactional.transaction()
      await transaction.send(this.#batch(partition, 2, isCommitted))
      await (isCommitted ? transaction.commit() : transaction.abort())
    }
  }

  /** One batch by the idempotent producer, all records of one time. */
  async write(
    partition: number,
    timestampMs: number,
    records: Readonly<Record<string, string>>,
  ): Promise<void> {
    const timestamp = String(timestampMs)
    const messages = Object.entries(records).map(([key, value]) => ({ partition, key, value, timestamp }))
    await this.#producers.idempotent.send({ topic: this.#topic, acks: -1, messages })
  }

  #batch(partition: number, count: number, isCommitted: boolean) {
    const messages = Array.from({ length: count }, () => {
      const value = `${this.alias} ${this.#count++}`
      if (isCommitted) this.written.set(partition, [...(this.written.get(partition) ?? []), value])
      return { partition, key: `key ${this.#count % 5}`, value, headers: { by: this.alias } }
    })
    return { topic: this.#topic, acks: -1, messages }
  }
}
