import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { inspect, isDeepStrictEqual } from 'node:util'
import kafkajs, { type Admin, type Producer } from 'kafkajs'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { prepareMirrorTopic } from '../../replicator/offsets/mm2/prepare-topic.ts'
import { sourceOffsetsTopic } from '../../replicator/offsets/mm2/replication-policy.ts'
import { encodeSourceOffsetKey, encodeSourceOffsetValue } from '../../replicator/offsets/mm2/source-offset.ts'
import { readSourceOffsets } from '../../replicator/offsets/mm2/source-offsets-topic.ts'
import { sourceOffset } from '../../replicator/records/offsets.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { testBrokers, until } from './flow-pair.ts'

const forever = new AbortController().signal

describe('source offsets of a MirrorMaker 2 that writes in transactions', { timeout: 60_000 }, () => {
  const alias = `a${randomUUID().slice(0, 8)}`
  const topic = sourceOffsetsTopic(alias)
  const key = { connector: 'MirrorSourceConnector', cluster: alias, topic: 'orders', partition: 0 }
  const bootstrap = testBrokers('CAUSEWAY_TEST_TARGET')
  const kafka = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: 0 })
  let cluster: Cluster
  let admin: Admin
  let producer: Producer
  before(async () => {
    cluster = createKafkaCluster({
      alias: regionAlias('eu-west'),
      settings: { clientId: 'causeway-test', bootstrap },
      clock: systemClock,
      random: systemRandom,
      deadlineMs: 20_000,
    })
    await prepareMirrorTopic(cluster, { name: topic, replicationFactor: 1, partitions: 3 }, forever)
    admin = kafka.admin()
    await admin.connect()
    producer = kafka.producer({ transactionalId: alias, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
  })
  after(async () => {
    await producer.disconnect()
    await admin.deleteTopics({ topics: [topic] })
    await admin.disconnect()
    await cluster.close()
  })

  /** Begins a transaction that stores an offset, as Connect would, through kafkajs's own choice of the partition. */
  async function stored(lastCopied: bigint) {
    const transaction = await producer.transaction()
    const value = encodeSourceOffsetValue(sourceOffset(lastCopied))
    await transaction.send({ topic, messages: [{ key: encodeSourceOffsetKey(key), value }] })
    return transaction
  }
  const found = async () => {
    const options = { clock: systemClock, random: systemRandom, backoff: defaultBackoff }
    const { entries, openTransactions } = await readSourceOffsets({ cluster, topic, ...options }, forever)
    return { offsets: entries.map(({ lastCopied }) => lastCopied), open: openTransactions.length }
  }

  /** Brokers answer before they have written a transaction's markers. */
  const soon = async (expected: { readonly offsets: readonly bigint[]; readonly open: number }) =>
    until(`found ${inspect(expected)}`, async () => isDeepStrictEqual(await found(), expected))

  test('count when they are committed; aborted ones never, and open ones are told', async () => {
    assert.deepEqual(await found(), { offsets: [], open: 0 })
    await (await stored(1n)).commit()
    await soon({ offsets: [1n], open: 0 })
    await (await stored(2n)).abort()
    await soon({ offsets: [1n], open: 0 })
    const open = await stored(3n)
    assert.deepEqual(await found(), { offsets: [1n], open: 1 })
    await open.commit()
    await soon({ offsets: [3n], open: 0 })
  })
})
