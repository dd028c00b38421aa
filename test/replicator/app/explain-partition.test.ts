import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type ExplainFacts,
  type Explanation,
  explainPartition,
  type GroupStanding,
} from '../../../replicator/app/explain-partition.ts'
import type { Followed } from '../../../replicator/groups/follow-group.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'

const group = (kind: GroupStanding['kind'], type = 'classic', members = 0): GroupStanding => ({
  kind,
  members,
  type,
  state: members === 0 ? 'Empty' : 'Stable',
})
const followed = (position: number, offset: number, metadata = ''): Followed => ({
  position: sourceOffset(BigInt(position)),
  offset: targetOffset(BigInt(offset)),
  metadata,
  atMs: position,
})
const commit = (offset: number, metadata = '') => ({ offset: targetOffset(BigInt(offset)), metadata })
const away = { kind: 'unknown', reason: 'us-east is away' } as const
const exact = (offset: number): ExplainFacts['place'] => ({
  kind: 'exact',
  offset: BigInt(offset),
  isNextRecord: true,
})

type Source = Extract<ExplainFacts['source'], { kind: 'known' }>['value']
interface Changes {
  readonly selection?: ExplainFacts['selection']
  readonly copied?: ExplainFacts['copied']
  readonly source?: Partial<Source> | typeof away
  readonly target?: Partial<ExplainFacts['target']>
  readonly remembered?: readonly Followed[] | typeof away
  readonly carriedBack?: readonly Followed[]
  readonly place?: ExplainFacts['place']
}

/** A group that is in step: at 100 on the source, which is 110 on the target, where the flow has committed it. */
function explain(changes: Changes = {}): Explanation {
  const {
    selection = 'followed',
    copied = 'yes',
    source = {},
    target = {},
    remembered,
    carriedBack = [],
  } = changes
  const known = { group: group('empty'), commit: { position: 100n, metadata: '' }, ...source }
  return explainPartition({
    selection,
    copied,
    source: 'kind' in source ? source : { kind: 'known', value: known },
    target: { group: group('empty'), commit: commit(110), start: 0n, ...target },
    remembered:
      remembered === undefined
        ? { kind: 'known', value: [followed(100, 110)] }
        : 'kind' in remembered
          ? remembered
          : { kind: 'known', value: remembered },
    carriedBack,
    place: 'place' in changes ? changes.place : exact(110),
  })
}

const told = (changes: Changes) => {
  const { reason, isInStep, whose } = explain(changes)
  return [reason, isInStep, whose.kind]
}
const nobody = { commit: undefined }

describe('why a group stands where it does', () => {
  test('in step: the commit of the flow, for which position and when', () => {
    assert.deepEqual(explain(), {
      reason: 'in-step',
      isInStep: true,
      whose: { kind: 'flow', followed: followed(100, 110) },
    })
  })

  test('the newest of several commits that look alike is the one; others are the target’s own', () => {
    const { whose } = explain({ remembered: [followed(90, 110), followed(95, 110), followed(120, 130)] })
    assert.deepEqual(whose, { kind: 'flow', followed: followed(95, 110) })
    const metadata = { commit: { position: 100n, metadata: 'µ' } }
    assert.deepEqual(told({ source: metadata, remembered: [followed(100, 110, 'µ')] }), [
      'committed-on-target',
      false,
      'target',
    ])
    assert.deepEqual(explain({ remembered: [followed(90, 99)] }).whose, {
      kind: 'target',
      former: followed(90, 99),
    })
    assert.deepEqual(explain({ remembered: [] }).whose, { kind: 'target', former: undefined })
  })

  test('groups that are left alone, whatever they have committed', () => {
    const share = group('foreign', 'share')
    const connect = group('foreign', 'connect')
    assert.equal(explain({ target: { group: share } }).reason, 'share-group')
    assert.equal(explain({ source: { group: share } }).reason, 'share-group')
    assert.equal(explain({ source: { group: share }, target: { group: connect } }).reason, 'share-group')
    assert.equal(explain({ source: { group: connect } }).reason, 'other-protocol')
    for (const selection of [
      'no-groups',
      'not-selected',
      'usually-excluded',
      'own-group',
      'shared-topics',
    ] as const) {
      assert.deepEqual(told({ selection }), [selection, false, 'flow'])
      assert.equal(explain({ selection, source: away, copied: 'not-the-topic' }).reason, selection)
    }
  })

  test('what the flow does not copy', () => {
    assert.deepEqual(told({ copied: 'not-the-topic', place: undefined, target: nobody }), [
      'topic-not-copied',
      false,
      'nobody',
    ])
    assert.equal(explain({ copied: 'not-the-partition' }).reason, 'partition-not-copied')
  })

  test('the target’s own: members, or commits that are not the flow’s', () => {
    const members = { group: group('has-members', 'consumer', 2) }
    assert.deepEqual(told({ target: members }), ['members-on-target', false, 'flow'])
    assert.deepEqual(told({ target: { ...members, commit: commit(150) } }), [
      'members-on-target',
      false,
      'target',
    ])
    assert.deepEqual(told({ target: { commit: commit(150) } }), ['committed-on-target', false, 'target'])
    assert.equal(explain({ target: members, source: away }).reason, 'members-on-target')
    // Members of the source keep nothing from being followed.
    assert.equal(explain({ source: { group: group('has-members', 'consumer', 3) } }).reason, 'in-step')
  })

  test('the target’s own that is carried back to the source', () => {
    const theirs = { target: { commit: commit(150) }, place: exact(150) }
    const carriedBack = [followed(140, 90), followed(150, 100)]
    assert.deepEqual(told({ ...theirs, carriedBack }), ['in-step-back', true, 'target'])
    const members = { group: group('has-members', 'consumer', 2), commit: commit(150) }
    assert.deepEqual(told({ ...theirs, target: members, carriedBack }), ['in-step-back', true, 'target'])
    assert.deepEqual(told({ ...theirs, carriedBack: [followed(140, 100)] }), ['behind-back', false, 'target'])
    // What stands on the source is none of the flow's: members there have moved on.
    assert.equal(explain({ ...theirs, carriedBack: [followed(150, 99)] }).reason, 'committed-on-target')
    assert.equal(
      explain({ ...theirs, carriedBack: [{ ...followed(150, 100), metadata: 'x' }] }).reason,
      'committed-on-target',
    )
    // What the flow has followed forth since is no commit of the target's.
    assert.equal(explain({ carriedBack: [followed(110, 100)] }).reason, 'in-step')
    assert.equal(explain({ ...theirs, source: away, carriedBack }).reason, 'committed-on-target')
  })

  test('with the source away: what was followed last', () => {
    assert.deepEqual(told({ source: away, place: undefined }), ['source-away', true, 'flow'])
    assert.deepEqual(told({ source: away, place: undefined, target: nobody }), [
      'source-away',
      false,
      'nobody',
    ])
    assert.deepEqual(told({ source: away, place: undefined, remembered: away }), [
      'source-away',
      false,
      'unknown',
    ])
  })

  test('nothing committed on the source', () => {
    assert.equal(explain({ source: nobody, place: undefined }).reason, 'removed-on-source')
    assert.equal(explain({ source: nobody, place: undefined, target: nobody }).reason, 'removed-on-source')
    assert.equal(
      explain({ source: nobody, place: undefined, target: nobody, remembered: [] }).reason,
      'nothing-on-source',
    )
    assert.equal(explain({ source: nobody, place: undefined, remembered: away }).reason, 'nothing-on-source')
  })

  test('behind: the source has moved on or back, or the flow has not come to it', () => {
    assert.deepEqual(told({ place: exact(115) }), ['behind', false, 'flow'])
    assert.equal(
      explain({ place: exact(50), source: { commit: { position: 40n, metadata: '' } } }).reason,
      'behind',
    )
    assert.deepEqual(told({ target: nobody, remembered: [] }), ['not-followed-yet', false, 'nobody'])
    assert.deepEqual(explain({ target: nobody }), {
      reason: 'gone-on-target',
      isInStep: false,
      whose: { kind: 'nobody', former: followed(100, 110) },
    })
    assert.equal(explain({ place: exact(105) }).reason, 'would-go-back')
  })

  test('what is known in spans, or below the log’s start', () => {
    const between = { kind: 'between', from: 110n, to: 120n } as const
    assert.deepEqual(told({ place: between }), ['in-step-between', true, 'flow'])
    assert.equal(explain({ place: { ...between, from: 112n } }).reason, 'behind')
    const start = { start: 110n }
    assert.deepEqual(told({ place: exact(90), target: start }), ['in-step-at-start', true, 'flow'])
    assert.equal(explain({ place: exact(110), target: start }).reason, 'in-step')
    assert.equal(explain({ place: { ...between, from: 100n }, target: start }).reason, 'in-step-at-start')
    assert.equal(explain({ place: exact(110), target: { start: undefined } }).reason, 'in-step')
  })

  test('what the map does not tell', () => {
    const last = { source: sourceOffset(90n), target: targetOffset(110n) }
    const notYet = { kind: 'not-copied-yet', last } as const
    assert.deepEqual(told({ place: notYet }), ['not-copied-yet', false, 'flow'])
    assert.deepEqual(told({ place: { ...notYet, last: { ...last, target: 115n } } }), [
      'not-copied-yet',
      false,
      'flow',
    ])
    assert.equal(
      explain({ place: notYet, target: { start: 120n, commit: commit(120) }, remembered: [followed(1, 120)] })
        .reason,
      'not-copied-yet',
    )
    assert.equal(explain({ place: notYet, target: nobody, remembered: [] }).reason, 'not-followed-yet')
    const before = { kind: 'before-the-map', first: { source: 200n, target: 210n } } as const
    assert.deepEqual(told({ place: before, target: { start: 110n } }), ['before-the-map', false, 'flow'])
    assert.equal(
      explain({ place: before, target: { start: 7n, ...nobody }, remembered: [] }).reason,
      'not-followed-yet',
    )
    for (const why of ['no-map-topic', 'no-copy', 'not-in-map', 're-created'] as const)
      assert.deepEqual(told({ place: { kind: 'no-map', why } }), ['no-map', false, 'flow'])
  })

  test('without the flow’s memory only those in step are understood', () => {
    assert.deepEqual(told({ remembered: away }), ['in-step', true, 'unknown'])
    assert.deepEqual(told({ remembered: away, place: exact(115) }), ['memory-unknown', false, 'unknown'])
    assert.equal(explain({ remembered: away, target: nobody }).reason, 'not-followed-yet')
  })
})
