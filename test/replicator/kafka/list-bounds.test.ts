import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OffsetAnswer, OffsetQuery } from '../../../replicator/kafka/cluster.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import { boundsOfLog, listBounds } from '../../../replicator/kafka/list-bounds.ts'

const { signal } = new AbortController()
const orders = (partition: number) => ({ topic: 'orders', partition })
const denied = protocolError(29, orders(2))

/** Partition p holds the offsets from p up to 10p; partition 2 tells nobody where it ends. */
class Listing {
  readonly asked: OffsetQuery[][] = []

  async listOffsets(queries: readonly OffsetQuery[]): Promise<readonly OffsetAnswer[]> {
    this.asked.push([...queries])
    return queries.map(({ topic, partition, at }) => {
      if (partition === 2 && at === 'latest')
        return { topic, partition, result: { ok: false, error: denied } }
      const offset = BigInt(at === 'earliest' ? partition : partition * 10)
      return { topic, partition, result: { ok: true, value: { offset, leaderEpoch: 4 } } }
    })
  }
}

const answer = (offset: bigint) => ({ ok: true, value: { offset, leaderEpoch: 4 } })

describe('where logs begin and end', () => {
  for (const first of ['earliest', 'latest'] as const) {
    test(`is one question that asks for every ${first} offset first`, async () => {
      const cluster = new Listing()
      const listed = await listBounds(cluster, [orders(1), orders(2), orders(3)], first, signal)
      assert.deepEqual(listed, [
        { start: answer(1n), end: answer(10n) },
        { start: answer(2n), end: { ok: false, error: denied } },
        { start: answer(3n), end: answer(30n) },
      ])
      assert.equal(cluster.asked.length, 1)
      const then = first === 'earliest' ? 'latest' : 'earliest'
      assert.deepEqual(
        cluster.asked[0]?.map(({ at }) => at),
        [first, first, first, then, then, then],
      )
    })
  }

  test('is not asked of nothing', async () => {
    const cluster = new Listing()
    assert.deepEqual(await listBounds(cluster, [], 'latest', signal), [])
    assert.equal(cluster.asked.length, 0)
  })

  test('is known of one log or thrown', async () => {
    assert.deepEqual(await boundsOfLog(new Listing(), orders(3), signal), { start: 3n, end: 30n })
    await assert.rejects(boundsOfLog(new Listing(), orders(2), signal), denied)
  })
})
