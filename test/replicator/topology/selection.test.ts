import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDurationMs } from '../../../replicator/topology/duration.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import {
  flowGroupId,
  internalTopics,
  isInternalTopic,
  transactionalId,
} from '../../../replicator/topology/internal-names.ts'
import { editDistance, nearestName } from '../../../replicator/topology/nearest-name.ts'
import { compileNames, compileTopics } from '../../../replicator/topology/selection.ts'
import { topicName } from './specs.ts'

describe('selections', () => {
  test('names are exact, expressions match whole names, excludes win', () => {
    const { topic } = compileTopics([
      { kind: 'name', name: 'a.b' },
      { kind: 'match', match: 'ledger\\..*|x', exclude: 'ledger\\.tmp|y' },
    ])
    const taken = ['a.b', 'ledger.main', 'ledger.tmp.1', 'x']
    const left = ['aXb', 'a.b.c', 'ledger.tmp', 'my.ledger.x', 'xx', 'y', '']
    assert.deepEqual([...taken, ...left].filter(topic), taken)
  })

  test('partition ranges include both ends', () => {
    const matcher = compileTopics([{ kind: 'name', name: 't', partitionRange: { from: 2, to: 4 } }])
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5].filter((partition) => matcher.partition('t', partition)),
      [2, 3, 4],
    )
    assert.equal(matcher.topic('t'), true)
    assert.equal(matcher.partition('u', 3), false)
    assert.equal(compileTopics([{ kind: 'match', match: '.*' }]).partition('t', 99), true)
  })

  test('internal topics are never taken, even by name', () => {
    const internal = [
      '__consumer_offsets',
      '__transaction_state',
      ...Object.values(internalTopics({ name: 'payments' })),
      'mm2-offset-syncs.us-east.internal',
      'mm2-configs.us-east.internal',
      'mm2_offset_syncs_a_internal',
      'us-east.checkpoints.internal',
      'us-east-checkpoints-internal',
    ]
    for (const name of internal) {
      const matcher = compileTopics([
        { kind: 'name', name },
        { kind: 'match', match: '.*' },
      ])
      assert.equal(isInternalTopic(name), true, name)
      assert.equal(matcher.topic(name) || matcher.partition(name, 0), false, name)
    }
    for (const name of [
      'orders',
      'heartbeats',
      'us-east.heartbeats',
      'orders.internal',
      '_schemas',
      'my-internal',
    ]) {
      assert.equal(isInternalTopic(name), false, name)
    }
  })

  test('.* takes every topic of users, and as many groups as there are', () => {
    const { topic } = compileTopics([{ kind: 'match', match: '.*' }])
    fc.assert(fc.property(topicName, (name) => assert.equal(topic(name), true)))
    assert.equal(compileNames([{ kind: 'match', match: '.*' }])('__group'), true)
    assert.equal(compileNames([])('any'), false)
  })
})

describe('names of our own', () => {
  test('ids of shards differ by flow and shard, in one namespace', () => {
    const flow = { source: regionAlias('us-east'), target: regionAlias('eu-west') }
    assert.equal(transactionalId({ name: 'payments' }, flow, 3), 'causeway.payments.us-east.eu-west.3')
    assert.equal(flowGroupId({ name: 'payments' }, flow), 'causeway.payments.us-east.eu-west')
    assert.equal(internalTopics({ name: 'payments' }).progress, 'causeway.payments.progress')
  })
})

describe('small languages', () => {
  test('durations are read back', () => {
    fc.assert(fc.property(fc.nat(), (ms) => assert.equal(parseDurationMs(formatDuration(ms)), ms)))
    assert.deepEqual(
      ['500ms', '5s', '1.5m', '1h', '7d'].map(parseDurationMs),
      [500, 5_000, 90_000, 3_600_000, 604_800_000],
    )
    for (const text of ['', '5', 's', '-5s', '5 parsecs', '1e3s', '5s 3ms']) {
      assert.equal(parseDurationMs(text), undefined, text)
    }
  })

  test('near misses are suggested, far ones are not', () => {
    const known = ['match', 'name', 'exclude', 'certificate']
    const suggested = ['matches', 'mtach', 'nmae', 'excludes', 'cert', 'NAME', 'zzz', 'frobnicate']
    assert.deepEqual(
      suggested.map((typed) => nearestName(typed, known)),
      ['match', 'match', 'name', 'exclude', 'certificate', 'name', undefined, undefined],
    )
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a))
        assert.equal(editDistance(a, b) === 0, a === b)
      }),
    )
    assert.equal(editDistance('match', 'mtach'), 1)
  })
})
