import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { Secret } from '../../replicator/kafka/secret.ts'
import { type Connection, FlowPair, type PairOptions, testBrokers, until } from './flow-pair.ts'

const run = randomUUID().slice(0, 8)
let names = 0
const newName = (kind: string): string => `flow-${run}-${kind}-${names++}`

let source: Connection
let target: Connection
let kafka: Kafka

const ends: (() => Promise<unknown>)[] = []

before(() => {
  source = { bootstrap: testBrokers('CAUSEWAY_TEST_SOURCE') }
  target = { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') }
  kafka = new Kafka({ brokers: [...source.bootstrap], clientId: 'causeway-test', logLevel: logLevel.NOTHING })
})
after(async () => {
  for (const end of ends) await end()
})

function pairOf(topics: readonly string[], more: Partial<PairOptions> = {}): FlowPair {
  const pair = new FlowPair({
    source,
    target,
    topics: topics.map((name) => ({ kind: 'name', name })),
    ...more,
  })
  ends.push(() => pair.close())
  return pair
}

async function createOn(
  side: 'source' | 'target',
  pair: FlowPair,
  name: string,
  partitions: number,
  configs: Record<string, string> = {},
) {
  const created = await pair[side].createTopics([
    { name, partitions, replicationFactor: 1, configs: new Map(Object.entries(configs)) },
  ])
  assert(created.get(name)?.ok, `${name} is created`)
  await until(`${name} has leaders`, async () => {
    const lookup = (await pair[side].describeTopics([name])).get(name)
    return lookup?.kind === 'found' && lookup.topic.partitions.every(({ leader }) => leader !== undefined)
  })
}

/** Several batches of keyed records with a header, by a client of another hand. */
async function produce(topic: string, batches: number, partitions: number, by = kafka): Promise<void> {
  const producer = by.producer({ retry: { retries: 10 } })
  await producer.connect()
  try {
    for (let i = 0; i < batches; i++) {
      const messages = Array.from({ length: 20 }, (_, j) => ({
        partition: i % partitions,
        key: `key ${j % 5}`,
        value: `${topic} ${i} ${j}`,
        headers: { run },
      }))
      await producer.send({
        topic,
        messages,
        compression: i % 2 === 0 ? CompressionTypes.GZIP : CompressionTypes.None,
      })
    }
  } finally {
    await producer.disconnect()
  }
}

async function replicated(pair: FlowPair, topics: readonly string[]): Promise<void> {
  const flow = pair.start()
  try {
    const report = await pair.caughtUp(topics)
    assert(
      report.identical,
      JSON.stringify(report.partitions.filter(({ verdict }) => verdict !== 'identical')),
    )
    assert(report.records.source > 0)
  } finally {
    await flow.drain(10_000)
  }
}

describe('a flow between real brokers', () => {
  test('identity naming in one direction, several partitions, compressed and not', async () => {
    const topic = newName('orders')
    const pair = pairOf([topic], { flow: { naming: { kind: 'identity' } } })
    await createOn('source', pair, topic, 3)
    await produce(topic, 12, 3)
    await replicated(pair, [topic])
    const lookup = (await pair.target.describeTopics([topic])).get(topic)
    assert(lookup?.kind === 'found' && lookup.topic.partitions.length === 3)
    // The next start copies what came meanwhile and nothing twice.
    await produce(topic, 6, 3)
    await replicated(pair, [topic])
  })

  test('append times of the source are what readers of the target see', async () => {
    const topic = newName('stamped')
    const pair = pairOf([topic])
    await createOn('source', pair, topic, 1, { 'message.timestamp.type': 'LogAppendTime' })
    await createOn('target', pair, `us-east.${topic}`, 1)
    await produce(topic, 6, 1)
    await replicated(pair, [topic])
  })

  test('records of committed transactions only', async () => {
    const topic = newName('transactions')
    const pair = pairOf([topic])
    await createOn('source', pair, topic, 1)
    const producer = kafka.producer({
      transactionalId: newName('writer'),
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await producer.connect()
    for (let i = 0; i < 6; i++) {
      const transaction = await producer.transaction()
      await transaction.send({
        topic,
        messages: [
          { key: `${i}`, value: `a ${i}` },
          { key: `${i}`, value: `b ${i}` },
        ],
      })
      if (i % 3 === 1) await transaction.abort()
      else await transaction.commit()
    }
    await producer.disconnect()
    await replicated(pair, [topic])
    const report = await pair.compare([topic])
    assert.equal(report.records.target, 8)
  })

  test('a compacted topic with gaps', { timeout: 90_000 }, async () => {
    const topic = newName('state')
    const pair = pairOf([topic])
    await createOn('source', pair, topic, 1, {
      'cleanup.policy': 'compact',
      'segment.bytes': '1048576',
      'segment.ms': '500',
      'min.cleanable.dirty.ratio': '0.01',
      'max.compaction.lag.ms': '500',
    })
    await produce(topic, 10, 1)
    const admin = new Admin({ clientId: 'causeway-test', bootstrapBrokers: [...source.bootstrap] })
    ends.push(() => admin.close())
    // The cleaner leaves the active segment alone; new records roll it. It looks every 15 s.
    const compacted = async () => {
      await produce(topic, 1, 1)
      const report = await pair.compare([topic]).catch(() => undefined)
      return report !== undefined && report.records.source < 200
    }
    await createOn('target', pair, `us-east.${topic}`, 1, { 'cleanup.policy': 'compact' })
    await until('the cleaner has been there', compacted, 60_000)
    const flow = pair.start()
    const report = await pair.caughtUp([topic])
    assert(report.identical, JSON.stringify(report.partitions))
    assert((flow.snapshot().reencoded['compacted-gaps'] ?? 0) > 0)
    await flow.drain(10_000)
  })

  test('a target topic with more partitions takes them by number; one with fewer grows', async () => {
    const [wide, narrow] = [newName('wide'), newName('narrow')]
    const pair = pairOf([wide, narrow])
    await createOn('source', pair, wide, 2)
    await createOn('source', pair, narrow, 3)
    await createOn('target', pair, `us-east.${wide}`, 4)
    await createOn('target', pair, `us-east.${narrow}`, 1)
    await produce(wide, 4, 2)
    await produce(narrow, 6, 3)
    await replicated(pair, [wide, narrow])
  })
})

describe('a flow from a secured cluster', () => {
  test('a topic that may not be read waits with what to grant; the others go on; it recovers', async () => {
    const file = process.env.CAUSEWAY_TEST_SECURE
    if (!file) throw new Error('CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
    const [user, admin] = await Promise.all([
      credentials(file),
      credentials(file.replace('causeway.json', 'admin.json')),
    ])
    const [open, closed] = [newName('open'), newName('closed')]
    const pair = pairOf([open, closed], {
      source: {
        bootstrap: user.bootstrap,
        tls: { ca: user.ca },
        sasl: { mechanism: 'scram-sha-512', username: user.username, password: new Secret(user.password) },
      },
    })
    for (const topic of [open, closed]) await createOn('source', pair, topic, 1)
    const secured = new Kafka({
      brokers: [...user.bootstrap],
      clientId: 'causeway-test',
      logLevel: logLevel.NOTHING,
      ssl: { ca: user.ca },
      sasl: { mechanism: 'scram-sha-512', username: admin.username, password: admin.password },
    })
    for (const topic of [open, closed]) await produce(topic, 2, 1, secured)
    const administrator = secured.admin()
    await administrator.connect()
    ends.push(() => administrator.disconnect())
    // READ of a topic, denied to the replicator; the numbers are kafkajs's.
    const denial = {
      resourceType: 2,
      resourceName: closed,
      resourcePatternType: 3,
      principal: 'User:causeway',
      host: '*',
      operation: 3,
      permissionType: 2,
    }
    await administrator.createAcls({ acl: [denial] })
    const flow = pair.start()
    try {
      const report = await pair.caughtUp([open])
      assert(report.identical)
      await until('the other one waits', () => flow.snapshot().stopped.some(({ topic }) => topic === closed))
      const [waiting] = flow.snapshot().stopped
      assert.match(waiting?.reason ?? '', new RegExp(`${closed}`))
      assert.match(waiting?.wayOut ?? '', /READ|ACL/i)
      await administrator.deleteAcls({ filters: [denial] })
      assert((await pair.caughtUp([open, closed])).identical)
      await until('nothing waits', () => flow.snapshot().stopped.length === 0)
    } finally {
      await flow.drain(10_000)
    }
  })
})

interface Credentials {
  readonly bootstrap: readonly string[]
  readonly username: string
  readonly password: string
  readonly ca: string
}

async function credentials(file: string): Promise<Credentials> {
  const { bootstrap, username, password, caFile } = JSON.parse(await readFile(file, 'utf8'))
  return { bootstrap: [bootstrap].flat(), username, password, ca: await readFile(caFile, 'utf8') }
}
