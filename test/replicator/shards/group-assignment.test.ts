import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type GroupMemberState, shareOut } from '../../../replicator/shards/group-assignment.ts'

const shares = (shards: number, members: readonly GroupMemberState[]) =>
  Object.fromEntries(shareOut(shards, members))

/** Members whose claims do not overlap, as they are while nothing went wrong. */
const group = fc
  .record({ shards: fc.integer({ min: 1, max: 40 }), members: fc.integer({ min: 1, max: 12 }) })
  .chain(({ shards, members }) =>
    fc.record({
      shards: fc.constant(shards),
      // Shard k belongs to member owners[k]; -1: to nobody.
      owners: fc.array(fc.integer({ min: -1, max: members - 1 }), { minLength: shards, maxLength: shards }),
      order: fc.shuffledSubarray(
        Array.from({ length: members }, (_, at) => at),
        { minLength: members, maxLength: members },
      ),
    }),
  )
  .map(({ shards, owners, order }) => ({
    shards,
    members: order.map((at) => ({
      name: `member-${at}`,
      owned: owners.flatMap((owner, shard) => (owner === at ? [shard] : [])),
    })),
  }))

const sizes = (shares: ReadonlyMap<string, readonly number[]>) =>
  [...shares.values()].map((one) => one.length)

/** What members own once they have given back what is not in their share. */
const settled = (
  members: readonly GroupMemberState[],
  shares: ReadonlyMap<string, readonly number[]>,
): GroupMemberState[] => members.map(({ name }) => ({ name, owned: shares.get(name) ?? [] }))

/** The fewest shards that must move for balance: by trying every way to hand out the larger shares. */
function fewestMoves(shards: number, members: readonly GroupMemberState[]): number {
  const floor = Math.floor(shards / members.length)
  const larger = shards % members.length
  const excess = members.map(({ owned }) => Math.max(0, owned.length - floor))
  const spared = excess.filter((one) => one > 0).length
  return excess.reduce((sum, one) => sum + one, 0) - Math.min(spared, larger)
}

describe('shares of shards', () => {
  test('of members that own nothing are even', () => {
    assert.deepEqual(
      shares(5, [
        { name: 'b', owned: [] },
        { name: 'a', owned: [] },
      ]),
      { a: [0, 2, 4], b: [1, 3] },
    )
  })

  test('a newcomer gets nothing that somebody still owns; then what was given back', () => {
    const first = shares(4, [
      { name: 'a', owned: [0, 1, 2, 3] },
      { name: 'b', owned: [] },
    ])
    assert.deepEqual(first, { a: [0, 1], b: [] })
    const second = shares(4, [
      { name: 'a', owned: [0, 1] },
      { name: 'b', owned: [] },
    ])
    assert.deepEqual(second, { a: [0, 1], b: [2, 3] })
  })

  test('what two claim is taken from both', () => {
    const disputed = [
      { name: 'a', owned: [0, 1] },
      { name: 'b', owned: [1, 2] },
    ]
    assert.deepEqual(shares(4, disputed), { a: [0, 3], b: [2] })
  })

  test('shards beyond the number, and said twice, count for nothing', () => {
    assert.deepEqual(shares(2, [{ name: 'a', owned: [1, 1, 7] }]), { a: [0, 1] })
  })

  test('no member is given what another owns, and nothing is given twice', () => {
    fc.assert(
      fc.property(group, ({ shards, members }) => {
        const owner = new Map(members.flatMap(({ name, owned }) => owned.map((shard) => [shard, name])))
        const given = new Set<number>()
        for (const [name, share] of shareOut(shards, members)) {
          for (const shard of share) {
            assert.ok(shard >= 0 && shard < shards)
            assert.ok(!given.has(shard), `${shard} is given twice`)
            given.add(shard)
            assert.ok([undefined, name].includes(owner.get(shard)), `${shard} still has another owner`)
          }
        }
      }),
    )
  })

  test('two rounds bring every shard to one member, evenly, and no third one moves anything', () => {
    fc.assert(
      fc.property(group, ({ shards, members }) => {
        const second = shareOut(shards, settled(members, shareOut(shards, members)))
        assert.deepEqual(
          [...second.values()].flat().sort((a, b) => a - b),
          Array.from({ length: shards }, (_, shard) => shard),
        )
        assert.ok(Math.max(...sizes(second)) - Math.min(...sizes(second)) <= 1)
        assert.deepEqual(shareOut(shards, settled(members, second)), second)
      }),
    )
  })

  test('no fewer shards could move', () => {
    fc.assert(
      fc.property(group, ({ shards, members }) => {
        const share = shareOut(shards, members)
        const moved = members.flatMap(({ name, owned }) =>
          owned.filter((shard) => !share.get(name)?.includes(shard)),
        )
        assert.equal(moved.length, fewestMoves(shards, members))
      }),
    )
  })

  test('the order of members does not matter', () => {
    fc.assert(
      fc.property(group, ({ shards, members }) => {
        assert.deepEqual(shares(shards, members.toReversed()), shares(shards, members))
      }),
    )
  })
})
