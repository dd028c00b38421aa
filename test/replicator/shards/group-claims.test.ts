import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Fault, RequestKind } from '../../simulation/faults.ts'
import { GroupScene } from '../../simulation/group-replicas.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'

describe('replicas that share shards', () => {
  test('one alone is given everything', async () => {
    const scene = new GroupScene()
    const a = scene.start('a')
    await scene.settled([a], 1000)
    assert.deepEqual(a.of('claimed'), [0, 1, 2, 3, 4, 5, 6, 7])
  })

  test('1 -> 3 -> 1: only what moves stops, and each time no more than must', async () => {
    const scene = new GroupScene()
    const a = scene.start('a')
    await scene.settled([a])
    const b = scene.start('b')
    await scene.settled([a, b])
    assert.equal(a.of('released').length, 4)
    const c = scene.start('c')
    await scene.settled([a, b, c])
    assert.equal(a.of('released').length + b.of('released').length, 6)
    const [keptByA, keptByC] = [[...a.held], [...c.held]]
    await scene.clock.run(b.close())
    await scene.settled([a, c])
    await scene.clock.run(c.close())
    await scene.settled([a])
    // What was never taken away was never touched.
    assert.ok(keptByA.every((shard) => !a.of('released').includes(shard)))
    assert.deepEqual(c.of('released').toSorted(), [...new Set([...keptByC, ...c.of('released')])].toSorted())
    for (const replica of [a, b, c]) assert.deepEqual(replica.of('lost'), [])
  })

  test('what a leaving replica gave back is with others long before its session would end', async () => {
    const scene = new GroupScene()
    const [a, b] = [scene.start('a'), scene.start('b')]
    await scene.settled([a, b])
    await scene.clock.run(b.close())
    assert.ok((await scene.settled([a])) < 3000)
    assert.deepEqual(b.of('lost'), [])
  })

  test('a killed replica: the others hold everything once its session has ended', async () => {
    const scene = new GroupScene()
    const [a, b, c] = [scene.start('a'), scene.start('b'), scene.start('c')]
    await scene.settled([a, b, c])
    const kept = [...a.held]
    b.kill()
    await scene.settled([a, c], 15_000)
    assert.ok(kept.every((shard) => !a.of('released').includes(shard)))
  })

  test('a replica that was stopped for longer than its session loses everything when it wakes, then joins again', async () => {
    const scene = new GroupScene()
    const [a, b] = [scene.start('a'), scene.start('b')]
    await scene.settled([a, b])
    const had = [...b.held]
    b.pause()
    await scene.settled([a], 15_000)
    await scene.clock.advance(60_000)
    b.wake()
    await scene.clock.advance(0)
    assert.deepEqual(b.of('lost').toSorted(), had.toSorted())
    await scene.settled([a, b])
    assert.deepEqual(scene.wrongs, [])
  })

  test('a replica that was stopped for less than its session goes on', async () => {
    const scene = new GroupScene()
    const [a, b] = [scene.start('a'), scene.start('b')]
    await scene.settled([a, b])
    b.pause()
    await scene.clock.advance(5000)
    b.wake()
    await scene.clock.advance(20_000)
    assert.ok(scene.isSettled([a, b]))
    for (const replica of [a, b]) assert.deepEqual(replica.of('lost'), [])
  })

  test('a slow release keeps its session and gets the shards to the newcomer all the same', async () => {
    const scene = new GroupScene()
    const a = scene.start('a', { releaseMs: 15_000 })
    await scene.settled([a])
    const b = scene.start('b')
    const tookMs = await scene.settled([a, b], 40_000)
    assert.ok(tookMs >= 15_000)
    assert.deepEqual(a.of('lost'), [])
  })

  test('a release that hangs ends in a loss of what moves, not of the rest', async () => {
    const scene = new GroupScene()
    const a = scene.start('a', { releaseMs: 'never' })
    await scene.settled([a])
    const b = scene.start('b')
    await scene.settled([a, b], 40_000)
    assert.equal(a.of('lost').length, 4)
  })

  test('no coordinator for longer than a session: everything is lost, and taken again when it is back', async () => {
    const scene = new GroupScene()
    const a = scene.start('a')
    await scene.settled([a])
    const [broker] = scene.brokers.brokers
    assert.ok(broker !== undefined)
    scene.brokers.stopBroker(broker)
    const tookMs = await scene.until('everything is lost', () => a.held.size === 0, 11_000)
    assert.ok(tookMs > 8000)
    assert.equal(a.troubles.at(-1)?.kind, 'connection')
    scene.brokers.startBroker(broker)
    await scene.settled([a], 15_000)
    assert.equal(a.troubles.at(-1), undefined)
  })

  test('who is closed while it waits to join holds nothing and leaves nothing behind', async () => {
    const scene = new GroupScene()
    const a = scene.start('a', { releaseMs: 15_000 })
    await scene.settled([a])
    const b = scene.start('b')
    await scene.until('a releases', () => a.of('releasing').length > 0, 5000)
    await scene.clock.run(b.close())
    assert.deepEqual(b.happenings, [])
    await scene.settled([a], 60_000)
  })
})

describe('replicas with an instance id', () => {
  test('restarted within the session have their shards again, and nobody else notices', async () => {
    const scene = new GroupScene()
    const [a, b] = [scene.start('a', { instanceId: 'pod-0' }), scene.start('b', { instanceId: 'pod-1' })]
    await scene.settled([a, b])
    const [had, seen] = [[...b.held].toSorted(), a.happenings.length]
    await scene.clock.run(b.close())
    await scene.clock.advance(3000)
    const again = scene.start('b again', { instanceId: 'pod-1' })
    await scene.settled([a, again])
    await scene.clock.advance(20_000)
    assert.deepEqual([...again.held].toSorted(), had)
    assert.equal(a.happenings.length, seen)
  })

  test('killed within a hand-over, the successor in the same place finishes it', async () => {
    const scene = new GroupScene()
    const a = scene.start('a', { instanceId: 'pod-0', releaseMs: 'never' })
    await scene.settled([a])
    const b = scene.start('b', { instanceId: 'pod-1' })
    await scene.until('a releases', () => a.of('releasing').length > 0, 5000)
    a.kill()
    const again = scene.start('a again', { instanceId: 'pod-0' })
    await scene.settled([again, b], 8000)
  })

  test('the first holder of an instance id that is used twice ends, and says why', async () => {
    const scene = new GroupScene()
    const a = scene.start('a', { instanceId: 'pod-0' })
    await scene.settled([a])
    const second = scene.start('second', { instanceId: 'pod-0' })
    await assert.rejects(
      scene.clock.run(a.ended),
      /another process took the place of replicas.instanceId pod-0/,
    )
    assert.equal(a.held.size, 0)
    await scene.settled([second])
  })

  test('that never come back lose their place when the session ends', async () => {
    const scene = new GroupScene()
    const [a, b] = [scene.start('a', { instanceId: 'pod-0' }), scene.start('b', { instanceId: 'pod-1' })]
    await scene.settled([a, b])
    await scene.clock.run(b.close())
    await scene.settled([a], 15_000)
  })
})

test('replicas with another number of shards are kept out, loudly, until the others are gone', async () => {
  const scene = new GroupScene(8)
  const a = scene.start('a')
  await scene.settled([a])
  const other = scene.start('other', { shards: 4 })
  await scene.until('other is refused', () => other.troubles.length > 0, 5000)
  assert.match(other.troubles[0]?.message ?? '', /do not share 4 shards.*Configure all replicas alike/)
  await scene.clock.advance(20_000)
  assert.deepEqual([a.held.size, other.held.size], [8, 0])
  await scene.clock.run(a.close())
  await scene.until('other takes over', () => other.held.size === 4, 10_000)
  assert.equal(other.troubles.at(-1), undefined)
})

const groupRequests: readonly RequestKind[] = ['join-group', 'sync-group', 'heartbeat-group', 'leave-group']
const faultKinds: readonly Fault[] = [
  { lose: 'request' },
  { lose: 'answer' },
  { duplicate: true },
  { breakChannel: 'before' },
  { breakChannel: 'after' },
  { requestDelayMs: 3000 },
  { answerDelayMs: 4000 },
  { requestDelayMs: 12_000 },
  { answerDelayMs: 12_000 },
]

for (const kind of groupRequests) {
  test(`faults in ${kind}: never two holders, and everything is held again`, async () => {
    for (const fault of faultKinds) {
      const scene = new GroupScene()
      let faulty = true
      let count = 0
      const faults = (request: { readonly kind: RequestKind }) =>
        faulty && request.kind === kind && count++ % 2 === 0 ? fault : undefined
      const a = scene.start('a', { faults })
      await scene.clock.advance(20_000)
      const b = scene.start('b', { faults })
      await scene.clock.advance(20_000)
      const c = scene.start('c', { faults })
      await scene.clock.advance(20_000)
      // A lost answer may hold a hand-over up for as long as a process waits for one.
      const closed = c.close()
      await scene.clock.run(closed)
      faulty = false
      await scene.settled([a, b], 100_000)
      assert.deepEqual(scene.wrongs, [], `${JSON.stringify(fault)}\n${scene.story()}`)
    }
  })
}

/** What happens to a group at a time; `who` picks a replica. */
const happening = fc.record({
  afterMs: fc.integer({ min: 0, max: 8000 }),
  kind: fc.constantFrom('start', 'close', 'kill', 'pause', 'wake', 'broker stops', 'broker starts'),
  who: fc.nat({ max: 9 }),
})

test('whatever happens: never two holders but a stopped one, and in the end everything is held', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(happening, { maxLength: 12 }),
      fc.nat(),
      fc.boolean(),
      async (happenings, seed, hasFaults) => {
        const scene = new GroupScene()
        const random = new SeededRandom(seed)
        let faulty = hasFaults
        const faults = () =>
          faulty && random.next() < 0.15
            ? faultKinds[Math.floor(random.next() * faultKinds.length)]
            : undefined
        const running = new Set([scene.start('r0', { faults }), scene.start('r1', { faults })])
        const [broker] = scene.brokers.brokers
        assert.ok(broker !== undefined)
        for (const { afterMs, kind, who } of happenings) {
          await scene.clock.advance(afterMs)
          const chosen = [...running][who % Math.max(1, running.size)]
          if (kind === 'start') running.add(scene.start(`r${scene.replicas.length}`, { faults }))
          else if (kind === 'broker stops') scene.brokers.stopBroker(broker)
          else if (kind === 'broker starts') scene.brokers.startBroker(broker)
          else if (chosen === undefined) continue
          else if (kind === 'pause') chosen.pause()
          else if (kind === 'wake') chosen.wake()
          else {
            running.delete(chosen)
            if (kind === 'kill' || chosen.isPaused) chosen.kill()
            else void chosen.close()
          }
        }
        scene.brokers.startBroker(broker)
        for (const replica of running) replica.wake()
        faulty = false
        if (running.size === 0) running.add(scene.start('last'))
        await scene.settled([...running], 200_000)
        await scene.clock.advance(30_000)
        assert.ok(scene.isSettled([...running]), scene.story())
        assert.deepEqual(scene.wrongs, [], scene.story())
      },
    ),
    { numRuns: 60 },
  )
})
