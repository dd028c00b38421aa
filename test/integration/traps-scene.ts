import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as wire from '@platformatic/kafka'
import type { Admin, Kafka, Producer } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { TopicLog } from '../../replicator/kafka/topic-log.ts'
import { decodeProgress, decodeProgressKey, type Progress } from '../../replicator/shards/progress-record.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { internalTopics, transactionalId } from '../../replicator/topology/internal-names.ts'
import { compareTopics } from '../../replicator/verify/compare-topics.ts'
import type { VerifyReport } from '../../replicator/verify/report.ts'
import { type ReadRecord, readFingerprints, readRecords } from '../kill/read-records.ts'
import { compareSequences } from '../kill/sequence-check.ts'
import { createTopics } from './create-topics.ts'
import { type DumpedBatch, dumpLog } from './log-dump.ts'
import { type LogEntry, ReplicateProcess, until } from './replicate-process.ts'

const usEast = regionAlias('us-east')
const euWest = regionAlias('eu-west')

export interface SceneOptions {
  readonly source: readonly string[]
  readonly target: readonly string[]
  /** How replicators reach the target, if not as the test does. */
  readonly targetForReplicator?: object
  readonly partitions?: number
  readonly shards?: number
  /** Of the source topic. */
  readonly configs?: Readonly<Record<string, string>>
  /** Topics are created by the test itself. */
  readonly createsTopics?: boolean
  /** Of `causeway`. Default: this tree's. */
  readonly command?: string
  /** How the test itself reaches the target, where that is secured. */
  readonly targetSettings?: Parameters<typeof createKafkaCluster>[0]['settings']
}

/** One topic copied by `causeway replicate` processes under a topology of its own, and clients that look at both sides. */
export class TrapScene {
  readonly name = `trap-${randomUUID().slice(0, 8)}`
  readonly topic = `topic-${this.name}`
  partitions: number
  readonly source: Cluster
  readonly target: Cluster
  readonly admins: { readonly source: Admin; readonly target: Admin }
  readonly #options: SceneOptions
  readonly #kafka: { readonly source: Kafka; readonly target: Kafka }
  #producer: Producer
  readonly #processes: ReplicateProcess[] = []
  #folder = ''
  #values = 0

  private constructor(options: SceneOptions) {
    this.#options = options
    this.partitions = options.partitions ?? 1
    this.source = connect(usEast, { bootstrap: options.source, clientId: 'trap' })
    this.target = connect(euWest, options.targetSettings ?? { bootstrap: options.target, clientId: 'trap' })
    this.#kafka = {
      source: kafkajsClient('trap', options.source),
      target: kafkajsClient('trap', options.target),
    }
    this.admins = { source: this.#kafka.source.admin(), target: this.#kafka.target.admin() }
    this.#producer = this.#newProducer()
  }

  static async open(options: SceneOptions): Promise<TrapScene> {
    const scene = new TrapScene(options)
    scene.#folder = await mkdtemp(join(tmpdir(), 'causeway-trap-'))
    await Promise.all([scene.admins.source.connect(), scene.#producer.connect()])
    if (options.createsTopics === true) return scene
    await createTopics(scene.admins.source, [
      {
        topic: scene.topic,
        numPartitions: scene.partitions,
        configEntries: Object.entries(options.configs ?? {}).map(([name, value]) => ({ name, value })),
      },
    ])
    return scene
  }

  get progressTopic(): string {
    return internalTopics(this).progress
  }

  transactionalId(shard: number): string {
    return transactionalId(this, { source: usEast, target: euWest }, shard)
  }

  /**
   * Starts a replicator; `changes` replaces parts of its configuration. It takes the place of the one before at once,
   * unless it is given another `replicas.instanceId`.
   */
  async start(
    changes: { readonly shards?: number; readonly [key: string]: unknown } = {},
  ): Promise<ReplicateProcess> {
    const { shards = this.#options.shards ?? 1, ...others } = changes
    const { source, target, targetForReplicator, command } = this.#options
    const folder = await mkdtemp(join(this.#folder, 'run-'))
    const config = {
      name: this.name,
      pattern: 'active-passive',
      regions: {
        [usEast]: { role: 'active', bootstrap: [...source] },
        [euWest]: { role: 'passive', bootstrap: [...target], ...targetForReplicator },
      },
      topics: [{ name: this.topic }],
      replication: { shards, replicationFactor: 'broker-default' },
      replicas: { instanceId: 'one', sessionTimeout },
      ...others,
    }
    const started = await ReplicateProcess.start(folder, config, command === undefined ? {} : { command })
    this.#processes.push(started)
    return started
  }

  /** Gives the source topic more partitions. */
  async grow(partitions: number): Promise<void> {
    await this.admins.source.createPartitions({ topicPartitions: [{ topic: this.topic, count: partitions }] })
    this.partitions = partitions
    // A kafkajs producer keeps the partitions it knows, and drops what is meant for others without a word.
    await this.#producer.disconnect()
    this.#producer = this.#newProducer()
    await this.#producer.connect()
  }

  #newProducer(): Producer {
    return this.#kafka.source.producer({ maxInFlightRequests: 1, retry: { retries: 30 } })
  }

  /** Writes so many records to one partition of the source in one batch; each value is another. */
  async produce(
    count: number,
    {
      partition = 0,
      timestampMs,
      keys,
    }: { partition?: number; timestampMs?: number; keys?: readonly string[] } = {},
  ): Promise<void> {
    const messages = Array.from({ length: count }, (_, i) => ({
      partition,
      key: keys?.[i % keys.length] ?? `key ${i}`,
      value: `value ${this.#values++}`,
      headers: { n: String(i) },
      ...(timestampMs === undefined ? {} : { timestamp: String(timestampMs) }),
    }))
    await this.#producer.send({ topic: this.topic, messages, acks: -1 })
  }

  /** Writes so many records to partition 0 in a transaction of its own, in two batches. */
  async produceInTransaction(count: number, end: 'commit' | 'abort'): Promise<void> {
    const producer = this.#kafka.source.producer({
      transactionalId: `writer-${this.name}`,
      maxInFlightRequests: 1,
      idempotent: true,
    })
    await producer.connect()
    const transaction = await producer.transaction()
    for (const size of [Math.ceil(count / 2), Math.floor(count / 2)]) {
      const messages = Array.from({ length: size }, () => ({
        partition: 0,
        value: `value ${this.#values++}`,
      }))
      await transaction.send({ topic: this.topic, messages })
    }
    await transaction[end]()
    await producer.disconnect()
  }

  /** Records exactly as given, one batch. */
  async produceRecords(
    records: readonly { readonly key: string; readonly value: string; readonly timestampMs?: number }[],
  ): Promise<void> {
    const messages = records.map(({ key, value, timestampMs }) => ({
      key,
      value,
      partition: 0,
      ...(timestampMs === undefined ? {} : { timestamp: String(timestampMs) }),
    }))
    await this.#producer.send({ topic: this.topic, messages, acks: -1 })
  }

  /** Writes to all partitions in turn until it is stopped. */
  load(): { stop(): Promise<void> } {
    let isStopped = false
    const work = async () => {
      for (let round = 0; !isStopped; round++) {
        await this.produce(10, { partition: round % this.partitions })
        await delay(5)
      }
    }
    const working = work()
    working.catch(() => {})
    return {
      stop: () => {
        isStopped = true
        return working
      },
    }
  }

  async compare(): Promise<VerifyReport> {
    const { source, target, topic } = this
    const partitions = Array.from({ length: this.partitions }, (_, partition) => partition)
    const pairs = [{ sourceTopic: topic, targetTopic: topic, partitions }]
    const signal = AbortSignal.timeout(60_000)
    return compareTopics({ source, target, pairs, clock: systemClock, random: systemRandom, signal })
  }

  /** Committed records at the target; 0 while it has no such topic. */
  async arrivedRecords(): Promise<number> {
    const report = await this.compare().catch(() => undefined)
    return report?.records.target ?? 0
  }

  async arrived(count: number): Promise<void> {
    await until(
      `${count} records at the target`,
      async () => (await this.arrivedRecords()) >= count || undefined,
      () => this.words(),
    )
  }

  /** Waits until nothing is missing, then compares record by record, with verify and with kafkajs. */
  async exact(): Promise<void> {
    let last = ''
    await until(
      'a whole copy',
      async () => {
        const report = await this.compare().catch((error: unknown) => String(error))
        last = JSON.stringify(report)
        if (typeof report === 'string') return undefined
        return (
          report.partitions.every(
            ({ verdict, differences }) => verdict !== 'unreadable' && differences.missing === 0,
          ) || undefined
        )
      },
      () => `${last}\n${this.words()}`,
    )
    const [from, to] = await Promise.all([this.fingerprints('source'), this.fingerprints('target')])
    for (const [place, records] of from) {
      const difference = compareSequences(records, to.get(place) ?? [])
      assert.deepEqual(
        difference,
        { lost: 0, duplicated: 0, foreign: 0, reordered: 0, firstAt: undefined },
        `${place}: ${JSON.stringify(difference)}\n${this.words()}`,
      )
    }
    assert((await this.compare()).identical, 'verify agrees')
  }

  /** By `topic/partition`, as a kafkajs consumer reads them. */
  fingerprints(side: 'source' | 'target'): Promise<ReadonlyMap<string, readonly string[]>> {
    return readFingerprints(this.#kafka[side], [this.topic])
  }

  /** By `topic/partition`, with their offsets, as a kafkajs consumer reads them. */
  records(side: 'source' | 'target'): Promise<ReadonlyMap<string, readonly ReadRecord[]>> {
    return readRecords(this.#kafka[side], [this.topic])
  }

  dump(partition = 0): Promise<readonly DumpedBatch[]> {
    return dumpLog(this.target, { topic: this.topic, partition })
  }

  /** The latest progress of a partition, whichever shard has it. */
  async progress(partition = 0): Promise<Progress | undefined> {
    const records = await this.progressRecords()
    const latest = records.findLast(({ key }) => decodeProgressKey(key)?.partition === partition)
    return latest && decodeProgress(latest.value)
  }

  /** What stands in the progress topic, by partition of it: the last record of each key that was not deleted. */
  async progressRecords(): Promise<readonly ProgressTopicRecord[]> {
    const topic = this.progressTopic
    const log = new TopicLog({
      cluster: this.target,
      topic,
      clock: systemClock,
      random: systemRandom,
      backoff: defaultBackoff,
    })
    const signal = AbortSignal.timeout(20_000)
    const latest = new Map<string, ProgressTopicRecord>()
    try {
      const lookup = (await this.target.describeTopics([topic], signal)).get(topic)
      if (lookup?.kind !== 'found') return []
      for (const { partition: shard } of lookup.topic.partitions) {
        await log.read(
          shard,
          ({ key, value }) => {
            if (key === null || decodeProgressKey(key)?.topic !== this.topic) return
            const name = `${shard} ${key.toString()}`
            latest.delete(name)
            if (value !== null) latest.set(name, { shard, key, value })
          },
          signal,
        )
      }
    } finally {
      await log.close()
    }
    return [...latest.values()]
  }

  /** Writes progress records as they once were, as if they had never been deleted. */
  async restoreProgress(records: readonly ProgressTopicRecord[]): Promise<void> {
    const producer = this.#kafka.target.producer()
    await producer.connect()
    const messages = records.map(({ shard: partition, key, value }) => ({ partition, key, value }))
    await producer.send({ topic: this.progressTopic, messages, acks: -1 })
    await producer.disconnect()
  }

  /** What the coordinator knows of a transactional id; `undefined` once it has expired. One-broker targets only. */
  async transaction(id: string): Promise<{ readonly producerId: bigint } | undefined> {
    const [host = '', port = ''] = (this.#options.target[0] ?? '').split(':')
    const connection = new wire.Connection('trap', {})
    await connection.connect(host, Number(port))
    try {
      const answer = await wire.describeTransactionsV0.api.async(connection, [id]).catch((error: unknown) => {
        const { response } = error as { response?: { transactionStates: { errorCode: number }[] } }
        if (response?.transactionStates[0]?.errorCode === transactionalIdNotFound) return undefined
        throw error
      })
      return answer?.transactionStates[0]
    } finally {
      await connection.close()
    }
  }

  /** The first log line of this event, of any replicator. */
  logged(event: string): LogEntry | undefined {
    return this.#processes.flatMap(({ log }) => log).find((entry) => entry.event === event)
  }

  /** What the replicators have said last. */
  words(): string {
    return this.#processes
      .map(({ text }, index) => `replicator ${index + 1}:\n${text.slice(-3000)}`)
      .join('\n')
  }

  async close(): Promise<void> {
    for (const each of this.#processes) {
      each.child.kill('SIGCONT')
      await each.kill()
    }
    await Promise.all([this.#producer.disconnect(), this.admins.source.disconnect()])
    await this.admins.target.disconnect()
    await Promise.all([this.source.close(), this.target.close()])
    await rm(this.#folder, { recursive: true, force: true })
  }
}

export interface ProgressTopicRecord {
  /** The progress topic's partition. */
  readonly shard: number
  readonly key: Buffer
  readonly value: Buffer
}

const transactionalIdNotFound = 105
/** The shortest that brokers allow by default (`group.min.session.timeout.ms`). */
const sessionTimeout = '6s'

/** For a replicator that runs beside another. */
export const besides = (instanceId: string) => ({ replicas: { instanceId, sessionTimeout } })

function connect(
  alias: typeof usEast,
  settings: Parameters<typeof createKafkaCluster>[0]['settings'],
): Cluster {
  return createKafkaCluster({ alias, settings, clock: systemClock, random: systemRandom })
}

/**
 * Produces a burst and kills the replicator (-9) between its acknowledgement and the next progress record, which is
 * written about once a second; tries until it hits.
 */
export async function killBeforeProgress(
  scene: TrapScene,
  running: ReplicateProcess,
  burst: () => Promise<void>,
): Promise<void> {
  for (let present = running, tries = 1; ; tries++) {
    const before = await highWatermark(scene)
    await burst()
    await until(
      'the burst at the target',
      async () => (await highWatermark(scene)) > before || undefined,
      () => scene.words(),
    )
    await present.kill()
    const [end] = await scene.source.listOffsets([{ topic: scene.topic, partition: 0, at: 'latest' }])
    assert(end?.result.ok)
    const progress = await scene.progress()
    if (progress !== undefined && progress.sourceNext < end.result.value.offset) return
    assert(tries < 10, 'progress was faster ten times')
    present = await scene.start()
    await scene.exact()
  }
}

async function highWatermark({ target, topic }: TrapScene): Promise<bigint> {
  const [answer] = await target.listOffsets([{ topic, partition: 0, at: 'latest' }])
  assert(answer?.result.ok)
  return answer.result.value.offset
}
