import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { FlowPair, testBrokers, until } from './flow-pair.ts'

let source: LocalCluster | undefined

before(async () => {
  const { signal } = new AbortController()
  const installation = await installKafka({}, signal)
  source = await startLocalCluster(
    { alias: 'unclean', brokers: 3, heapMb: 256, installation, startTimeoutMs: 120_000 },
    signal,
  )
})
after(() => source?.stop())

/** Writes to both partitions, again and again until brokers that have just come back take it. */
async function write(
  bootstrap: readonly string[],
  topic: string,
  partitions: readonly number[],
  count: number,
) {
  const producer = kafkajsClient('unclean', bootstrap).producer({ retry: { retries: 0 } })
  await producer.connect()
  try {
    for (const partition of partitions) {
      for (let left = 150; ; left--) {
        try {
          const messages = Array.from({ length: count }, (_, i) => ({
            partition,
            value: `${partition} ${i}`,
          }))
          await producer.send({ topic, acks: -1, messages })
          break
        } catch (error) {
          if (left === 0) throw error
          await delay(200)
        }
      }
    }
  } finally {
    await producer.disconnect()
  }
}

test('an unclean election cuts the source, which grows again: told, though offsets alone look sound', {
  timeout: 240_000,
}, async () => {
  const cluster = source
  assert.ok(cluster !== undefined)
  const topic = 'orders'
  const pair = new FlowPair({
    source: { bootstrap: cluster.bootstrap },
    target: { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') },
    topics: [{ kind: 'name', name: topic }],
    flow: { naming: { kind: 'template', template: `unclean-${crypto.randomUUID()}-{topic}` } },
  })
  const flow = pair.start()
  try {
    const configs = new Map([
      ['unclean.leader.election.enable', 'true'],
      ['min.insync.replicas', '1'],
    ])
    const created = await pair.source.createTopics([
      { name: topic, partitions: 1, replicationFactor: 2, configs },
    ])
    assert(created.get(topic)?.ok)
    await write(cluster.bootstrap, topic, [0], 10)
    await until('it is copied', () => flow.snapshot().records === 10, 60_000)
    const replicas = async () => {
      const lookup = (await pair.source.describeTopics([topic])).get(topic)
      assert(lookup?.kind === 'found')
      const { leader, replicas: all, leaderEpoch } = lookup.topic.partitions[0] ?? assert.fail('no partition')
      return {
        leader,
        leaderEpoch,
        follower: all.find((one) => one !== leader) ?? assert.fail('no follower'),
      }
    }
    const first = await replicas()
    assert(first.leader !== undefined)
    // The follower misses the next records, which are copied; then the only one that has them dies.
    await cluster.killBroker(first.follower, 'SIGKILL')
    await write(cluster.bootstrap, topic, [0], 10)
    await until('those are copied too', () => flow.snapshot().records === 20, 60_000)
    // A fetch at its position would be refused as long as the log is short; at rest, only the epochs tell.
    flow.pause(topic)
    await cluster.killBroker(first.leader, 'SIGKILL')
    await cluster.restartBroker(first.follower)
    await until(
      'the follower leads',
      async () => (await replicas().catch(() => undefined))?.leader === first.follower,
      90_000,
    )
    const cutMs = systemClock.monotonicMs()
    await write(cluster.bootstrap, topic, [0], 30)
    const stop = () =>
      flow.snapshot().stopped.find(({ reason }) => /the source lost offsets 10 to 19/.test(reason))
    await until('it is told', () => stop() !== undefined, 10_000 + (systemClock.monotonicMs() - cutMs))
    assert.match(stop()?.wayOut ?? '', /causeway flow resume -c causeway\.yaml orders\/0 .*--from 10/)
  } finally {
    await flow.destroy()
    await pair.close()
  }
})
