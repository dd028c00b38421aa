import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import {
  checkpointCodec,
  type MirrorCodec,
  MirrorTopic,
  offsetSyncCodec,
} from '../../replicator/offsets/mm2/mirror-topic.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { type ReadRecord, readRecords } from '../kill/read-records.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { truePlace } from './groups-scene.ts'
import { type JavaMirrorState, readMirrorStates } from './mirror-java.ts'
import { RealMirrorMaker } from './real-mirror-maker.ts'
import { ReplicateProcess, until } from './replicate-process.ts'

const forever = new AbortController().signal
const id = randomUUID().slice(0, 8)
/** Causeway runs from an mm2.properties, MirrorMaker 2 beside it from the same, and a flow of causeway.yaml keeps names. */
const pairs = {
  ours: { source: `s${id}`, target: `t${id}` },
  theirs: { source: `m${id}`, target: `n${id}` },
  identity: { source: `x${id}`, target: `y${id}` },
  /** As MirrorMaker 2 does by default: groups are told where to go on, and not moved. */
  unmoved: { source: `v${id}`, target: `w${id}` },
}
const topic = `orders-${id}`
const kept = `kept-${id}`
const group = `payments-${id}`
/** Partition, position and metadata, in three transactions that leave gaps in front of them. */
const positions: readonly (readonly [partition: number, offset: bigint, metadata: string])[] = [
  [0, 58n, 'pod-3, gr\u00fcn'],
  [1, 20n, ''],
  [2, 40n, ''],
]

const properties = ({ source, target }: { source: string; target: string }): string =>
  [
    `clusters = ${source}, ${target}`,
    `${source}.bootstrap.servers = ${testBrokers('CAUSEWAY_TEST_SOURCE').join(',')}`,
    `${target}.bootstrap.servers = ${testBrokers('CAUSEWAY_TEST_TARGET').join(',')}`,
    `${source}->${target}.enabled = true`,
    `${source}->${target}.topics = ${topic}`,
    `${source}->${target}.groups = ${group}`,
    'sync.group.offsets.enabled = true',
    'sync.group.offsets.interval.seconds = 1',
    'emit.checkpoints.interval.seconds = 1',
    'offset-syncs.topic.location = target',
    'replication.factor = 1',
    'checkpoints.topic.replication.factor = 1',
    'heartbeats.topic.replication.factor = 1',
    'offset-syncs.topic.replication.factor = 1',
  ].join('\n')

const besidesOfTheirs = ({ source, target }: { source: string; target: string }): string =>
  [
    // Causeway writes those that both copy.
    `${target}->${source}.emit.heartbeats.enabled = false`,
    `${target}.offset.flush.interval.ms = 1000`,
    `${target}.scheduled.rebalance.max.delay.ms = 0`,
    `${target}.plugin.discovery = service_load`,
    'plugin.discovery = service_load',
    'offset.storage.replication.factor = 1',
    'config.storage.replication.factor = 1',
    'status.storage.replication.factor = 1',
  ].join('\n')

const { ours: moved, unmoved } = pairs
const besidesOfOurs = [
  `clusters = ${[moved, unmoved].flatMap(({ source, target }) => [source, target]).join(', ')}`,
  `${unmoved.source}.bootstrap.servers = ${testBrokers('CAUSEWAY_TEST_SOURCE').join(',')}`,
  `${unmoved.target}.bootstrap.servers = ${testBrokers('CAUSEWAY_TEST_TARGET').join(',')}`,
  `${unmoved.source}->${unmoved.target}.enabled = true`,
  `${unmoved.source}->${unmoved.target}.topics = ${topic}`,
  `${unmoved.source}->${unmoved.target}.groups = ${group}`,
  `${unmoved.source}->${unmoved.target}.sync.group.offsets.enabled = false`,
  `causeway.name = ours-${id}`,
  'causeway.http.port = 0',
  'causeway.http.host = 127.0.0.1',
  'causeway.shards = 2',
].join('\n')

describe("a flow's MirrorMaker 2 topics", { timeout: 280_000 }, () => {
  const bootstrap = {
    source: testBrokers('CAUSEWAY_TEST_SOURCE'),
    target: testBrokers('CAUSEWAY_TEST_TARGET'),
  }
  const kafka = {
    source: kafkajsClient('mm2-topics', bootstrap.source),
    target: kafkajsClient('mm2-topics', bootstrap.target),
  }
  let clusters: { readonly source: Cluster; readonly target: Cluster }
  let folder: string
  const running: { stop(): Promise<void> }[] = []
  let ours: JavaMirrorState
  let theirs: JavaMirrorState
  let identity: JavaMirrorState
  let notMoved: JavaMirrorState

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-mm2-topics-'))
    const connect = (side: 'source' | 'target') =>
      createKafkaCluster({
        alias: regionAlias(side),
        settings: { clientId: 'causeway-test', bootstrap: bootstrap[side] },
        clock: systemClock,
        random: systemRandom,
      })
    clusters = { source: connect('source'), target: connect('target') }
    for (const name of [topic, kept]) await fill(name)
    await startAll()
    await untilWritten()
    ;[ours, theirs, identity, notMoved] = await readAll()
  })
  after(async () => {
    await Promise.all(running.map((one) => one.stop()))
    await Promise.all([clusters.source.close(), clusters.target.close()])
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

  /** Transactions leave gaps on the source; where the group stands is committed as a tool does. */
  async function fill(name: string): Promise<void> {
    const admin = kafka.source.admin()
    await admin.connect()
    await createTopics(admin, [{ topic: name, numPartitions: 3 }])
    await admin.disconnect()
    const producer = kafka.source.producer({
      transactionalId: `writer-${name}`,
      maxInFlightRequests: 1,
      idempotent: true,
    })
    await producer.connect()
    for (const [count, end] of [
      [30, 'commit'],
      [5, 'abort'],
      [20, 'commit'],
      [10, 'commit'],
    ] as const) {
      const transaction = await producer.transaction()
      for (const partition of [0, 1, 2]) {
        const messages = Array.from({ length: count }, () => ({ partition, value: randomUUID() }))
        await transaction.send({ topic: name, messages })
      }
      await transaction[end]()
    }
    await producer.disconnect()
    const commits = positions.map(([partition, offset, metadata]) => ({
      ...{ topic: name, partition, offset, metadata, leaderEpoch: undefined },
    }))
    const outcome = await clusters.source.commitGroupOffsets(group, commits)
    assert(outcome.kind === 'answered' && outcome.partitions.every(({ result }) => result.ok))
  }

  async function startAll(): Promise<void> {
    const files = { ours: join(folder, 'ours.properties'), theirs: join(folder, 'theirs.properties') }
    await writeFile(files.ours, `${properties(pairs.ours)}\n${besidesOfOurs}\n`)
    await writeFile(files.theirs, `${properties(pairs.theirs)}\n${besidesOfTheirs(pairs.theirs)}\n`)
    running.push(ReplicateProcess.startOn(files.ours))
    // It lists topics when it starts, and then after ten minutes.
    await untilThere(clusters.source, 'heartbeats')
    running.push(await RealMirrorMaker.start(files.theirs))
    const { source, target } = pairs.identity
    running.push(
      await ReplicateProcess.start(folder, {
        name: `kept-${id}`,
        pattern: 'active-passive',
        regions: {
          [source]: { role: 'active', bootstrap: [...bootstrap.source] },
          [target]: { role: 'passive', bootstrap: [...bootstrap.target] },
        },
        topics: [{ name: kept }],
        groups: [{ name: group }],
        replication: { shards: 2, replicationFactor: 1, mirrorMakerTopics: true },
      }),
    )
  }

  const said = (): string =>
    running
      .map((one) =>
        one instanceof RealMirrorMaker ? one.said : one instanceof ReplicateProcess ? one.text : '',
      )
      .join('\n')

  async function entries<T>(codec: MirrorCodec<T>, cluster: Cluster, name: string): Promise<readonly T[]> {
    if ((await cluster.describeTopics([name])).get(name)?.kind !== 'found') return []
    const shared = { clock: systemClock, random: systemRandom, backoff: defaultBackoff }
    const log = new MirrorTopic(codec, { cluster, topic: name, ...shared })
    const found: T[] = []
    await log
      .read((entry) => {
        assert(entry.kind === 'decoded')
        found.push(entry.value)
      }, forever)
      .finally(() => log.close())
    return found
  }

  async function untilThere(cluster: Cluster, name: string): Promise<void> {
    await until(
      `the topic ${name}`,
      async () => (await cluster.describeTopics([name])).get(name)?.kind === 'found' || undefined,
      said,
    )
  }

  async function untilWritten(): Promise<void> {
    const { target } = clusters
    for (const { source } of Object.values(pairs)) {
      await until(
        `every checkpoint of ${source}`,
        async () => {
          const found = await entries(checkpointCodec, target, `${source}.checkpoints.internal`)
          const partitions = new Set(found.map(({ partition }) => partition))
          return partitions.size === positions.length || undefined
        },
        said,
      )
      await untilThere(target, `${source}.heartbeats`)
    }
    for (const name of [`${pairs.ours.source}.${topic}`, kept]) {
      await until(
        `the group's commits for ${name}`,
        async () => (await committed(name)).length === positions.length || undefined,
        said,
      )
    }
  }

  /** Where the group stands on the target. */
  async function committed(name: string): Promise<readonly (readonly [string, number, number, string])[]> {
    const partitions = positions.map(([partition]) => ({ topic: name, partition }))
    const [answer] = await clusters.target.groupOffsets([{ group, partitions }], { requireStable: false })
    assert(answer?.result.ok)
    return answer.result.value.flatMap(({ partition, result }) => {
      assert(result.ok)
      if (result.value === undefined) return []
      return [[name, partition, Number(result.value.offset), result.value.metadata] as const]
    })
  }

  async function readAll() {
    const question = ({ source }: { source: string }, configs: Record<string, string>) => ({
      ...{ alias: source, group },
      configs: { 'heartbeats.topic': 'heartbeats', ...configs },
    })
    const states = await readMirrorStates(bootstrap.target, [
      question(pairs.ours, { 'offset.syncs.topic': `mm2-offset-syncs.${pairs.ours.source}.internal` }),
      question(pairs.theirs, { 'offset.syncs.topic': `mm2-offset-syncs.${pairs.theirs.source}.internal` }),
      question(pairs.identity, {
        'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
      }),
      question(unmoved, {}),
    ])
    const [first, second, third, fourth] = states
    assert(first && second && third && fourth)
    return [first, second, third, fourth] as const
  }

  const records = async (side: 'source' | 'target', name: string, partition: number) =>
    (await readRecords(kafka[side], [name])).get(`${name}/${partition}`) ?? []

  async function judgeOffsets(state: JavaMirrorState, from: string, to: string): Promise<void> {
    assert.deepEqual(state.translateOffsets, state.remoteConsumerOffsets)
    assert.deepEqual(Object.keys(state.translateOffsetsOfAll), [group])
    for (const [partition, offset, metadata] of positions) {
      const place = truePlace(
        await records('source', from, partition),
        await records('target', to, partition),
        offset,
      )
      const told = state.remoteConsumerOffsets.find((each) => each[1] === partition)
      assert.deepEqual(told, [to, partition, Number(place), metadata])
    }
  }

  test('RemoteClusterUtils translates to the very next record, as the flow commits it', async () => {
    const copy = `${moved.source}.${topic}`
    await judgeOffsets(ours, topic, copy)
    assert.deepEqual(ours.remoteConsumerOffsets, await committed(copy))
  })

  test('so it does where topics keep their names', async () => {
    await judgeOffsets(identity, kept, kept)
    assert.deepEqual(identity.remoteConsumerOffsets, await committed(kept))
  })

  test('so it does for groups that the flow does not move', async () => {
    const copy = `${unmoved.source}.${topic}`
    await judgeOffsets(notMoved, topic, copy)
    assert.deepEqual(await committed(copy), [])
  })

  test('MirrorClient sees the clusters behind each flow', () => {
    for (const [state, { source, target }] of [
      [ours, pairs.ours],
      [theirs, pairs.theirs],
      [identity, pairs.identity],
      [notMoved, unmoved],
    ] as const) {
      assert.equal(state.replicationHops, 1, source)
      assert.ok(state.upstreamClusters.includes(source), `upstream: ${state.upstreamClusters}`)
      assert.ok(state.heartbeatTopics.includes(`${source}.heartbeats`), `${state.heartbeatTopics}`)
      assert.ok(state.checkpointTopics.includes(`${source}.checkpoints.internal`))
      assert.equal(state.checkpointsTopic, `${source}.checkpoints.internal`)
      const beats = state.heartbeats?.filter((beat) => beat[0] === source && beat[1] === target) ?? []
      assert.ok(beats.length > 0, `heartbeats of ${source}`)
    }
    assert.deepEqual(identity.remoteTopics, [`${pairs.identity.source}.heartbeats`])
  })

  test('offset syncs name records and their copies', async () => {
    const to = `${pairs.ours.source}.${topic}`
    const said = ours.offsetSyncs?.filter((sync) => sync[0] === topic) ?? []
    assert.deepEqual(new Set(said.map((sync) => sync[1])), new Set([0, 1, 2]))
    await judgeSyncs(said, topic, to)
    const onSource = await entries(
      offsetSyncCodec,
      clusters.source,
      `mm2-offset-syncs.${pairs.identity.target}.internal`,
    )
    const ofKept = onSource
      .filter((sync) => sync.topic === kept)
      .map(
        ({ partition, upstreamOffset, downstreamOffset }) =>
          [kept, partition, Number(upstreamOffset), Number(downstreamOffset)] as const,
      )
    assert.deepEqual(new Set(ofKept.map((sync) => sync[1])), new Set([0, 1, 2]))
    await judgeSyncs(ofKept, kept, kept)
  })

  async function judgeSyncs(
    syncs: readonly (readonly [string, number, number, number])[],
    from: string,
    to: string,
  ): Promise<void> {
    const find = (all: readonly ReadRecord[], offset: number) =>
      all.find((record) => record.offset === BigInt(offset))?.fingerprint
    for (const partition of [0, 1, 2]) {
      const [original, copy] = [
        await records('source', from, partition),
        await records('target', to, partition),
      ]
      for (const sync of syncs.filter((each) => each[1] === partition)) {
        assert.ok(find(original, sync[2]) !== undefined, `a record at ${sync}`)
        assert.equal(find(copy, sync[3]), find(original, sync[2]), `${sync}`)
      }
    }
  }

  test('a real MirrorMaker 2 beside it has topics of the same names and shapes, and is answered for alike', async () => {
    const alike = (text: string) =>
      text
        .replaceAll(pairs.theirs.source, pairs.ours.source)
        .replaceAll(pairs.theirs.target, pairs.ours.target)
    const names = (topics: readonly string[]) => topics.map(alike).toSorted()
    assert.deepEqual(names(theirs.remoteTopics), ours.remoteTopics)
    assert.deepEqual(
      theirs.remoteConsumerOffsets.map(([name, partition, , metadata]) => [alike(name), partition, metadata]),
      ours.remoteConsumerOffsets.map(([name, partition, , metadata]) => [name, partition, metadata]),
    )
    const shapes = async (side: 'source' | 'target', alias: string) => {
      const isConnects = /^mm2-(offsets|status|configs)\./
      const topics = (await clusters[side].listTopics())
        .filter(({ name }) => name.includes(alias) && !isConnects.test(name) && !name.startsWith('causeway.'))
        .toSorted((one, other) => (alike(one.name) < alike(other.name) ? -1 : 1))
      const configs = await clusters[side].describeTopicConfigs(topics.map(({ name }) => name))
      return topics.map(({ name, partitions }) => {
        const found = configs.get(name)
        assert(found?.ok)
        const own = found.value.filter((each) => each.source === 'topic')
        return [alike(name), partitions.length, own.map((each) => `${each.name}=${each.value}`)]
      })
    }
    for (const side of ['source', 'target'] as const) {
      for (const end of ['source', 'target'] as const) {
        const expected = await shapes(side, pairs.theirs[end])
        assert.deepEqual(await shapes(side, pairs.ours[end]), expected, `${end} alias on the ${side}`)
        assert.equal(expected.length > 0, side === 'target' && end === 'source')
      }
    }
  })
})
