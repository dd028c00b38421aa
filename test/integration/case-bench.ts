import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { CompressionTypes, type Kafka, type Message, type Producer, type Transaction } from 'kafkajs'
import type { RunningFlow } from '../../replicator/flow/flow.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { type Connection, FlowPair, type PairOptions, until } from './flow-pair.ts'
import {
  type Ends,
  kafkajsWithCodecs,
  readWithJava,
  readWithKafkajs,
  type SeenRecord,
  topicHeader,
} from './independent-readers.ts'
import { bodyOf, dataBatches, endOfRecords, isGapped, type StoredBatch } from './stored-batches.ts'

/** What a test produces; the header that names the topic is added. */
export interface CaseRecord extends Omit<Message, 'partition' | 'timestamp'> {
  readonly timestampMs?: number
}

export interface CaseOptions {
  readonly partitions?: number
  readonly source?: Readonly<Record<string, string>>
  /** Without it the flow creates the copy. */
  readonly target?: Readonly<Record<string, string>>
  readonly targetPartitions?: number
  readonly pair?: Partial<PairOptions>
}

/** A source topic, its copy, and the flow between them. */
export interface CaseTopic {
  readonly name: string
  readonly copy: string
  readonly partitions: number
  readonly pair: FlowPair
}

const codecTypes = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const

/**
 * Where the batch cases of one file are set up and judged. Every copy is read with kafkajs and compared with what
 * kafkajs reads from the source; at the end the Java console consumer reads all copies of the file at once.
 */
export class CaseBench {
  readonly source: Kafka
  readonly target: Kafka
  readonly #clusters: { readonly source: Connection; readonly target: Connection }
  readonly #run = randomUUID().slice(0, 8)
  readonly #copies = new Map<string, readonly SeenRecord[]>()
  readonly #readings = new Map<string, readonly SeenRecord[]>()
  readonly #ends: (() => Promise<unknown>)[] = []
  #producer: Producer | undefined

  constructor(clusters: { readonly source: Connection; readonly target: Connection }) {
    this.#clusters = clusters
    this.source = kafkajsWithCodecs(clusters.source.bootstrap)
    this.target = kafkajsWithCodecs(clusters.target.bootstrap)
  }

  async case(kind: string, options: CaseOptions = {}): Promise<CaseTopic> {
    const name = `case-${kind}-${this.#run}`
    const copy = `us-east.${name}`
    const partitions = options.partitions ?? 1
    const pair = new FlowPair({ ...this.#clusters, topics: [{ kind: 'name', name }], ...options.pair })
    this.#ends.push(() => pair.close())
    await this.create(pair.source, name, partitions, options.source)
    if (options.target !== undefined) {
      await this.create(pair.target, copy, options.targetPartitions ?? partitions, options.target)
    }
    return { name, copy, partitions, pair }
  }

  async create(
    cluster: Cluster,
    name: string,
    partitions: number,
    configs: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const topic = { name, partitions, replicationFactor: 1, configs: new Map(Object.entries(configs)) }
    const created = (await cluster.createTopics([topic])).get(name)
    assert(created?.ok, `${name} is created`)
    await until(`${name} has leaders`, async () => {
      const lookup = (await cluster.describeTopics([name])).get(name)
      return lookup?.kind === 'found' && lookup.topic.partitions.every(({ leader }) => leader !== undefined)
    })
  }

  /** Changes a config of the copy. */
  async configure({ pair, copy }: CaseTopic, name: string, value: string): Promise<void> {
    const change = { kind: 'set', name, value } as const
    const altered = await pair.target.alterTopicConfigs(new Map([[copy, [change]]]))
    assert(altered.get(copy)?.ok)
    await until(`${name} of ${copy} is ${value}`, async () => {
      const configs = (await pair.target.describeTopicConfigs([copy])).get(copy)
      return (
        configs?.ok === true && configs.value.some((entry) => entry.name === name && entry.value === value)
      )
    })
  }

  /** A producer that numbers its batches, as Java's does by default. */
  async idempotentProducer(transactionalId?: string): Promise<Producer> {
    const id = transactionalId === undefined ? {} : { transactionalId: `${transactionalId}-${this.#run}` }
    const producer = this.source.producer({ idempotent: true, maxInFlightRequests: 1, ...id })
    await producer.connect()
    this.#ends.push(() => producer.disconnect())
    return producer
  }

  /** Writes one batch to the source. */
  async write(
    { name }: CaseTopic,
    records: readonly CaseRecord[],
    options: {
      readonly partition?: number
      readonly codec?: keyof typeof codecTypes
      readonly by?: Producer | Transaction
    } = {},
  ): Promise<void> {
    const { partition = 0, codec = 'none' } = options
    const messages = records.map(({ timestampMs, ...record }) => ({
      ...record,
      partition,
      headers: { ...record.headers, [topicHeader]: name },
      ...(timestampMs === undefined ? {} : { timestamp: String(timestampMs) }),
    }))
    const by = options.by ?? (await this.plainProducer())
    await by.send({ topic: name, messages, compression: codecTypes[codec], acks: -1 })
  }

  async plainProducer(): Promise<Producer> {
    if (this.#producer !== undefined) return this.#producer
    const producer = this.source.producer({ retry: { retries: 10 } })
    this.#producer = producer
    await producer.connect()
    this.#ends.push(() => producer.disconnect())
    return producer
  }

  /** Copies what is there, and ends in order. */
  async replicate(topic: CaseTopic, meanwhile: (flow: RunningFlow) => Promise<void> = async () => {}) {
    const flow = topic.pair.start()
    try {
      await meanwhile(flow)
      await this.untilCopied(topic)
      await until('nothing lags', () => flow.snapshot().lagRecords === 0)
      const { reencoded } = flow.snapshot()
      await flow.drain(10_000)
      return { reencoded }
    } finally {
      await flow.destroy()
    }
  }

  /** Waits until the copy has as many records as readers see on the source. */
  async untilCopied(topic: CaseTopic): Promise<readonly SeenRecord[]> {
    const written = await this.sourceRecords(topic)
    let copied = 0
    const isThere = async () => {
      if ((await topic.pair.target.describeTopics([topic.copy])).get(topic.copy)?.kind !== 'found')
        return false
      const partitions = await everyPartition(topic, (partition) =>
        dataBatches(topic.pair.target, topic.copy, partition),
      )
      copied = partitions.flat().reduce((sum, { records }) => sum + records, 0)
      return copied >= written.length
    }
    await until(`${written.length} records of ${topic.name} are copied`, isThere).catch((error: unknown) => {
      const events = topic.pair.events.map((event) =>
        JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
      )
      throw new Error(`${copied} are there. ${events.slice(-8).join('\n')}`, { cause: error })
    })
    return written
  }

  async sourceRecords(topic: CaseTopic): Promise<readonly SeenRecord[]> {
    const known = this.#readings.get(topic.name)
    if (known !== undefined) return known
    return readWithKafkajs(
      this.source,
      topic.name,
      await endsOf(topic.pair.source, topic.name, topic.partitions),
    )
  }

  /** From now on what the Java console consumer reads here is what the source holds: `count` records. */
  async readSourceWithJava({ name }: CaseTopic, count: number): Promise<void> {
    const read = await readWithJava(this.#clusters.source.bootstrap, [name], count)
    this.#readings.set(name, read)
  }

  /** From now on these count as what the source holds, for sources that readers cannot read. */
  expect({ name }: CaseTopic, records: readonly SeenRecord[]): void {
    this.#readings.set(name, records)
  }

  /**
   * Asserts that the copy has the source's records: key, value, headers, time and order, as kafkajs reads both; and
   * lets the Java console consumer read the copy at the end.
   * @param times `stamped`: the target gives records times of its own, and they are not compared
   */
  async sameRecords(
    topic: CaseTopic,
    { times = 'kept' }: { readonly times?: 'kept' | 'stamped' } = {},
  ): Promise<readonly SeenRecord[]> {
    const written = await this.untilCopied(topic)
    assert(written.length > 0, 'there is something to compare')
    const copied = await readWithKafkajs(
      this.target,
      topic.copy,
      await endsOf(topic.pair.target, topic.copy, topic.partitions),
    )
    const compared = ({ partition, key, value, headers, timestamp }: SeenRecord) => ({
      ...{ partition, key, value, headers },
      ...(times === 'kept' ? { timestamp } : {}),
    })
    assert.deepEqual(copied.map(compared), written.map(compared))
    this.#copies.set(topic.name, copied)
    return copied
  }

  /** The last test of a file: one JVM reads every copy that was compared, and sees exactly what kafkajs saw. */
  async javaReadsTheSame(context: TestContext): Promise<void> {
    assert(this.#copies.size > 0)
    const count = [...this.#copies.values()].reduce((sum, records) => sum + records.length, 0)
    const copies = [...this.#copies.keys()].map((name) => `us-east.${name}`)
    const read = await readWithJava(this.#clusters.target.bootstrap, copies, count)
    for (const [name, expected] of this.#copies) {
      await context.test(name, () => {
        const seen = read.filter(({ topic }) => topic === name)
        assert.deepEqual(
          seen.map(({ topic: _topic, timestampType: _type, ...record }) => record),
          expected,
        )
      })
    }
  }

  async close(): Promise<void> {
    for (const end of this.#ends.reverse()) await end()
  }
}

async function endsOf(cluster: Cluster, topic: string, partitions: number): Promise<Ends> {
  const ends = new Map<number, bigint>()
  for (let partition = 0; partition < partitions; partition++) {
    ends.set(partition, await endOfRecords(cluster, topic, partition))
  }
  return ends
}

function everyPartition<Value>(topic: CaseTopic, work: (partition: number) => Promise<Value>) {
  return Promise.all(Array.from({ length: topic.partitions }, (_, partition) => work(partition)))
}

/** The records of every batch are the very bytes of the source's: nothing was decoded on the way. */
export function assertSameBodies(source: readonly StoredBatch[], target: readonly StoredBatch[]): void {
  assert.equal(target.length, source.length, 'as many batches')
  for (const [index, batch] of target.entries()) {
    assert(bodyOf(batch).equals(bodyOf(source[index]!)), `batch ${index} has the source's bytes`)
  }
}

/**
 * Every batch is whole and dense, and its producer numbers the records from 0 without a gap.
 * @param lives how often numbering began anew, under another producer id or epoch: once per start
 */
export function assertSequenced(batches: readonly StoredBatch[], lives = 1): void {
  let known = 0
  let life = ''
  let sequence = 0
  for (const batch of batches) {
    assert(batch.crcMatches && !isGapped(batch))
    const { producerId, producerEpoch, baseSequence } = batch
    assert(producerId >= 0n)
    if (life !== `${producerId}/${producerEpoch}`) {
      life = `${producerId}/${producerEpoch}`
      known++
      sequence = 0
    }
    assert.equal(baseSequence, sequence, `the batch at ${batch.baseOffset}`)
    sequence += batch.records
  }
  assert.equal(known, lives)
}

/** Records of every shape that a client can write; some are older than those before them. */
export function shapes(text: string, count = 8): readonly CaseRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: i % 4 === 3 ? null : `key ${i % 3}`,
    value:
      i % 5 === 4 ? null : Buffer.from([...Buffer.from(`${text} ${i} ß `), 0x80 + (i % 100), 0x00, 0xff]),
    headers: i % 2 === 0 ? { trace: ['one', 'two'], empty: '', größe: `${i}` } : {},
    timestampMs: Date.now() - 1000 + (i % 3),
  }))
}

/** Records of `bytes` incompressible bytes each. */
export function bulky(count: number, bytes: number): readonly CaseRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `key ${i}`,
    value: randomBytes(Math.ceil(bytes * 0.75)).toString('base64'),
  }))
}
