import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  checkpointsTopic,
  isCheckpointsTopic,
  isHeartbeatsTopic,
  isInternalToMirrorMaker,
  offsetSyncsTopic,
  originalTopic,
  remoteTopic,
  replicationPolicy,
  sourceOffsetsTopic,
  topicSource,
  upstreamTopic,
} from '../../../../replicator/offsets/mm2/replication-policy.ts'
import { topicName } from '../../topology/specs.ts'

const dots = replicationPolicy()
const underscores = replicationPolicy({ separator: '_' })
const identity = replicationPolicy({ kind: 'identity' })

describe('names by replication policy', () => {
  test('internal topics by separator, flag and version', () => {
    const names = (settings: Parameters<typeof replicationPolicy>[0]) => {
      const policy = replicationPolicy(settings)
      return [offsetSyncsTopic(policy, 'B'), checkpointsTopic(policy, 'A')]
    }
    const dotted = ['mm2-offset-syncs.B.internal', 'A.checkpoints.internal']
    const underscored = ['mm2-offset-syncs_B_internal', 'A_checkpoints_internal']
    assert.deepEqual(names({}), dotted)
    assert.deepEqual(names({ kind: 'identity' }), dotted)
    assert.deepEqual(names({ separator: '_' }), underscored)
    assert.deepEqual(names({ separator: '_', internalTopicSeparatorEnabled: false }), dotted)
    assert.deepEqual(names({ separator: '_', version: [3, 0] }), dotted)
    assert.deepEqual(names({ separator: '_', version: [2, 8] }), dotted)
    assert.deepEqual(names({ separator: '_', version: [3, 1] }), underscored)
    assert.equal(sourceOffsetsTopic('A'), 'mm2-offsets.A.internal')
  })

  test('copies', () => {
    assert.equal(remoteTopic(dots, 'A', 'orders.v1'), 'A.orders.v1')
    assert.equal(remoteTopic(underscores, 'A', 'orders'), 'A_orders')
    assert.equal(remoteTopic(identity, 'A', 'orders'), 'orders')
    assert.equal(remoteTopic(identity, 'A', 'heartbeats'), 'A.heartbeats')
  })

  test("sources, as Java's policies tell them", () => {
    assert.equal(topicSource(dots, 'A.t'), 'A')
    assert.equal(topicSource(dots, 't'), undefined)
    assert.equal(topicSource(dots, 'A.'), undefined)
    assert.equal(topicSource(dots, 'A..'), undefined)
    assert.equal(topicSource(dots, '.t'), '')
    assert.equal(topicSource(underscores, 'A.t'), undefined)
    assert.equal(topicSource(identity, 'A.t', 'X'), 'X')
    assert.equal(topicSource(identity, 'A.t'), undefined)
    assert.equal(topicSource(identity, 'A.heartbeats', 'X'), 'A')
    assert.equal(upstreamTopic(dots, 'A.B.t'), 'B.t')
    assert.equal(upstreamTopic(identity, 'A.B.t'), 'A.B.t')
    assert.equal(originalTopic(dots, 'A.B.t'), 't')
    assert.equal(originalTopic(identity, 'A.B.heartbeats'), 'heartbeats')
  })

  test('the source and the name of every copy are found again', () => {
    const part = fc.stringMatching(/^[a-zA-Z0-9-]{1,20}$/)
    const separator = fc.constantFrom('.', '_', '--', '.x.')
    fc.assert(
      fc.property(separator, part, topicName, (between, source, topic) => {
        fc.pre(!source.includes(between) && topic.split(between).some((piece) => piece !== ''))
        fc.pre(!(source + between).slice(1).startsWith(between))
        const policy = replicationPolicy({ separator: between })
        const copy = remoteTopic(policy, source, topic)
        fc.pre(copy.indexOf(between) === source.length)
        assert.equal(topicSource(policy, copy), source)
        assert.equal(upstreamTopic(policy, copy), topic)
        assert.equal(originalTopic(policy, copy), originalTopic(policy, topic))
      }),
    )
  })

  test('heartbeats and checkpoints topics are known by their names', () => {
    assert.ok(isHeartbeatsTopic(dots, 'heartbeats'))
    assert.ok(isHeartbeatsTopic(dots, 'A.B.heartbeats'))
    assert.ok(isHeartbeatsTopic(identity, 'A.heartbeats'))
    assert.ok(!isHeartbeatsTopic(dots, 'A_heartbeats'))
    assert.ok(!isHeartbeatsTopic(dots, 'A.heartbeats.x'))
    assert.ok(isHeartbeatsTopic(underscores, 'A_heartbeats'))
    assert.ok(isCheckpointsTopic(dots, 'A.checkpoints.internal'))
    assert.ok(!isCheckpointsTopic(underscores, 'A.checkpoints.internal'))
  })

  test('what counts as internal changed with 4.0 (KIP-1074)', () => {
    const older = replicationPolicy({ version: [3, 9] })
    const internal = (policy: typeof dots) =>
      [
        '__consumer_offsets',
        '.hidden',
        'mm2-offset-syncs.B.internal',
        'A.checkpoints.internal',
        'mm2-offsets.A.internal',
        'orders.internal',
        'orders-internal',
        'orders',
        'heartbeats',
      ].filter((topic) => isInternalToMirrorMaker(policy, topic))
    const since = [
      '__consumer_offsets',
      '.hidden',
      'mm2-offset-syncs.B.internal',
      'A.checkpoints.internal',
      'mm2-offsets.A.internal',
    ]
    assert.deepEqual(internal(dots), since)
    assert.deepEqual(internal(older), [...since, 'orders.internal', 'orders-internal'])
    const olderUnderscores = replicationPolicy({ separator: '_', version: [3, 9] })
    assert.ok(isInternalToMirrorMaker(olderUnderscores, 'orders.internal'))
    assert.ok(isInternalToMirrorMaker(olderUnderscores, 'orders_internal'))
  })
})
