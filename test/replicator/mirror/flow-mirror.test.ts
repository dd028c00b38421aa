import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { MirrorScene } from './mirror-scene.ts'

/** Whatever is due is written by then. */
const SOON_MS = 4_000

describe('checkpoints of a shard', () => {
  test('say where groups go on, once for each place, and again when they move', async () => {
    const scene = new MirrorScene()
    scene.copy(50)
    scene.copy(50, 10)
    scene.commit('g', 70n, 'pod-3')
    const owner = scene.own()
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.checkpoints(), [['g', 70n, 60n, 'pod-3']])
    await scene.pass(SOON_MS * 5)
    scene.commit('h', 0n)
    scene.commit('g', 80n)
    scene.commit('g', 81n)
    await scene.pass(SOON_MS)
    const four = [
      ['g', 70n, 60n, 'pod-3'],
      ['h', 0n, 0n, ''],
      ['g', 81n, 71n, ''],
    ]
    assert.deepEqual((await scene.checkpoints()).toSorted(), four.toSorted())
    scene.commit('g', 20n)
    await scene.pass(SOON_MS)
    assert.deepEqual((await scene.checkpoints()).at(-1), ['g', 20n, 20n, ''], 'a rewind')
    await owner.leave(scene.clock)
    assert.equal(scene.takers, 0)
  })

  test('follow copying for groups that are ahead of it', async () => {
    const scene = new MirrorScene()
    scene.copy(10)
    scene.commit('g', 100n)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.checkpoints(), [['g', 100n, 10n, '']])
    scene.copy(150)
    await scene.pass(SOON_MS)
    assert.deepEqual((await scene.checkpoints()).slice(1), [['g', 100n, 100n, '']])
    scene.copy(150)
    await scene.pass(SOON_MS)
    assert.equal((await scene.checkpoints()).length, 2)
    await owner.leave(scene.clock)
  })

  test('wait for the map, and are refined', async () => {
    const scene = new MirrorScene()
    const map = new OffsetMap({ source: sourceOffset(0n), target: targetOffset(0n) })
    const span = {
      ...{ sourceFrom: sourceOffset(0n), sourceTo: sourceOffset(40n) },
      ...{ targetFrom: targetOffset(0n), targetTo: targetOffset(30n) },
    }
    map.appendCoarse(span)
    scene.map = undefined
    scene.commit('g', 20n)
    const around: bigint[] = []
    const owner = scene.own(0, {
      async refine(copy, coarse, _signal, position) {
        around.push(position ?? -1n)
        copy.map?.refined(coarse, [{ source: sourceOffset(10n), target: targetOffset(0n), count: 30 }])
      },
    })
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.checkpoints(), [])
    scene.map = map
    await scene.pass(SOON_MS)
    assert.deepEqual((await scene.checkpoints()).at(-1), ['g', 20n, 10n, ''])
    assert.deepEqual(around, [20n])
    await owner.leave(scene.clock)
  })

  test('are not said again by a next owner, nor by one that may have lost the shard', async () => {
    const scene = new MirrorScene()
    scene.copy(100)
    scene.commit('g', 50n)
    const first = scene.own()
    await scene.pass(SOON_MS)
    scene.isProven = false
    scene.commit('g', 60n)
    await scene.pass(SOON_MS)
    assert.equal((await scene.checkpoints()).length, 1)
    await first.leave(scene.clock, 'lost')
    scene.isProven = true
    const second = scene.own()
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.checkpoints(), [
      ['g', 50n, 50n, ''],
      ['g', 60n, 60n, ''],
    ])
    await second.leave(scene.clock)
    const third = scene.own()
    await scene.pass(SOON_MS)
    assert.equal((await scene.checkpoints()).length, 2)
    await third.leave(scene.clock)
  })

  test('a shard that is given away says the last word first', async () => {
    const scene = new MirrorScene()
    scene.copy(100)
    scene.commit('g', 50n)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    scene.copy(5)
    scene.commit('g', 104n)
    await owner.leave(scene.clock)
    assert.deepEqual((await scene.checkpoints()).at(-1), ['g', 104n, 104n, ''])
    assert.deepEqual((await scene.syncs()).at(-1), [104n, 104n])
  })

  for (const [when, passedMs] of [
    ['while it gives up the shard', 0],
    ['before that', SOON_MS],
  ] as const) {
    test(`a shard is given away in time when a cluster falls silent ${when}`, async () => {
      const scene = new MirrorScene()
      scene.copy(100)
      scene.commit('g', 50n)
      const owner = scene.own()
      await scene.pass(SOON_MS)
      scene.fault = ({ kind }) => (kind === 'produce' ? { lose: 'request' } : undefined)
      scene.copy(500)
      scene.commit('g', 104n)
      await scene.pass(passedMs)
      const beganMs = scene.clock.monotonicMs()
      await owner.leave(scene.clock)
      assert.ok(scene.clock.monotonicMs() - beganMs <= 1_100)
    })
  }

  test('never go back, but where they point behind everything that was copied', async () => {
    const scene = new MirrorScene()
    scene.copy(100)
    scene.commit('g', 90n)
    const first = scene.own()
    await scene.pass(SOON_MS)
    await first.leave(scene.clock, 'lost')
    // Somebody made the copy anew: what was said of the one before is void.
    scene.map = new OffsetMap({ source: sourceOffset(80n), target: targetOffset(0n) })
    scene.copy(30)
    const second = scene.own()
    await scene.pass(SOON_MS)
    assert.deepEqual((await scene.checkpoints()).at(-1), ['g', 90n, 10n, ''])
    await second.leave(scene.clock, 'lost')
    // The map lost its oldest part: a worse answer is none.
    scene.map = new OffsetMap({ source: sourceOffset(100n), target: targetOffset(20n) })
    scene.copy(30)
    const third = scene.own()
    await scene.pass(SOON_MS)
    assert.equal((await scene.checkpoints()).length, 2)
    await third.leave(scene.clock)
  })

  test('follow the start of the copy, which retention moves', async () => {
    const scene = new MirrorScene()
    scene.copy(100)
    scene.commit('g', 10n)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    scene.fillTarget(100, 50n)
    await scene.pass(SOON_MS * 4)
    assert.deepEqual(await scene.checkpoints(), [
      ['g', 10n, 10n, ''],
      ['g', 10n, 50n, ''],
    ])
    await owner.leave(scene.clock)
  })

  test('are all said again when their topic was deleted', async () => {
    const scene = new MirrorScene()
    scene.copy(100)
    scene.commit('g', 10n)
    scene.commit('h', 20n)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    scene.brokers.target.deleteTopic('a.checkpoints.internal')
    scene.commit('g', 30n)
    await scene.pass(120_000)
    assert.deepEqual((await scene.checkpoints()).toSorted(), [
      ['g', 30n, 30n, ''],
      ['h', 20n, 20n, ''],
    ])
    await owner.leave(scene.clock)
  })

  test('what was removed is not taken back: Java fails on tombstones', async () => {
    const scene = new MirrorScene()
    scene.copy(100)
    scene.commit('g', 90n)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    scene.commit('g', 'removed')
    await scene.pass(SOON_MS)
    scene.commit('g', 95n)
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.checkpoints(), [
      ['g', 90n, 90n, ''],
      ['g', 95n, 95n, ''],
    ])
    await owner.leave(scene.clock)
  })
})

describe('offset syncs and heartbeats of a shard', () => {
  test('syncs are written as copying goes on, and what is held back in the end', async () => {
    const scene = new MirrorScene()
    scene.copy(10)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    scene.copy(50)
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.syncs(), [[9n, 9n]])
    await scene.pass(60_000)
    assert.deepEqual((await scene.syncs()).slice(1), [[59n, 59n]])
    scene.copy(500)
    await scene.pass(SOON_MS)
    assert.deepEqual((await scene.syncs()).slice(2), [[559n, 559n]])
    await owner.leave(scene.clock)
  })

  test('syncs that could not be written are written later', async () => {
    const scene = new MirrorScene()
    scene.copy(10)
    const owner = scene.own()
    await scene.pass(SOON_MS)
    let isAway = true
    scene.fault = ({ kind }) => (isAway && kind === 'produce' ? { lose: 'request' } : undefined)
    scene.copy(500)
    // Until it has given up, more than once.
    await scene.pass(3_600_000)
    assert.equal((await scene.syncs()).length, 1)
    isAway = false
    await scene.pass(120_000)
    assert.deepEqual((await scene.syncs()).at(-1), [509n, 509n])
    await owner.leave(scene.clock)
  })

  test('the first shard alone tells that the flow lives, on both sides', async () => {
    const scene = new MirrorScene()
    const other = scene.own(1)
    await scene.pass(SOON_MS)
    assert.deepEqual(await scene.heartbeats('target'), [])
    const first = scene.own(0)
    const beganMs = scene.clock.wallMs()
    await scene.pass(10_500)
    for (const [side, source, target] of [
      ['source', 'b', 'a'],
      ['target', 'a', 'b'],
    ] as const) {
      const beats = await scene.heartbeats(side)
      assert.equal(beats.length, 11, side)
      for (const beat of beats) {
        assert.deepEqual([beat.source, beat.target], [source, target])
        assert.ok(beat.timestampMs >= beganMs)
      }
    }
    await first.leave(scene.clock)
    await other.leave(scene.clock)
  })

  test('what is not in the plan is not made', async () => {
    const scene = new MirrorScene()
    scene.copy(10)
    scene.commit('g', 5n)
    const owner = scene.own(0, {
      plan: { offsetSyncs: undefined, checkpoints: undefined, heartbeats: [] },
    })
    await scene.pass(SOON_MS)
    const names = [scene.brokers.source, scene.brokers.target].map(({ topics }) =>
      topics.all.map(({ name }) => name),
    )
    assert.deepEqual(names, [['orders'], ['a.orders']])
    await owner.leave(scene.clock)
  })

  test('what cannot be written is told, and written when it can be', async () => {
    const scene = new MirrorScene()
    scene.copy(10)
    scene.commit('g', 5n)
    let isAway = true
    scene.fault = ({ kind }) => (isAway && kind === 'create-topics' ? { lose: 'request' } : undefined)
    const owner = scene.own()
    await scene.pass(120_000)
    assert.ok(scene.troubles.at(-1) !== undefined, 'trouble was told')
    scene.copy(5)
    scene.commit('g', 12n)
    isAway = false
    await scene.pass(120_000)
    assert.equal(scene.troubles.at(-1), undefined)
    assert.deepEqual((await scene.checkpoints()).at(-1), ['g', 12n, 12n, ''])
    assert.deepEqual(await scene.syncs(), [[14n, 14n]])
    assert.ok((await scene.heartbeats('source')).length > 0)
    await owner.leave(scene.clock)
  })
})
