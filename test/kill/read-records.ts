import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs'

/** How long partitions may deliver nothing before their end. */
const silenceMsMax = 30_000

export interface ReadRecord {
  readonly offset: bigint
  readonly fingerprint: string
}

/** As {@link readRecords}, without offsets. */
export async function readFingerprints(
  client: Kafka,
  topics: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const read = await readRecords(client, topics)
  return new Map([...read].map(([place, records]) => [place, records.map((record) => record.fingerprint)]))
}

/**
 * Reads whole topics with a kafkajs consumer, committed records only, and gives each record's offset and fingerprint,
 * by `topic/partition`, in the order of the log.
 * @throws Error when a partition stays silent before the end it had at the start
 */
export async function readRecords(
  client: Kafka,
  topics: readonly string[],
): Promise<ReadonlyMap<string, readonly ReadRecord[]>> {
  const admin = client.admin()
  await admin.connect()
  const groupId = `read-records-${randomUUID()}`
  const read = new Map<string, ReadRecord[]>()
  const ends = new Map<string, bigint>()
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      read.set(`${topic}/${partition}`, [])
      if (BigInt(high) > BigInt(low)) ends.set(`${topic}/${partition}`, BigInt(high))
    }
  }
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 200, retry: { retries: 10 } })
  await consumer.connect()
  try {
    await readToEnds(consumer, topics, read, ends)
  } finally {
    await consumer.disconnect()
    await admin.deleteGroups([groupId]).catch(() => {})
    await admin.disconnect()
  }
  return read
}

async function readToEnds(
  consumer: Consumer,
  topics: readonly string[],
  read: ReadonlyMap<string, ReadRecord[]>,
  ends: Map<string, bigint>,
): Promise<void> {
  let heardMs = performance.now()
  let crash: Error | undefined
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    crash = payload.error
  })
  // Batches that hold nothing but aborted records and markers are told here only.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
    heardMs = performance.now()
    const key = `${payload.topic}/${payload.partition}`
    if (BigInt(payload.lastOffset) + 1n >= (ends.get(key) ?? 0n)) ends.delete(key)
  })
  for (const topic of topics) await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    eachBatch: async ({ batch }: EachBatchPayload) => {
      const into = read.get(`${batch.topic}/${batch.partition}`)
      for (const message of batch.messages)
        into?.push({ offset: BigInt(message.offset), fingerprint: fingerprintOf(message) })
    },
  })
  while (ends.size > 0) {
    if (crash !== undefined) throw crash
    if (performance.now() - heardMs > silenceMsMax) {
      throw new Error(`kafkajs reads nothing more of ${[...ends.keys()].join(', ')}`)
    }
    await delay(20)
  }
}

/** Key, value, headers and timestamp. */
function fingerprintOf({ key, value, headers, timestamp }: KafkaMessage): string {
  const hash = createHash('sha1')
  const add = (bytes: Buffer | string | null | undefined) => {
    const buffer = bytes === null || bytes === undefined ? undefined : Buffer.from(bytes)
    hash.update(`${buffer?.length ?? 'null'}:`)
    if (buffer !== undefined) hash.update(buffer)
  }
  hash.update(timestamp)
  add(key)
  add(value)
  for (const [name, values] of Object.entries(headers ?? {})) {
    for (const each of [values].flat()) {
      add(name)
      add(each)
    }
  }
  return hash.digest('base64url')
}
