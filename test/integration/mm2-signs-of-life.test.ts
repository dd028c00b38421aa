import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import type { Admin, Consumer, Producer } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import type { Clock } from '../../replicator/clock/clock.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { watchForLife } from '../../replicator/migrate/signs-of-life.ts'
import { encodeHeartbeat } from '../../replicator/offsets/mm2/heartbeat.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'

const id = randomUUID().slice(0, 8)
const topics = { offsets: `offsets-${id}`, heartbeats: `heartbeats-${id}`, copy: `A.copy-${id}` }
const group = `workers-${id}`
const forever = new AbortController().signal
const bootstrap = testBrokers('CAUSEWAY_TEST_TARGET')

/** Time goes ten times as fast, so that nobody waits for half a minute. */
const fastClock: Clock = {
  ...systemClock,
  wallMs: () => systemClock.wallMs(),
  monotonicMs: () => 10 * systemClock.monotonicMs(),
  sleep: (ms, signal) => systemClock.sleep(ms / 10, signal),
}

describe('signs that somebody still copies', { timeout: 100_000 }, () => {
  const kafka = kafkajsClient('signs', bootstrap)
  const admin: Admin = kafka.admin()
  const producer: Producer = kafka.producer()
  let consumer: Consumer | undefined
  const target = createKafkaCluster({
    alias: regionAlias('target'),
    settings: { clientId: 'signs-test', bootstrap },
    clock: systemClock,
    random: systemRandom,
  })
  before(async () => {
    await Promise.all([admin.connect(), producer.connect()])
    await createTopics(
      admin,
      Object.values(topics).map((topic) => ({ topic })),
    )
  })
  after(async () => {
    await consumer?.disconnect()
    await admin.deleteTopics({ topics: Object.values(topics) }).catch(() => {})
    await Promise.all([admin.disconnect(), producer.disconnect(), target.close()])
  })

  const watch = (clock = fastClock) =>
    watchForLife(
      {
        target,
        mirrorMaker: {
          ...{ source: 'A', connector: 'MirrorSourceConnector', offsetsTopic: topics.offsets },
          connectGroup: group,
          heartbeats: { topic: topics.heartbeats, intervalMs: 1000 },
        },
        copies: [{ topic: topics.copy, partition: 0 }],
        replicas: undefined,
        ...{ clock, random: systemRandom, backoff: defaultBackoff },
      },
      forever,
    )

  /** Writes again and again while it is watched. */
  async function watchedWhile(topic: string, key: Buffer, value: Buffer): Promise<string | undefined> {
    let isOver = false
    const writing = (async () => {
      while (!isOver) await producer.send({ topic, messages: [{ key, value }] })
    })()
    const seen = await watch().finally(() => {
      isOver = true
    })
    await writing
    return seen
  }
  const heartbeat = (source: string) => encodeHeartbeat({ source, target: 'B', timestampMs: 1n })

  test('none: all is quiet, whatever was written before', async () => {
    const { key, value } = heartbeat('A')
    await producer.send({ topic: topics.heartbeats, messages: [{ key, value }] })
    assert.equal(await watch(), undefined)
  })

  test('a heartbeat of the source, not of another', async () => {
    const [ours, others] = [heartbeat('A'), heartbeat('C')]
    assert.equal(await watchedWhile(topics.heartbeats, others.key, others.value), undefined)
    assert.match((await watchedWhile(topics.heartbeats, ours.key, ours.value)) ?? '', /^heartbeats of A are/)
  })

  test('an offset that is stored, or a copy that grows', async () => {
    const bytes = Buffer.from('x')
    assert.match((await watchedWhile(topics.offsets, bytes, bytes)) ?? '', /^offsets are stored into/)
    assert.equal(await watchedWhile(topics.copy, bytes, bytes), `the copy ${topics.copy}/0 grows`)
  })

  test('a member of the workers or of our replicas, but one that leaves is waited for', async () => {
    consumer = kafka.consumer({ groupId: group })
    await consumer.connect()
    await consumer.subscribe({ topic: topics.copy })
    await consumer.run({ eachMessage: async () => {} })
    const joined = async () => (await admin.describeGroups([group])).groups[0]?.members.length === 1
    while (!(await joined()));
    assert.match((await watch()) ?? '', new RegExp(`^group "${group}" has a member at `))
    const leaving = watch(systemClock)
    await consumer.disconnect()
    consumer = undefined
    assert.equal(await leaving, undefined)
  })
})
