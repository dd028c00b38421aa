import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Admin, Kafka, Message } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { exitCode } from '../../replicator/cli/exit-codes.ts'
import type { DifferenceCounts } from '../../replicator/verify/report.ts'
import { testBrokers, until } from './flow-pair.ts'
import { verifyCommand, verifyResult } from './verify-process.ts'

type Side = 'source' | 'target'

const run = randomUUID().slice(0, 8)
const topicOf = (kind: string) => `verify-${run}-${kind}`
const bootstrap = {
  source: () => testBrokers('CAUSEWAY_TEST_SOURCE'),
  target: () => testBrokers('CAUSEWAY_TEST_TARGET'),
}

let scratch: string
let clients: Record<Side, Kafka>
let admins: Record<Side, Admin>

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'causeway-verify-test-'))
  const connect = (side: Side) => kafkajsClient('verify-test', bootstrap[side]())
  clients = { source: connect('source'), target: connect('target') }
  admins = { source: clients.source.admin(), target: clients.target.admin() }
  await Promise.all([admins.source.connect(), admins.target.connect()])
})

after(async () => {
  await Promise.all([admins.source.disconnect(), admins.target.disconnect()])
  await rm(scratch, { recursive: true, force: true })
})

function config(topics: readonly object[], more: object = {}) {
  return {
    name: `verify-${run}`,
    pattern: 'active-passive',
    regions: {
      'us-east': { role: 'active', bootstrap: bootstrap.source() },
      'eu-west': { role: 'passive', bootstrap: bootstrap.target() },
    },
    topics,
    ...more,
  }
}

/** Nothing is at work here that would have to settle. */
const verify = (topics: readonly object[], ...args: readonly string[]) =>
  verifyCommand(scratch, config(topics), '--settle', '0', ...args)

/** Keyed records with headers, times of their own, a null value and a null key among them. */
function original(count: number): Message[] {
  return Array.from({ length: count }, (_, i) => ({
    partition: i % 2,
    key: i === 7 ? null : `key ${i % 5}`,
    value: i === 8 ? null : `content ${i}`,
    headers: { run, n: `${i}` },
    timestamp: `${1_760_000_000_000 + i}`,
  }))
}

async function create(side: Side, topic: string): Promise<void> {
  await admins[side].createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: false })
  await until(`${topic} has leaders`, async () => {
    const { topics } = await admins[side]
      .fetchTopicMetadata({ topics: [topic] })
      .catch(() => ({ topics: [] }))
    return topics[0]?.partitions.length === 2 && topics[0].partitions.every(({ leader }) => leader >= 0)
  })
}

/** Each record as a batch of its own where `batches` says so. */
async function write(side: Side, topic: string, records: readonly Message[], batch = records.length) {
  // One partition a request: kafkajs repeats a request whole when one of its partitions fails.
  const producer = clients[side].producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const own of Map.groupBy(records, ({ partition }) => partition).values())
    for (let at = 0; at < own.length; at += batch)
      await producer.send({ topic, messages: own.slice(at, at + batch) })
  await producer.disconnect()
}

/** A topic on both sides whose copy went through `damage`. */
async function copied(kind: string, damage: (records: Message[]) => Message[]): Promise<string> {
  const topic = topicOf(kind)
  await Promise.all([create('source', topic), create('target', topic)])
  await write('source', topic, original(60))
  await write('target', topic, damage(original(60)), 10)
  return topic
}

const found = (differences: DifferenceCounts | undefined) =>
  Object.fromEntries(Object.entries(differences ?? {}).filter(([, count]) => count > 0))

describe('causeway verify', { timeout: 200_000 }, () => {
  test('says identical of what is, however it is batched, and leaves no trace', async () => {
    const topic = await copied('same', (records) => records)
    const before = await admins.target.listTopics()
    const printed = await verify([{ name: topic }])
    assert.equal(printed.code, exitCode.ok, printed.stderr)
    assert.equal(printed.stderr, '')
    const lines = printed.stdout.trimEnd().split('\n')
    assert.equal(lines[0], 'us-east -> eu-west  identity naming')
    assert.match(lines[1] ?? '', /^topic +copy +partition +us-east +eu-west +digest +verdict$/)
    assert.match(lines[3] ?? '', new RegExp(`^${topic}  ${topic} +0 +30 +30 +[0-9a-f]{8} +identical$`))
    assert.match(lines.at(-1) ?? '', /^IDENTICAL: 60 records in 2 partitions/)

    const json = await verify([{ name: topic }], '--json')
    const { identical, flows } = verifyResult(json)
    assert.equal(json.code, exitCode.ok)
    assert.equal(identical, true)
    assert.deepEqual(
      flows.map(({ flow, naming, scope, records }) => ({ flow, naming, scope, records })),
      [
        {
          flow: 'us-east->eu-west',
          naming: { kind: 'identity' },
          scope: 'everything',
          records: { source: 60, target: 60 },
        },
      ],
    )
    for (const { source, target } of flows[0]?.partitions ?? []) {
      assert.match(source.digest, /^[0-9a-f]{64}$/)
      assert.equal(source.digest, target.digest)
    }
    assert.deepEqual((await admins.target.listTopics()).toSorted(), before.toSorted())
  })

  const damages: readonly [string, (records: Message[]) => Message[], Partial<DifferenceCounts>][] = [
    ['dropped', (records) => records.toSpliced(20, 1), { missing: 1 }],
    ['dropped-last', (records) => records.slice(0, -1), { missing: 1 }],
    ['repeated', (records) => records.toSpliced(22, 0, records[20]!), { duplicated: 1 }],
    [
      'added',
      (records) => records.toSpliced(21, 0, { ...records[20]!, value: 'content', timestamp: '5' }),
      { extra: 1 },
    ],
    ['swapped', (records) => records.with(20, records[22]!).with(22, records[20]!), { reordered: 1 }],
    ['value', (records) => records.with(20, { ...records[20]!, value: 'content X' }), { altered: 1 }],
    ['key', (records) => records.with(20, { ...records[20]!, key: 'other' }), { altered: 1 }],
    ['null-value', (records) => records.with(8, { ...records[8]!, value: '' }), { altered: 1 }],
    ['null-key', (records) => records.with(7, { ...records[7]!, key: '' }), { altered: 1 }],
    ['header', (records) => records.with(20, { ...records[20]!, headers: { run } }), { altered: 1 }],
    ['time', (records) => records.with(20, { ...records[20]!, timestamp: '1760000000021' }), { altered: 1 }],
  ]

  test('finds every record that was altered, dropped, repeated, added or swapped, and nothing else', async () => {
    const topics = await Promise.all(damages.map(([kind, damage]) => copied(kind, damage)))
    const match = `verify-${run}-(${damages.map(([kind]) => kind).join('|')})`
    const json = await verify([{ match }], '--json')
    assert.equal(json.code, exitCode.failed, json.stderr)
    const { identical, flows } = verifyResult(json)
    assert.equal(identical, false)
    const partitions = flows[0]?.partitions ?? []
    assert.equal(partitions.length, damages.length * 2)
    for (const [index, [kind, , expected]] of damages.entries()) {
      const its = partitions.filter(({ sourceTopic }) => sourceTopic === topics[index])
      const damaged = its.filter(({ verdict }) => verdict === 'different')
      assert.equal(damaged.length, 1, `${kind} is different in one partition: ${JSON.stringify(its)}`)
      assert.deepEqual(found(damaged[0]?.differences), expected, kind)
      assert.notEqual(damaged[0]?.source.digest, damaged[0]?.target.digest)
      assert.doesNotMatch(JSON.stringify(its), /content/, 'content is never shown')
    }

    const printed = await verify([{ match }], '--topic', topics[0] ?? '')
    assert.equal(printed.code, exitCode.failed)
    assert.match(printed.stdout, /-0 .* 1 missing$|^.* 0 +30 +29 .* 1 missing$/m)
    assert.match(
      printed.stdout,
      /first difference at us-east offset 10: missing; a record \(key 5 B, value 10 B/,
    )
    assert.match(printed.stdout, /^DIFFERENT: 1 of 2 partitions differ$/m)
  })

  test('--topic and --flow choose, and refuse what is not there', async () => {
    const fine = await copied('fine', (records) => records)
    const broken = await copied('broken', (records) => records.slice(1))
    const both = [{ name: fine }, { name: broken }]
    assert.equal((await verify(both)).code, exitCode.failed)
    assert.equal((await verify(both, '--topic', fine)).code, exitCode.ok)
    assert.equal((await verify(both, '--topic', fine, broken)).code, exitCode.failed)
    assert.equal((await verify(both, '--flow', 'us-east->eu-west', '--topic', fine)).code, exitCode.ok)
    for (const [args, message] of [
      [['--flow', 'eu-west->us-east'], /--flow eu-west->us-east: the flows are us-east->eu-west/],
      [['--topic', 'nothing'], /--topic nothing: no flow takes it; give its name on the source/],
      [['--nonsense'], /unknown option/],
    ] as const) {
      const { code, stderr } = await verify(both, ...args)
      assert.equal(code, exitCode.usage)
      assert.match(stderr, message)
      assert.doesNotMatch(stderr, /^\s+at /m)
    }
  })

  test('what is not there, or cannot be read, is not verified', async () => {
    const [nowhere, onlySource] = [topicOf('nowhere'), topicOf('only-source')]
    await create('source', onlySource)
    await write('source', onlySource, original(4))
    const { code, stdout } = await verify([{ name: nowhere }, { name: onlySource }])
    assert.equal(code, exitCode.failed)
    assert.match(stdout, new RegExp(`${nowhere}-0: .*us-east.*${nowhere}`))
    assert.match(stdout, new RegExp(`${onlySource}-0: .*eu-west.*${onlySource}`))
    assert.match(stdout, /^NOT VERIFIED: 3 of 3 partitions could not be read to the end$/m)
    const none = await verify([{ match: `${nowhere}-.*` }])
    assert.equal(none.code, exitCode.failed)
    assert.match(none.stdout, /^NOT VERIFIED: nothing was compared$/m)
  })

  test('copies under other names are found by the naming; paused topics are left out', async () => {
    const topic = topicOf('named')
    const copy = `us-east.${topic}`
    await Promise.all([create('source', topic), create('target', copy)])
    await Promise.all([write('source', topic, original(10)), write('target', copy, original(10), 3)])
    const paused = await copied('paused', () => original(3))
    const { code, stdout } = await verifyCommand(
      scratch,
      config([{ name: topic }, { name: paused }], {
        replication: { naming: 'prefixed', paused: [{ name: paused }] },
      }),
    )
    assert.equal(code, exitCode.ok, stdout)
    assert.match(stdout, new RegExp(`^${topic} +${copy} +1 +5 +5 `, 'm'))
  })
})
