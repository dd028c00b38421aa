import assert from 'node:assert/strict'
import { isLogAppendTime, maxTimestamp, producerEpoch } from '../../replicator/records/batch-header.ts'
import { batchLayout } from '../../replicator/records/batch-layout.ts'
import { buildBatch, readRecords, recordsOf } from '../simulation/record-batches.ts'
import {
  baseOffsets,
  batchOf,
  type Check,
  codeOf,
  eventually,
  fetchOne,
  makeTopic,
  partitionOf,
  patient,
  patiently,
  produceAll,
  produceOne,
  wholeBatches,
  withChannel,
} from './contract-harness.ts'
import { producer } from './contract-producer.ts'

const largestSequence = 2 ** 31 - 1

/** What brokers accept, and how they recognise producers. */
export function produceContract(check: Check): void {
  check('accepted batches get the next offsets and are stored as they came', async (harness) => {
    const topic = await makeTopic(harness)
    await withChannel(harness, topic, async (channel) => {
      for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
        const batch = batchOf(harness, 3, { codec })
        const end = (await fetchOne(channel, partitionOf(topic, 0n))).highWatermark
        const result = await produceOne(channel, { topic: topic.name, partition: 0, batch })
        assert(result.ok)
        assert.deepEqual(result.value, { baseOffset: end, logAppendTimeMs: undefined })
        const { records } = await fetchOne(channel, partitionOf(topic, end), patient)
        assert.deepEqual(records.subarray(batchLayout.magic), batch.subarray(batchLayout.magic))
        assert.equal(records.readInt32BE(batchLayout.partitionLeaderEpoch), 0)
        assert.deepEqual(baseOffsets(records), [end])
      }
    })
  })

  check('each partition of a request is judged by itself', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 3 })
    const missing = harness.newName()
    await withChannel(harness, topic, async (channel) => {
      const { results } = await channel.produce({
        batches: [
          { topic: missing, partition: 0, batch: batchOf(harness, 1) },
          { topic: topic.name, partition: 2, batch: batchOf(harness, 2) },
          { topic: topic.name, partition: 9, batch: batchOf(harness, 1) },
          { topic: topic.name, partition: 0, batch: batchOf(harness, 1, { corrupt: true }) },
          { topic: topic.name, partition: 1, batch: batchOf(harness, 1) },
        ],
        timeoutMs: 10_000,
      })
      assert.deepEqual(
        results.map((answer) => [answer.topic, answer.partition, codeOf(answer.result)]),
        [
          [missing, 0, 3],
          [topic.name, 2, 0],
          [topic.name, 9, 3],
          [topic.name, 0, 2],
          [topic.name, 1, 0],
        ],
      )
    })
  })

  check('a topic with append time stamps batches and answers with the time', async (harness) => {
    const topic = await makeTopic(harness, { configs: { 'message.timestamp.type': 'LogAppendTime' } })
    await withChannel(harness, topic, async (channel) => {
      const result = await produceOne(channel, {
        topic: topic.name,
        partition: 0,
        batch: batchOf(harness, 2),
      })
      assert(result.ok)
      const { logAppendTimeMs } = result.value
      assert(logAppendTimeMs !== undefined)
      const { records } = await fetchOne(channel, partitionOf(topic, 0n), patient)
      assert(isLogAppendTime(records, 0))
      assert.equal(maxTimestamp(records, 0), BigInt(logAppendTimeMs))
      assert.deepEqual(
        readRecords(records).map((record) => record.timestampMs),
        [logAppendTimeMs, logAppendTimeMs],
      )
    })
  })

  check('the append-time bit is cleared where records keep their own time', async (harness) => {
    const topic = await makeTopic(harness)
    await withChannel(harness, topic, async (channel) => {
      await produceAll(channel, topic.name, [batchOf(harness, 2, { logAppendTime: true })])
      const { records } = await fetchOne(channel, partitionOf(topic, 0n), patient)
      assert.equal(isLogAppendTime(records, 0), false)
    })
  })

  check('a repeat of one of the last five batches answers with the offset it has', async (harness) => {
    const { channel, send, end, close } = await producer(harness)
    for (let sequence = 0; sequence < 12; sequence += 2) await send.accepted(sequence, 2)
    assert.equal(await end(), 12n)
    assert.equal((await send.result(2, 2)).baseOffset, 2n)
    assert.equal((await send.result(10, 2)).baseOffset, 10n)
    assert.equal(await send.code(0, 2), 45, 'the sixth last is not remembered')
    assert.equal(await send.code(10, 1), 45, 'the same first sequence with another count is no repeat')
    assert.equal(await end(), 12n)
    assert.equal(await send.code(12, 1), 0)
    assert(channel.broker > 0)
    close()
  })

  check(
    'a repeat is answered with the newest timestamp of the first, as if that were an append time',
    async (harness) => {
      const topic = await makeTopic(harness)
      const identity = await harness.cluster.initProducerId(undefined)
      const timestampMs = harness.clock.wallMs() - 5000
      await withChannel(harness, topic, async (channel) => {
        const send = async (ms: number) => {
          const batch = buildBatch(recordsOf([['key', 'value']], ms), { ...identity, baseSequence: 0 })
          return produceOne(channel, { topic: topic.name, partition: 0, batch })
        }
        assert.deepEqual(await send(timestampMs), {
          ok: true,
          value: { baseOffset: 0n, logAppendTimeMs: undefined },
        })
        assert.deepEqual(await send(timestampMs + 1000), {
          ok: true,
          value: { baseOffset: 0n, logAppendTimeMs: timestampMs },
        })
      })
    },
  )

  check('a gap in the sequence is refused, and what follows it too', async (harness) => {
    const { send, end, close } = await producer(harness)
    await send.accepted(0, 2)
    assert.equal(await send.code(3, 1), 45)
    assert.equal(await send.code(4, 1), 45)
    assert.equal(await send.code(2, 1), 0)
    assert.equal(await send.code(3, 1), 0)
    assert.equal(await end(), 4n)
    close()
  })

  check('an unknown producer may begin anywhere, and sequences wrap to 0', async (harness) => {
    const { send, close } = await producer(harness)
    await send.accepted(largestSequence - 1, 2)
    await send.accepted(0, 1)
    assert.equal(await send.code(largestSequence - 1, 2), 0, 'a repeat')
    close()
    const inside = await producer(harness)
    await inside.send.accepted(largestSequence, 3)
    assert.equal(await inside.send.code(largestSequence, 3), 0, 'a repeat of a batch that wraps inside')
    await inside.send.accepted(2, 1)
    inside.close()
  })

  check('a new epoch begins at 0 and shuts the older ones out', async (harness) => {
    const { send, close } = await producer(harness)
    await send.accepted(0, 2)
    assert.equal(await send.code(2, 1, 1), 45)
    assert.equal(await send.code(0, 1, 1), 0)
    assert.equal(await send.code(2, 1, 0), 47)
    assert.equal(await send.code(0, 2, 0), 47, 'not even a repeat')
    assert.equal(await send.code(1, 1, 1), 0)
    close()
  })

  check('a transactional id that is taken over fences its predecessor', async (harness) => {
    const { cluster } = harness
    const transactionalId = harness.newName()
    const old = await cluster.initProducerId(transactionalId)
    const first = await producer(harness, old)
    await first.send.accepted(0, 1)
    const next = await cluster.initProducerId(transactionalId)
    const second = await producer(harness, next, first.topic)
    await second.send.accepted(0, 1)
    assert.equal(await first.send.code(1, 1), 47)
    first.close()
    second.close()
  })

  check('producers of one partition do not disturb each other', async (harness) => {
    const one = await producer(harness)
    const two = await producer(harness, undefined, one.topic)
    await one.send.accepted(0, 2)
    await two.send.accepted(0, 3)
    await one.send.accepted(2, 1)
    await two.send.accepted(3, 1)
    assert.equal((await one.send.result(0, 2)).baseOffset, 0n)
    one.close()
    two.close()
  })

  check('requests in flight keep their order, and after a refusal the rest is refused', async (harness) => {
    const { topic, channel, identity, close } = await producer(harness)
    const produce = (baseSequence: number, corrupt = false) =>
      produceOne(channel, {
        topic: topic.name,
        partition: 0,
        batch: batchOf(harness, 2, { ...identity, baseSequence, corrupt }),
      })
    const results = await Promise.all([produce(0), produce(2), produce(4, true), produce(6), produce(8)])
    assert.deepEqual(results.map(codeOf), [0, 0, 2, 45, 45])
    const resent = await Promise.all([produce(4), produce(6), produce(8)])
    assert.deepEqual(
      resent.map((result) => result.ok && result.value.baseOffset),
      [4n, 6n, 8n],
    )
    close()
  })

  check('removed records do not make a broker forget their producer', async (harness) => {
    const { topic, send, close } = await producer(harness)
    await send.accepted(0, 2)
    await harness.deleteRecords({ topic: topic.name, partition: 0 }, 2n)
    assert.equal((await send.result(0, 2)).baseOffset, 0n)
    assert.equal(await send.code(5, 1), 45)
    await send.accepted(2, 1)
    close()
  })

  check(
    'taking over a transactional id aborts its open transaction, and the marker shuts the old epoch out',
    async (harness) => {
      const topic = await makeTopic(harness)
      const at = { topic: topic.name, partition: 0 }
      const transaction = await harness.openTransaction()
      await transaction.append(at, 1)
      const next = await patiently(harness, () => harness.cluster.initProducerId(transaction.transactionalId))
      await withChannel(harness, topic, async (channel) => {
        const { records, aborted } = await eventually(harness, async () => {
          const fetched = await fetchOne(channel, partitionOf(topic, 0n), { isolation: 'read_committed' })
          return fetched.lastStableOffset === 2n ? fetched : undefined
        })
        const [data, marker] = wholeBatches(records)
        assert(data !== undefined && marker !== undefined)
        assert.deepEqual(aborted, [{ producerId: next.producerId, firstOffset: 0n }])
        const old = { producerId: next.producerId, producerEpoch: producerEpoch(data, 0) }
        assert(old.producerEpoch < producerEpoch(marker, 0))
        const zombie = batchOf(harness, 1, { ...old, baseSequence: 1 })
        assert.equal(codeOf(await produceOne(channel, { ...at, batch: zombie })), 47)
        const successor = batchOf(harness, 1, { ...next, baseSequence: 0 })
        assert.equal(codeOf(await produceOne(channel, { ...at, batch: successor })), 0)
      })
    },
  )
}
