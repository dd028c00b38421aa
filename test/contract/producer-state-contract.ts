import assert from 'node:assert/strict'
import type { RememberedProducer, TopicPartition } from '../../replicator/kafka/cluster.ts'
import {
  type Check,
  type ContractHarness,
  codeOf,
  eventually,
  fetchOne,
  makeTopic,
  partitionOf,
  wholeBatches,
} from './contract-harness.ts'
import { producer } from './contract-producer.ts'
import { abort, endIn } from './transactions-contract.ts'

/** Markers that clients write, and what leaders tell of producers, epochs and their own configs. */
export function producerStateContract(check: Check): void {
  check('a marker shuts out a producer that no coordinator knows', async (harness) => {
    const foreign = { producerId: foreignId(), producerEpoch: 3 }
    const { topic, send, end, close } = await producer(harness, foreign)
    const at = { topic: topic.name, partition: 0 }
    await send.accepted(0, 2)
    assert.equal(await mark(harness, { ...foreign, producerEpoch: 4 }, at), 0)
    assert.equal(await send.code(2, 1), 47)
    assert.equal(await send.code(0, 2), 47, 'not even a repeat')
    assert.equal(await end(), 3n)
    assert.equal(await mark(harness, foreign, at), 47, 'an older epoch')
    assert.equal(await mark(harness, { ...foreign, producerEpoch: 4 }, at), 0, 'a repeat')
    assert.equal(await send.code(2, 1, 4), 45)
    await send.accepted(0, 1, 4)
    assert.equal(await mark(harness, { ...foreign, producerEpoch: 4 }, at), 0)
    await send.accepted(1, 1, 4)
    close()
  })

  check('a marker makes a producer known that never wrote', async (harness) => {
    const topic = await makeTopic(harness)
    const foreign = { producerId: foreignId(), producerEpoch: 8 }
    assert.equal(await mark(harness, foreign, { topic: topic.name, partition: 0 }), 0)
    const { channel, send, close } = await producer(harness, { ...foreign, producerEpoch: 7 }, topic)
    assert.equal(await send.code(0, 1), 47)
    assert.equal(await send.code(5, 1, 8), 45)
    await send.accepted(0, 1, 8)
    const { records } = await fetchOne(channel, partitionOf(topic, 0n))
    const [marker] = wholeBatches(records)
    assert.equal(marker && endIn(marker), 'abort')
    close()
  })

  check('the last epoch of all shuts out every other', async (harness) => {
    const foreign = { producerId: foreignId(), producerEpoch: 32_766 }
    const { topic, send, close } = await producer(harness, foreign)
    await send.accepted(0, 1)
    const at = { topic: topic.name, partition: 0 }
    assert.equal(await mark(harness, { ...foreign, producerEpoch: 32_767 }, at), 0)
    assert.equal(await send.code(1, 1), 47)
    close()
  })

  // A leader refuses coordinator epoch -1 where a coordinator has written a marker (52).
  check('a marker shuts out a former id of ours that a coordinator had fenced before', async (harness) => {
    const { cluster } = harness
    const transactionalId = harness.newName()
    const identity = await cluster.initProducerId(transactionalId)
    const { topic, send, end, close } = await producer(harness, identity)
    const at = { topic: topic.name, partition: 0 }
    await abort(harness, { transactionalId, identity }, [at])
    await eventually(harness, async () => ((await end()) === 1n ? true : undefined))
    await send.accepted(0, 2)
    assert.equal(await mark(harness, { ...identity, producerEpoch: identity.producerEpoch + 1 }, at), 0)
    assert.equal(await send.code(2, 1), 47)
    assert.equal(await end(), 4n)
    close()
  })

  check('markers are answered one by one', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 2 })
    const foreign = { producerId: foreignId(), producerEpoch: 1 }
    const asked = [
      { topic: harness.newName(), partition: 0 },
      { topic: topic.name, partition: 1 },
      { topic: topic.name, partition: 7 },
      { topic: topic.name, partition: 0 },
    ]
    const outcomes = await harness.cluster.writeTransactionMarkers(foreign, 'abort', asked)
    assert.deepEqual(
      outcomes.map(({ topic: name, partition, result }) => [name, partition, codeOf(result)]),
      asked.map((at, index) => [at.topic, at.partition, [3, 0, 3, 0][index]]),
    )
  })

  check(
    'a leader tells the last sequence of each producer, and nothing but the epoch after a fence',
    async (harness) => {
      const { topic, identity, send, close } = await producer(harness)
      const at = { topic: topic.name, partition: 0 }
      assert.deepEqual(await remembered(harness, at), [])
      const beforeMs = harness.clock.wallMs()
      await send.accepted(0, 3)
      await send.accepted(3, 2)
      const afterMs = harness.clock.wallMs()
      const [known] = await remembered(harness, at)
      assert(known !== undefined && known.lastTimestampMs >= beforeMs && known.lastTimestampMs <= afterMs)
      assert.deepEqual(known, {
        ...identity,
        lastSequence: 4,
        lastTimestampMs: known.lastTimestampMs,
        transactionStart: undefined,
      })
      const fence = { ...identity, producerEpoch: identity.producerEpoch + 1 }
      assert.equal(await mark(harness, fence, at), 0)
      const [fenced, ...others] = await remembered(harness, at)
      assert.deepEqual(others, [])
      assert.deepEqual(
        [fenced?.producerId, fenced?.producerEpoch, fenced?.lastSequence],
        [fence.producerId, fence.producerEpoch, undefined],
      )
      close()
    },
  )

  check('a leader tells where an open transaction began', async (harness) => {
    const topic = await makeTopic(harness)
    const at = { topic: topic.name, partition: 0 }
    const plain = await producer(harness, undefined, topic)
    await plain.send.accepted(0, 2)
    const transaction = await harness.openTransaction()
    await transaction.append(at, 1)
    await transaction.append(at, 1)
    const starts = async () => (await remembered(harness, at)).map((each) => each.transactionStart)
    assert.deepEqual((await starts()).sort(), [2n, undefined])
    await transaction.end('commit')
    await eventually(harness, async () =>
      (await starts()).every((start) => start === undefined) ? true : undefined,
    )
    plain.close()
  })

  check('producers of unknown partitions are unknown', async (harness) => {
    const topic = await makeTopic(harness)
    const answers = await harness.cluster.describeProducers([
      { topic: topic.name, partition: 3 },
      { topic: topic.name, partition: 0 },
      { topic: harness.newName(), partition: 0 },
    ])
    assert.deepEqual(
      answers.map(({ result }) => codeOf(result)),
      [3, 0, 3],
    )
  })

  check('the newest leader epoch ends where the log does, and none is known above it', async (harness) => {
    const { topic, send, close } = await producer(harness)
    const at = { topic: topic.name, partition: 0 }
    await send.accepted(0, 5)
    const leaderEpoch = topic.partitions[0]?.leaderEpoch ?? 0
    const missing = harness.newName()
    const answers = await harness.cluster.offsetsForLeaderEpochs([
      { ...at, leaderEpoch },
      { ...at, leaderEpoch: leaderEpoch + 1 },
      { topic: missing, partition: 0, leaderEpoch: 0 },
    ])
    assert.deepEqual(
      answers.map(({ topic: name, partition }) => [name, partition]),
      [
        [topic.name, 0],
        [topic.name, 0],
        [missing, 0],
      ],
    )
    const [newest, above, unknown] = answers.map(({ result }) => result)
    assert.deepEqual(newest, { ok: true, value: { leaderEpoch, endOffset: 5n } })
    assert.deepEqual(above, { ok: true, value: undefined })
    assert(unknown !== undefined)
    assert.equal(codeOf(unknown), 3)
    close()
  })

  check('brokers tell those of their configs that they have', async (harness) => {
    const names = ['transactional.id.expiration.ms', 'producer.id.expiration.ms', 'no.such.config']
    const configs = await harness.cluster.describeBrokerConfigs(names)
    assert.deepEqual(Object.fromEntries(configs), {
      'transactional.id.expiration.ms': '604800000',
      'producer.id.expiration.ms': '86400000',
    })
  })
}

/** No coordinator gives out ids as high. */
let foreignIds = 4_000_000_000_000n
const foreignId = () => foreignIds++

async function mark(
  { cluster }: ContractHarness,
  identity: { readonly producerId: bigint; readonly producerEpoch: number },
  at: TopicPartition,
): Promise<number | undefined> {
  const [outcome] = await cluster.writeTransactionMarkers(identity, 'abort', [at])
  assert(outcome !== undefined)
  return codeOf(outcome.result)
}

async function remembered(
  { cluster }: ContractHarness,
  at: TopicPartition,
): Promise<readonly RememberedProducer[]> {
  const [answer] = await cluster.describeProducers([at])
  assert(answer?.result.ok)
  return answer.result.value
}
