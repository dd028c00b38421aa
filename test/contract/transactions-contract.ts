import assert from 'node:assert/strict'
import type { PartitionOutcome, ProducerIdentity, Transaction } from '../../replicator/kafka/cluster.ts'
import { isControl, producerEpoch, producerId } from '../../replicator/records/batch-header.ts'
import { readRecords } from '../simulation/record-batches.ts'
import {
  type Check,
  type ContractHarness,
  codeOf,
  eventually,
  fetchOne,
  makeTopic,
  partitionOf,
  patiently,
  wholeBatches,
  withChannel,
} from './contract-harness.ts'
import { producer } from './contract-producer.ts'

/** Fencing by the coordinator, as shards are taken over. */
export function transactionsContract(check: Check): void {
  check('an empty abort puts a marker at the log’s end that shuts older epochs out', async (harness) => {
    const { cluster } = harness
    const transactionalId = harness.newName()
    const old = await producer(harness, await cluster.initProducerId(transactionalId))
    await old.send.accepted(0, 3)
    const identity = await cluster.initProducerId(transactionalId)
    await old.send.accepted(3, 1)
    await abort(harness, { transactionalId, identity }, [{ topic: old.topic.name, partition: 0 }])
    const marker = await eventually(harness, async () => {
      const fetched = await fetchOne(old.channel, partitionOf(old.topic, 4n))
      return fetched.highWatermark === 5n ? wholeBatches(fetched.records)[0] : undefined
    })
    assert(isControl(marker, 0))
    assert.equal(endIn(marker), 'abort')
    assert.deepEqual({ producerId: producerId(marker, 0), producerEpoch: producerEpoch(marker, 0) }, identity)
    assert.equal(await old.send.code(4, 1), 47)
    assert.equal(await old.send.code(3, 1), 47, 'not even a repeat')

    const next = await producer(harness, identity, old.topic)
    assert.equal(await next.send.code(5, 1), 45, 'the sequence starts anew')
    assert.equal(await next.send.code(4, 1), 45)
    assert.equal((await next.send.result(0, 2)).baseOffset, 5n)
    assert.equal((await next.send.result(0, 2)).baseOffset, 5n, 'a repeat')
    assert.equal(await next.send.code(3, 1), 45, 'a gap')
    await next.send.accepted(2, 1)
    assert.equal(await next.end(), 8n)
    old.close()
    next.close()
  })

  check('a marker of the same epoch does not make its producer start anew', async (harness) => {
    const { cluster } = harness
    const transactionalId = harness.newName()
    const identity = await cluster.initProducerId(transactionalId)
    const { topic, send, end, close } = await producer(harness, identity)
    await send.accepted(0, 2)
    await abort(harness, { transactionalId, identity }, [{ topic: topic.name, partition: 0 }])
    await eventually(harness, async () => ((await end()) === 3n ? true : undefined))
    assert.equal((await send.result(0, 2)).baseOffset, 0n, 'a repeat')
    await send.accepted(2, 1)
    close()
  })

  check(
    'a producer that names its identity gets the next epoch, and a repeat the same one',
    async (harness) => {
      const { cluster } = harness
      const transactionalId = harness.newName()
      const first = await cluster.initProducerId(transactionalId)
      const second = await cluster.initProducerId(transactionalId, undefined, first)
      assert.deepEqual(second, { ...first, producerEpoch: first.producerEpoch + 1 })
      const repeat = () => cluster.initProducerId(transactionalId, undefined, first)
      assert.deepEqual(await repeat(), second)
      assert.deepEqual(await repeat(), second)
      const third = await cluster.initProducerId(transactionalId, undefined, second)
      assert.equal(third.producerEpoch, second.producerEpoch + 1)
      await assert.rejects(repeat, { code: 90, retriable: false })
    },
  )

  check('a producer that names its identity is told when another one took over', async (harness) => {
    const { cluster } = harness
    const transactionalId = harness.newName()
    const first = await cluster.initProducerId(transactionalId)
    const other = await cluster.initProducerId(transactionalId)
    const goOn = (identity: ProducerIdentity) => cluster.initProducerId(transactionalId, undefined, identity)
    await assert.rejects(() => goOn(first), { code: 90, retriable: false })
    await assert.rejects(() => goOn({ ...other, producerId: other.producerId + 1_000_000n }), { code: 90 })
    assert.equal((await goOn(other)).producerEpoch, other.producerEpoch + 1)
  })

  check(
    'a transactional id that nobody knows takes any identity, and answers with a new one',
    async (harness) => {
      const identity = { producerId: 987_654_321n, producerEpoch: 7 }
      const made = await harness.cluster.initProducerId(harness.newName(), undefined, identity)
      assert.notEqual(made.producerId, identity.producerId)
      assert.equal(made.producerEpoch, 0)
    },
  )

  check('a repeat of the first identity is no bump either', async (harness) => {
    const { cluster } = harness
    const transactionalId = harness.newName()
    const first = await cluster.initProducerId(transactionalId)
    await assert.rejects(
      () => cluster.initProducerId(transactionalId, undefined, { ...first, producerEpoch: 5 }),
      { code: 90 },
    )
  })

  check('one unknown partition keeps all others out of the transaction', async (harness) => {
    const { cluster } = harness
    const topic = await makeTopic(harness, { partitions: 2 })
    const transactionalId = harness.newName()
    const identity = await cluster.initProducerId(transactionalId)
    const transaction = { transactionalId, identity }
    const missing = harness.newName()
    const asked = [
      { topic: topic.name, partition: 1 },
      { topic: missing, partition: 0 },
      { topic: topic.name, partition: 9 },
      { topic: topic.name, partition: 0 },
    ]
    const outcomes = await cluster.addPartitionsToTransaction(transaction, asked)
    assert.deepEqual(outcomes.map(summary), [
      [topic.name, 1, 55],
      [missing, 0, 3],
      [topic.name, 9, 3],
      [topic.name, 0, 55],
    ])
    await assert.rejects(() => cluster.endTransaction(transaction, 'abort'), { code: 48 })
  })

  check('an end is decided once, and may be repeated', async (harness) => {
    const { cluster } = harness
    const topic = await makeTopic(harness)
    const transactionalId = harness.newName()
    const identity = await cluster.initProducerId(transactionalId)
    const transaction = { transactionalId, identity }
    await assert.rejects(() => cluster.endTransaction(transaction, 'abort'), { code: 48, retriable: false })
    await abort(harness, transaction, [{ topic: topic.name, partition: 0 }])
    await patiently(harness, () => cluster.endTransaction(transaction, 'abort'))
    await assert.rejects(() => cluster.endTransaction(transaction, 'commit'), { code: 48 })
    await add(harness, transaction, [{ topic: topic.name, partition: 0 }])
    await cluster.endTransaction(transaction, 'commit')
    await patiently(harness, () => cluster.endTransaction(transaction, 'commit'))
    await withChannel(harness, topic, async (channel) => {
      const { records } = await fetchOne(channel, partitionOf(topic, 0n))
      assert.deepEqual(wholeBatches(records).map(endIn), ['abort', 'commit'])
    })
  })

  check('whoever is not the latest producer is told so at once', async (harness) => {
    const { cluster } = harness
    const topic = await makeTopic(harness)
    const partitions = [{ topic: topic.name, partition: 0 }]
    const transactionalId = harness.newName()
    const old = await cluster.initProducerId(transactionalId)
    const identity = await cluster.initProducerId(transactionalId)
    const foreign = { ...identity, producerId: identity.producerId + 1_000_000n }
    for (const [transaction, code] of [
      [{ transactionalId, identity: old }, 90],
      [{ transactionalId, identity: foreign }, 49],
      [{ transactionalId: harness.newName(), identity }, 49],
    ] as const) {
      const refusal = { code, retriable: false }
      await assert.rejects(() => cluster.addPartitionsToTransaction(transaction, partitions), refusal)
      await assert.rejects(() => cluster.endTransaction(transaction, 'abort'), refusal)
    }
  })

  check('even a predecessor that is told so aborts an open transaction', async (harness) => {
    const { cluster } = harness
    const topic = await makeTopic(harness)
    const transactionalId = harness.newName()
    const old = await cluster.initProducerId(transactionalId)
    const identity = await cluster.initProducerId(transactionalId)
    await add(harness, { transactionalId, identity }, [{ topic: topic.name, partition: 0 }])
    await assert.rejects(
      () => patiently(harness, () => cluster.initProducerId(transactionalId, undefined, old)),
      { code: 90 },
    )
    await assert.rejects(() => cluster.endTransaction({ transactionalId, identity }, 'abort'), { code: 90 })
    const next = await patiently(harness, () => cluster.initProducerId(transactionalId))
    assert.deepEqual(next, { ...identity, producerEpoch: identity.producerEpoch + 2 })
  })

  check('the next identity waits for the markers of the last one', async (harness) => {
    const { cluster } = harness
    const topic = await makeTopic(harness)
    const transactionalId = harness.newName()
    const identity = await cluster.initProducerId(transactionalId)
    await abort(harness, { transactionalId, identity }, [{ topic: topic.name, partition: 0 }])
    const next = await patiently(harness, () => cluster.initProducerId(transactionalId, undefined, identity))
    assert.equal(next.producerEpoch, identity.producerEpoch + 1)
    const [end] = await cluster.listOffsets([{ topic: topic.name, partition: 0, at: 'latest' }])
    assert(end?.result.ok)
    assert.equal(end.result.value.offset, 1n)
  })

  check('many partitions are fenced together', async (harness) => {
    const { cluster } = harness
    const topic = await makeTopic(harness, { partitions: 200 })
    const partitions = topic.partitions.map(({ partition }) => ({ topic: topic.name, partition }))
    const transactionalId = harness.newName()
    const identity = await cluster.initProducerId(transactionalId)
    await abort(harness, { transactionalId, identity }, partitions)
    await eventually(harness, async () => {
      const ends = await cluster.listOffsets(partitions.map((at) => ({ ...at, at: 'latest' as const })))
      return ends.every(({ result }) => result.ok && result.value.offset === 1n) ? true : undefined
    })
    const described = await cluster.describeProducers(partitions)
    assert.deepEqual(
      described.map(({ partition }) => partition),
      partitions.map(({ partition }) => partition),
    )
    for (const { result } of described) {
      assert(result.ok)
      assert.deepEqual(
        result.value.map(({ producerId: id, producerEpoch: epoch }) => [id, epoch]),
        [[identity.producerId, identity.producerEpoch]],
      )
    }
  })
}

async function add(
  harness: ContractHarness,
  transaction: Transaction,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): Promise<void> {
  const outcomes = await patiently(harness, () =>
    harness.cluster.addPartitionsToTransaction(transaction, partitions),
  )
  assert.deepEqual(
    outcomes.map(({ result }) => codeOf(result)),
    partitions.map(() => 0),
  )
}

/** The fence: adds the partitions and aborts. The markers follow. */
export async function abort(
  harness: ContractHarness,
  transaction: Transaction,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
): Promise<void> {
  await add(harness, transaction, partitions)
  await harness.cluster.endTransaction(transaction, 'abort')
}

/** What a stored marker says (protocol guide, `EndTxnMarker`). */
export const endIn = (marker: Buffer): 'commit' | 'abort' | 'neither' =>
  (['abort', 'commit'] as const)[readRecords(marker)[0]?.key?.readInt16BE(2) ?? -1] ?? 'neither'

const summary = ({ topic, partition, result }: PartitionOutcome) => [topic, partition, codeOf(result)]
