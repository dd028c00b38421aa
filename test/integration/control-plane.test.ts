import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import type { ConnectionSettings } from '../../replicator/kafka/settings.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'

function sourceBootstrap(): readonly string[] {
  const bootstrap = process.env.CAUSEWAY_TEST_SOURCE
  if (!bootstrap) throw new Error('CAUSEWAY_TEST_SOURCE is not set: run these tests with npm test')
  return bootstrap.split(',')
}

function connect(settings: Partial<ConnectionSettings> = {}, deadlineMs = 20_000): Cluster {
  return createKafkaCluster({
    alias: regionAlias('us-east'),
    settings: { bootstrap: sourceBootstrap(), clientId: 'causeway-test', ...settings },
    clock: systemClock,
    random: systemRandom,
    deadlineMs,
  })
}

/** Does something with a cluster that is closed afterwards. */
async function using<T>(cluster: Cluster, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  try {
    return await work(cluster)
  } finally {
    await cluster.close()
  }
}

describe('the control plane of a real broker', () => {
  let cluster: Cluster
  const name = () => `control-${randomUUID().slice(0, 8)}`
  const noConfigs = new Map<string, string>()
  before(() => {
    cluster = connect()
  })
  after(() => cluster.close())

  test('one request makes the good topics and explains each bad one', async () => {
    const [good, factor, config] = [name(), name(), name()]
    const results = await cluster.createTopics([
      { name: good, partitions: 3, replicationFactor: 'broker-default', configs: noConfigs },
      { name: 'not a name', partitions: 1, replicationFactor: 1, configs: noConfigs },
      { name: factor, partitions: 1, replicationFactor: 1000, configs: noConfigs },
      { name: config, partitions: 1, replicationFactor: 1, configs: new Map([['no.such.config', '1']]) },
    ])
    assert.deepEqual(
      [...results.values()].map((result) => (result.ok ? 'ok' : result.error.kind)),
      ['ok', 'INVALID_TOPIC_EXCEPTION', 'INVALID_REPLICATION_FACTOR', 'INVALID_CONFIG'],
    )
    const refused = results.get(config)
    assert.ok(refused && !refused.ok)
    assert.match(refused.error.message, new RegExp(`cluster us-east, topic ${config}\\).*no\\.such\\.config`))

    const again = await cluster.createTopics([
      { name: good, partitions: 3, replicationFactor: 1, configs: noConfigs },
    ])
    const exists = again.get(good)
    assert.ok(exists && !exists.ok)
    assert.equal(exists.error.kind, 'TOPIC_ALREADY_EXISTS')
  })

  test('asking about a topic that is missing does not make it', async () => {
    const missing = name()
    assert.deepEqual(await cluster.describeTopics([missing]), new Map([[missing, { kind: 'missing' }]]))
    const [offsets] = await cluster.listOffsets([{ topic: missing, partition: 0, at: 'latest' }])
    assert.ok(offsets && !offsets.result.ok)
    assert.equal(offsets.result.error.kind, 'UNKNOWN_TOPIC_OR_PARTITION')
    const all = await cluster.listTopics()
    assert.ok(!all.some((topic) => topic.name === missing))
  })

  test('many topics in one call, each with its configs and offsets', async () => {
    const topics = Array.from({ length: 30 }, () => name())
    const results = await cluster.createTopics(
      topics.map((topic, index) => ({
        name: topic,
        partitions: 2,
        replicationFactor: 'broker-default',
        configs: new Map([['retention.ms', String(1_000_000 + index)]]),
      })),
    )
    assert.ok([...results.values()].every((result) => result.ok))
    const configs = await cluster.describeTopicConfigs(topics)
    for (const [index, topic] of topics.entries()) {
      const described = configs.get(topic)
      assert.ok(described?.ok)
      const retention = described.value.find((entry) => entry.name === 'retention.ms')
      assert.equal(retention?.value, String(1_000_000 + index))
      assert.equal(retention?.source, 'topic')
    }
    const queries = topics.flatMap((topic) =>
      [0, 1].flatMap((partition) =>
        (['earliest', 'latest', 'last-stable'] as const).map((at) => ({ topic, partition, at })),
      ),
    )
    const answers = await cluster.listOffsets(queries)
    assert.deepEqual(
      answers.map(({ topic, partition }) => `${topic}/${partition}`),
      queries.map(({ topic, partition }) => `${topic}/${partition}`),
    )
    assert.ok(answers.every(({ result }) => result.ok && result.value.offset === 0n))
  })

  test('a transactional id keeps its producer id and gets a new epoch each time', async () => {
    const id = name()
    const first = await cluster.initProducerId(id)
    const second = await cluster.initProducerId(id)
    assert.equal(second.producerId, first.producerId)
    assert.equal(second.producerEpoch, first.producerEpoch + 1)
    const other = await cluster.initProducerId(undefined)
    assert.notEqual(other.producerId, first.producerId)
  })

  test('a call that was given up rejects with the reason, and the next one works', async () => {
    const reason = new Error('enough')
    await assert.rejects(cluster.listTopics(AbortSignal.abort(reason)), (error) => error === reason)
    assert.ok((await cluster.describeCluster()).brokers.length > 0)
  })
})

describe('wrong settings towards a plaintext listener', () => {
  test('TLS', async () => {
    await using(connect({ tls: {} }), async (cluster) => {
      const expected = { kind: 'hangup', cluster: 'us-east', message: /port does not speak TLS/ }
      await assert.rejects(cluster.describeCluster(), expected)
    })
  })

  test('a log-in', async () => {
    const sasl = { mechanism: 'plain', username: 'u', password: new Secret('hunter2') } as const
    await using(connect({ sasl }), async (cluster) => {
      await assert.rejects(cluster.describeCluster(), (error) => {
        assert.match(String(error), /authentication .*cluster us-east.*remove the sasl settings/)
        assert.ok(!String(error).includes('hunter2'))
        return true
      })
    })
  })

  test('an address that nothing listens on is passed over for one that works', async () => {
    const bootstrap = ['127.0.0.1:1', ...sourceBootstrap()]
    await using(connect({ bootstrap }), async (cluster) => {
      assert.ok((await cluster.describeCluster()).brokers.length > 0)
    })
  })

  test('only addresses that nothing listens on', async () => {
    await using(connect({ bootstrap: ['127.0.0.1:1', '127.0.0.1:2'] }, 500), async (cluster) => {
      await assert.rejects(cluster.describeCluster(), {
        kind: 'timeout',
        cluster: 'us-east',
        message:
          /127\.0\.0\.1:1: nothing listens there.*127\.0\.0\.1:2: nothing listens there.*up and reachable/,
      })
    })
  })
})
