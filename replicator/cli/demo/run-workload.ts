import kafkajs, { type Admin, type Kafka, type Producer } from 'kafkajs'
import type { Clock } from '../../clock/clock.ts'
import type { Random } from '../../clock/random.ts'
import { createTopics } from './create-topics.ts'
import { compressionTypes } from './kafkajs-client.ts'
import { type DemoRecord, demoRecord } from './orders.ts'
import { isAborted, type PlannedTopic, pieceOf, type WorkloadPlan } from './workload-plan.ts'

/** What was written so far; the brokers have acknowledged it. */
export interface WorkloadTally {
  /** By topic: records written, and how many of them in transactions that were aborted. */
  readonly topics: ReadonlyMap<string, { written: number; aborted: number }>
  readonly written: number
  readonly aborted: number
  readonly transactions: { readonly committed: number; readonly aborted: number }
}

export interface WorkloadOptions {
  readonly client: Kafka
  readonly plan: WorkloadPlan
  readonly clock: Clock
  readonly random: Random
  /** A topic that was not there at the start is about to be created. */
  readonly onTopicCreating: (topic: string) => void
}

/** An order workload that can be watched while it runs. */
export interface Workload {
  readonly tally: () => WorkloadTally
  /** @throws the signal's reason, or kafkajs's error; nothing is written after that */
  run(signal: AbortSignal): Promise<void>
}

/** Pieces in which a topic's records are sent, so that batches are of a size worth compressing. */
const piecesPerTopic = 100
const pieceRecordsMax = 2_000

/** Creates the topics that are there from the start. */
export async function createFirstTopics(
  client: Kafka,
  plan: WorkloadPlan,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const first = plan.topics.filter(({ appearsAt }) => appearsAt === 0)
  await withAdmin(client, (admin) => create(admin, first, clock, signal))
}

/** Prepares the workload: each topic has a producer of its own, the transactional ones share one. */
export function orderWorkload(options: WorkloadOptions): Workload {
  const { plan } = options
  const counts = new Map(plan.topics.map(({ name }) => [name, { written: 0, aborted: 0 }]))
  const transactions = { committed: 0, aborted: 0 }
  const count: Count = (topic, records, aborted) => {
    const counted = counts.get(topic)
    if (counted === undefined) throw new Error(`${topic} is not a topic of the workload`)
    counted.written += records
    if (aborted) counted.aborted += records
  }
  const sum = (what: 'written' | 'aborted') =>
    [...counts.values()].reduce((total, its) => total + its[what], 0)
  return {
    tally: () => ({ topics: counts, written: sum('written'), aborted: sum('aborted'), transactions }),
    async run(outer) {
      const startMs = options.clock.monotonicMs()
      const stop = new AbortController()
      const signal = AbortSignal.any([outer, stop.signal])
      // Paced against the start, not from piece to piece, so that a slow machine catches up.
      const pace: Pace = async (part) => {
        const waitMs = startMs + plan.durationMs * part - options.clock.monotonicMs()
        signal.throwIfAborted()
        if (waitMs > 0) await options.clock.sleep(waitMs, signal)
      }
      const plain = plan.topics.filter(({ transactional }) => !transactional)
      const lanes = [
        ...plain.map((topic) => writeTopic(topic, { ...options, signal }, pace, count)),
        writeTransactions(options, pace, count, transactions),
      ]
      // One that fails stops the others, and all are waited for: nothing is written once this has returned.
      for (const lane of lanes) lane.catch((error: unknown) => stop.abort(error))
      await Promise.allSettled(lanes)
      signal.throwIfAborted()
    },
  }
}

type Count = (topic: string, records: number, aborted: boolean) => void
/** Waits until this part of the workload, from 0 to 1, is due. */
type Pace = (part: number) => Promise<void>

async function writeTopic(
  topic: PlannedTopic,
  options: WorkloadOptions & { readonly signal: AbortSignal },
  pace: Pace,
  count: Count,
): Promise<void> {
  const { client, random, clock, signal, onTopicCreating } = options
  const { name, appearsAt, records } = topic
  const pieces = Math.max(piecesPerTopic, Math.ceil(records / pieceRecordsMax))
  await withProducer(client.producer(producerSettings), async (producer) => {
    await pace(appearsAt)
    if (appearsAt > 0) {
      onTopicCreating(name)
      await withAdmin(client, (admin) => create(admin, [topic], clock, signal))
    }
    for (let piece = 0; piece < pieces; piece++) {
      await pace(appearsAt + ((1 - appearsAt) * piece) / pieces)
      const messages = recordsOf(topic, pieceOf(records, pieces, piece), random)
      if (messages.length === 0) continue
      await producer.send({ topic: name, compression: compressionTypes[topic.compression], messages })
      count(name, messages.length, false)
    }
  })
}

async function writeTransactions(
  { client, plan, random }: WorkloadOptions,
  pace: Pace,
  count: Count,
  transactions: { committed: number; aborted: number },
): Promise<void> {
  const topics = plan.topics.filter(({ transactional }) => transactional)
  const settings = { ...producerSettings, transactionalId: 'causeway-demo-payments' }
  await withProducer(client.producer(settings), async (producer) => {
    for (let number = 0; number < plan.transactions; number++) {
      await pace(number / plan.transactions)
      const parts = topics.map((topic) => ({
        topic: topic.name,
        messages: recordsOf(topic, pieceOf(topic.records, plan.transactions, number), random),
      }))
      const transaction = await producer.transaction()
      await transaction.sendBatch({ topicMessages: parts })
      const aborted = isAborted(number)
      if (aborted) await transaction.abort()
      else await transaction.commit()
      transactions[aborted ? 'aborted' : 'committed']++
      for (const { topic, messages } of parts) count(topic, messages.length, aborted)
    }
  })
}

// Idempotent, so that what was counted is what is there even if a request had to be repeated.
const producerSettings = {
  idempotent: true,
  maxInFlightRequests: 1,
  createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
}

function recordsOf(
  topic: PlannedTopic,
  { from, until }: { from: number; until: number },
  random: Random,
): DemoRecord[] {
  return Array.from({ length: until - from }, (_, index) => demoRecord(topic.name, from + index, random))
}

async function withProducer(producer: Producer, work: (producer: Producer) => Promise<void>): Promise<void> {
  await producer.connect()
  try {
    await work(producer)
  } finally {
    await producer.disconnect()
  }
}

async function withAdmin(client: Kafka, work: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = client.admin()
  await admin.connect()
  try {
    await work(admin)
  } finally {
    await admin.disconnect()
  }
}

function create(
  admin: Admin,
  topics: readonly PlannedTopic[],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const wanted = topics.map(({ name, partitions, configs }) => ({
    topic: name,
    numPartitions: partitions,
    configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }))
  return createTopics(admin, wanted, clock, signal)
}
