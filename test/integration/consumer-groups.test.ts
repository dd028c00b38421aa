import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Connection, Consumer, createAPI, type Reader, Writer } from '@platformatic/kafka'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import type { GroupView } from '../../replicator/kafka/consumer-groups.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import type { OffsetsTopicRecord } from '../../replicator/kafka/offsets-topic-records.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import type { ConnectionSettings } from '../../replicator/kafka/settings.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { codeOf, eventually } from '../contract/contract-harness.ts'
import { lastCommits, toldOf } from '../contract/offsets-topic-contract.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'

const clock = systemClock
const clientId = 'groups-test'
const plain = { leaderEpoch: undefined, metadata: '' }

function connect(settings: ConnectionSettings): Cluster {
  return createKafkaCluster({ alias: regionAlias('us-east'), settings, clock, random: systemRandom })
}

/** Groups of clients of other hands, as the port sees them. */
describe('consumer groups', { timeout: 120_000 }, () => {
  let bootstrap: readonly string[]
  let cluster: Cluster
  let kafka: Kafka
  let admin: Admin

  before(async () => {
    bootstrap = testBrokers('CAUSEWAY_TEST_SOURCE')
    cluster = connect({ bootstrap, clientId })
    kafka = new Kafka({ brokers: [...bootstrap], clientId, logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    await admin.connect()
  })
  after(async () => {
    await admin.disconnect()
    await cluster.close()
  })

  async function newTopic(): Promise<{ readonly topic: string; readonly group: string }> {
    const run = randomUUID().slice(0, 8)
    const topic = `groups-${run}`
    await createTopics(admin, [{ topic, numPartitions: 2 }])
    return { topic, group: `group-${run}` }
  }

  async function viewOf(group: string): Promise<GroupView> {
    const [described] = await cluster.describeGroups([group])
    assert(described?.result.ok, described?.result.ok === false ? described.result.error.message : '')
    return described.result.value
  }

  async function withMembers(group: string, count: number) {
    return await eventually({ clock }, async () => {
      const view = await viewOf(group)
      return 'members' in view && view.members.length === count ? view : undefined
    })
  }

  async function committed(group: string): Promise<Record<string, unknown>> {
    const [answer] = await cluster.groupOffsets([{ group, partitions: 'all' }], { requireStable: true })
    assert(answer?.result.ok)
    return Object.fromEntries(
      answer.result.value.map(({ topic, partition, result }) => {
        assert(result.ok && result.value !== undefined)
        const { offset, leaderEpoch, metadata } = result.value
        return [`${topic}/${partition}`, [offset, leaderEpoch, metadata]]
      }),
    )
  }

  async function listed(group: string) {
    const { groups, silent } = await cluster.listGroups()
    assert.deepEqual(silent, [])
    return groups.find((each) => each.group === group)
  }

  const told = async (group: string, until: (records: readonly OffsetsTopicRecord[]) => boolean) =>
    eventually({ clock }, async () => {
      const records = await toldOf({ cluster, clock }, group)
      return until(records) ? records : undefined
    })

  test('of kafkajs: its commits are read, and nobody commits for it while it runs', async () => {
    const { topic, group } = await newTopic()
    const consumer = kafka.consumer({ groupId: group })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
    await consumer.run({ eachMessage: async () => {} })
    const view = await withMembers(group, 1)
    assert(view.kind === 'classic')
    assert.equal(view.protocolType, 'consumer')
    assert.equal(view.members[0]?.clientId, clientId)
    assert.match(view.members[0]?.host ?? '', /127\.0\.0\.1/)
    await eventually(
      { clock },
      async () => ((await viewOf(group)) as { state: string }).state === 'Stable' || undefined,
    )
    await consumer.commitOffsets([
      { topic, partition: 0, offset: '3', metadata: 'µ {"a":1}' },
      { topic, partition: 1, offset: '9007199254740993' },
    ])
    const expected = {
      [`${topic}/0`]: [3n, undefined, 'µ {"a":1}'],
      [`${topic}/1`]: [2n ** 53n + 1n, undefined, ''],
    }
    assert.deepEqual(await committed(group), expected)
    assert.deepEqual(await listed(group), {
      group,
      protocolType: 'consumer',
      state: 'Stable',
      type: 'classic',
    })
    const records = await told(group, (all) => Object.keys(lastCommits(all)).length === 2)
    assert.deepEqual(lastCommits(records), expected)
    const joined = records.find((record) => record.kind === 'classic-group' && record.members.length === 1)
    assert(joined?.kind === 'classic-group')
    assert.equal(joined.protocolType, 'consumer')
    assert.equal(joined.members[0]?.clientId, clientId)

    const ours = [{ topic, partition: 0, offset: 8n, ...plain }]
    assert.deepEqual(await cluster.commitGroupOffsets(group, ours), { kind: 'group-is-used' })
    const [kept] = await cluster.deleteGroupOffsets(group, [{ topic, partition: 0 }])
    assert(kept)
    assert.equal(codeOf(kept.result), 86)
    await consumer.disconnect()
    await withMembers(group, 0)
    assert.equal((await cluster.commitGroupOffsets(group, ours)).kind, 'answered')
    assert.deepEqual(await committed(group), { ...expected, [`${topic}/0`]: [8n, undefined, ''] })
  })

  test('under the consumer protocol: members are seen, and commits are taken once they are gone', async () => {
    const { topic, group } = await newTopic()
    await cluster.commitGroupOffsets(group, [{ topic, partition: 0, offset: 0n, ...plain }])
    const consumer = new Consumer({
      clientId,
      groupId: group,
      bootstrapBrokers: [...bootstrap],
      groupProtocol: 'consumer',
    })
    const stream = await consumer.consume({ topics: [topic], mode: 'latest' })
    stream.on('data', () => {})
    const view = await withMembers(group, 1)
    assert(view.kind === 'consumer')
    assert.equal(view.protocolType, 'consumer')
    assert.equal(view.members[0]?.clientId, clientId)
    assert.deepEqual((await listed(group))?.type, 'consumer')
    const ours = [{ topic, partition: 0, offset: 4n, leaderEpoch: 0, metadata: 'ours' }]
    assert.deepEqual(await cluster.commitGroupOffsets(group, ours), { kind: 'group-is-used' })
    await stream.close()
    await consumer.close(true)
    await withMembers(group, 0)
    assert.equal((await cluster.commitGroupOffsets(group, ours)).kind, 'answered')
    assert.deepEqual((await committed(group))[`${topic}/0`], [4n, 0, 'ours'])
    const records = await told(group, (all) => all.some((each) => each.kind === 'member' && !each.joined))
    const of = (kind: OffsetsTopicRecord['kind']) => records.filter((each) => each.kind === kind)
    assert(of('group').every((each) => each.kind === 'group' && each.type === 'consumer'))
    assert.equal(of('group').length > 0, true)
    const memberId = view.members[0]?.memberId
    const members = of('member')
    assert(members.every((each) => each.kind === 'member' && each.memberId === memberId))
    assert.deepEqual(
      [members.at(0), members.at(-1)].map((each) => each?.kind === 'member' && each.joined),
      [true, false],
    )
    assert.deepEqual(of('unknown'), [])
  })

  test('that share are said to be others, and have no offsets', async () => {
    const { topic, group } = await newTopic()
    const connection = new Connection(clientId)
    connection.on('error', () => {})
    const [host, port] = (bootstrap[0] ?? '').split(':')
    await connection.connect(host ?? '', Number(port))
    const memberId = randomUUID()
    try {
      const beat = (epoch: number, topics: readonly string[] | null) =>
        shareGroupHeartbeat.async(connection, group, memberId, epoch, topics)
      await eventually({ clock }, async () => ((await beat(0, [topic])) === 0 ? true : undefined))
      assert.deepEqual(await listed(group), { group, protocolType: 'share', state: 'Stable', type: 'share' })
      assert.deepEqual(await viewOf(group), { kind: 'other', type: 'share', state: 'Stable' })
      assert.deepEqual(await committed(group), {})
      const ours = [{ topic, partition: 0, offset: 4n, ...plain }]
      await assert.rejects(cluster.commitGroupOffsets(group, ours), { name: 'KafkaError', code: 69 })
      const records = await told(group, (all) => all.some(({ kind }) => kind === 'member'))
      assert(records.every((each) => !('type' in each) || each.type === 'share'))
      await beat(-1, null)
    } finally {
      await connection.close()
    }
  })

  test('that a principal has no right to are refused each by itself', async () => {
    const path = process.env.CAUSEWAY_TEST_SECURE
    assert.ok(path, 'CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
    const credentials = JSON.parse(await readFile(join(dirname(path), 'stranger.json'), 'utf8'))
    const { mechanism, username, password } = credentials
    const stranger = connect({
      bootstrap: credentials.bootstrap,
      clientId,
      tls: { ca: await readFile(credentials.caFile, 'utf8') },
      sasl: { mechanism, username, password: new Secret(password) },
    })
    const refused = { name: 'KafkaError', code: 30, message: /GROUP_AUTHORIZATION_FAILED.*cluster us-east/ }
    const at = { topic: 'orders', partition: 0 }
    try {
      assert.deepEqual(await stranger.listGroups(), { groups: [], silent: [] })
      const [described] = await stranger.describeGroups(['billing'])
      assert(described)
      assert.equal(codeOf(described.result), 30)
      const queries = [
        { group: 'billing', partitions: [at] },
        { group: 'ledger', partitions: 'all' as const },
      ]
      const answers = await stranger.groupOffsets(queries, { requireStable: false })
      assert.deepEqual(
        answers.map(({ group, result }) => [group, codeOf(result)]),
        [
          ['billing', 30],
          ['ledger', 30],
        ],
      )
      await assert.rejects(stranger.commitGroupOffsets('billing', [{ ...at, offset: 1n, ...plain }]), refused)
      await assert.rejects(stranger.deleteGroupOffsets('billing', [at]), refused)
    } finally {
      await stranger.close()
    }
  })
})

/** ShareGroupHeartbeat 1 (KIP-932), which the wire library does not know; gives the error code. */
const shareGroupHeartbeat = createAPI<[string, string, number, readonly string[] | null], number>(
  76,
  1,
  (group, memberId, epoch, topics) =>
    Writer.create()
      .appendString(group)
      .appendString(memberId)
      .appendInt32(epoch)
      .appendString(null)
      .appendArray(
        topics === null ? null : [...topics],
        (writer, topic) => writer.appendString(topic),
        true,
        false,
      )
      .appendTaggedFields(),
  (_correlationId: number, _apiKey: number, _apiVersion: number, reader: Reader) => {
    reader.readInt32()
    return reader.readInt16()
  },
)
