import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { Naming } from '../../../replicator/topology/model.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import type { ReplicationSpec } from '../../../replicator/topology/spec.ts'

const a = regionAlias('a')
const b = regionAlias('b')
const c = regionAlias('c')

function rules(naming: Naming, copiesHeartbeats = true) {
  const topics = [{ kind: 'match' as const, match: 'orders|.*beats' }]
  return topicRules({ source: b, target: c, topics, paused: [], naming, copiesHeartbeats }, [a, b, c])
}

describe("MirrorMaker 2's heartbeats", () => {
  const identity = rules({ kind: 'identity' })

  test('are copied under its names whatever the naming, over any number of hops', () => {
    for (const [naming, separator] of [
      [{ kind: 'identity' }, '.'],
      [{ kind: 'template', template: '{topic}-from-{source}' }, '.'],
      [{ kind: 'prefixed', separator: '_' }, '_'],
    ] as const) {
      const { select, targetNameOf } = rules(naming)
      for (const topic of ['heartbeats', `a${separator}heartbeats`]) {
        assert.equal(select(topic)?.(0), true, topic)
        assert.equal(targetNameOf(topic), `b${separator}${topic}`)
      }
      assert.equal(select(`c${separator}heartbeats`), undefined, 'not back to where they come from')
      assert.equal(select(`a${separator}c${separator}heartbeats`), undefined)
    }
  })

  test('other topics keep their rules, and so do heartbeats that are not copied so', () => {
    assert.equal(identity.targetNameOf('orders'), 'orders')
    assert.equal(identity.targetNameOf('drumbeats'), 'drumbeats')
    assert.equal(identity.targetNameOf('myheartbeats'), 'myheartbeats')
    assert.equal(identity.select('refunds'), undefined)
    const plain = rules({ kind: 'identity' }, false)
    assert.equal(plain.targetNameOf('heartbeats'), 'heartbeats')
    assert.equal(plain.select('c.heartbeats')?.(0), true)
  })

  test('a flow may copy nothing else', () => {
    const flow = { source: b, target: c, topics: [], paused: [], naming: { kind: 'identity' } } as const
    const { select, selections } = topicRules({ ...flow, copiesHeartbeats: true }, [a, b, c])
    assert.equal(select('heartbeats')?.(0), true)
    assert.deepEqual(selections, [], 'nobody misses a topic that is not there yet')
  })
})

describe('mirrorMakerTopics', () => {
  const spec = {
    name: 'x',
    regions: { a: {}, b: {} },
    topics: [{ name: 'orders' }],
  }
  const flows = (replication: ReplicationSpec, own: ReplicationSpec = {}) => {
    const resolved = resolveTopology({
      ...spec,
      replication,
      flows: [
        { source: 'a', target: 'b', ...own },
        { source: 'b', target: 'a' },
      ],
    })
    assert(resolved.ok)
    return resolved.topology.flows.map((flow) => [flow.mirrorMakerTopics, flow.copiesHeartbeats])
  }

  test('is of all flows or of one, and heartbeats are copied with it', () => {
    const [on, off] = [
      [true, true],
      [undefined, undefined],
    ]
    assert.deepEqual(flows({}), [off, off])
    assert.deepEqual(flows({ mirrorMakerTopics: true }), [on, on])
    assert.deepEqual(flows({ mirrorMakerTopics: true }, { mirrorMakerTopics: false }), [off, on])
    assert.deepEqual(flows({}, { mirrorMakerTopics: true }), [on, off])
  })
})
