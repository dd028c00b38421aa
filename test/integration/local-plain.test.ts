import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { installKafka, type KafkaInstallation } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { createTopics } from './create-topics.ts'

const signal = new AbortController().signal

async function produceAndCount(
  cluster: LocalCluster,
  topic: string,
  values: readonly string[],
): Promise<number> {
  const kafka = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer()
  await Promise.all([admin.connect(), producer.connect()])
  try {
    await createTopics(admin, [{ topic }])
    await producer.send({ topic, acks: -1, messages: values.map((value) => ({ value })) })
    const offsets = await admin.fetchTopicOffsets(topic)
    return Number(offsets[0]?.high)
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  }
}

const isAlive = (pid: number) => existsSync(`/proc/${pid}`) || signalReaches(pid)
function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function untilSucceeds(step: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + 60_000
  for (;;) {
    try {
      await step()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await delay(50)
  }
}

describe('a plain local cluster', () => {
  let installation: KafkaInstallation
  before(async () => {
    installation = await installKafka({}, signal)
  })

  test('with one broker takes records at once, has no topics of ours, and leaves nothing behind', async () => {
    const cluster = await startLocalCluster({ alias: 'one', installation }, signal)
    try {
      assert.equal(await produceAndCount(cluster, 'orders', ['a', 'b', 'c']), 3)
      const admin = new Kafka({ brokers: [...cluster.bootstrap], logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      const topics = (await admin.listTopics()).filter((name) => !name.startsWith('__'))
      await admin.disconnect()
      assert.deepEqual(topics, ['orders'])
    } finally {
      await cluster.stop()
    }
    assert.equal(existsSync(cluster.folder), false)
    assert.deepEqual(
      cluster.brokers.filter(({ pid }) => isAlive(pid)),
      [],
    )
  })

  describe('with three brokers', () => {
    let cluster: LocalCluster
    before(async () => {
      cluster = await startLocalCluster({ alias: 'three', brokers: 3, installation }, signal)
    })
    after(() => cluster.stop())

    test('goes on while one is killed, and takes it back on its old port', async () => {
      const victim = cluster.brokers[1]
      assert.ok(victim)
      assert.equal(await produceAndCount(cluster, 'orders', ['a']), 1)
      await cluster.killBroker(victim.id, 'SIGKILL')
      assert.equal(isAlive(victim.pid), false)
      // The others name the dead one as leader until its session ends.
      await untilSucceeds(() => produceAndCount(cluster, 'while-one-is-down', ['b']))

      await cluster.restartBroker(victim.id)
      const again = cluster.brokers[1]
      assert.equal(again?.port, victim.port)
      assert.notEqual(again?.pid, victim.pid)
      assert.equal(await produceAndCount(cluster, 'orders', ['c']), 2)
    })
  })
})
