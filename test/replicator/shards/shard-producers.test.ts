import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { transportError } from '../../../replicator/kafka/errors.ts'
import { ShardProducers } from '../../../replicator/shards/shard-producers.ts'

const forever = new AbortController().signal

function counting(failures = 0) {
  let left = failures
  let next = 100n
  const initProducerId = async () => {
    if (left-- > 0) throw transportError('timeout', 'no answer')
    return { producerId: next++, producerEpoch: 0 }
  }
  return new ShardProducers({ initProducerId } as unknown as Cluster)
}

describe('the producers of shards', () => {
  test('each shard has one, asked for once', async () => {
    const producers = counting()
    const ids = await Promise.all([0, 1, 0, 1].map((shard) => producers.identityOf(shard, forever)))
    assert.deepEqual(
      ids.map(({ producerId }) => producerId),
      [100n, 101n, 100n, 101n],
    )
  })

  test('a failed question is asked again', async () => {
    const producers = counting(1)
    await assert.rejects(producers.identityOf(0, forever), /no answer/)
    assert.equal((await producers.identityOf(0, forever)).producerId, 100n)
  })

  test('a renewed one differs from the used one, and serves all that still use the old', async () => {
    const producers = counting()
    const old = await producers.identityOf(0, forever)
    const first = await producers.renewed(0, old, forever)
    assert.notEqual(first.producerId, old.producerId)
    assert.deepEqual(await producers.renewed(0, old, forever), first)
    assert.deepEqual(await producers.identityOf(0, forever), first)
    assert.notEqual((await producers.renewed(0, first, forever)).producerId, first.producerId)
  })

  test('renewed by several at a time, none gets the used one back', async () => {
    const producers = counting()
    const old = await producers.identityOf(0, forever)
    const renewed = await Promise.all([1, 2, 3].map(() => producers.renewed(0, old, forever)))
    for (const { producerId } of renewed) assert.notEqual(producerId, old.producerId)
  })
})
