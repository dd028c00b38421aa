import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { heartbeatsOf, usualPlan } from '../../../replicator/mirror/mirror-plan.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { Flow, Naming } from '../../../replicator/topology/model.ts'

const a = regionAlias('a')
const b = regionAlias('b')
const flow = (
  naming: Naming,
): Pick<Flow, 'source' | 'target' | 'naming' | 'groups' | 'replicationFactor'> => ({
  ...{ source: a, target: b, naming, replicationFactor: 'broker-default' },
  groups: [{ kind: 'name', name: 'shop' }],
})
const beats = { intervalMs: 1_000, replicationFactor: 'broker-default' } as const
const forth = { source: a, target: b, ...beats }
const back = { source: b, target: a, ...beats }

describe("a flow's part in MirrorMaker 2's topics", () => {
  test("is MirrorMaker 2's own, with as many replicas as the flow's copies have", () => {
    assert.deepEqual(usualPlan(flow({ kind: 'prefixed', separator: '.' }), []), {
      offsetSyncs: {
        ...{ on: 'source', topic: 'mm2-offset-syncs.b.internal', replicationFactor: 'broker-default' },
        ...{ offsetLagMax: 100, flushIntervalMs: 60_000 },
      },
      checkpoints: {
        ...{ topic: 'a.checkpoints.internal', replicationFactor: 'broker-default' },
        groups: [{ kind: 'name', name: 'shop' }],
      },
      heartbeats: [
        { on: 'target', ...forth },
        { on: 'source', ...back },
      ],
    })
  })

  test('names follow the separator, where the naming has one', () => {
    const names = (naming: Naming) => {
      const { offsetSyncs, checkpoints } = usualPlan(flow(naming), [])
      return [offsetSyncs?.topic, checkpoints?.topic]
    }
    assert.deepEqual(names({ kind: 'prefixed', separator: '_' }), [
      'mm2-offset-syncs_b_internal',
      'a_checkpoints_internal',
    ])
    const usual = ['mm2-offset-syncs.b.internal', 'a.checkpoints.internal']
    assert.deepEqual(names({ kind: 'identity' }), usual)
    assert.deepEqual(names({ kind: 'template', template: '{topic}-of-{source}' }), usual)
  })

  test('each pair has its heartbeats written once', () => {
    const prefixed = flow({ kind: 'prefixed', separator: '.' })
    const back = { id: flowId(b, a), mirrorMakerTopics: true }
    assert.deepEqual(usualPlan(prefixed, [back]).heartbeats, [{ on: 'target', ...forth }])
    assert.equal(usualPlan(prefixed, [{ id: flowId(b, a) }]).heartbeats.length, 2)
    const foreign = { ...forth, source: 'c' }
    assert.deepEqual(heartbeatsOf(prefixed, [], [foreign, forth]), [{ on: 'target', ...forth }])
  })
})
