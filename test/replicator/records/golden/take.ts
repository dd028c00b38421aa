/**
 * Takes the golden record batches again from a real broker: `node take.ts BOOTSTRAP` (one plain broker, as
 * `127.0.0.1:9092`; with `log.cleaner.backoff.ms` of less than a second it is done at once).
 * Compression is the broker's own (`compression.type` of the topic), so its bytes are those of Java's codecs.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type ITopicConfig, Kafka, logLevel, type Message, type Producer } from 'kafkajs'
import { createTopics } from '../../../integration/create-topics.ts'
import { everyShape, type GoldenRecord, overwritten, severalBlocks } from './contents.ts'
import { fetchRaw, type RawPartition } from './raw-fetch.ts'

const bootstrap = process.argv[2]
if (bootstrap === undefined) throw new Error('usage: node take.ts BOOTSTRAP')
const kafka = new Kafka({ clientId: 'golden', brokers: [bootstrap], logLevel: logLevel.NOTHING })
const run = `golden-${Date.now()}`
const admin = kafka.admin()
const plain = kafka.producer()
const idempotent = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })

const message = ({ key, value, headers, timestamp }: GoldenRecord): Message => {
  const byName: Record<string, string[]> = {}
  for (const [name, content] of headers) byName[name] = [...(byName[name] ?? []), content]
  return { key, value, headers: byName, timestamp: String(timestamp) }
}

const topicOf = async (name: string, configs: Record<string, string>): Promise<string> => {
  const topic: ITopicConfig = {
    topic: `${run}-${name}`,
    numPartitions: 1,
    replicationFactor: 1,
    configEntries: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }
  await createTopics(admin, [topic])
  return topic.topic
}

const send = (producer: Pick<Producer, 'send'>, topic: string, records: readonly GoldenRecord[]) =>
  producer.send({ topic, messages: records.map(message), acks: -1 })

const keep = (name: string, { records }: RawPartition): void => {
  writeFileSync(new URL(`${name}.bin`, import.meta.url), records)
}

const takeCodecs = async (): Promise<void> => {
  for (const codec of ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd']) {
    const topic = await topicOf(codec, { 'compression.type': codec })
    await send(codec === 'uncompressed' ? plain : idempotent, topic, everyShape)
    keep(codec, await fetchRaw(bootstrap, topic))
    if (codec === 'uncompressed') continue
    const large = await topicOf(`${codec}-large`, { 'compression.type': codec })
    await send(plain, large, severalBlocks)
    keep(`${codec}-large`, await fetchRaw(bootstrap, large))
  }
  const appendTime = await topicOf('log-append-time', { 'message.timestamp.type': 'LogAppendTime' })
  await send(plain, appendTime, everyShape)
  keep('log-append-time', await fetchRaw(bootstrap, appendTime))
}

/** Two producers in one partition, interleaved: first commits, second aborts, a plain record, second commits. */
const takeTransactions = async (): Promise<void> => {
  // A Fetch answers from one segment, and markers of today beside records of 2023 would roll it.
  const topic = await topicOf('transactions', { 'segment.ms': '9000000000000000' })
  const producers = ['first', 'second'].map((id) =>
    kafka.producer({ transactionalId: `${run}-${id}`, idempotent: true, maxInFlightRequests: 1 }),
  )
  await Promise.all(producers.map((producer) => producer.connect()))
  const first = await producers[0]!.transaction()
  const second = await producers[1]!.transaction()
  await send(first, topic, everyShape.slice(0, 2))
  await send(second, topic, everyShape.slice(2, 4))
  await first.commit()
  await second.abort()
  await send(plain, topic, everyShape.slice(4))
  const third = await producers[1]!.transaction()
  await send(third, topic, everyShape.slice(0, 1))
  await third.commit()
  await Promise.all(producers.map((producer) => producer.disconnect()))
  const deadline = Date.now() + 20_000
  let taken = await fetchRaw(bootstrap, topic, { isolation: 1 })
  while (taken.highWatermark < 9n && Date.now() < deadline) {
    await pause(100)
    taken = await fetchRaw(bootstrap, topic, { isolation: 1 })
  }
  keep('transactions', taken)
  const aborted = taken.aborted.map((entry) => [String(entry.producerId), String(entry.firstOffset)])
  writeFileSync(new URL('transactions-aborted.json', import.meta.url), `${JSON.stringify(aborted)}\n`)
}

/** Gaps in the middle, a delete horizon, and a batch that its producer's state keeps alive without records. */
const takeCompacted = async (): Promise<void> => {
  const topic = await topicOf('compacted', {
    'cleanup.policy': 'compact',
    'segment.ms': '300',
    'min.cleanable.dirty.ratio': '0.001',
    'compression.type': 'lz4',
  })
  const producers = overwritten.map(() => kafka.producer({ idempotent: true, maxInFlightRequests: 1 }))
  for (const [i, producer] of producers.entries()) {
    await producer.connect()
    await send(producer, topic, overwritten[i]!)
    await producer.disconnect()
  }
  const before = (await fetchRaw(bootstrap, topic)).records.length
  const deadline = Date.now() + 90_000
  for (;;) {
    await pause(700)
    await send(plain, topic, [{ ...everyShape[0]!, key: 'roll', timestamp: BigInt(Date.now()) }])
    const taken = await fetchRaw(bootstrap, topic)
    const firstBatch = 12 + taken.records.readInt32BE(8)
    if (taken.records.readInt32BE(57) < taken.records.readInt32BE(23) + 1) {
      const second = firstBatch + 12 + taken.records.readInt32BE(firstBatch + 8)
      const third = second + 12 + taken.records.readInt32BE(second + 8)
      return keep('compacted', { ...taken, records: taken.records.subarray(0, third) })
    }
    if (Date.now() > deadline) throw new Error(`the cleaner did nothing; ${before} bytes are still there`)
  }
}

await Promise.all([admin.connect(), plain.connect(), idempotent.connect()])
await takeCodecs()
await takeTransactions()
await takeCompacted()
await Promise.all([admin.disconnect(), plain.disconnect(), idempotent.disconnect()])
