import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import kafkajs, { type IHeaders } from 'kafkajs'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { brokerJvmArguments } from '../../replicator/local/broker-process.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { compress, decompress } from '../../replicator/records/codec.ts'

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs

/** A record as a client of another hand sees it. Bytes are text of one character each (latin1), so that they show. */
export interface SeenRecord {
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: bigint
  readonly key: string | null
  readonly value: string | null
  /** Of one name in order; names sorted, as kafkajs does not tell how different names stand to each other. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Every record says in this header which copy it belongs to: the Java console consumer does not print topics. */
export const topicHeader = 'topic'

const decompressedBytesMax = 64 * 1024 * 1024

/** kafkajs with the codecs that it leaves to others: it frames and reads records by itself. */
export function kafkajsWithCodecs(bootstrap: readonly string[]): kafkajs.Kafka {
  for (const [type, codec] of [
    [CompressionTypes.Snappy, 'snappy'],
    [CompressionTypes.LZ4, 'lz4'],
    [CompressionTypes.ZSTD, 'zstd'],
  ] as const) {
    CompressionCodecs[type] = () => ({
      compress: async (encoder: { readonly buffer: Buffer }) => compress(codec, encoder.buffer),
      decompress: async (payload: Buffer) => decompress(codec, payload, decompressedBytesMax),
    })
  }
  return new Kafka({ brokers: [...bootstrap], clientId: 'independent', logLevel: logLevel.NOTHING })
}

const latin1 = (bytes: Buffer | string | null | undefined): string | null =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('latin1')

const byName = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0

function kafkajsHeaders(headers: IHeaders | undefined): SeenRecord['headers'] {
  const seen: [string, string][] = []
  for (const [name, content] of Object.entries(headers ?? {})) {
    for (const value of Array.isArray(content) ? content : [content]) {
      seen.push([Buffer.from(name).toString('latin1'), latin1(value) ?? ''])
    }
  }
  return seen.sort(byName)
}

/** Where each partition of a topic ends for a reader: one past the offset of its last record. */
export type Ends = ReadonlyMap<number, bigint>

/** Reads committed records with kafkajs until every partition's end. @throws AssertionError when it does not get there */
export async function readWithKafkajs(
  kafka: kafkajs.Kafka,
  topic: string,
  ends: Ends,
): Promise<readonly SeenRecord[]> {
  const open = new Set([...ends].filter(([, end]) => end > 0n).map(([partition]) => partition))
  const seen: SeenRecord[] = []
  if (open.size === 0) return seen
  const consumer = kafka.consumer({ groupId: `independent-${randomUUID()}`, maxWaitTimeInMs: 50 })
  const done = Promise.withResolvers<void>()
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        seen.push({
          partition,
          offset: BigInt(message.offset),
          timestamp: BigInt(message.timestamp),
          key: latin1(message.key),
          value: latin1(message.value),
          headers: kafkajsHeaders(message.headers),
        })
        if (BigInt(message.offset) + 1n >= (ends.get(partition) ?? 0n)) open.delete(partition)
        if (open.size === 0) done.resolve()
      },
    })
    const limit = new AbortController()
    const tooLate = systemClock.sleep(20_000, limit.signal).catch(() => {})
    await Promise.race([done.promise, tooLate])
    limit.abort()
    assert.equal(open.size, 0, `kafkajs read only ${seen.length} records of ${topic}`)
  } finally {
    await consumer.disconnect()
  }
  return seen.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
}

/** A record as the Java console consumer prints it. */
export interface JavaRecord extends SeenRecord {
  readonly topic: string
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
}

const separator = { column: '\u0001', line: '\u0002', header: '\u0003', nothing: '\u0004' } as const
/** Such a copy names itself at the start of the value instead. */
const topicInValue = /^@(\S+) /

/**
 * Reads `count` committed records of the topics that match with Kafka's own console consumer, in one JVM.
 * @throws AssertionError when it ends with fewer
 */
export async function readWithJava(
  bootstrap: readonly string[],
  topics: readonly string[],
  count: number,
): Promise<readonly JavaRecord[]> {
  const { signal } = new AbortController()
  const { javaPath, classpath, classArchive } = await installKafka({}, signal)
  const properties = [
    'print.timestamp=true',
    'print.partition=true',
    'print.offset=true',
    'print.headers=true',
    'print.key=true',
    `key.separator=${separator.column}`,
    `line.separator=${separator.line}`,
    `headers.separator=${separator.header}`,
    `null.literal=${separator.nothing}`,
  ]
  const args = [
    ...brokerJvmArguments('quick', 256, classArchive),
    ...['-cp', classpath, 'org.apache.kafka.tools.consumer.ConsoleConsumer'],
    ...['--bootstrap-server', bootstrap.join(',')],
    ...['--include', topics.map((topic) => topic.replaceAll('.', '\\.')).join('|')],
    ...['--from-beginning', '--isolation-level', 'read_committed'],
    ...['--max-messages', String(count), '--timeout-ms', '20000'],
    ...properties.flatMap((property) => ['--formatter-property', property]),
  ]
  const child = spawn(javaPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  let complaints = ''
  child.stdout.on('data', (data: Buffer) => output.push(data))
  child.stderr.on('data', (data: Buffer) => {
    complaints += data.toString()
  })
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  const lines = Buffer.concat(output).toString('latin1').split(separator.line).slice(0, -1)
  const seen = lines.map(javaRecord)
  assert.equal(seen.length, count, `the console consumer read ${seen.length} of ${count}: ${complaints}`)
  return seen.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
}

function javaRecord(line: string): JavaRecord {
  const [time = '', partition = '', offset = '', headerText = '', key = '', ...rest] = line.split(
    separator.column,
  )
  const [, timestampType, timestamp] = /^(CreateTime|LogAppendTime):(-?\d+)$/.exec(time) ?? []
  const value = rest.join(separator.column)
  const headers =
    headerText === 'NO_HEADERS'
      ? []
      : headerText.split(separator.header).map((header): [string, string] => {
          const at = header.indexOf(':')
          return [header.slice(0, at), header.slice(at + 1)]
        })
  const topic = headers.find(([name]) => name === topicHeader)?.[1] ?? topicInValue.exec(value)?.[1]
  assert(topic !== undefined && timestamp !== undefined, `the console consumer printed ${line}`)
  assert(timestampType === 'CreateTime' || timestampType === 'LogAppendTime')
  const orNull = (text: string) => (text === separator.nothing ? null : text)
  return {
    topic,
    timestampType,
    timestamp: BigInt(timestamp),
    partition: Number(/^Partition:(\d+)$/.exec(partition)?.[1]),
    offset: BigInt(/^Offset:(\d+)$/.exec(offset)?.[1] ?? -1),
    key: orNull(key),
    value: orNull(value),
    headers: headers.sort(byName),
  }
}
