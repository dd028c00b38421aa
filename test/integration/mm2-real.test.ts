import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import kafkajs from 'kafkajs'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { TopicLog, type TopicLogOptions } from '../../replicator/kafka/topic-log.ts'
import { partitionOfKey } from '../../replicator/offsets/mm2/java-partitioner.ts'
import {
  checkpointCodec,
  heartbeatCodec,
  type MirrorCodec,
  offsetSyncCodec,
} from '../../replicator/offsets/mm2/mirror-topic.ts'
import { prepareMirrorTopic } from '../../replicator/offsets/mm2/prepare-topic.ts'
import {
  checkpointsTopic,
  offsetSyncsTopic,
  remoteTopic,
  replicationPolicy,
  sourceOffsetsTopic,
} from '../../replicator/offsets/mm2/replication-policy.ts'
import {
  decodeSourceOffset,
  dedicatedSourceConnector,
  encodeSourceOffsetKey,
  encodeSourceOffsetValue,
} from '../../replicator/offsets/mm2/source-offset.ts'
import { readSourceOffsets, writeSourceOffsets } from '../../replicator/offsets/mm2/source-offsets-topic.ts'
import type { DecodedRecord } from '../../replicator/records/decode.ts'
import { sourceOffset } from '../../replicator/records/offsets.ts'
import { heartbeatsTopic } from '../../replicator/topology/heartbeats.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { testBrokers, until } from './flow-pair.ts'
import { RealMirrorMaker } from './real-mirror-maker.ts'

const forever = new AbortController().signal
const recordsPerPartition = 100
/** Of partition 0, what MirrorMaker 2 is told that it has copied. */
const lastCopied = 59n
const committed = 80n
/** It starts in some 15 s, of which little is its own. */
const patienceMs = 90_000
const offsetsTopicPartitions = 25

const id = randomUUID().slice(0, 8)
const flow = { source: `s${id}`, target: `t${id}` }
const topic = `orders-${id}`
const group = `payments-${id}`
const policy = replicationPolicy()
const names = {
  copy: remoteTopic(policy, flow.source, topic),
  syncs: offsetSyncsTopic(policy, flow.target),
  checkpoints: checkpointsTopic(policy, flow.source),
  sourceOffsets: sourceOffsetsTopic(flow.source),
}

const properties = (source: string, target: string): string =>
  [
    `clusters = ${flow.source}, ${flow.target}`,
    `${flow.source}.bootstrap.servers = ${source}`,
    `${flow.target}.bootstrap.servers = ${target}`,
    `${flow.source}->${flow.target}.enabled = true`,
    `${flow.source}->${flow.target}.topics = ${topic}`,
    `${flow.source}->${flow.target}.groups = ${group}`,
    // Nothing is written to the shared source but the syncs.
    `${flow.target}->${flow.source}.emit.heartbeats.enabled = false`,
    'emit.checkpoints.interval.seconds = 1',
    `${flow.target}.offset.flush.interval.ms = 1000`,
    `${flow.target}.scheduled.rebalance.max.delay.ms = 0`,
    // Half the start is otherwise spent looking for plug-ins.
    `${flow.target}.plugin.discovery = service_load`,
    'plugin.discovery = service_load',
    'replication.factor = 1',
    'checkpoints.topic.replication.factor = 1',
    'heartbeats.topic.replication.factor = 1',
    'offset-syncs.topic.replication.factor = 1',
    'offset.storage.replication.factor = 1',
    'config.storage.replication.factor = 1',
    'status.storage.replication.factor = 1',
  ].join('\n')

describe('a real MirrorMaker 2', { timeout: 240_000 }, () => {
  const bootstrap = {
    source: testBrokers('CAUSEWAY_TEST_SOURCE'),
    target: testBrokers('CAUSEWAY_TEST_TARGET'),
  }
  const kafka = {
    source: new kafkajs.Kafka({ brokers: [...bootstrap.source], logLevel: 0 }),
    target: new kafkajs.Kafka({ brokers: [...bootstrap.target], logLevel: 0 }),
  }
  let source: Cluster
  let target: Cluster
  let folder: string
  let mirrorMaker: RealMirrorMaker | undefined

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-mm2-'))
    const connect = (side: 'source' | 'target') =>
      createKafkaCluster({
        alias: regionAlias(side),
        settings: { clientId: 'causeway-test', bootstrap: bootstrap[side] },
        clock: systemClock,
        random: systemRandom,
        deadlineMs: 20_000,
      })
    source = connect('source')
    target = connect('target')
  })
  after(async () => {
    await mirrorMaker?.stop()
    await Promise.all([source.close(), target.close()])
    await rm(folder, { recursive: true, force: true })
    // Other tests look at every topic of the shared brokers.
    for (const each of [kafka.source, kafka.target]) {
      const admin = each.admin()
      await admin.connect()
      const topics = (await admin.listTopics()).filter((name) => name.includes(id))
      if (topics.length > 0) await admin.deleteTopics({ topics }).catch(() => {})
      await admin.disconnect()
    }
  })

  const log = (cluster: Cluster, of: string): TopicLogOptions => ({
    ...{ cluster, topic: of, backoff: defaultBackoff },
    ...{ clock: systemClock, random: systemRandom },
  })

  /** The records of a partition; none where there is no such topic yet. */
  async function records(cluster: Cluster, of: string, partition = 0): Promise<readonly DecodedRecord[]> {
    const found: DecodedRecord[] = []
    if ((await cluster.describeTopics([of])).get(of)?.kind !== 'found') return found
    const reader = new TopicLog(log(cluster, of))
    await reader.read(partition, (record) => found.push(record), forever).finally(() => reader.close())
    return found
  }

  /** What the codec reads of a topic, each record's bytes checked against what it would write. */
  async function decoded<T>(codec: MirrorCodec<T>, cluster: Cluster, of: string): Promise<readonly T[]> {
    return (await records(cluster, of)).map((record) => {
      const read = codec.decode(record)
      if (read.kind === 'undecodable') assert.fail(`${of} at ${record.offset}: ${read.detail}`)
      const { key, value } = codec.encode(read.value)
      assert.deepEqual({ key, value }, { key: record.key, value: record.value })
      return read.value
    })
  }

  async function seedSource(): Promise<void> {
    const admin = kafka.source.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] })
    const producer = kafka.source.producer()
    await producer.connect()
    for (const partition of [0, 1]) {
      const messages = Array.from({ length: recordsPerPartition }, (_, i) => ({ partition, value: `${i}` }))
      await producer.send({ topic, messages })
    }
    await producer.disconnect()
    await admin.setOffsets({
      groupId: group,
      topic,
      partitions: [{ partition: 0, offset: String(committed) }],
    })
    await admin.disconnect()
  }

  async function start(): Promise<RealMirrorMaker> {
    const file = join(folder, 'mm2.properties')
    await writeFile(file, properties(bootstrap.source.join(','), bootstrap.target.join(',')))
    return await RealMirrorMaker.start(file)
  }

  const where = (partition: number) => ({
    ...{ connector: dedicatedSourceConnector, cluster: flow.source },
    ...{ topic, partition },
  })

  async function whenItHasWritten(running: RealMirrorMaker): Promise<void> {
    await until(
      'MirrorMaker 2 has written its state',
      async () => {
        assert.ok(!running.hasEnded, `MirrorMaker 2 ended: ${running.said}`)
        const checkpoints = await decoded(checkpointCodec, target, names.checkpoints)
        if (!checkpoints.some((each) => each.group === group)) return false
        const { entries } = await readSourceOffsets(log(target, names.sourceOffsets), forever)
        return (
          entries.length === 2 && entries.every((each) => each.lastCopied === BigInt(recordsPerPartition - 1))
        )
      },
      patienceMs,
    ).catch((error: unknown) => {
      throw new Error(`MirrorMaker 2 said: ${running.said}`, { cause: error })
    })
  }

  test('goes on from the source offsets that are written here, and what it writes is read here', async () => {
    await seedSource()
    const offsets = { name: names.sourceOffsets, partitions: offsetsTopicPartitions, replicationFactor: 1 }
    await prepareMirrorTopic(target, offsets, forever)
    const toStore = { ...where(0), lastCopied: sourceOffset(lastCopied) }
    await writeSourceOffsets(log(target, names.sourceOffsets), [toStore], forever)

    mirrorMaker = await start()
    await whenItHasWritten(mirrorMaker)
    await mirrorMaker.stop()

    const copied = async (partition: number) =>
      (await records(target, names.copy, partition)).map(({ value }) => Number(String(value)))
    const from = (first: number) => Array.from({ length: recordsPerPartition - first }, (_, i) => first + i)
    assert.deepEqual(await copied(0), from(Number(lastCopied) + 1))
    assert.deepEqual(await copied(1), from(0))

    const syncs = await decoded(offsetSyncCodec, source, names.syncs)
    for (const [partition, shift] of [
      [0, lastCopied + 1n],
      [1, 0n],
    ] as const) {
      const ofPartition = syncs.filter((sync) => sync.partition === partition)
      assert.ok(ofPartition.length > 0, `syncs of partition ${partition}`)
      for (const sync of ofPartition) {
        assert.equal(sync.topic, topic)
        assert.equal(sync.upstreamOffset - sync.downstreamOffset, shift)
      }
    }

    const ofGroup = (await decoded(checkpointCodec, target, names.checkpoints)).filter(
      (each) => each.group === group,
    )
    const last = ofGroup.at(-1)
    assert.ok(last)
    assert.deepEqual([last.topic, last.partition, last.upstreamOffset], [names.copy, 0, committed])
    assert.ok(last.downstreamOffset > 0n && last.downstreamOffset <= committed - lastCopied - 1n)

    const beats = await decoded(heartbeatCodec, target, heartbeatsTopic)
    assert.ok(beats.some((beat) => beat.source === flow.source && beat.target === flow.target))

    await storesAsWeDo()
    await createsAsWeDo()
  })

  /** Every source offset of a topic partition stands under the key, in the partition and with the value we would write. */
  async function storesAsWeDo(): Promise<void> {
    let seen = 0
    for (let partition = 0; partition < offsetsTopicPartitions; partition++) {
      for (const record of await records(target, names.sourceOffsets, partition)) {
        const read = decodeSourceOffset(record)
        if (read.kind === 'undecodable') {
          assert.equal(read.reason, 'other-shape', read.detail)
          assert.match(String(record.key), /^\["Mirror(Checkpoint|Heartbeat)Connector",/)
          continue
        }
        seen += 1
        assert.deepEqual(record.key, encodeSourceOffsetKey(read.value))
        assert.deepEqual(record.value, encodeSourceOffsetValue(read.value.lastCopied))
        assert.equal(partitionOfKey(encodeSourceOffsetKey(read.value), offsetsTopicPartitions), partition)
      }
    }
    assert.ok(seen >= 3, `${seen} records: ours, and at least one of each partition`)
    const found = await readSourceOffsets(log(target, names.sourceOffsets), forever)
    const entry = (partition: number) => ({
      ...where(partition),
      ...{ lastCopied: BigInt(recordsPerPartition - 1), isLookedUp: true },
    })
    assert.deepEqual(
      { ...found, entries: found.entries.toSorted((a, b) => a.partition - b.partition) },
      { entries: [entry(0), entry(1)], ambiguous: [], neverLookedUp: [], openTransactions: [] },
    )
  }

  /** Its topics look like those that {@link prepareMirrorTopic} makes. */
  async function createsAsWeDo(): Promise<void> {
    const ours = `ours-${id}`
    await prepareMirrorTopic(target, { name: ours, replicationFactor: 1 }, forever)
    const shape = async (cluster: Cluster, of: string) => {
      const lookup = (await cluster.describeTopics([of])).get(of)
      const configs = (await cluster.describeTopicConfigs([of])).get(of)
      assert.ok(lookup?.kind === 'found' && configs?.ok, of)
      return {
        partitions: lookup.topic.partitions.length,
        replicas: lookup.topic.partitions[0]?.replicas.length,
        configs: configs.value
          .filter((each) => each.source === 'topic')
          .map((each) => [each.name, each.value]),
      }
    }
    const expected = await shape(target, ours)
    assert.deepEqual(await shape(target, names.checkpoints), expected)
    assert.deepEqual(await shape(target, heartbeatsTopic), expected)
    assert.deepEqual(await shape(source, names.syncs), expected)
  }
})
