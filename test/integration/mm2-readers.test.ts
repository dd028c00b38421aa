import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import kafkajs from 'kafkajs'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import {
  checkpointCodec,
  heartbeatCodec,
  type MirrorCodec,
  MirrorTopic,
  offsetSyncCodec,
} from '../../replicator/offsets/mm2/mirror-topic.ts'
import { prepareMirrorTopic } from '../../replicator/offsets/mm2/prepare-topic.ts'
import {
  checkpointsTopic,
  offsetSyncsTopic,
  type PolicySettings,
  remoteTopic,
  replicationPolicy,
} from '../../replicator/offsets/mm2/replication-policy.ts'
import { sourceOffset, targetOffset } from '../../replicator/records/offsets.ts'
import { heartbeatsTopic } from '../../replicator/topology/heartbeats.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { testBrokers } from './flow-pair.ts'
import { type JavaMirrorState, readMirrorStates } from './mirror-java.ts'

const forever = new AbortController().signal

/** [group, topic on the source, partition, committed, translated, metadata] */
const commits = [
  ['payments', 'orders', 0, 10n, 7n, ''],
  ['payments', 'orders', 1, 5n, 5n, 'pod-3'],
  ['audit', 'orders', 0, 2n, 1n, ''],
  ['payments', 'orders', 0, 900n, 850n, 'gr\u00fcn \u{1f44d}'],
  ['payments', 'refunds', 0, 1_000_000_000_000n, 999_999_999_999n, ''],
  // A rewind: the last one of a partition counts, not the largest.
  ['audit', 'orders', 0, 0n, 0n, 'again'],
] as const

describe("Java's mirror client reads what is written here", { timeout: 120_000 }, () => {
  const bootstrap = testBrokers('CAUSEWAY_TEST_TARGET')
  const made = new Set<string>()
  let cluster: Cluster
  before(() => {
    cluster = createKafkaCluster({
      alias: regionAlias('eu-west'),
      settings: { clientId: 'causeway-test', bootstrap },
      clock: systemClock,
      random: systemRandom,
      deadlineMs: 20_000,
    })
  })
  after(async () => {
    await cluster.close()
    // Other tests look at every topic of the shared brokers; `heartbeats` belongs to others as well.
    made.delete(heartbeatsTopic)
    const admin = new kafkajs.Kafka({ brokers: [...bootstrap], logLevel: 0 }).admin()
    await admin.connect()
    await admin.deleteTopics({ topics: [...made] }).catch(() => {})
    await admin.disconnect()
  })

  const create = async (name: string): Promise<void> => {
    await prepareMirrorTopic(cluster, { name, replicationFactor: 1 }, forever)
    made.add(name)
  }
  const append = async <T>(codec: MirrorCodec<T>, topic: string, entries: readonly T[]): Promise<void> => {
    const options = { clock: systemClock, random: systemRandom, backoff: defaultBackoff }
    const log = new MirrorTopic(codec, { cluster, topic, ...options })
    await log.append(entries, forever)
    await log.close()
  }

  /** A flow's topics, with entries in each. */
  async function write(settings: PolicySettings) {
    const id = randomUUID().slice(0, 8)
    const flow = { source: `a${id}`, target: `b${id}` }
    const policy = replicationPolicy(settings)
    const names = {
      checkpoints: checkpointsTopic(policy, flow.source),
      heartbeats: heartbeatsTopic,
      'offset-syncs': offsetSyncsTopic(policy, flow.source),
    }
    const nameOf = (kind: keyof typeof names) => names[kind]
    const named = (topic: string) => remoteTopic(policy, flow.source, `${topic}-${id}`)
    const remoteHeartbeats = remoteTopic(policy, flow.source, nameOf('heartbeats'))
    for (const name of [...Object.values(names), named('orders'), remoteHeartbeats]) await create(name)
    const checkpoints = commits.map(([group, topic, partition, committed, translated, metadata]) => ({
      ...{ group: `${group}-${id}`, topic: named(topic), partition, metadata },
      ...{ upstreamOffset: sourceOffset(committed), downstreamOffset: targetOffset(translated) },
    }))
    await append(checkpointCodec, nameOf('checkpoints'), checkpoints)
    await append(heartbeatCodec, nameOf('heartbeats'), [{ ...flow, timestampMs: 1_700_000_000_123n }])
    await append(offsetSyncCodec, nameOf('offset-syncs'), [
      { topic: 't', partition: 0, upstreamOffset: sourceOffset(5n), downstreamOffset: targetOffset(9n) },
      { topic: 't', partition: 3, upstreamOffset: sourceOffset(0n), downstreamOffset: targetOffset(0n) },
    ])
    return { id, flow, nameOf, named, remoteHeartbeats }
  }

  type Written = Awaited<ReturnType<typeof write>>

  const question = ({ id, flow, nameOf }: Written, configs: Readonly<Record<string, string>>) => ({
    alias: flow.source,
    group: `payments-${id}`,
    configs: {
      'heartbeats.topic': nameOf('heartbeats'),
      'offset.syncs.topic': nameOf('offset-syncs'),
      ...configs,
    },
  })

  function reads({ id, flow, nameOf, named, remoteHeartbeats }: Written, state: JavaMirrorState): void {
    const payments = [
      [named('orders'), 0, 850, 'gr\u00fcn \u{1f44d}'],
      [named('orders'), 1, 5, 'pod-3'],
      [named('refunds'), 0, 999_999_999_999, ''],
    ]
    assert.deepEqual(state.remoteConsumerOffsets, payments)
    assert.deepEqual(state.translateOffsets, payments)
    assert.deepEqual(state.translateOffsetsOfAll, {
      [`payments-${id}`]: payments,
      [`audit-${id}`]: [[named('orders'), 0, 0, 'again']],
    })
    assert.equal(state.checkpointsTopic, nameOf('checkpoints'))
    assert.equal(state.offsetSyncsTopic, nameOf('offset-syncs'))
    assert.equal(state.replicationHops, 1)
    assert.ok(state.upstreamClusters.includes(flow.source), `upstream: ${state.upstreamClusters}`)
    assert.ok(state.heartbeatTopics.includes('heartbeats'), `heartbeats: ${state.heartbeatTopics}`)
    assert.ok(state.heartbeatTopics.includes(remoteHeartbeats), `heartbeats: ${state.heartbeatTopics}`)
    assert.ok(
      state.checkpointTopics.includes(nameOf('checkpoints')),
      `checkpoints: ${state.checkpointTopics}`,
    )
    const ours: JavaMirrorState['heartbeats'] = state.heartbeats?.filter(([source]) => source === flow.source)
    assert.deepEqual(ours, [[flow.source, flow.target, 1_700_000_000_123]])
    assert.deepEqual(state.offsetSyncs, [
      ['t', 0, 5, 9],
      ['t', 3, 0, 0],
    ])
  }

  test('under the default policy, another separator, and the identity policy', async () => {
    const dots = await write({})
    const underscores = await write({ separator: '_' })
    const identity = await write({ kind: 'identity' })
    const [ofDots, ofUnderscores, ofIdentity] = await readMirrorStates(bootstrap, [
      question(dots, {}),
      question(underscores, { 'replication.policy.separator': '_' }),
      question(identity, {
        'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
      }),
    ])
    assert.ok(ofDots && ofUnderscores && ofIdentity)
    reads(dots, ofDots)
    assert.equal(ofDots.checkpointsTopic, `${dots.flow.source}.checkpoints.internal`)
    assert.deepEqual(ofDots.remoteTopics, [dots.remoteHeartbeats, dots.named('orders')].sort())
    reads(underscores, ofUnderscores)
    assert.equal(ofUnderscores.checkpointsTopic, `${underscores.flow.source}_checkpoints_internal`)
    assert.deepEqual(
      ofUnderscores.remoteTopics,
      [underscores.remoteHeartbeats, underscores.named('orders')].sort(),
    )
    reads(identity, ofIdentity)
    assert.equal(identity.named('orders'), `orders-${identity.id}`)
    assert.deepEqual(ofIdentity.remoteTopics, [identity.remoteHeartbeats])
  })
})
