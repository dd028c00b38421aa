import assert from 'node:assert/strict'
import type { TopicMetadata } from '../../replicator/kafka/cluster.ts'
import { isControl, producerId } from '../../replicator/records/batch-header.ts'
import {
  baseOffsets,
  batchOf,
  type Check,
  type ContractHarness,
  eventually,
  fetchAll,
  fetchOne,
  makeTopic,
  partitionOf,
  patient,
  produceAll,
  produceOne,
  wholeBatches,
  withChannel,
} from './contract-harness.ts'

/** What a fetch returns, how much of it, and when. */
export function fetchContract(check: Check): void {
  check(
    'batches come whole from the one that holds the offset, with the offsets of the log',
    async (harness) => {
      const topic = await filled(harness, [2, 3, 4])
      await withChannel(harness, topic, async (channel) => {
        const fetched = await fetchOne(channel, partitionOf(topic, 3n))
        assert.equal(fetched.error, undefined)
        assert.deepEqual(baseOffsets(fetched.records), [2n, 5n])
        const { highWatermark, lastStableOffset, logStartOffset } = fetched
        assert.deepEqual([highWatermark, lastStableOffset, logStartOffset], [9n, 9n, 0n])
        const end = await fetchOne(channel, partitionOf(topic, 9n))
        assert.deepEqual([end.error, end.records.length], [undefined, 0])
      })
    },
  )

  check('the first batch comes whole however small the limits are', async (harness) => {
    const topic = await filled(harness, [20, 20])
    await withChannel(harness, topic, async (channel) => {
      const tiny = await fetchOne(channel, partitionOf(topic, 0n, { bytesMax: 1 }), { bytesMax: 1 })
      assert.deepEqual(baseOffsets(tiny.records), [0n])
      assert.equal(tiny.records.length, wholeBatches(tiny.records)[0]?.length)
    })
  })

  check('what follows the first batch may be cut at the limit', async (harness) => {
    const topic = await filled(harness, [5, 5, 5])
    await withChannel(harness, topic, async (channel) => {
      const all = await fetchOne(channel, partitionOf(topic, 0n))
      const bytesMax = (wholeBatches(all.records)[0]?.length ?? 0) + 20
      const cut = await fetchOne(channel, partitionOf(topic, 0n, { bytesMax }))
      assert.deepEqual(cut.records, all.records.subarray(0, bytesMax))
    })
  })

  check('partitions are filled in the order of the request, until its limit', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 3 })
    await withChannel(harness, topic, async (channel) => {
      const batches = [0, 1, 2].map((partition) => ({
        topic: topic.name,
        partition,
        batch: batchOf(harness, 10),
      }))
      await channel.produce({ batches, timeoutMs: 10_000 })
      const sizes = async (order: readonly number[], bytesMax: number) => {
        const asked = order.map((partition) => partitionOf(topic, 0n, { partition }))
        const fetched = await fetchAll(channel, asked, { bytesMax })
        return order.map((partition) => fetched.find((one) => one.partition === partition)?.records.length)
      }
      const size = batches[0]?.batch.length ?? 0
      assert.deepEqual(await sizes([0, 1, 2], 1 << 20), [size, size, size])
      assert.deepEqual(await sizes([2, 0, 1], 1), [size, 0, 0])
      assert.deepEqual(await sizes([1, 2, 0], size * 2), [size, size, 0])
      assert.deepEqual(await sizes([1, 2, 0], size + 10), [size, 0, 0], 'no cut batch in the first place')
    })
  })

  check('an empty partition does not take the place of the first batch', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 2 })
    await withChannel(harness, topic, async (channel) => {
      await produceOne(channel, { topic: topic.name, partition: 1, batch: batchOf(harness, 5) })
      const asked = [0, 1].map((partition) => partitionOf(topic, 0n, { partition }))
      const fetched = await fetchAll(channel, asked, { bytesMax: 1 })
      assert.deepEqual(baseOffsets(fetched.find(({ partition }) => partition === 1)!.records), [0n])
    })
  })

  check('a fetch at the end waits for records', async (harness) => {
    const topic = await makeTopic(harness)
    await withChannel(harness, topic, async (reader) => {
      const waiting = fetchOne(reader, partitionOf(topic, 0n), patient)
      await withChannel(harness, topic, (writer) => produceAll(writer, topic.name, [batchOf(harness, 1)]))
      assert.deepEqual(baseOffsets((await waiting).records), [0n])
    })
  })

  check('a fetch waits for its least bytes no longer than it says', async (harness) => {
    const topic = await filled(harness, [1])
    await withChannel(harness, topic, async (channel) => {
      const beforeMs = harness.clock.monotonicMs()
      const fetched = await fetchOne(channel, partitionOf(topic, 0n), { waitMaxMs: 200, bytesMin: 1 << 20 })
      assert(harness.clock.monotonicMs() - beforeMs >= 200)
      assert.deepEqual(baseOffsets(fetched.records), [0n])
      const atEnd = await fetchOne(channel, partitionOf(topic, 1n), { waitMaxMs: 100 })
      assert.deepEqual([atEnd.error, atEnd.records.length], [undefined, 0])
    })
  })

  check('an offset that the log does not hold is out of range', async (harness) => {
    const topic = await filled(harness, [2, 2])
    await harness.deleteRecords({ topic: topic.name, partition: 0 }, 2n)
    await withChannel(harness, topic, async (channel) => {
      for (const offset of [0n, 1n, 5n]) {
        const { error, records } = await fetchOne(channel, partitionOf(topic, offset), patient)
        assert.deepEqual([error?.code, records.length], [1, 0])
      }
      const kept = await fetchOne(channel, partitionOf(topic, 2n))
      assert.deepEqual(baseOffsets(kept.records), [2n])
      assert.equal(kept.logStartOffset, 2n)
    })
  })

  check('records deleted inside a batch leave the batch whole', async (harness) => {
    const topic = await filled(harness, [4])
    await harness.deleteRecords({ topic: topic.name, partition: 0 }, 3n)
    await withChannel(harness, topic, async (channel) => {
      const fetched = await fetchOne(channel, partitionOf(topic, 3n))
      assert.deepEqual(baseOffsets(fetched.records), [0n])
      assert.equal(fetched.logStartOffset, 3n)
    })
  })

  check('a partition that cannot be read does not keep others from it', async (harness) => {
    const topic = await filled(harness, [1])
    await withChannel(harness, topic, async (channel) => {
      const fetched = await fetchAll(
        channel,
        [
          partitionOf(topic, 0n, { partition: 5 }),
          partitionOf(topic, 0n),
          partitionOf(topic, 0n, {
            topic: harness.newName(),
            topicId: '01234567-89ab-4cde-8f01-23456789abcd',
          }),
        ],
        patient,
      )
      const codes = fetched.map(({ topic, partition, error }) => [topic, partition, error?.code])
      assert.deepEqual(new Set(codes.map(([, , code]) => code)), new Set([3, undefined, 100]))
      const good = fetched.find(({ error }) => error === undefined)
      assert.deepEqual(baseOffsets(good!.records), [0n])
    })
  })

  check('a leader epoch other than the leader’s own is refused', async (harness) => {
    const topic = await filled(harness, [1])
    await withChannel(harness, topic, async (channel) => {
      const newer = await fetchOne(channel, partitionOf(topic, 0n, { leaderEpoch: 9 }))
      assert.deepEqual([newer.error?.code, newer.error?.retriable], [75, true])
      const same = await fetchOne(channel, partitionOf(topic, 0n, { leaderEpoch: 0 }))
      assert.equal(same.error, undefined)
    })
  })

  transactionContract(check)
}

function transactionContract(check: Check): void {
  check('a committed transaction is read with its marker', async (harness) => {
    const topic = await filled(harness, [1])
    await inTransaction(harness, topic, 3, 'commit')
    await withChannel(harness, topic, async (channel) => {
      const fetched = await stableFrom(harness, topic, 5n)
      assert.deepEqual(baseOffsets(fetched.records), [0n, 1n, 4n])
      assert.deepEqual(fetched.aborted, [])
      const marker = wholeBatches(fetched.records)[2]
      assert(marker !== undefined && isControl(marker, 0))
      assert.equal(marker.length, 78)
      const uncommitted = await fetchOne(channel, partitionOf(topic, 0n))
      assert.deepEqual(uncommitted.records, fetched.records)
    })
  })

  check(
    'aborted transactions are listed by first offset, also to who starts inside them',
    async (harness) => {
      const topic = await filled(harness, [1])
      const at = { topic: topic.name, partition: 0 }
      const first = await harness.openTransaction()
      const second = await harness.openTransaction()
      await first.append(at, 2)
      await second.append(at, 2)
      await first.append(at, 2)
      await second.end('abort')
      await eventually(harness, async () => ((await latest(harness, topic)) === 8n ? true : undefined))
      await first.end('abort')
      const fetched = await stableFrom(harness, topic, 9n)
      const batches = wholeBatches(fetched.records)
      assert.deepEqual(baseOffsets(fetched.records), [0n, 1n, 3n, 5n, 7n, 8n])
      assert.deepEqual(fetched.aborted, [
        { producerId: producerId(batches[1]!, 0), firstOffset: 1n },
        { producerId: producerId(batches[2]!, 0), firstOffset: 3n },
      ])
      await withChannel(harness, topic, async (channel) => {
        const committed = { isolation: 'read_committed' } as const
        const inside = await fetchOne(channel, partitionOf(topic, 5n), committed)
        assert.deepEqual(inside.aborted, fetched.aborted)
        const after = await fetchOne(channel, partitionOf(topic, 8n), committed)
        assert.deepEqual(after.aborted, [fetched.aborted[0]])
        const uncommitted = await fetchOne(channel, partitionOf(topic, 0n))
        assert.deepEqual(uncommitted.aborted, [])
      })
    },
  )

  check('read_committed never passes the last stable offset, and waits at it', async (harness) => {
    const topic = await filled(harness, [1])
    const transaction = await harness.openTransaction()
    await transaction.append({ topic: topic.name, partition: 0 }, 2)
    await withChannel(harness, topic, async (channel) => {
      await produceAll(channel, topic.name, [batchOf(harness, 1)])
      const committed = { isolation: 'read_committed' } as const
      const before = await fetchOne(channel, partitionOf(topic, 0n), committed)
      assert.deepEqual(baseOffsets(before.records), [0n])
      assert.deepEqual([before.lastStableOffset, before.highWatermark], [1n, 4n])
      const uncommitted = await fetchOne(channel, partitionOf(topic, 0n))
      assert.deepEqual(baseOffsets(uncommitted.records), [0n, 1n, 3n])
      const waiting = fetchOne(channel, partitionOf(topic, 1n), { ...patient, ...committed })
      await transaction.end('commit')
      assert.deepEqual(baseOffsets((await waiting).records), [1n, 3n, 4n])
    })
  })
}

/** A topic of one partition that holds batches with these numbers of records. */
async function filled(harness: ContractHarness, counts: readonly number[]): Promise<TopicMetadata> {
  const topic = await makeTopic(harness)
  await withChannel(harness, topic, (channel) =>
    produceAll(
      channel,
      topic.name,
      counts.map((count) => batchOf(harness, count)),
    ),
  )
  return topic
}

async function inTransaction(
  harness: ContractHarness,
  topic: TopicMetadata,
  count: number,
  how: 'commit' | 'abort',
): Promise<void> {
  const transaction = await harness.openTransaction()
  await transaction.append({ topic: topic.name, partition: 0 }, count)
  await transaction.end(how)
}

/** Everything committed, once the last stable offset is there: markers follow the end of a transaction. */
function stableFrom(harness: ContractHarness, topic: TopicMetadata, lastStable: bigint) {
  return eventually(harness, async () => {
    const fetched = await withChannel(harness, topic, (channel) =>
      fetchOne(channel, partitionOf(topic, 0n), { isolation: 'read_committed' }),
    )
    return fetched.lastStableOffset === lastStable ? fetched : undefined
  })
}

async function latest(harness: ContractHarness, topic: TopicMetadata): Promise<bigint> {
  return withChannel(
    harness,
    topic,
    async (channel) => (await fetchOne(channel, partitionOf(topic, 0n))).highWatermark,
  )
}
