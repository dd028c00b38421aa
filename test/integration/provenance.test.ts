import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import kafkajs, { type Kafka } from 'kafkajs'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../replicator/kafka/errors.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import type { ConnectionSettings } from '../../replicator/kafka/settings.ts'
import { LostRegistryError } from '../../replicator/provenance/lost-registry.ts'
import { createProducerRegistry } from '../../replicator/provenance/producer-registry.ts'
import { createOrigins } from '../../replicator/provenance/source-origins.ts'
import { encodeBatch } from '../../replicator/records/encode.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { internalTopics } from '../../replicator/topology/internal-names.ts'
import { testBrokers, until } from './flow-pair.ts'
import { storedBatches } from './stored-batches.ts'

const TOPIC_AUTHORIZATION_FAILED = 29

const forever = new AbortController().signal
const flow = 'eu-west->us-east'
const clusters: Cluster[] = []

function connect(settings: Omit<ConnectionSettings, 'clientId'>): Cluster {
  const cluster = createKafkaCluster({
    alias: regionAlias('us-east'),
    settings: { clientId: 'causeway-test', ...settings },
    clock: systemClock,
    random: systemRandom,
    deadlineMs: 20_000,
  })
  clusters.push(cluster)
  return cluster
}

/** The registry of a topology that nobody else has. */
function registryOf(cluster: Cluster, name = `provenance-${randomUUID().slice(0, 8)}`) {
  const { producers: topic, progress: progressTopic } = internalTopics({ name })
  const options = {
    cluster,
    topic,
    progressTopic,
    create: { replicationFactor: 1 },
    isVital: true,
    clock: systemClock,
    random: systemRandom,
    backoff: defaultBackoff,
  }
  return {
    name,
    topic,
    registry: () => createProducerRegistry(options),
    origins: () => createOrigins(options),
  }
}

const entry = (producerId: bigint, shard = 0) => ({ producerId, flow, shard, progressTopicId: 'a-topic-id' })

/** Bytes as they are fetched, one batch of each id. */
const fetched = (...ids: readonly bigint[]) =>
  Buffer.concat(
    ids.map((producerId) =>
      encodeBatch([{ key: null, value: null, headers: [], timestamp: 0n }], {
        producer: { producerId, producerEpoch: 0, baseSequence: 0 },
      }),
    ),
  )

describe('the registry of producer ids on a real cluster', { timeout: 120_000 }, () => {
  let cluster: Cluster
  let kafka: Kafka
  before(() => {
    const bootstrap = testBrokers('CAUSEWAY_TEST_SOURCE')
    cluster = connect({ bootstrap })
    kafka = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: 0 })
  })
  after(async () => {
    for (const each of clusters) await each.close()
  })

  test('whoever fetches after an id was registered knows it, whichever client registered it', async () => {
    const { topic, registry, origins } = registryOf(cluster)
    const [one, another, reader] = [registry(), registry(), origins()]
    try {
      await Promise.all([
        one.register(entry(1n), forever),
        another.register(entry(2n, 1), forever),
        reader.learn(fetched(77n), forever),
      ])
      for (let id = 3n; id < 13n; id++) {
        await (id % 2n === 0n ? one : another).register(entry(id), forever)
        await reader.learn(fetched(id, 77n, 78n), forever)
        assert.deepEqual([reader.isLocal(id), reader.isLocal(77n), reader.isLocal(78n)], [false, true, true])
      }
      assert.equal((await one.formerly(flow, forever)).length, 12)
      assert.equal((await storedBatches(cluster, topic)).length, 12)
      const described = (await cluster.describeTopicConfigs([topic])).get(topic)
      assert(described?.ok)
      assert.equal(described.value.find(({ name }) => name === 'cleanup.policy')?.value, 'compact')
    } finally {
      for (const each of [one, another, reader]) await each.close()
    }
  })

  test('one that was deleted, or deleted and re-created, stops readers and writers', async () => {
    const admin = kafka.admin()
    await admin.connect()
    try {
      for (const isRecreated of [true, false]) {
        const { topic, registry, origins } = registryOf(cluster)
        const [writer, reader] = [registry(), origins()]
        await writer.register(entry(1n), forever)
        await reader.learn(fetched(1n), forever)
        await admin.deleteTopics({ topics: [topic] })
        await until(
          'it is gone',
          async () => (await cluster.describeTopics([topic])).get(topic)?.kind === 'missing',
        )
        if (isRecreated) {
          const fresh = registry()
          await fresh.register(entry(2n), forever)
          await fresh.close()
        }
        await assert.rejects(async () => reader.learn(fetched(9n), forever), LostRegistryError)
        await assert.rejects(writer.register(entry(3n), forever), LostRegistryError)
        await Promise.all([writer.close(), reader.close()])
      }
    } finally {
      await admin.disconnect()
    }
  })

  test('one that may not be read is an error, and nobody becomes local by it', async () => {
    const path = process.env.CAUSEWAY_TEST_SECURE
    assert(path, 'CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
    const as = async (user: string): Promise<Cluster> => {
      const credentials = JSON.parse(await readFile(join(dirname(path), `${user}.json`), 'utf8'))
      const { bootstrap, mechanism, username, password, caFile } = credentials
      return connect({
        bootstrap,
        tls: { ca: await readFile(caFile, 'utf8') },
        sasl: { mechanism, username, password: new Secret(password) },
      })
    }
    const there = registryOf(await as('admin'))
    const writer = there.registry()
    await writer.register(entry(1n), forever)
    await writer.close()
    for (const name of [there.name, `${there.name}-nowhere`]) {
      const stranger = registryOf(await as('stranger'), name).origins()
      await assert.rejects(
        async () => stranger.learn(fetched(1n), forever),
        (error) => error instanceof KafkaError && error.code === TOPIC_AUTHORIZATION_FAILED,
      )
      await stranger.close()
    }
  })
})
