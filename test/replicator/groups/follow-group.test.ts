import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  dueAtMs,
  type Follow,
  type FollowAction,
  type FollowEvent,
  follow,
  newFollow,
} from '../../../replicator/groups/follow-group.ts'
import type { TargetPlace } from '../../../replicator/groups/target-place.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'

const options = { refreshMs: 1_000, watchMs: 1_000, lookLastsMs: 10 }
const t = (value: number) => targetOffset(BigInt(value))
const s = (value: number) => sourceOffset(BigInt(value))
const at = (offset: number): TargetPlace => ({
  kind: 'at',
  offset: t(offset),
  rereadMax: 0n,
  because: 'exact',
})
const committed = (position: number, atMs: number, metadata = 'm'): FollowEvent => ({
  kind: 'source-committed',
  commit: { position: s(position), metadata },
  atMs,
})
const placed = (position: number, offset: number, atMs: number): FollowEvent => ({
  kind: 'placed',
  position: s(position),
  place: at(offset),
  atMs,
})
const free = (atMs: number): FollowEvent => ({ kind: 'looked', group: 'absent', commit: undefined, atMs })
const stands = (offset: number, atMs: number, metadata = 'm'): FollowEvent => ({
  kind: 'looked',
  group: 'empty',
  commit: { offset: t(offset), metadata },
  atMs,
})
const commit = (offset: number, isRefresh = false, metadata = 'm') => ({
  kind: 'commit',
  commit: { offset: t(offset), metadata },
  isRefresh,
})
const nothing = (reason: string) => ({ kind: 'nothing', reason })

/** Plays events; gives the state and what the last one led to. */
function play(events: readonly FollowEvent[], from: Follow = newFollow()) {
  let state = from
  let actions: readonly FollowAction[] = []
  for (const event of events) ({ state, actions } = follow(state, event, options))
  return { state, actions }
}
const followed10 = () =>
  play([committed(100, 0), placed(100, 10, 0), free(0), { kind: 'committed', atMs: 1 }]).state

describe('one partition of a followed group', () => {
  test('asks where the position lies and how the group stands, then commits there with the same metadata', () => {
    const asked = play([committed(100, 0)])
    assert.deepEqual(asked.actions, [{ kind: 'place', position: s(100) }])
    const looking = play([placed(100, 10, 1)], asked.state)
    assert.deepEqual(looking.actions, [{ kind: 'look' }])
    const sent = play([free(2)], looking.state)
    assert.deepEqual(sent.actions, [commit(10)])
    assert.deepEqual(play([{ kind: 'committed', atMs: 3 }], sent.state).actions, [nothing('up-to-date')])
  })

  test('an answer about a former position is none', () => {
    const { actions } = play([committed(100, 0), committed(90, 1), placed(100, 10, 2)])
    assert.deepEqual(actions, [nothing('waiting')])
  })

  test('a look that is too old is taken again', () => {
    const later = play([committed(110, 50), placed(110, 20, 50)], followed10())
    assert.deepEqual(later.actions, [{ kind: 'look' }])
    assert.deepEqual(play([stands(10, 51)], later.state).actions, [commit(20)])
  })

  test('refreshes what has not changed; not after it was removed on the source', () => {
    const state = followed10()
    assert.equal(dueAtMs(state, options), 1_000)
    assert.deepEqual(play([{ kind: 'time', atMs: 999 }], state).actions, [nothing('up-to-date')])
    assert.deepEqual(play([{ kind: 'time', atMs: 1_000 }, stands(10, 1_000)], state).actions, [
      commit(10, true),
    ])
    const removed = play(
      [
        { kind: 'source-removed', atMs: 5 },
        { kind: 'time', atMs: 1_000 },
      ],
      state,
    )
    assert.deepEqual(removed.actions, [nothing('removed-on-source')])
    assert.equal(dueAtMs(removed.state, options), undefined)
  })

  test('goes back with the source, not with what is known of the map', () => {
    const state = followed10()
    const vague = play([placed(100, 4, 2)], state)
    assert.deepEqual(vague.actions, [nothing('would-go-back')])
    // New metadata travels with the offset that was right before.
    assert.deepEqual(play([committed(100, 3, 'new')], vague.state).actions, [commit(10, false, 'new')])
    assert.deepEqual(play([committed(40, 3), placed(40, 4, 3)], state).actions, [commit(4)])
  })

  test('goes back below a position that stood for less than was committed later', () => {
    // The same place for 100 and 90, refreshed at 90: from there, 95 is no way back.
    const at90 = play(
      [
        committed(90, 2),
        placed(90, 10, 2),
        { kind: 'time', atMs: 1_000 },
        stands(10, 1_000),
        { kind: 'committed', atMs: 1_001 },
      ],
      followed10(),
    )
    assert.deepEqual(play([committed(95, 1_002), placed(95, 4, 1_002)], at90.state).actions, [
      nothing('would-go-back'),
    ])
    // Refreshed at 110, it still stands for 100: for 105 it may not go back either.
    const at110 = play(
      [
        committed(110, 2),
        placed(110, 10, 2),
        { kind: 'time', atMs: 1_000 },
        stands(10, 1_000),
        { kind: 'committed', atMs: 1_001 },
      ],
      followed10(),
    )
    assert.deepEqual(play([committed(105, 1_002), placed(105, 4, 1_002)], at110.state).actions, [
      nothing('would-go-back'),
    ])
  })

  test('leaves a group alone that is or was used, until it is gone or given back', () => {
    const refused = play(
      [committed(110, 2), placed(110, 20, 2), { kind: 'group-is-used', atMs: 3 }],
      followed10(),
    )
    assert.deepEqual(refused.actions, [{ kind: 'look' }])
    const left = play([stands(10, 4), committed(120, 5), placed(120, 30, 5)], refused.state)
    assert.deepEqual(left.actions, [nothing('used-on-target')])
    assert.equal(dueAtMs(left.state, options), 1_004)
    const looking = play([{ kind: 'time', atMs: 1_004 }], left.state)
    assert.deepEqual(looking.actions, [{ kind: 'look' }])
    assert.deepEqual(play([free(1_005)], looking.state).actions, [commit(30)])
    const back = play([{ kind: 'given-back', atMs: 6 }], left.state)
    assert.deepEqual(back.actions, [{ kind: 'look' }])
    assert.deepEqual(play([stands(999, 7, 'of a member')], back.state).actions, [commit(30)])
    // Only what stood there when it was given back.
    assert.deepEqual(play([{ kind: 'given-back', atMs: 0 }]).actions, [{ kind: 'look' }])
    const early = play([{ kind: 'given-back', atMs: 0 }, stands(3, 1, 'old'), committed(110, 50)])
    const late = play([placed(110, 20, 50), stands(999, 50, 'new')], early.state)
    assert.deepEqual(late.actions, [nothing('committed-on-target')])
    assert.deepEqual(play([placed(110, 20, 50), stands(3, 50, 'old')], early.state).actions, [commit(20)])
    const inUse = play([{ kind: 'looked', group: 'has-members', commit: undefined, atMs: 7 }], back.state)
    assert.deepEqual(inUse.actions, [nothing('used-on-target')])
  })

  test('leaves alone what it did not commit, and groups of another kind', () => {
    const asked = play([committed(100, 0), placed(100, 10, 0)])
    assert.deepEqual(play([stands(3, 1)], asked.state).actions, [nothing('committed-on-target')])
    assert.deepEqual(play([stands(10, 1)], asked.state).actions, [nothing('committed-on-target')])
    const foreign = play([{ kind: 'looked', group: 'foreign', commit: undefined, atMs: 1 }], asked.state)
    assert.deepEqual(foreign.actions, [nothing('foreign-group')])
    assert.deepEqual(play([stands(9, 1, 'm2')], newKnown([100, 10]).state).actions, [
      nothing('committed-on-target'),
    ])
  })

  test('knows what an earlier process wrote, and what it meant to write', () => {
    for (const offset of [10, 15]) {
      const known = newKnown([100, 10], [105, 15])
      const next = play([committed(110, 2), placed(110, 20, 2), stands(offset, 3)], known.state)
      assert.deepEqual(next.actions, [commit(20)])
    }
  })

  test('after a failure it waits, looks, and knows its own commit', () => {
    const sent = play([committed(110, 2), placed(110, 20, 2)], followed10())
    assert.deepEqual(sent.actions, [commit(20)])
    const failed = play([{ kind: 'commit-failed', retryAtMs: 8, atMs: 3 }], sent.state)
    assert.deepEqual(failed.actions, [nothing('waiting')])
    assert.equal(dueAtMs(failed.state, options), 8)
    const looking = play([{ kind: 'time', atMs: 8 }], failed.state)
    assert.deepEqual(looking.actions, [{ kind: 'look' }])
    assert.deepEqual(play([stands(20, 9)], looking.state).actions, [nothing('up-to-date')])
    assert.deepEqual(play([stands(10, 9)], looking.state).actions, [commit(20)])
  })

  test('knows a commit of its own that arrives behind a later one, and makes the later one again', () => {
    const sent = play([committed(110, 2), placed(110, 20, 2), stands(10, 2)], followed10())
    const later = play(
      [
        { kind: 'commit-failed', retryAtMs: 8, atMs: 3 },
        committed(120, 8),
        placed(120, 30, 8),
        stands(10, 9),
        { kind: 'committed', atMs: 10 },
      ],
      sent.state,
    )
    assert.deepEqual(later.actions, [nothing('up-to-date')])
    // While it may still arrive it is looked whether it has.
    assert.equal(dueAtMs(later.state, options), 1_009)
    const looking = play([{ kind: 'time', atMs: 1_009 }], later.state)
    assert.deepEqual(looking.actions, [{ kind: 'look' }])
    assert.deepEqual(play([stands(20, 1_010)], looking.state).actions, [commit(30)])
    assert.deepEqual(play([stands(25, 1_010)], looking.state).actions, [nothing('committed-on-target')])
  })

  test('does not wait for a commit any more that must have been lost', () => {
    const past = 15 * 60_000
    const remembered = { position: s(100), offset: t(20), metadata: 'm', atMs: 0 }
    const events = [committed(110, past), placed(110, 30, past), free(past)]
    const made = play([...events, { kind: 'committed', atMs: past + 1 }], newFollow([remembered])).state
    assert.equal(dueAtMs(made, options), past + 1_000)
    const moved = [committed(120, past + 50), placed(120, 40, past + 50), stands(20, past + 51)]
    assert.deepEqual(play(moved, made).actions, [nothing('committed-on-target')])
  })

  test('a commit that expired on the target is made again', () => {
    const looking = play([{ kind: 'time', atMs: 1_000 }], followed10())
    const gone: FollowEvent = { kind: 'looked', group: 'empty', commit: undefined, atMs: 1_001 }
    assert.deepEqual(play([gone], looking.state).actions, [commit(10)])
  })

  test('has a coarse span refined once, and stands at its lower end meanwhile', () => {
    const span = { sourceFrom: s(90), sourceTo: s(120), targetFrom: t(8), targetTo: t(30) }
    const place: TargetPlace = { kind: 'at', offset: t(8), rereadMax: 22n, because: 'between', coarse: span }
    const event: FollowEvent = { kind: 'placed', position: s(100), place, atMs: 0 }
    const asked = play([committed(100, 0), event])
    assert.deepEqual(asked.actions, [{ kind: 'refine', span }, { kind: 'look' }])
    assert.deepEqual(play([event], asked.state).actions, [nothing('waiting')])
    const sent = play([free(0)], asked.state)
    assert.deepEqual(sent.actions, [commit(8)])
    const exact = play([{ kind: 'committed', atMs: 1 }, placed(100, 17, 2)], sent.state)
    assert.deepEqual(exact.actions, [commit(17)])
  })
})

/** What was written before, the newest known first. */
function newKnown(...commits: readonly (readonly [position: number, offset: number])[]) {
  const remembered = commits.map(([position, offset]) => ({
    position: s(position),
    offset: t(offset),
    metadata: 'm',
    atMs: 0,
  }))
  return play([committed(110, 0), placed(110, 20, 0)], newFollow(remembered))
}
