import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Admin as RecordAdmin } from '@platformatic/kafka'
import type { Admin, Kafka, Producer } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { readFingerprints } from '../kill/read-records.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { causewayCommand, ReplicateProcess, until } from './replicate-process.ts'

/** Whatever happens to either side must be told within this time, in milliseconds. */
const TOLD_WITHIN_MS = 10_000

const run = randomUUID().slice(0, 8)
const topics = {
  foreign: `gaps-foreign-${run}`,
  deleted: `gaps-deleted-${run}`,
  copyAnew: `gaps-copy-anew-${run}`,
  sourceAnew: `gaps-source-anew-${run}`,
  outrun: `gaps-outrun-${run}`,
  calm: `gaps-calm-${run}`,
} as const

interface Side {
  readonly kafka: Kafka
  readonly admin: Admin
  readonly producer: Producer
  readonly records: RecordAdmin
}

let scratch: string
let source: Side
let target: Side
let config: object
let replicate: ReplicateProcess

async function sideOf(variable: 'CAUSEWAY_TEST_SOURCE' | 'CAUSEWAY_TEST_TARGET'): Promise<Side> {
  const bootstrap = testBrokers(variable)
  const kafka = kafkajsClient('gaps', bootstrap)
  const side = {
    kafka,
    admin: kafka.admin(),
    producer: kafka.producer(),
    records: new RecordAdmin({ clientId: 'gaps', bootstrapBrokers: [...bootstrap] }),
  }
  await Promise.all([side.admin.connect(), side.producer.connect()])
  return side
}

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'causeway-gaps-'))
  source = await sideOf('CAUSEWAY_TEST_SOURCE')
  target = await sideOf('CAUSEWAY_TEST_TARGET')
  await createTopics(
    source.admin,
    Object.values(topics).map((topic) => ({ topic, numPartitions: 2 })),
  )
  for (const topic of Object.values(topics)) for (const partition of [0, 1]) await write(topic, partition, 8)
  config = {
    name: `gaps-${run}`,
    pattern: 'active-passive',
    regions: {
      'us-east': { role: 'active', bootstrap: testBrokers('CAUSEWAY_TEST_SOURCE') },
      'eu-west': { role: 'passive', bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') },
    },
    topics: [{ match: `gaps-.*-${run}` }],
  }
  replicate = await ReplicateProcess.start(scratch, config)
  await replicate.ready()
  for (const topic of Object.values(topics)) for (const partition of [0, 1]) await copied(topic, partition, 8)
  await lookedTwice()
})

after(async () => {
  await replicate?.kill()
  for (const side of [source, target]) {
    await Promise.all([side?.admin.disconnect(), side?.producer.disconnect(), side?.records.close()])
  }
  await rm(scratch, { recursive: true, force: true })
})

/** Fingerprints of a partition's records, as kafkajs reads them. */
async function recordsOf({ kafka }: Side, topic: string, partition: number): Promise<readonly string[]> {
  return (await readFingerprints(kafka, [topic])).get(`${topic}/${partition}`) ?? []
}

async function write(topic: string, partition: number, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => ({ partition, value: randomUUID() }))
  // A topic that was created a moment ago is not known to every broker.
  for (let left = 20; ; left--) {
    try {
      await source.producer.send({ topic, acks: -1, messages })
      return
    } catch (error) {
      if (left === 0) throw error
      await delay(200)
    }
  }
}

/** Waits until that many records, not counting markers, are in the copy, and gives them. */
async function copied(topic: string, partition: number, count: number): Promise<readonly string[]> {
  return await until(
    `${count} records in the copy of ${topic}/${partition}`,
    async () => {
      const offsets = await target.admin.fetchTopicOffsets(topic)
      const log = offsets.find((one) => one.partition === partition)
      if (log === undefined || Number(log.high) - Number(log.low) < count) return undefined
      const records = await recordsOf(target, topic, partition)
      return records.length >= count ? records : undefined
    },
    () => replicate.text.slice(-4000),
  )
}

async function lookedTwice(): Promise<void> {
  const looks = async () => (await flowNow()).looks
  const before = await looks()
  await until('two more looks at both sides', async () => ((await looks()) >= before + 2 ? true : undefined))
}

interface Flow {
  readonly looks: number
  readonly records: number
  readonly stopped: readonly { topic: string; partition?: number; reason: string; wayOut: string }[]
}

async function flowNow(): Promise<Flow> {
  const { body } = await replicate.health('/healthz')
  return body.flows[0] as unknown as Flow
}

/** Waits until the topic's stop is told, within ten seconds, and nothing else's. */
async function told(topic: string, reason: RegExp): Promise<Flow['stopped'][number]> {
  const end = performance.now() + TOLD_WITHIN_MS
  for (;;) {
    const stopped = (await flowNow()).stopped.filter((one) => one.topic === topic)
    const found = stopped.find((one) => reason.test(one.reason))
    if (found !== undefined) return found
    assert.ok(performance.now() < end, `not told: ${JSON.stringify(stopped)}\n${replicate.text.slice(-3000)}`)
    await delay(50)
  }
}

/** Types the command line that a stop names. */
async function decide(commandLine: string, ...more: readonly string[]): Promise<string> {
  const args = commandLine.replace('causeway.yaml', replicate.configFile).replaceAll("'", '').split(' ')
  assert.equal(args.shift(), 'causeway')
  const { stdout } = await promisify(execFile)(process.execPath, [causewayCommand, ...args, ...more])
  return stdout
}

const commandIn = (wayOut: string, from: string): string => {
  const [command] = new RegExp(`causeway flow resume [^;:]*--from ${from}`).exec(wayOut) ?? []
  return command ?? assert.fail(`no command with --from ${from} in: ${wayOut}`)
}

/** The others have noticed nothing: they are copied on, and none has stopped. */
async function othersGoOn(topic: string): Promise<void> {
  const before = (await flowNow()).records
  await write(topics.calm, 0, 3)
  await until('others are copied', async () => ((await flowNow()).records >= before + 3 ? true : undefined))
  assert.deepEqual(
    (await flowNow()).stopped.filter((one) => one.topic !== topic),
    [],
  )
}

async function nothingStands(): Promise<void> {
  await until('nothing is stopped', async () => ((await flowNow()).stopped.length === 0 ? true : undefined))
}

async function createdAgain(admin: Admin, topic: string): Promise<void> {
  const create = async () => {
    await createTopics(admin, [{ topic, numPartitions: 2 }])
    return true
  }
  await until('the topic is there again', () => create().catch(() => undefined))
}

describe('what happens to either side of a flow', () => {
  test('a foreign write: told, and behind it everything goes on exactly', async () => {
    const topic = topics.foreign
    await target.producer.send({ topic, messages: [{ partition: 0, value: 'stranger' }] })
    const { wayOut, partition } = await told(topic, /somebody else wrote 1 record/)
    assert.equal(partition, 0)
    await othersGoOn(topic)
    await write(topic, 0, 4)
    const line = commandIn(wayOut, 'next')
    const dry = await decide(line, '--dry-run')
    assert.match(dry, /partition 0 would go on at source offset 8: right behind what was copied/)
    assert.match(dry, /Nothing was changed/)
    assert.match(await decide(line), /partition 0 goes on at source offset 8: right behind what was copied/)
    const copy = await copied(topic, 0, 13)
    assert.deepEqual(copy.toSpliced(8, 1), await recordsOf(source, topic, 0))
    await nothingStands()
  })

  test('records deleted from a copy: told, and copied again as decided', async () => {
    const topic = topics.deleted
    const log = (await target.admin.fetchTopicOffsets(topic)).find((one) => one.partition === 1)
    const offset = BigInt(log?.low ?? 0) + 5n
    await target.records.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 1, offset }] }] })
    const { wayOut, partition } = await told(topic, /somebody deleted offsets/)
    assert.equal(partition, 1)
    await othersGoOn(topic)
    const said = await decide(commandIn(wayOut, 'earliest'), '--json')
    const { partitions } = JSON.parse(said) as { partitions: { effect: object; records: number }[] }
    const effect = { kind: 'repeats', fromOffset: '0', toOffset: '8' }
    assert.deepEqual([partitions[0]?.effect, partitions[0]?.records], [effect, 8])
    const copy = await copied(topic, 1, 9)
    const all = await recordsOf(source, topic, 1)
    assert.deepEqual(copy.slice(-8), all)
    assert.deepEqual(copy.slice(0, -8), all.slice(8 - copy.length))
    await nothingStands()
  })

  test('a copy that was re-created: told, and copied whole', async () => {
    const topic = topics.copyAnew
    await target.admin.deleteTopics({ topics: [topic] })
    await createdAgain(target.admin, topic)
    const { wayOut } = await told(topic, /deleted and re-created/)
    await othersGoOn(topic)
    await decide(commandIn(wayOut, 'earliest'))
    for (const partition of [0, 1])
      assert.deepEqual(await copied(topic, partition, 8), await recordsOf(source, topic, partition))
    await nothingStands()
  })

  test('a source topic that was re-created: told, and the new one copied behind the old', async () => {
    const topic = topics.sourceAnew
    const before = await Promise.all([0, 1].map((partition) => recordsOf(target, topic, partition)))
    await source.admin.deleteTopics({ topics: [topic] })
    await createdAgain(source.admin, topic)
    const { wayOut } = await told(topic, /deleted and re-created/)
    await othersGoOn(topic)
    for (const partition of [0, 1]) await write(topic, partition, 3)
    await decide(commandIn(wayOut, 'earliest'))
    for (const partition of [0, 1]) {
      const expected = [...(before[partition] ?? []), ...(await recordsOf(source, topic, partition))]
      assert.equal(expected.length, 11)
      assert.deepEqual(await copied(topic, partition, 11), expected)
    }
    await nothingStands()
  })

  test('records deleted while nobody replicates: told at the start, and gone on without them', async () => {
    const topic = topics.outrun
    const before = await recordsOf(target, topic, 0)
    await replicate.stop()
    await write(topic, 0, 4)
    const deletion = { partition: 0, offset: 10n }
    await source.records.deleteRecords({ topics: [{ name: topic, partitions: [deletion] }] })
    replicate = await ReplicateProcess.start(scratch, config)
    await replicate.logged('started')
    const { wayOut, partition } = await told(topic, /deleted offsets 8 to 9 before they were copied/)
    assert.equal(partition, 0)
    await othersGoOn(topic)
    const said = await decide(commandIn(wayOut, 'earliest'))
    assert.match(said, /leaves out offsets 8 to 9, of which the source still has 0 records/)
    const left = await recordsOf(source, topic, 0)
    assert.equal(left.length, 2)
    assert.deepEqual(await copied(topic, 0, 10), [...before, ...left])
    await nothingStands()
    const calm = await recordsOf(source, topics.calm, 0)
    assert.deepEqual(await copied(topics.calm, 0, calm.length), calm)
  })
})
