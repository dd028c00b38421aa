import assert from 'node:assert/strict'
import type { OffsetQuery, TopicMetadata } from '../../replicator/kafka/cluster.ts'
import { buildBatch, recordsOf } from '../simulation/record-batches.ts'
import {
  batchOf,
  type Check,
  type ContractHarness,
  codeOf,
  eventually,
  makeTopic,
  produceAll,
  withChannel,
} from './contract-harness.ts'

/** ListOffsets in all its forms, and producer ids. */
export function offsetsContract(check: Check): void {
  check('an empty partition begins and ends at 0', async (harness) => {
    const topic = await makeTopic(harness)
    assert.equal(await offset(harness, topic, 'earliest'), 0n)
    assert.equal(await offset(harness, topic, 'latest'), 0n)
    assert.equal(await offset(harness, topic, 'last-stable'), 0n)
  })

  check('earliest and latest follow the log', async (harness) => {
    const topic = await makeTopic(harness)
    await withChannel(harness, topic, (channel) =>
      produceAll(channel, topic.name, [batchOf(harness, 3), batchOf(harness, 4)]),
    )
    assert.equal(await offset(harness, topic, 'earliest'), 0n)
    assert.equal(await offset(harness, topic, 'latest'), 7n)
    await harness.deleteRecords({ topic: topic.name, partition: 0 }, 2n)
    assert.equal(await offset(harness, topic, 'earliest'), 2n)
    assert.equal(await offset(harness, topic, 'latest'), 7n)
  })

  check('a time finds the first record at or after it', async (harness) => {
    const topic = await makeTopic(harness)
    const nowMs = harness.clock.wallMs()
    const stamped = (timesMs: readonly number[]) =>
      buildBatch(
        recordsOf(
          timesMs.map(() => ['key', 'value']),
          0,
        ).map((record, i) => ({ ...record, timestampMs: timesMs[i] as number })),
      )
    await withChannel(harness, topic, (channel) =>
      produceAll(channel, topic.name, [
        stamped([nowMs - 5000, nowMs - 4000]),
        stamped([nowMs - 3000, nowMs - 1000, nowMs - 2000]),
      ]),
    )
    assert.equal(await offset(harness, topic, { timestampMs: nowMs - 9000 }), 0n)
    assert.equal(await offset(harness, topic, { timestampMs: nowMs - 4500 }), 1n)
    assert.equal(await offset(harness, topic, { timestampMs: nowMs - 4000 }), 1n)
    assert.equal(await offset(harness, topic, { timestampMs: nowMs - 2500 }), 3n)
    // No record is that young: a reader that starts there starts at the end.
    assert.equal(await offset(harness, topic, { timestampMs: nowMs }), 5n)
  })

  check('each partition is answered by itself', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 2 })
    const missing = harness.newName()
    const answers = await harness.cluster.listOffsets([
      { topic: topic.name, partition: 1, at: 'latest' },
      { topic: topic.name, partition: 7, at: 'latest' },
      { topic: missing, partition: 0, at: 'earliest' },
    ])
    assert.deepEqual(
      answers.map((answer) => [answer.topic, answer.partition, codeOf(answer.result)]),
      [
        [topic.name, 1, 0],
        [topic.name, 7, 3],
        [missing, 0, 3],
      ],
    )
  })

  check('an open transaction holds the last stable offset', async (harness) => {
    const topic = await makeTopic(harness)
    const at = { topic: topic.name, partition: 0 }
    await withChannel(harness, topic, (channel) => produceAll(channel, topic.name, [batchOf(harness, 2)]))
    const transaction = await harness.openTransaction()
    await transaction.append(at, 3)
    assert.equal(await offset(harness, topic, 'latest'), 5n)
    assert.equal(await offset(harness, topic, 'last-stable'), 2n)
    await transaction.end('commit')
    await eventually(harness, async () =>
      (await offset(harness, topic, 'last-stable')) === 6n ? true : undefined,
    )
    assert.equal(await offset(harness, topic, 'latest'), 6n)
  })

  check(
    'producer ids are new each time, a transactional id keeps its own with a higher epoch',
    async (harness) => {
      const { cluster } = harness
      const first = await cluster.initProducerId(undefined)
      const second = await cluster.initProducerId(undefined)
      assert.equal(first.producerEpoch, 0)
      assert.notEqual(first.producerId, second.producerId)
      const transactionalId = harness.newName()
      const taken = await cluster.initProducerId(transactionalId)
      const again = await cluster.initProducerId(transactionalId)
      assert.equal(again.producerId, taken.producerId)
      assert(again.producerEpoch > taken.producerEpoch)
      assert.notEqual((await cluster.initProducerId(harness.newName())).producerId, taken.producerId)
    },
  )
}

async function offset(
  { cluster }: ContractHarness,
  topic: TopicMetadata,
  at: OffsetQuery['at'],
): Promise<bigint> {
  const [answer] = await cluster.listOffsets([{ topic: topic.name, partition: 0, at }])
  assert(answer?.result.ok, 'the partition answers')
  return answer.result.value.offset
}
