import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { flushed, type SyncedPartition, syncsOfMap } from '../../../replicator/mirror/syncs-of-map.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'

const pair = (source: bigint, target: bigint) => ({
  source: sourceOffset(source),
  target: targetOffset(target),
})
const run = (source: bigint, target: bigint, count: number) => ({ ...pair(source, target), count })

function look(before: SyncedPartition | undefined, map: OffsetMap, offsetLagMax = 100) {
  const { synced, syncs } = syncsOfMap(before, map, offsetLagMax)
  return { synced, said: syncs.map((sync) => [sync.upstreamOffset, sync.downstreamOffset]) }
}

describe('offset syncs of a map', () => {
  test('begin with the last record, and go on where the map goes on', () => {
    const map = new OffsetMap(pair(0n, 0n))
    map.append(run(0n, 0n, 50))
    map.append(run(60n, 50n, 20))
    const first = look(undefined, map)
    assert.deepEqual(first.said, [[79n, 69n]])
    assert.deepEqual(look(first.synced, map).said, [])
    map.append(run(80n, 70n, 100))
    const second = look(first.synced, map)
    assert.deepEqual(second.said, [], '100 records past the last one are as many as may be')
    map.append(run(180n, 170n, 1))
    const third = look(second.synced, map)
    assert.deepEqual(third.said, [[180n, 170n]])
    map.append(run(190n, 171n, 5))
    assert.deepEqual(look(third.synced, map).said, [[190n, 171n]], 'a gap on the source')
  })

  test('what is held back is said by a flush, once', () => {
    const map = new OffsetMap(pair(0n, 0n))
    map.append(run(0n, 0n, 1))
    const first = syncsOfMap(undefined, map, 100)
    map.append(run(1n, 1n, 9))
    const second = flushed(syncsOfMap(first.synced, map, 100))
    assert.deepEqual(second.syncs, [{ upstreamOffset: 9n, downstreamOffset: 9n }])
    assert.deepEqual(flushed(syncsOfMap(second.synced, map, 100)).syncs, [])
  })

  test('nothing is said of a coarse span, and what follows it breaks off', () => {
    const map = new OffsetMap(pair(0n, 0n))
    const first = look(undefined, map)
    assert.deepEqual(first.said, [])
    map.append(run(0n, 0n, 10))
    const second = look(first.synced, map)
    assert.deepEqual(second.said, [[0n, 0n]])
    const { source: sourceTo, target: targetTo } = pair(30n, 25n)
    map.appendCoarse({
      ...{ sourceFrom: map.end.source, targetFrom: map.end.target },
      ...{ sourceTo, targetTo },
    })
    const third = look(second.synced, map)
    assert.deepEqual(third.said, [])
    map.append(run(30n, 25n, 2))
    assert.deepEqual(look(third.synced, map).said, [[30n, 25n]])
  })

  test('a map that began anew is told from its last record', () => {
    const map = new OffsetMap(pair(0n, 0n))
    map.append(run(0n, 0n, 500))
    const { synced } = look(undefined, map)
    const anew = new OffsetMap(pair(10n, 500n))
    anew.append(run(10n, 500n, 5))
    assert.deepEqual(look(synced, anew).said, [[14n, 504n]])
  })

  test('of many some are said, evenly, and the last one always', () => {
    const map = new OffsetMap(pair(0n, 0n))
    const { synced } = look(undefined, map)
    for (let i = 0n; i < 200n; i++) map.append(run(10n * i, i, 1))
    const { said } = look(synced, map)
    assert.equal(said.length, 50)
    assert.deepEqual(said.slice(0, 2), [
      [30n, 3n],
      [70n, 7n],
    ])
    assert.deepEqual(said.at(-1), [1_990n, 199n])
  })

  test('each is one record and its copy; few at once; at most the lag behind the last record', () => {
    const step = fc.record({
      gap: fc.tuple(fc.nat(3), fc.nat(3)),
      count: fc.integer({ min: 1, max: 300 }),
      isCoarse: fc.boolean(),
      isLook: fc.boolean(),
    })
    const lagMax = fc.constantFrom(0, 1, 10, 100)
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), lagMax, (steps, offsetLagMax) => {
        const map = new OffsetMap(pair(0n, 0n))
        const copies = new Map<bigint, bigint>()
        let synced: SyncedPartition | undefined
        let last = -1n
        const judge = (): void => {
          const { syncs, synced: next } = syncsOfMap(synced, map, offsetLagMax)
          synced = next
          assert.ok(syncs.length <= 64)
          for (const { upstreamOffset, downstreamOffset } of syncs) {
            assert.equal(copies.get(upstreamOffset), downstreamOffset)
            assert.ok(upstreamOffset > last, `${upstreamOffset} after ${last}`)
            last = upstreamOffset
          }
          const newest = [...copies].at(-1)
          const told = copies.get(last)
          if (newest !== undefined && told !== undefined && steps.length < 20)
            assert.ok(newest[1] - told <= BigInt(offsetLagMax) + 1n, `${newest[1]} after ${told}`)
        }
        for (const { gap, count, isCoarse, isLook } of steps) {
          const source = map.end.source + BigInt(gap[0])
          const target = map.end.target + BigInt(gap[1])
          if (isCoarse && steps.length >= 20) {
            const [sourceTo, targetTo] = [sourceOffset(source + 7n), targetOffset(target + 5n)]
            map.appendCoarse({
              ...{ sourceFrom: map.end.source, targetFrom: map.end.target },
              ...{ sourceTo, targetTo },
            })
          } else {
            map.append(run(source, target, count))
            for (let i = 0n; i < count; i++) copies.set(source + i, target + i)
          }
          if (isLook) judge()
        }
        judge()
      }),
    )
  })
})
