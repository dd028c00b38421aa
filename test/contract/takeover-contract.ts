import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type BrokerId, brokerId, type TopicMetadata } from '../../replicator/kafka/cluster.ts'
import { buildBatch, recordsOf } from '../simulation/record-batches.ts'
import {
  batchOf,
  type ContractHarness,
  codeOf,
  eventually,
  makeTopic,
  patiently,
  produceOne,
  usableTopic,
} from './contract-harness.ts'
import { producer } from './contract-producer.ts'
import { abort } from './transactions-contract.ts'

/** A cluster of three brokers that forgets within seconds, and whose broker 2 can be stopped. */
export interface FragileHarness extends ContractHarness {
  /** In order, so that its partitions have no leader from then on. */
  stopBroker(broker: BrokerId): Promise<void>
  /** Resolves when the broker is back; its partitions may get their leaders a little later. */
  startBroker(broker: BrokerId): Promise<void>
}

/** How the brokers have to be configured. */
export const shortExpiry = {
  transactionalIds: { expirationMs: 4000, checkIntervalMs: 1000 },
  producers: { expirationMs: 4000, checkIntervalMs: 1000 },
} as const

/** What clusters forget, and how a takeover goes on while a partition has no leader. */
export function takeoverContract(name: string, start: () => Promise<FragileHarness>): void {
  describe(name, () => {
    let harness: FragileHarness | undefined
    before(async () => {
      harness = await start()
    })
    after(() => harness?.close())
    const check = (title: string, body: (harness: FragileHarness) => Promise<void>) => {
      test(title, () => {
        if (harness === undefined) throw new Error('the cluster did not start')
        const started = harness
        return started.run(() => body(started))
      })
    }
    check('a transactional id that nobody uses is forgotten, and any identity gets a new one', forgottenId)
    check('a use of a transactional id keeps it', keptId)
    check('a fence lasts until the partition forgets its producer', forgottenFence)
    check('producers are forgotten by the time of their records', forgottenByRecords)
    check(
      'a partition without a leader gets no marker and holds nothing up; it takes another fence',
      leaderless,
    )
  })
}

async function forgottenId(harness: FragileHarness): Promise<void> {
  const { cluster } = harness
  const transactionalId = harness.newName()
  const identity = await cluster.initProducerId(transactionalId)
  const transaction = { transactionalId, identity }
  // Without an open transaction this is no use of the id: 48 while it is known.
  await eventually(harness, async () => {
    const code = await cluster.endTransaction(transaction, 'abort').then(
      () => 0,
      (error) => error.code,
    )
    assert([48, 49].includes(code), `error ${code}`)
    return code === 49 ? true : undefined
  })
  const next = await cluster.initProducerId(transactionalId, undefined, identity)
  assert.notEqual(next.producerId, identity.producerId)
  assert.equal(next.producerEpoch, 0)
}

async function keptId(harness: FragileHarness): Promise<void> {
  const { cluster, clock } = harness
  const topic = await makeTopic(harness)
  const transactionalId = harness.newName()
  const identity = await cluster.initProducerId(transactionalId)
  const untilMs = clock.monotonicMs() + 2 * shortExpiry.transactionalIds.expirationMs
  while (clock.monotonicMs() < untilMs) {
    await abort(harness, { transactionalId, identity }, [{ topic: topic.name, partition: 0 }])
    await clock.sleep(500)
  }
  const next = await patiently(harness, () => cluster.initProducerId(transactionalId, undefined, identity))
  assert.deepEqual(next, { ...identity, producerEpoch: identity.producerEpoch + 1 })
}

async function forgottenFence(harness: FragileHarness): Promise<void> {
  const { cluster } = harness
  const foreign = { producerId: 5_000_000_000_000n, producerEpoch: 5 }
  const { topic, send, close } = await producer(harness, foreign)
  const at = { topic: topic.name, partition: 0 }
  await send.accepted(0, 2)
  const [fenced] = await cluster.writeTransactionMarkers({ ...foreign, producerEpoch: 6 }, 'abort', [at])
  assert(fenced?.result.ok)
  assert.equal(await send.code(2, 1), 47)
  await eventually(harness, async () => {
    const [answer] = await cluster.describeProducers([at])
    return answer?.result.ok && answer.result.value.length === 0 ? true : undefined
  })
  await send.accepted(9, 1)
  assert.equal(await send.code(11, 1), 45)
  close()
}

async function forgottenByRecords(harness: FragileHarness): Promise<void> {
  const identity = { producerId: 5_000_000_000_001n, producerEpoch: 0 }
  const { topic, channel, close } = await producer(harness, identity)
  const at = { topic: topic.name, partition: 0 }
  const old = recordsOf([['key', 'value']], harness.clock.wallMs() - 3_600_000)
  const send = (baseSequence: number) =>
    produceOne(channel, { ...at, batch: buildBatch(old, { ...identity, baseSequence }) })
  assert.equal(codeOf(await send(0)), 0)
  // A gap, once nobody knows any more that it is one.
  await eventually(harness, async () => {
    const code = codeOf(await send(7))
    assert(code === 0 || code === 45, `error ${code}`)
    return code === 0 ? true : undefined
  })
  close()
}

async function leaderless(harness: FragileHarness): Promise<void> {
  const { cluster } = harness
  const lost = brokerId(2)
  const topic = await makeTopic(harness, { partitions: 3 })
  const here = topic.partitions.find(({ leader }) => leader !== lost)
  const there = topic.partitions.find(({ leader }) => leader === lost)
  assert(here !== undefined && there !== undefined, 'one partition is on each broker')
  const both = [here, there].map(({ partition }) => ({ topic: topic.name, partition }))
  await writeTo(harness, topic, there.partition, 3)
  const transactionalId = harness.newName()
  const identity = await cluster.initProducerId(transactionalId)

  await harness.stopBroker(lost)
  await eventually(harness, async () => {
    const found = (await cluster.describeTopics([topic.name])).get(topic.name)
    const known = found?.kind === 'found' ? found.topic.partitions[there.partition] : undefined
    return known !== undefined && known.leader === undefined ? true : undefined
  })
  await abort(harness, { transactionalId, identity }, both)
  await eventually(harness, async () => {
    const [fenced, lost] = (await cluster.describeProducers(both)).map(({ result }) => result)
    assert(fenced?.ok && lost !== undefined)
    assert.equal(codeOf(lost), 5)
    return fenced.value.some((each) => each.producerId === identity.producerId) ? true : undefined
  })
  const epochs = await cluster.offsetsForLeaderEpochs(both.map((at) => ({ ...at, leaderEpoch: 0 })))
  assert.deepEqual(
    epochs.map(({ result }) => codeOf(result)),
    [0, 5],
  )
  // Taken for a deleted one: the transaction is complete without this partition's marker, and none will come.
  const next = await patiently(harness, () => cluster.initProducerId(transactionalId, undefined, identity))
  assert.deepEqual(next, { ...identity, producerEpoch: identity.producerEpoch + 1 })

  await harness.startBroker(lost)
  const back = await usableTopic(harness, topic.name, 3)
  const leaderEpoch = back.partitions[there.partition]?.leaderEpoch ?? 0
  assert(leaderEpoch > there.leaderEpoch)
  assert.deepEqual(await ends(), [1n, 3n])
  // By now the cluster may have forgotten the identity.
  const again = await patiently(harness, () => cluster.initProducerId(transactionalId))
  await abort(harness, { transactionalId, identity: again }, both)
  await eventually(harness, async () => ((await ends()).join() === '2,4' ? true : undefined))
  const [former, newest] = await cluster.offsetsForLeaderEpochs(
    [there.leaderEpoch, leaderEpoch].map((epoch) => ({
      topic: topic.name,
      partition: there.partition,
      leaderEpoch: epoch,
    })),
  )
  const ended = { ok: true, value: { leaderEpoch: there.leaderEpoch, endOffset: 3n } }
  assert.deepEqual(former?.result, ended, 'the former leader ended before the marker')
  assert.deepEqual(newest?.result, { ok: true, value: { leaderEpoch, endOffset: 4n } })

  async function ends(): Promise<readonly bigint[]> {
    const answers = await cluster.listOffsets(both.map((at) => ({ ...at, at: 'latest' as const })))
    return answers.map(({ result }) => {
      assert(result.ok)
      return result.value.offset
    })
  }
}

/** Appends records that belong to no producer. */
async function writeTo(
  harness: FragileHarness,
  topic: TopicMetadata,
  partition: number,
  count: number,
): Promise<void> {
  const leader = topic.partitions[partition]?.leader
  assert(leader !== undefined)
  const channel = await harness.cluster.openChannel(leader)
  const result = await produceOne(channel, {
    topic: topic.name,
    partition,
    batch: batchOf(harness, count),
  })
  assert.equal(codeOf(result), 0)
  channel.destroy()
}
