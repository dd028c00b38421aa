import { randomUUID } from 'node:crypto'
import { Admin } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import type { ContractHarness } from '../contract/contract-harness.ts'

/**
 * The contract suite's view of the real broker that the test runner started. What the port does not offer is done
 * with kafkajs, a client of another hand.
 * @throws Error when CAUSEWAY_TEST_SOURCE is not set
 */
export async function realHarness(): Promise<ContractHarness> {
  const bootstrap = process.env.CAUSEWAY_TEST_SOURCE
  if (bootstrap === undefined)
    throw new Error('CAUSEWAY_TEST_SOURCE is not set: run these tests with npm test')
  return harnessOf(bootstrap.split(','))
}

/**
 * The same view of brokers of a test's own.
 * @param patienceMs of the harness's clients; default: as long as their deadline
 */
export async function harnessOf(bootstrap: readonly string[], patienceMs?: number): Promise<ContractHarness> {
  const settings = { bootstrap, clientId: 'causeway-contract' }
  const connect = () =>
    createKafkaCluster({
      alias: regionAlias('contract'),
      settings,
      clock: systemClock,
      random: systemRandom,
      ...(patienceMs === undefined ? {} : { patienceMs }),
    })
  const cluster = connect()
  const kafka = new Kafka({
    brokers: [...bootstrap],
    clientId: 'causeway-contract-judge',
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  await admin.connect()
  const recordAdmin = new Admin({ clientId: 'causeway-contract-admin', bootstrapBrokers: [...bootstrap] })
  const producers: { disconnect(): Promise<void> }[] = []
  const run = randomUUID().slice(0, 8)
  let names = 0
  return {
    cluster,
    clock: systemClock,
    connect: async () => connect(),
    run: (work) => work(),
    deleteTopic: (name) => admin.deleteTopics({ topics: [name] }),
    // kafkajs loses the leader of partition 0 here.
    deleteRecords: async ({ topic, partition }, before) => {
      await recordAdmin.deleteRecords({
        topics: [{ name: topic, partitions: [{ partition, offset: before }] }],
      })
    },
    openTransaction: async () => {
      const transactionalId = `contract-${run}-${names++}`
      const producer = kafka.producer({
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
      })
      producers.push(producer)
      await producer.connect()
      const transaction = await producer.transaction()
      return {
        transactionalId,
        append: async ({ topic, partition }, count) => {
          const messages = Array.from({ length: count }, (_, i) => ({
            partition,
            key: `key ${i}`,
            value: `value ${i}`,
          }))
          await transaction.send({ topic, messages })
        },
        commitOffset: async (group, { topic, partition }, offset) => {
          const topics = [{ topic, partitions: [{ partition, offset: String(offset) }] }]
          await transaction.sendOffsets({ consumerGroupId: group, topics })
        },
        end: (how) => (how === 'commit' ? transaction.commit() : transaction.abort()),
      }
    },
    newName: () => `contract-${run}-${names++}`,
    close: async () => {
      await Promise.all(producers.map((producer) => producer.disconnect()))
      await admin.disconnect()
      await recordAdmin.close()
      await cluster.close()
    },
  }
}
