import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OwnCommits } from '../../../replicator/groups/own-commits.ts'
import { compileGroups } from '../../../replicator/groups/selected-groups.ts'
import { placeOnTarget } from '../../../replicator/groups/target-place.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'

const t = (value: number) => targetOffset(BigInt(value))
const s = (value: number) => sourceOffset(BigInt(value))
const exact = (offset: number) => ({ kind: 'exact', offset: t(offset), isNextRecord: true }) as const
const span = { sourceFrom: s(0), sourceTo: s(10), targetFrom: t(100), targetTo: t(130) }
const between = { kind: 'between', from: t(100), to: t(130), span } as const
const before = { kind: 'before-the-map', first: { source: s(50), target: t(60) } } as const

describe('the place of a source position on the target', () => {
  test('is what the map says; of a span the lower end', () => {
    const asked = { targetStart: t(0), rereadMax: 0n }
    assert.deepEqual(placeOnTarget({ translation: exact(7), ...asked }), {
      kind: 'at',
      offset: t(7),
      rereadMax: 0n,
      because: 'exact',
    })
    assert.deepEqual(placeOnTarget({ translation: between, ...asked }), {
      kind: 'at',
      offset: t(100),
      rereadMax: 30n,
      because: 'between',
      coarse: span,
    })
    const last = { source: s(5), target: t(9) }
    assert.deepEqual(placeOnTarget({ translation: { kind: 'not-copied-yet', last }, ...asked }), {
      kind: 'at',
      offset: t(9),
      rereadMax: 0n,
      because: 'not-copied-yet',
    })
  })

  test('is never below the beginning of the log', () => {
    const asked = { targetStart: t(110), rereadMax: 0n }
    const low = placeOnTarget({ translation: exact(7), ...asked })
    assert.deepEqual(low, { kind: 'at', offset: t(110), rereadMax: 0n, because: 'target-start' })
    const { offset, rereadMax } = atOf(placeOnTarget({ translation: between, ...asked }))
    assert.deepEqual([offset, rereadMax], [110n, 20n])
  })

  test('before the map it is only where nothing can be skipped', () => {
    const ask = (start: number, rereadMax: bigint) =>
      placeOnTarget({ translation: before, targetStart: t(start), rereadMax })
    assert.deepEqual(ask(40, 19n), { kind: 'nowhere', reason: 'before-the-map', rereadMax: 20n })
    assert.deepEqual(ask(40, 20n), { kind: 'at', offset: t(40), rereadMax: 20n, because: 'before-the-map' })
    assert.deepEqual(ask(60, 0n), { kind: 'at', offset: t(60), rereadMax: 0n, because: 'before-the-map' })
  })

  test('is not above what the way back allows', () => {
    const place = placeOnTarget({
      translation: exact(20),
      targetStart: t(0),
      rereadMax: 0n,
      notAbove: [t(30), t(18)],
    })
    assert.deepEqual(place, { kind: 'at', offset: t(18), rereadMax: 2n, because: 'other-direction' })
  })
})

const atOf = (place: ReturnType<typeof placeOnTarget>) => {
  assert.ok(place.kind === 'at')
  return place
}

describe('which groups are followed', () => {
  test('those that are selected, without those that usually are nobody else’s business', () => {
    const all = compileGroups([{ kind: 'match', match: '.*' }])
    for (const group of ['orders', 'console-consumer', 'causewayish']) assert.ok(all(group), group)
    for (const group of ['console-consumer-1', 'connect-sink', '__x', 'causeway.t.a.b'])
      assert.ok(!all(group), group)
  })

  test('an exclusion of their own, or their name, replaces the usual one; never for our own', () => {
    const own = compileGroups([
      { kind: 'match', match: 'c.*', exclude: 'connect-a' },
      { kind: 'name', name: '__x' },
      { kind: 'name', name: 'causeway.t.a.b' },
    ])
    for (const group of ['connect-b', '__x']) assert.ok(own(group), group)
    for (const group of ['connect-a', 'causeway.t.a.b', 'orders']) assert.ok(!own(group), group)
  })
})

describe('commits of our own', () => {
  const at = { group: 'g', topic: 't', partition: 0 }
  const commit = (offset: number, metadata = '') => ({ offset: BigInt(offset), metadata })

  test('are known again, with their metadata, until members work there', () => {
    const own = new OwnCommits()
    own.willWrite(at, commit(5))
    assert.ok(own.isOwn(at, commit(5)))
    assert.ok(own.isOwn(at, commit(5)), 'found again by whoever asks where the group stands')
    assert.ok(!own.isOwn(at, commit(5, 'x')))
    assert.ok(!own.isOwn({ ...at, partition: 1 }, commit(5)))
    own.forget(at)
    assert.ok(!own.isOwn(at, commit(5)))
  })

  test('those before the one that was seen are forgotten', () => {
    const own = new OwnCommits()
    for (const offset of [5, 6, 7]) own.willWrite(at, commit(offset))
    assert.ok(own.isOwn(at, commit(6)))
    assert.ok(!own.isOwn(at, commit(5)))
    assert.ok(own.isOwn(at, commit(7)))
  })
})
