import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Writer } from '@platformatic/kafka'
import type { BrokerChannel } from '../../../replicator/kafka/cluster.ts'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import {
  apiVersionsAnswer,
  createPartitionsAnswer,
  createTopicsAnswer,
  keys,
  listOffsetsAnswer,
  metadataAnswer,
  type ScriptedAnswer,
} from './scripted-broker.ts'
import { inTurn, ScriptedScene } from './scripted-scene.ts'

const scene = new ScriptedScene(keys, { apiVersions: () => apiVersionsAnswer() })
afterEach(() => scene.end())

describe('requests', () => {
  test('wait as long as the broker asked for', async () => {
    const broker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 0: broker.port }, throttleMs: 5000 }),
    })
    const cluster = scene.connect(broker.port)
    await cluster.describeCluster()
    assert.deepEqual(cluster.clock.slept, [])
    await cluster.describeCluster()
    assert.deepEqual(cluster.clock.slept, [5000])
  })

  test('never create the topics that they ask about', async () => {
    const broker = await scene.startBroker({ metadata: () => metadataAnswer({ ports: { 0: broker.port } }) })
    const lookups = await scene.connect(broker.port).describeTopics(['orders'])
    assert.deepEqual(lookups.get('orders'), { kind: 'missing' })
    const [request] = broker.heard(keys.metadata)
    // The request ends with allow_auto_topic_creation, include_topic_authorized_operations and no tagged fields.
    assert.deepEqual([...(request?.body.subarray(-3) ?? [])], [0, 0, 0])
  })

  test('go back to the bootstrap address when every known broker is gone', async () => {
    const gone = await scene.startBroker({ metadata: () => 'hang up' })
    const broker = await scene.startBroker({ metadata: () => metadataAnswer({ ports: { 0: gone.port } }) })
    const cluster = scene.connect(broker.port)
    await cluster.describeCluster()
    await gone.stop()
    assert.deepEqual((await cluster.describeCluster()).brokers, [0])
  })

  test('say which versions are missing on both sides', async () => {
    const broker = await scene.startBroker({ apiVersions: () => apiVersionsAnswer({ 3: [0, 8] }) })
    await assert.rejects(scene.connect(broker.port).describeCluster(), {
      kind: 'unsupported-version',
      retriable: false,
      message: /the broker speaks Metadata 0 to 8, Causeway 9 to 12/,
    })
  })

  test('an answer that cannot be read is final', async () => {
    const broker = await scene.startBroker({ metadata: () => Writer.create().appendInt16(7) })
    await assert.rejects(scene.connect(broker.port).describeCluster(), {
      kind: 'malformed',
      retriable: false,
    })
    assert.equal(broker.heard(keys.metadata).length, 1)
  })

  test('a broker that hangs up at each request is reported after a few attempts', async () => {
    const broker = await scene.startBroker({ metadata: () => 'hang up' })
    await assert.rejects(scene.connect(broker.port).describeCluster(), {
      kind: 'hangup',
      cluster: 'us-east',
      address: `127.0.0.1:${broker.port}`,
      message: /expects TLS or a SASL log-in/,
    })
    assert.equal(broker.heard(keys.metadata).length, 4)
  })
})

describe('changes of topics', () => {
  const endings = {
    'says that it is none any more': () => createTopicsAnswer('orders', 41),
    'is gone': (): ScriptedAnswer => 'hang up',
  }
  for (const [ending, createTopics] of Object.entries(endings)) {
    test(`go to the controller, and to the next one when it ${ending}`, async () => {
      const topic = {
        name: 'orders',
        partitions: 1,
        replicationFactor: 1,
        configs: new Map<string, string>(),
      }
      const second = await scene.startBroker({
        createTopics,
        metadata: () => 'hang up',
      })
      const ports = () => ({ 0: first.port, 1: second.port })
      const first = await scene.startBroker({
        metadata: inTurn(
          () => metadataAnswer({ ports: ports(), controller: 1 }),
          () => metadataAnswer({ ports: ports(), controller: 0 }),
        ),
        createTopics: () => createTopicsAnswer('orders', 0),
      })
      const results = await scene.connect(first.port).createTopics([topic])
      assert.deepEqual(results.get('orders'), { ok: true, value: undefined })
      assert.equal(second.heard(keys.createTopics).length, 1)
      assert.equal(first.heard(keys.createTopics).length, 1)
    })
  }

  test('are over when the broker that is asked next knows of them', async () => {
    const ports = () => ({ 0: broker.port })
    const broker = await scene.startBroker({
      metadata: inTurn(
        () => metadataAnswer({ ports: ports() }),
        () => metadataAnswer({ ports: ports() }),
        () => metadataAnswer({ ports: ports(), topics: { orders: [-1] } }),
        () => metadataAnswer({ ports: ports(), topics: { orders: [0] } }),
        () => 'hang up',
      ),
      createTopics: () => createTopicsAnswer('orders', 0),
    })
    const configs = new Map<string, string>()
    const topic = { name: 'orders', partitions: 1, replicationFactor: 1, configs }
    const results = await scene.connect(broker.port).createTopics([topic])
    assert.equal(results.get('orders')?.ok, true)
    assert.equal(broker.heard(keys.metadata).length, 4)
  })

  test('a topic that an attempt with a lost answer has grown counts as grown', async () => {
    const broker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 0: broker.port }, topics: { orders: [0, 0, 0] } }),
      createPartitions: inTurn(
        () => 'hang up',
        () => createPartitionsAnswer('orders', 37),
      ),
    })
    const cluster = scene.connect(broker.port)
    assert.deepEqual((await cluster.growTopics(new Map([['orders', 3]]))).get('orders'), {
      ok: true,
      value: undefined,
    })
    const refused = (await cluster.growTopics(new Map([['orders', 3]]))).get('orders')
    assert.ok(refused && !refused.ok)
    assert.equal(refused.error.kind, 'INVALID_PARTITIONS')
  })
})

describe('listing offsets', () => {
  const query = { topic: 'orders', partition: 0, at: 'latest' } as const

  test('follows the leader', async () => {
    const old = await scene.startBroker({ listOffsets: () => listOffsetsAnswer('orders', 6, -1n) })
    const next = await scene.startBroker({ listOffsets: () => listOffsetsAnswer('orders', 0, 42n) })
    const ports = () => ({ 0: old.port, 1: next.port, 2: broker.port })
    const broker = await scene.startBroker({
      metadata: inTurn(
        () => metadataAnswer({ ports: ports(), topics: { orders: [0] } }),
        () => metadataAnswer({ ports: ports(), topics: { orders: [1] } }),
      ),
    })
    const [answer] = await scene.connect(broker.port).listOffsets([query])
    assert.deepEqual(answer?.result, { ok: true, value: { offset: 42n, leaderEpoch: 1 } })
    assert.equal(old.heard(keys.listOffsets).length, 1)
  })

  test('follows a broker that moved', async () => {
    const old = await scene.startBroker({})
    const oldPort = old.port
    const moved = await scene.startBroker({ listOffsets: () => listOffsetsAnswer('orders', 0, 7n) })
    const answers = [oldPort, moved.port].map(
      (port) => () => metadataAnswer({ ports: { 1: port, 2: broker.port }, topics: { orders: [1] } }),
    )
    const broker = await scene.startBroker({ metadata: inTurn(...answers) })
    const [answer] = await scene.connect(broker.port).listOffsets([query])
    assert.deepEqual(answer?.result, { ok: true, value: { offset: 7n, leaderEpoch: 1 } })
  })

  test('a partition without a leader is waited for; one that does not exist is not', async () => {
    const broker = await scene.startBroker({
      metadata: inTurn(
        () => metadataAnswer({ ports: { 0: broker.port }, topics: { orders: [-1] } }),
        () => metadataAnswer({ ports: { 0: broker.port }, topics: { orders: [0] } }),
      ),
      listOffsets: () => listOffsetsAnswer('orders', 0, 1n),
    })
    const answers = await scene.connect(broker.port).listOffsets([query, { ...query, partition: 5 }])
    assert.equal(answers[0]?.result.ok, true)
    const missing = answers[1]?.result
    assert.ok(missing && !missing.ok)
    assert.equal(missing.error.kind, 'UNKNOWN_TOPIC_OR_PARTITION')
    assert.equal(missing.error.partition, 5)
    assert.equal(broker.heard(keys.metadata).length, 4)
  })

  test('a time that no record has reached is the end of the log', async () => {
    const broker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 0: broker.port }, topics: { orders: [0] } }),
      listOffsets: inTurn(
        () => listOffsetsAnswer('orders', 0, -1n),
        () => listOffsetsAnswer('orders', 0, 9n),
      ),
    })
    const [answer] = await scene.connect(broker.port).listOffsets([{ ...query, at: { timestampMs: 1e15 } }])
    assert.deepEqual(answer?.result, { ok: true, value: { offset: 9n, leaderEpoch: 1 } })
  })
})

describe('the end of a cluster', () => {
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await turn()
  }

  test('destroy fails what is pending, and every later call', async () => {
    const broker = await scene.startBroker({ metadata: () => 'silence' })
    const cluster = scene.connect(broker.port)
    const pending = assert.rejects(cluster.describeCluster(), { kind: 'closed', cluster: 'us-east' })
    await until(() => broker.heard(keys.metadata).length === 1)
    cluster.destroy()
    cluster.destroy()
    await pending
    await assert.rejects(cluster.listTopics(), { kind: 'closed' })
    await until(() => broker.connections === 0)
  })

  test('close lets pending calls end, then leaves no connection', async () => {
    let release = () => {}
    const broker = await scene.startBroker({
      metadata: inTurn(
        () => 'silence',
        () => metadataAnswer({ ports: { 0: broker.port } }),
      ),
    })
    const opened = Promise.withResolvers<void>()
    const cluster = scene.connect(broker.port, {
      openChannel: async () => {
        opened.resolve()
        await new Promise<void>((resolve) => {
          release = resolve
        })
        return channel
      },
    })
    const closed = Promise.withResolvers<void>()
    let channelCloses = 0
    const channel = {
      broker: brokerId(0),
      closed: closed.promise,
      close: async () => {
        channelCloses++
        closed.resolve()
      },
      destroy: () => closed.resolve(),
    } as unknown as BrokerChannel
    const controller = new AbortController()
    const given = assert.rejects(cluster.describeCluster(controller.signal), /enough/)
    await until(() => broker.heard(keys.metadata).length === 1)
    controller.abort(new Error('enough'))
    await given

    const opening = cluster.openChannel(brokerId(0))
    await opened.promise
    const closing = cluster.close()
    await assert.rejects(cluster.listTopics(), { kind: 'closed' })
    release()
    assert.equal(await opening, channel)
    await closing
    assert.equal(channelCloses, 1)
    await until(() => broker.connections === 0)
    await cluster.close()
  })

  test('a channel leads to where the broker listens now', async () => {
    const places: unknown[] = []
    const answers = [1001, 1002].map((port) => () => metadataAnswer({ ports: { 0: broker.port, 5: port } }))
    const broker = await scene.startBroker({ metadata: inTurn(...answers) })
    const cluster = scene.connect(broker.port, {
      openChannel: async ({ host, port }) => {
        places.push([host, port])
        throw new Error('not today')
      },
    })
    await assert.rejects(cluster.openChannel(brokerId(5)), /not today/)
    await assert.rejects(cluster.openChannel(brokerId(5)), /not today/)
    assert.deepEqual(places, [
      ['127.0.0.1', 1001],
      ['127.0.0.1', 1002],
    ])
    await assert.rejects(cluster.openChannel(brokerId(6)), { kind: 'connection', broker: 6, retriable: true })
  })

  test('a bootstrap address that cannot be read is refused at once', () => {
    assert.throws(
      () => scene.connect(0, { settings: { bootstrap: ['PLAINTEXT://broker:9092'], clientId: 'test' } }),
      { name: 'KafkaError', cluster: 'us-east', retriable: false, message: /write host:port/ },
    )
  })
})
