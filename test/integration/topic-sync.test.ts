import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import type { TopicEvent } from '../../replicator/topics/events.ts'
import type { DiscoveryRound } from '../../replicator/topics/topic-pair.ts'
import { topicRules } from '../../replicator/topics/topic-rules.ts'
import { createTopicSync } from '../../replicator/topics/topic-sync.ts'
import { configSync } from '../../replicator/topology/defaults.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import type { FlowId } from '../../replicator/topology/model.ts'
import { compareTopics } from '../../replicator/verify/compare-topics.ts'

const addresses = {
  source: process.env.CAUSEWAY_TEST_SOURCE,
  target: process.env.CAUSEWAY_TEST_TARGET,
}
const skip =
  addresses.source === undefined || addresses.target === undefined ? 'needs two real clusters' : false

describe('topics of real clusters', { skip, timeout: 120_000 }, () => {
  const run = `sync-${randomUUID().slice(0, 8)}`
  const name = (topic: string) => `${run}-${topic}`
  const aliases = { source: regionAlias('us-east'), target: regionAlias('eu-west') }
  let clusters: { source: Cluster; target: Cluster }
  let kafkas: { source: Kafka; target: Kafka }
  let admins: { source: Admin; target: Admin }

  before(async () => {
    const connect = (side: 'source' | 'target') =>
      createKafkaCluster({
        alias: aliases[side],
        settings: { bootstrap: (addresses[side] ?? '').split(','), clientId: 'causeway-test' },
        clock: systemClock,
        random: systemRandom,
      })
    const kafka = (side: 'source' | 'target') =>
      new Kafka({
        brokers: (addresses[side] ?? '').split(','),
        clientId: 'judge',
        logLevel: logLevel.NOTHING,
      })
    clusters = { source: connect('source'), target: connect('target') }
    kafkas = { source: kafka('source'), target: kafka('target') }
    admins = { source: kafkas.source.admin(), target: kafkas.target.admin() }
    await Promise.all([admins.source.connect(), admins.target.connect()])
  })

  after(async () => {
    for (const side of ['source', 'target'] as const) {
      const left = (await admins[side].listTopics()).filter((topic) => topic.includes(run))
      if (left.length > 0) await admins[side].deleteTopics({ topics: left })
      await admins[side].disconnect()
      await clusters[side].close()
    }
  })

  test('discovers, creates, grows, follows configs, and notices what is deleted and re-created', async () => {
    const orders = name('orders')
    const copy = `us-east.${orders}`
    const configEntries = [
      { name: 'retention.ms', value: '3600000' },
      { name: 'min.insync.replicas', value: '1' },
    ]
    await admins.source.createTopics({ topics: [{ topic: orders, numPartitions: 3, configEntries }] })
    const rounds: DiscoveryRound[] = []
    const events: TopicEvent[] = []
    const ends = { source: aliases.source, target: aliases.target }
    const topics = [{ kind: 'match', match: `${run}-.*` }] as const
    const naming = { kind: 'prefixed', separator: '.' } as const
    const stop = new AbortController()
    const sync = createTopicSync({
      flow: { id: 'us-east->eu-west' as FlowId, ...ends, replicationFactor: 1, configSync },
      rules: topicRules({ ...ends, topics, paused: [], naming }, [ends.source, ends.target]),
      ...clusters,
      clock: systemClock,
      announce: (event) => events.push(event),
      discoveryIntervalMs: 300,
      configIntervalMs: 500,
    })
    const running = sync.run((round) => void rounds.push(round), stop.signal)
    const until = async (what: string, met: (round: DiscoveryRound) => boolean | Promise<boolean>) => {
      const deadline = AbortSignal.timeout(20_000)
      for (;;) {
        const last = rounds.at(-1)
        if (last !== undefined && (await met(last))) return last
        assert.equal(deadline.aborted, false, `${what}: ${JSON.stringify(last)}, ${JSON.stringify(events)}`)
        await delay(50)
      }
    }
    const pairOf = (round: DiscoveryRound, topic: string) =>
      round.pairs.find((pair) => pair.source.name === topic)
    try {
      const first = await until('creation', (round) => pairOf(round, orders) !== undefined)
      const pair = pairOf(first, orders)
      assert.equal(pair?.appeared, 'at-start')
      assert.deepEqual(pair?.partitions, [0, 1, 2])
      assert.ok(pair?.target.partitions.every((partition) => partition.leader !== undefined))
      assert.equal(await configOf('target', copy, 'retention.ms'), '3600000')

      await admins.source.createPartitions({ topicPartitions: [{ topic: orders, count: 5 }] })
      const grown = await until('growth', (round) => pairOf(round, orders)?.partitions.length === 5)
      assert.deepEqual(pairOf(grown, orders)?.laterPartitions, [3, 4])

      const users = name('users')
      await admins.source.createTopics({ topics: [{ topic: users, numPartitions: 1 }] })
      const added = await until('a later topic', (round) => pairOf(round, users) !== undefined)
      assert.equal(pairOf(added, users)?.appeared, 'later')

      await clusters.source.alterTopicConfigs(
        new Map([
          [
            orders,
            [
              { kind: 'set', name: 'max.message.bytes', value: '2000000' },
              { kind: 'delete', name: 'retention.ms' },
            ],
          ],
        ]),
      )
      await until('configs', async () => (await configOf('target', copy, 'max.message.bytes')) === '2000000')
      assert.equal(await configOf('target', copy, 'retention.ms'), '604800000')

      await admins.source.deleteTopics({ topics: [users] })
      await until('deletion', (round) => pairOf(round, users) === undefined)
      await until('its event', () => events.some((event) => event.kind === 'source-topic-gone'))
      assert.ok((await admins.target.listTopics()).includes(`us-east.${users}`))

      await admins.source.createTopics({ topics: [{ topic: users, numPartitions: 1 }] })
      const again = await until('re-creation', (round) => round.problems.some(({ topic }) => topic === users))
      assert.match(
        again.problems.find(({ topic }) => topic === users)?.reason ?? '',
        /deleted and re-created/,
      )
      assert.equal(
        events.some((event) => event.kind === 'configs-refused' || event.kind === 'look-failed'),
        false,
        JSON.stringify(events),
      )
    } finally {
      stop.abort(new Error('test over'))
      await running
    }
  })

  test('compares what two real clusters hold', async () => {
    const [here, there] = [name('verified'), name('verified-copy')]
    await admins.source.createTopics({ topics: [{ topic: here, numPartitions: 2 }] })
    await admins.target.createTopics({ topics: [{ topic: there, numPartitions: 2 }] })
    const records = Array.from({ length: 500 }, (_, i) => ({
      key: `key ${i}`,
      value: 'v'.repeat(i),
      headers: { origin: 'test', n: `${i}` },
      timestamp: `${1_700_000_000_000 + i}`,
      partition: i % 2,
    }))
    const application = kafkas.source.producer({
      transactionalId: run,
      idempotent: true,
      maxInFlightRequests: 1,
    })
    const copier = kafkas.target.producer()
    await Promise.all([application.connect(), copier.connect()])
    try {
      await application.send({ topic: here, messages: records, compression: CompressionTypes.GZIP })
      const aborted = await application.transaction()
      await aborted.send({ topic: here, messages: records.slice(0, 10) })
      await aborted.abort()
      await copier.send({ topic: there, messages: records })
      const compare = () =>
        compareTopics({
          ...clusters,
          pairs: [{ sourceTopic: here, targetTopic: there, partitions: [0, 1] }],
          clock: systemClock,
          random: systemRandom,
          signal: AbortSignal.timeout(60_000),
        })
      const equal = await compare()
      assert.deepEqual(
        [equal.identical, equal.records],
        [true, { source: 500, target: 500 }],
        JSON.stringify(equal),
      )
      await copier.send({ topic: there, messages: records.slice(1, 2) })
      const { partitions } = await compare()
      assert.deepEqual(
        partitions.map(({ verdict, first }) => [verdict, first?.kind]),
        [
          ['identical', undefined],
          ['different', 'duplicated'],
        ],
      )
    } finally {
      await Promise.all([application.disconnect(), copier.disconnect()])
    }
  })

  async function configOf(side: 'source' | 'target', topic: string, config: string) {
    const described = (await clusters[side].describeTopicConfigs([topic])).get(topic)
    if (described?.ok !== true) return undefined
    return described.value.find((entry) => entry.name === config)?.value
  }
})
