import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Followed } from '../../../replicator/groups/follow-group.ts'
import { encodeFollowed, encodeFollowedKey } from '../../../replicator/groups/followed-record.ts'
import { LedgerMemory } from '../../../replicator/groups/ledger-memory.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { shardOf } from '../../../replicator/shards/shard-of.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

const flow = flowId(regionAlias('us'), regionAlias('eu'))
const other = flowId(regionAlias('ap'), regionAlias('eu'))
const orders = { group: 'g', topic: 'orders', partition: 0 }
const forth = { flow, direction: 'forth' as const, ...orders }
const shards = 4
const own = shardOf(orders.topic, orders.partition, shards)
const former = (own + 1) % shards

const commit = (position: bigint, atMs: number): Followed => ({
  position: sourceOffset(position),
  offset: targetOffset(position + 5n),
  metadata: '',
  atMs,
})

const record = (at: Parameters<typeof encodeFollowedKey>[0], commits: readonly Followed[] | null) => ({
  key: encodeFollowedKey(at),
  value: commits === null ? null : encodeFollowed(commits),
})

const positions = (memory: LedgerMemory, direction: 'forth' | 'back' = 'forth') =>
  memory
    .remembered(direction)
    .get('orders/0')
    ?.get('g')
    ?.map(({ position }) => position)

describe('what a shard remembers of commits', () => {
  test('is what was written last in its own partition', () => {
    const memory = new LedgerMemory({ flow, shards, shard: own })
    memory.add(own, record(forth, [commit(1n, 1)]))
    memory.add(own, record(forth, [commit(1n, 1), commit(2n, 2)]))
    assert.deepEqual(positions(memory), [1n, 2n])
    memory.add(own, record(forth, null))
    assert.deepEqual(positions(memory), [])
  })

  test('is what a former shard left, in the order of time', () => {
    const memory = new LedgerMemory({ flow, shards, shard: own })
    memory.add(own, record(forth, [commit(3n, 30)]))
    memory.add(former, record(forth, [commit(1n, 10), commit(2n, 20)]))
    assert.deepEqual(positions(memory), [1n, 2n, 3n])
  })

  test('is nothing of other flows, of other shards, or of the other direction', () => {
    const memory = new LedgerMemory({ flow, shards, shard: former })
    memory.add(own, record(forth, [commit(1n, 1)]))
    memory.add(former, record({ ...forth, flow: other }, [commit(2n, 2)]))
    memory.add(former, record({ ...forth, direction: 'back' }, [commit(3n, 3)]))
    assert.equal(positions(memory), undefined)
    assert.deepEqual(positions(memory, 'back'), [3n])
  })

  test('is forgotten once it was not refreshed for long, in its own partition of the ledger', () => {
    const memory = new LedgerMemory({ flow, shards, shard: own })
    const [stale, fresh, elsewhere] = ['stale', 'fresh', 'elsewhere'].map((group) => ({ ...forth, group }))
    assert(stale && fresh && elsewhere)
    memory.add(own, record(stale, [commit(1n, 10), commit(2n, 99)]))
    memory.add(own, record(fresh, [commit(1n, 10), commit(2n, 100)]))
    memory.add(former, record(elsewhere, [commit(1n, 10)]))
    memory.add(own, record({ ...stale, direction: 'back', topic: 'eu/7' }, [commit(1n, 10)]))
    assert.deepEqual(memory.takeOutdated(100), [stale, { ...stale, direction: 'back', topic: 'eu/7' }])
    assert.deepEqual([...(memory.remembered('forth').get('orders/0')?.keys() ?? [])], ['fresh'])
    assert.deepEqual(memory.takeOutdated(100), [])
  })
})
