import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Writer } from '@platformatic/kafka'
import type { Cluster, TopicPartition } from '../../../replicator/kafka/cluster.ts'
import {
  apiVersionsAnswer,
  metadataAnswer,
  type ScriptedBroker,
  type ScriptedRequest,
} from './scripted-broker.ts'
import { coordinatorAnswer, inTurn, type Script, ScriptedScene } from './scripted-scene.ts'

const keys = {
  metadata: 3,
  findCoordinator: 10,
  apiVersions: 18,
  initProducerId: 22,
  offsetForLeaderEpoch: 23,
  addPartitions: 24,
  endTxn: 26,
  writeTxnMarkers: 27,
  describeConfigs: 32,
  describeProducers: 61,
} as const
const versions = {
  10: [6, 6],
  22: [5, 5],
  23: [4, 4],
  24: [3, 3],
  26: [4, 4],
  27: [1, 1],
  32: [4, 4],
  61: [0, 0],
} as const
const scene = new ScriptedScene(keys, {
  apiVersions: () => apiVersionsAnswer(versions),
  findCoordinator: (_request, broker) => coordinatorAnswer('shard', broker.port),
})
afterEach(() => scene.end())

const identity = { producerId: 7n, producerEpoch: 3 }
const transaction = { transactionalId: 'shard', identity }
const orders = (partition: number) => ({ topic: 'orders', partition })

/** InitProducerId 5. */
const identityAnswer = (code: number) =>
  Writer.create().appendInt32(0).appendInt16(code).appendInt64(7n).appendInt16(4).appendTaggedFields()

const endAnswer = (code: number) => Writer.create().appendInt32(0).appendInt16(code).appendTaggedFields()

/** AddPartitionsToTxn 3, about partitions of one topic. */
const addAnswer = (codes: readonly number[]) =>
  Writer.create()
    .appendInt32(0)
    .appendArray(['orders'], (writer, name) => {
      writer.appendString(name).appendArray([...codes], (each, code, partition) => {
        each.appendInt32(partition).appendInt16(code)
      })
    })
    .appendTaggedFields()

/** WriteTxnMarkers 1, about partitions of one topic. */
const markersAnswer = (codes: ReadonlyMap<number, number>) =>
  Writer.create()
    .appendArray([7n], (writer, id) => {
      writer.appendInt64(id).appendArray(['orders'], (topic, name) => {
        topic.appendString(name).appendArray([...codes], (each, [partition, code]) => {
          each.appendInt32(partition).appendInt16(code)
        })
      })
    })
    .appendTaggedFields()

/** DescribeProducers 0, about one partition. */
const producersAnswer = (partition: number, coordinatorEpoch: number) =>
  Writer.create()
    .appendInt32(0)
    .appendArray(['orders'], (writer, name) => {
      writer.appendString(name).appendArray([partition], (each, index) => {
        each.appendInt32(index).appendInt16(0).appendString(null)
        each.appendArray([7n, 8n], (producer, id) => {
          producer.appendInt64(id).appendInt32(3).appendInt32(-1).appendInt64(1000n)
          producer.appendInt32(id === 7n ? coordinatorEpoch : 99).appendInt64(-1n)
        })
      })
    })
    .appendTaggedFields()

/** DescribeConfigs 4, of one broker. */
const configsAnswer = (code: number, configs: Readonly<Record<string, string | null>>) =>
  Writer.create()
    .appendInt32(0)
    .appendArray(['1'], (writer, name) => {
      writer.appendInt16(code).appendString(null).appendInt8(4).appendString(name)
      writer.appendArray(Object.entries(configs), (each, [config, value]) => {
        each.appendString(config).appendString(value).appendBoolean(true).appendInt8(4).appendBoolean(false)
        each
          .appendArray([], () => {})
          .appendInt8(1)
          .appendString(null)
      })
    })
    .appendTaggedFields()

/** The coordinator epoch that a WriteTxnMarkers request carries, before its tagged fields. */
const coordinatorEpochOf = ({ body }: ScriptedRequest) => body.readInt32BE(body.length - 6)

const requests = {
  addPartitions: {
    ask: (cluster: Cluster) => cluster.addPartitionsToTransaction(transaction, [orders(0), orders(1)]),
    answer: (code: number) => addAnswer([code, code]),
  },
  endTxn: {
    ask: (cluster: Cluster) => cluster.endTransaction(transaction, 'abort'),
    answer: endAnswer,
  },
  initProducerId: {
    ask: (cluster: Cluster) => cluster.initProducerId('shard', undefined, identity),
    answer: identityAnswer,
  },
} as const

describe('requests to a transaction coordinator', () => {
  for (const [name, { ask, answer }] of Object.entries(requests)) {
    const key = keys[name as keyof typeof requests]

    test(`${name} is asked again while the coordinator is busy, elsewhere or not there`, async () => {
      const codes = [51, 14, 15, 16, 0].map((code) => () => answer(code))
      const broker = await scene.startBroker({ [name]: inTurn(...codes) })
      await ask(scene.connect(broker.port))
      assert.equal(broker.heard(key).length, 5)
      assert.equal(broker.heard(keys.findCoordinator).length, 5, 'it may have moved')
    })

    test(`${name} goes to where the coordinator has moved`, async () => {
      const next = await scene.startBroker({ [name]: () => answer(0) })
      const old = await scene.startBroker({
        [name]: () => answer(16),
        findCoordinator: inTurn(
          () => coordinatorAnswer('shard', old.port),
          () => coordinatorAnswer('shard', 0, 15),
          () => coordinatorAnswer('shard', next.port),
        ),
      })
      await ask(scene.connect(old.port))
      assert.deepEqual([old.heard(key).length, next.heard(key).length], [1, 1])
    })

    for (const code of [47, 49, 90]) {
      test(`${name} that is fenced (${code}) is not repeated`, async () => {
        const broker = await scene.startBroker({ [name]: () => answer(code) })
        await assert.rejects(ask(scene.connect(broker.port)), { code, retriable: false, cluster: 'us-east' })
        assert.equal(broker.heard(key).length, 1)
      })
    }

    test(`${name} is the same again after an answer got lost`, async () => {
      const broker = await scene.startBroker({
        [name]: inTurn(
          () => 'hang up',
          () => answer(0),
        ),
      })
      await ask(scene.connect(broker.port))
      const [first, second] = broker.heard(key)
      assert.deepEqual(second?.body, first?.body)
    })
  }

  test('an unknown partition is asked for a few times, and then told with those it kept out', async () => {
    const broker = await scene.startBroker({ addPartitions: () => addAnswer([55, 3]) })
    const outcomes = await scene
      .connect(broker.port)
      .addPartitionsToTransaction(transaction, [orders(1), orders(0)])
    assert.deepEqual(
      outcomes.map(({ partition, result }) => [partition, !result.ok && result.error.code]),
      [
        [1, 3],
        [0, 55],
      ],
    )
    assert.equal(broker.heard(keys.addPartitions).length, 4)
  })

  test('a topic that one may not write to is told at once', async () => {
    const broker = await scene.startBroker({ addPartitions: () => addAnswer([29, 55]) })
    const outcomes = await scene
      .connect(broker.port)
      .addPartitionsToTransaction(transaction, [orders(0), orders(1)])
    assert.deepEqual(
      outcomes.map(({ result }) => !result.ok && result.error.kind),
      ['TOPIC_AUTHORIZATION_FAILED', 'OPERATION_NOT_ATTEMPTED'],
    )
    assert.equal(broker.heard(keys.addPartitions).length, 1)
  })

  test('a thousand partitions are one request', async () => {
    const many = Array.from({ length: 1000 }, (_, partition) => orders(partition))
    const broker = await scene.startBroker({ addPartitions: () => addAnswer(many.map(() => 0)) })
    const outcomes = await scene.connect(broker.port).addPartitionsToTransaction(transaction, many)
    assert(outcomes.every(({ result }) => result.ok))
    assert.equal(broker.heard(keys.addPartitions).length, 1)
  })
})

describe('requests to partition leaders', () => {
  /** Two brokers; the even partitions are led by the first, the odd ones by the second. */
  async function leaders(script: (broker: number) => Script<keyof typeof keys>, count: number) {
    const brokers: ScriptedBroker[] = []
    const metadata = () =>
      metadataAnswer({
        ports: { 0: brokers[0]?.port ?? 0, 1: brokers[1]?.port ?? 0 },
        topics: { orders: Array.from({ length: count }, (_, index) => index % 2) },
      })
    for (const id of [0, 1]) brokers.push(await scene.startBroker({ metadata, ...script(id) }))
    return brokers as [ScriptedBroker, ScriptedBroker]
  }
  const write = (cluster: Cluster, partitions: readonly TopicPartition[]) =>
    cluster.writeTransactionMarkers({ ...identity, producerEpoch: 4 }, 'abort', partitions)

  test('are one to each, however many partitions there are', async () => {
    const codes = (broker: number) =>
      new Map(Array.from({ length: 500 }, (_, index) => [2 * index + broker, 0] as const))
    const [even, odd] = await leaders((id) => ({ writeTxnMarkers: () => markersAnswer(codes(id)) }), 1000)
    const many = Array.from({ length: 1000 }, (_, partition) => orders(partition))
    const outcomes = await write(scene.connect(even.port), many)
    assert.deepEqual(
      outcomes.map(({ partition, result }) => [partition, result.ok]),
      many.map(({ partition }) => [partition, true]),
    )
    for (const broker of [even, odd]) assert.equal(broker.heard(keys.writeTxnMarkers).length, 1)
  })

  test('a marker that a newer coordinator epoch refuses is sent again with that epoch, and only there', async () => {
    const [even, odd] = await leaders(
      (id) => ({
        writeTxnMarkers: (request) =>
          coordinatorEpochOf(request) === 12
            ? markersAnswer(new Map([[0, 0]]))
            : markersAnswer(
                id === 1
                  ? new Map([[1, 0]])
                  : new Map([
                      [0, 52],
                      [2, 0],
                    ]),
              ),
        describeProducers: () => producersAnswer(0, 12),
      }),
      3,
    )
    const outcomes = await write(scene.connect(even.port), [orders(0), orders(1), orders(2)])
    assert.deepEqual(
      outcomes.map(({ result }) => result.ok),
      [true, true, true],
    )
    assert.deepEqual(even.heard(keys.writeTxnMarkers).map(coordinatorEpochOf), [-1, 12])
    assert.deepEqual(odd.heard(keys.writeTxnMarkers).map(coordinatorEpochOf), [-1])
    assert.equal(odd.heard(keys.describeProducers).length, 0)
  })

  test('a marker of an older epoch stays refused', async () => {
    const [even] = await leaders(() => ({ writeTxnMarkers: () => markersAnswer(new Map([[0, 47]])) }), 1)
    const [outcome] = await write(scene.connect(even.port), [orders(0)])
    assert(outcome !== undefined && !outcome.result.ok)
    assert.deepEqual([outcome.result.error.code, outcome.result.error.retriable], [47, false])
    assert.equal(even.heard(keys.writeTxnMarkers).length, 1)
  })

  test('a partition without a leader is told after a second, with what the others answered', async () => {
    const broker: ScriptedBroker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 0: broker.port }, topics: { orders: [0, -1] } }),
      describeProducers: () => producersAnswer(0, 1),
    })
    const cluster = scene.connect(broker.port)
    const answers = await cluster.describeProducers([orders(0), orders(1)])
    assert.deepEqual(
      answers.map(({ result }) => (result.ok ? result.value.length : result.error.code)),
      [2, 5],
    )
    assert.equal(broker.heard(keys.describeProducers).length, 1, 'what is answered is not asked again')
    const waitedMs = cluster.clock.slept.reduce((sum, ms) => sum + ms, 0)
    assert(waitedMs >= 1000 && waitedMs < 3000, `${waitedMs} ms`)
  })

  test('what a leader does not know is undefined', async () => {
    const [even] = await leaders(() => ({ describeProducers: () => producersAnswer(0, 1) }), 1)
    const [answer] = await scene.connect(even.port).describeProducers([orders(0)])
    assert(answer?.result.ok)
    assert.deepEqual(answer.result.value[0], {
      ...identity,
      lastSequence: undefined,
      lastTimestampMs: 1000,
      transactionStart: undefined,
    })
  })
})

describe('configs of brokers', () => {
  const names = ['producer.id.expiration.ms', 'ssl.key.password']

  test('that are withheld are left out', async () => {
    const broker: ScriptedBroker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 1: broker.port } }),
      describeConfigs: () => configsAnswer(0, { [names[0] as string]: '1000', [names[1] as string]: null }),
    })
    const configs = await scene.connect(broker.port).describeBrokerConfigs(names)
    assert.deepEqual([...configs], [[names[0], '1000']])
  })

  test('are empty where one may not ask', async () => {
    const broker: ScriptedBroker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 1: broker.port } }),
      describeConfigs: () => configsAnswer(31, {}),
    })
    assert.equal((await scene.connect(broker.port).describeBrokerConfigs(names)).size, 0)
    assert.equal(broker.heard(keys.describeConfigs).length, 1)
  })

  test('come from another broker when one cannot be reached', async () => {
    const gone = await scene.startBroker({})
    const broker: ScriptedBroker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 1: gone.port, 2: broker.port } }),
      describeConfigs: () => configsAnswer(0, { [names[0] as string]: '1000' }),
    })
    assert.equal((await scene.connect(broker.port).describeBrokerConfigs(names)).size, 1)
  })
})
