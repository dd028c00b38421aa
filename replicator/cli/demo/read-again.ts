import { createHash, type Hash, randomUUID } from 'node:crypto'
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs'
import type { Clock } from '../../clock/clock.ts'

/** What a client found in a partition. */
export interface ReadPartition {
  readonly topic: string
  readonly partition: number
  readonly records: number
  /** SHA-256 over key, value, headers and timestamp of all records, in order. */
  readonly digest: string
}

export interface ReadOptions {
  readonly client: Kafka
  readonly topics: readonly string[]
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** How long a partition may deliver nothing before its end. */
const silenceMsMax = 20_000

/**
 * Reads whole topics with a kafkajs consumer, as an application does: committed records only, up to the end that the
 * partitions have now. Topics that are not there are left out; partitions come in order.
 * @throws Error when a partition stays silent before its end
 */
export async function readThroughKafkajs(options: ReadOptions): Promise<readonly ReadPartition[]> {
  const { client, topics } = options
  const admin = client.admin()
  await admin.connect()
  const groupId = `causeway-demo-${randomUUID()}`
  try {
    const present = new Set(await admin.listTopics())
    const readable = topics.filter((topic) => present.has(topic))
    const partitions = new Map<string, PartitionTally>()
    for (const topic of readable) {
      const offsets = await admin.fetchTopicOffsets(topic)
      for (const { partition, low, high } of offsets.toSorted((a, b) => a.partition - b.partition)) {
        const left = BigInt(high) > BigInt(low) ? BigInt(high) : 0n
        partitions.set(`${topic}/${partition}`, new PartitionTally(topic, partition, left))
      }
    }
    const consumer = client.consumer({ groupId, maxWaitTimeInMs: 200, retry: { retries: 3 } })
    await consumer.connect()
    try {
      await readToEnd(consumer, readable, partitions, options)
    } finally {
      await consumer.disconnect()
      await admin.deleteGroups([groupId]).catch(() => {})
    }
    return [...partitions.values()].map((tally) => tally.result())
  } finally {
    await admin.disconnect()
  }
}

async function readToEnd(
  consumer: Consumer,
  topics: readonly string[],
  partitions: ReadonlyMap<string, PartitionTally>,
  { clock, signal }: ReadOptions,
): Promise<void> {
  const tallyOf = (topic: string, partition: number) => partitions.get(`${topic}/${partition}`)
  const unfinished = () => [...partitions.values()].filter((tally) => !tally.finished)
  let heardMs = clock.monotonicMs()
  let crash: Error | undefined
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    crash = payload.error
  })
  // Batches that hold nothing but aborted records and markers are told here only.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    heardMs = clock.monotonicMs()
    tallyOf(payload.topic, payload.partition)?.reach(BigInt(payload.lastOffset) + 1n)
  })
  for (const topic of topics) await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch }: EachBatchPayload) =>
      tallyOf(batch.topic, batch.partition)?.add(batch.messages),
  })
  while (unfinished().length > 0) {
    const [first] = unfinished()
    if (crash !== undefined) throw crash
    if (clock.monotonicMs() - heardMs > silenceMsMax) {
      throw new Error(`kafkajs reads nothing more of ${first?.topic} partition ${first?.partition}`)
    }
    await clock.sleep(20, signal)
  }
}

class PartitionTally {
  readonly topic: string
  readonly partition: number
  readonly #end: bigint
  readonly #digest: Hash = createHash('sha256')
  #records = 0
  #next = 0n

  /** @param end the offset after the last one to read; 0 when there is nothing */
  constructor(topic: string, partition: number, end: bigint) {
    this.topic = topic
    this.partition = partition
    this.#end = end
  }

  get finished(): boolean {
    return this.#next >= this.#end
  }

  add(messages: readonly KafkaMessage[]): void {
    for (const message of messages) this.#digest.update(textOf(message))
    this.#records += messages.length
  }

  reach(offset: bigint): void {
    if (offset > this.#next) this.#next = offset
  }

  result(): ReadPartition {
    const { topic, partition } = this
    return { topic, partition, records: this.#records, digest: this.#digest.copy().digest('hex') }
  }
}

function textOf({ key, value, headers, timestamp }: KafkaMessage): string {
  const text = (bytes: Buffer | string | null | undefined) =>
    bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('base64')
  const pairs = Object.entries(headers ?? {}).map(([name, values]) => [
    name,
    ...(Array.isArray(values) ? values : [values]).map(text),
  ])
  return JSON.stringify([timestamp, text(key), text(value), pairs])
}
