import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { protocolError, transportError } from '../../../replicator/kafka/errors.ts'
import {
  type MemberAction,
  type MemberEvent,
  type MemberState,
  memberStep,
  newMember,
} from '../../../replicator/shards/group-member.ts'

const joined = { memberId: 'm', generation: 3, protocol: 'p', leaderId: 'l', members: [] }

/** Plays events, each at its time; gives the actions of the last one. */
function play(events: readonly (readonly [number, MemberEvent])[], isStatic = false) {
  let state: MemberState = newMember({ sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 30_000, isStatic })
  let actions: readonly MemberAction[] = []
  for (const [atMs, event] of events) ({ state, actions } = memberStep(state, event, atMs))
  return { state, actions, kinds: actions.map(({ kind }) => kind) }
}

const shared = (atMs: number, shards: readonly number[], revoked: readonly number[] = []) =>
  [atMs, { kind: 'shared', share: { shards, revoked }, sentAtMs: atMs }] as const
const heard = (atMs: number) => [atMs, { kind: 'heard', memberId: 'm', sentAtMs: atMs }] as const
const refused = (atMs: number, code: number, generation = 3, memberId = 'm') =>
  [
    atMs,
    { kind: 'heartbeat-refused', error: protocolError(code), memberId, generation, sentAtMs: atMs },
  ] as const
const failed = (atMs: number, code: number) => [atMs, { kind: 'failed', error: protocolError(code) }] as const
/** A member that has shards 0 and 1 at time 0. */
const member = [
  [0, { kind: 'start' }],
  [0, { kind: 'joined', joined }],
  shared(0, [0, 1]),
] as const satisfies readonly (readonly [number, MemberEvent])[]

describe('a member of a group', () => {
  test('asks to join, syncs, and claims its share', () => {
    assert.deepEqual(play(member.slice(0, 1)).actions, [
      { kind: 'join', memberId: undefined, says: { owned: [], generation: undefined } },
    ])
    assert.deepEqual(play(member.slice(0, 2)).kinds, ['sync'])
    assert.deepEqual(play(member).actions, [{ kind: 'claim', shards: [0, 1] }])
  })

  test('joins again when the group rebalances, and says what it owns', () => {
    const { actions } = play([...member, refused(1000, 27)])
    assert.deepEqual(actions, [{ kind: 'join', memberId: 'm', says: { owned: [0, 1], generation: 3 } }])
  })

  test('gives back what is not in its share before it joins again', () => {
    const moved = [
      ...member,
      refused(1000, 27),
      [1000, { kind: 'joined', joined }],
      shared(1000, [1, 2]),
    ] as const
    const { actions } = play(moved)
    assert.deepEqual(actions, [
      { kind: 'claim', shards: [2] },
      { kind: 'release', shards: [0], isLast: false },
    ])
    // Another rebalance has to wait for the release.
    assert.deepEqual(play([...moved, refused(1500, 27)]).actions, [])
    const says = { owned: [1, 2], generation: 3 }
    const join: MemberAction = { kind: 'join', memberId: 'm', says }
    assert.deepEqual(play([...moved, [2000, { kind: 'released' }]]).actions, [join])
    const late = play([...moved, heard(15_000), [20_000, { kind: 'release-late' }]])
    assert.deepEqual(late.actions, [{ kind: 'lose', shards: [0] }, join])
  })

  test('in the place of another that had something to give back asks for another rebalance', () => {
    const { kinds } = play([...member.slice(0, 2), shared(0, [0], [1])])
    assert.deepEqual(kinds, ['claim', 'join'])
  })

  for (const [code, memberId] of [
    [22, 'm'],
    [25, undefined],
  ] as const) {
    test(`loses everything at once when it is refused with ${code}, then joins again`, () => {
      const says = { owned: [], generation: code === 25 ? undefined : 3 }
      const expected = [
        { kind: 'lose', shards: [0, 1] },
        { kind: 'join', memberId, says },
      ]
      assert.deepEqual(play([...member, refused(1000, code)]).actions, expected)
      const rejoining = [...member, refused(1000, 27)] as const
      assert.deepEqual(play([...rejoining, failed(1000, code)]).actions, expected)
      // The second time in a row it waits first.
      const twice = play([...member, refused(1000, code), failed(1000, code)])
      assert.deepEqual(twice.kinds, ['wait'])
    })
  }

  test('ends when somebody else has its instance id', () => {
    assert.deepEqual(play([...member, refused(1000, 82)], true).kinds, ['lose', 'end'])
    assert.deepEqual(play([...member, refused(1000, 27), failed(1000, 82)], true).kinds, ['lose', 'end'])
  })

  test('heeds no answer to what it no longer is', () => {
    assert.deepEqual(play([...member, refused(1000, 25, 3, 'former')]).actions, [])
    assert.deepEqual(play([...member, refused(1000, 22, 2)]).actions, [])
    // The group may be ahead of the answer to a join that is under way.
    assert.deepEqual(play([...member, refused(1000, 27), refused(1500, 22)]).actions, [])
  })

  test('loses everything shortly before its session can be over', () => {
    assert.deepEqual(play([...member, [9000, { kind: 'time' }]]).actions, [])
    assert.deepEqual(play([...member, [9500, { kind: 'time' }]]).kinds, ['lose', 'join'])
    assert.deepEqual(play([...member, heard(5000), [9500, { kind: 'time' }]]).actions, [])
    assert.deepEqual(play([...member, refused(5000, 27), [9500, { kind: 'time' }]]).actions, [])
    assert.deepEqual(play([...member, refused(5000, 22, 2), [9500, { kind: 'time' }]]).kinds, [
      'lose',
      'join',
    ])
  })

  test('loses everything when it may have kept the others waiting for too long, however alive it is', () => {
    const waiting = [...member, ...[1, 2, 3, 4, 5, 6].map((at) => refused(at * 5000 - 4000, 27))]
    assert.deepEqual(play([...waiting, [28_400, { kind: 'time' }]]).actions, [])
    assert.deepEqual(play([...waiting, [28_500, { kind: 'time' }]]).kinds, ['lose'])
  })

  test('takes no share that it slept over', () => {
    const { kinds } = play([
      ...member.slice(0, 2),
      [60_000, { kind: 'shared', share: { shards: [0], revoked: [] }, sentAtMs: 0 }],
    ])
    assert.deepEqual(kinds, ['join'])
  })

  test('tells a trouble, waits, and tells when it is over', () => {
    const troubled = [...member, refused(1000, 27), failed(1000, 23)] as const
    assert.deepEqual(play(troubled).kinds, ['trouble', 'wait'])
    const { actions } = play([
      ...troubled,
      [2000, { kind: 'waited' }],
      [2000, { kind: 'joined', joined }],
      shared(2000, [0, 1]),
    ])
    assert.deepEqual(actions, [{ kind: 'trouble', error: undefined }])
    const unheard = [
      1000,
      { ...refused(1000, 27)[1], error: transportError('connection', 'no broker') },
    ] as const
    assert.deepEqual(play([...member, unheard]).kinds, ['trouble'])
    assert.deepEqual(play([...member, unheard, heard(2000)]).actions, [{ kind: 'trouble', error: undefined }])
  })

  test('that is closed gives everything back, then leaves, unless its place is kept', () => {
    const closed = [...member, [1000, { kind: 'close' }]] as const
    assert.deepEqual(play(closed).actions, [{ kind: 'release', shards: [0, 1], isLast: true }])
    assert.deepEqual(play([...closed, refused(1500, 27)]).actions, [])
    assert.deepEqual(play([...closed, [2000, { kind: 'released' }]]).kinds, ['leave'])
    assert.deepEqual(play([...closed, [2000, { kind: 'released' }]], true).kinds, ['end'])
    assert.deepEqual(play([...closed, refused(1500, 25)]).kinds, ['lose', 'end'])
    assert.deepEqual(play([...closed, [9600, { kind: 'time' }]]).kinds, ['lose', 'leave'])
    assert.deepEqual(play([...member, [9600, { kind: 'close' }]]).kinds, ['lose', 'join', 'leave'])
    assert.deepEqual(play([[0, { kind: 'close' }]]).kinds, ['end'])
  })
})
