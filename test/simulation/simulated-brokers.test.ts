import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type BrokerChannel, brokerId, type TopicMetadata } from '../../replicator/kafka/cluster.ts'
import { isRetriable } from '../../replicator/kafka/errors.ts'
import { hasDeleteHorizon, recordCount } from '../../replicator/records/batch-header.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import {
  baseOffsets,
  codeOf,
  fetchOne,
  partitionOf,
  produceOne,
  wholeBatches,
} from '../contract/contract-harness.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { describeBatch } from './partition-log.ts'
import { type BatchFields, buildBatch, recordsOf } from './record-batches.ts'
import { SimulatedBrokers, type SimulatedBrokersOptions } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { TransactionalWriter } from './transactional-writer.ts'

const at = { topic: 'orders', partition: 0 }
const hourMs = 3_600_000

/** Brokers with one topic of one partition that all of them hold. */
async function started(
  work: (setting: Setting) => Promise<void>,
  options: Partial<SimulatedBrokersOptions> & { readonly configs?: ReadonlyMap<string, string> } = {},
): Promise<void> {
  const clock = new SimulatedClock()
  // Days pass in these tests, on one connection.
  const brokers = new SimulatedBrokers({ clock, connectionIdleMaxMs: Number.MAX_SAFE_INTEGER, ...options })
  const cluster = new MemoryCluster(brokers, { alias: regionAlias('simulated') })
  const replicationFactor = options.brokers ?? 1
  const created = brokers.topics.create({
    name: 'orders',
    partitions: 1,
    replicationFactor,
    configs: new Map(),
  })
  assert(created.ok)
  const topic = async (): Promise<TopicMetadata> => {
    const found = (await cluster.describeTopics(['orders'])).get('orders')
    assert(found?.kind === 'found')
    return found.topic
  }
  const batch = (pairs: Parameters<typeof recordsOf>[0], fields: BatchFields = {}, agoMs = 0) =>
    buildBatch(recordsOf(pairs, clock.wallMs() - agoMs), fields)
  const produce = async (channel: BrokerChannel, fields: BatchFields = {}, agoMs = 0) =>
    produceOne(channel, { ...at, batch: batch([['key', 'value']], fields, agoMs) })
  await clock.run(work({ clock, brokers, cluster, topic, batch, produce }))
}

interface Setting {
  readonly clock: SimulatedClock
  readonly brokers: SimulatedBrokers
  readonly cluster: MemoryCluster
  topic(): Promise<TopicMetadata>
  batch(pairs: Parameters<typeof recordsOf>[0], fields?: BatchFields, agoMs?: number): Buffer
  produce(
    channel: BrokerChannel,
    fields?: BatchFields,
    agoMs?: number,
  ): Promise<Awaited<ReturnType<typeof produceOne>>>
}

describe('leaders', () => {
  test('a moved leader refuses what is sent to the old one, and names a new epoch', () =>
    started(
      async ({ brokers, cluster, topic, produce }) => {
        const before = await topic()
        const old = await cluster.openChannel(brokerId(1))
        assert.equal(codeOf(await produce(old)), 0)
        brokers.moveLeader(at, brokerId(2))
        const moved = await topic()
        assert.deepEqual([moved.partitions[0]?.leader, moved.partitions[0]?.leaderEpoch], [2, 1])
        assert.equal(codeOf(await produce(old)), 6)
        const stale = await fetchOne(old, partitionOf(before, 0n, { leaderEpoch: 0 }))
        assert.equal(stale.error?.code, 74)
        const follower = await fetchOne(old, partitionOf(before, 0n))
        assert.equal(follower.error, undefined, 'followers answer consumers')
        const next = await cluster.openChannel(brokerId(2))
        assert.equal(codeOf(await produce(next)), 0)
        assert.equal((await fetchOne(next, partitionOf(moved, 0n, { leaderEpoch: 1 }))).highWatermark, 2n)
        assert.throws(() => brokers.moveLeader(at, brokerId(9)))
      },
      { brokers: 2 },
    ))

  test('a waiting fetch that names its epoch learns at once that the leader moved', () =>
    started(
      async ({ brokers, cluster, clock, topic }) => {
        const channel = await cluster.openChannel(brokerId(1))
        const asked = partitionOf(await topic(), 0n, { leaderEpoch: 0 })
        const waiting = fetchOne(channel, asked, { waitMaxMs: 30_000 })
        await clock.sleep(100)
        brokers.moveLeader(at, brokerId(2))
        assert.equal((await waiting).error?.code, 74)
        assert.equal(clock.monotonicMs(), 100)
      },
      { brokers: 2 },
    ))

  test('a broker that stops breaks its channels and hands its partitions on', () =>
    started(
      async ({ brokers, cluster, topic, produce }) => {
        const channel = await cluster.openChannel(brokerId(1))
        const waiting = fetchOne(channel, partitionOf(await topic(), 0n), { waitMaxMs: 30_000 })
        brokers.stopBroker(brokerId(1))
        await assert.rejects(waiting, isRetriable)
        await channel.closed
        await assert.rejects(cluster.openChannel(brokerId(1)), isRetriable)
        assert.deepEqual((await cluster.describeCluster()).brokers, [2])
        const next = await cluster.openChannel(brokerId(2))
        assert.equal(codeOf(await produce(next)), 0)
        brokers.stopBroker(brokerId(2))
        await assert.rejects(cluster.listTopics(), isRetriable)
        brokers.startBroker(brokerId(1))
        assert.deepEqual((await topic()).partitions[0], {
          partition: 0,
          leader: 1,
          leaderEpoch: 3,
          replicas: [1, 2],
        })
      },
      { brokers: 2 },
    ))

  test('a partition without a leader says so', () =>
    started(async ({ brokers, cluster, topic, produce }) => {
      const channel = await cluster.openChannel(brokerId(1))
      brokers.loseLeader(at)
      assert.equal((await topic()).partitions[0]?.leader, undefined)
      const [answer] = await cluster.listOffsets([{ ...at, at: 'latest' }])
      assert.equal(codeOf(answer!.result), 5)
      assert.equal(codeOf(await produce(channel)), 6)
    }))

  test('too few in-sync replicas refuse acks=all', () =>
    started(
      async ({ brokers, cluster, produce }) => {
        const channel = await cluster.openChannel(brokerId(1))
        brokers.stopBroker(brokerId(2))
        assert.equal(codeOf(await produce(channel)), 19)
      },
      { brokers: 2, configs: new Map([['min.insync.replicas', '2']]) },
    ))
})

describe('the high watermark', () => {
  test('held back, it holds readers and acknowledgements back', () =>
    started(async ({ brokers, cluster, clock, topic, produce }) => {
      const [writer, reader] = [
        await cluster.openChannel(brokerId(1)),
        await cluster.openChannel(brokerId(1)),
      ]
      brokers.log(at).holdHighWatermark(true)
      let acknowledged = false
      const produced = produce(writer).then((result) => {
        acknowledged = true
        return result
      })
      await clock.sleep(1000)
      assert.equal(acknowledged, false)
      assert.equal((await fetchOne(reader, partitionOf(await topic(), 0n))).records.length, 0)
      brokers.log(at).holdHighWatermark(false)
      assert.equal(codeOf(await produced), 0)
      brokers.log(at).holdHighWatermark(true)
      assert.equal(codeOf(await produce(writer)), 7, 'nobody replicates in time')
    }))

  test('a log that loses its end says that the offset is out of range', () =>
    started(async ({ brokers, cluster, topic, produce }) => {
      const channel = await cluster.openChannel(brokerId(1))
      for (let i = 0; i < 3; i++) await produce(channel)
      brokers.log(at).truncate(1n)
      const fetched = await fetchOne(channel, partitionOf(await topic(), 3n))
      assert.equal(fetched.error?.code, 1)
    }))
})

describe('producers', () => {
  test('are forgotten by the age of their records, not of their appends', () =>
    started(
      async ({ brokers, cluster, clock, produce }) => {
        const channel = await cluster.openChannel(brokerId(1))
        const identity = { producerId: 7n, producerEpoch: 3 }
        await produce(channel, { ...identity, baseSequence: 0 }, 30 * hourMs)
        assert.equal(codeOf(await produce(channel, { ...identity, baseSequence: 5 })), 45)
        await clock.sleep(600_000)
        assert.equal(codeOf(await produce(channel, { ...identity, producerEpoch: 0, baseSequence: 5 })), 0)
        assert(brokers.log(at).producers.knows(7n))
      },
      { configs: new Map([['message.timestamp.after.max.ms', `${hourMs}`]]) },
    ))

  test('are remembered for a day otherwise', () =>
    started(async ({ cluster, clock, produce }) => {
      const channel = await cluster.openChannel(brokerId(1))
      const identity = { producerId: 7n, producerEpoch: 0 }
      await produce(channel, { ...identity, baseSequence: 0 })
      await clock.sleep(23 * hourMs)
      assert.equal(codeOf(await produce(channel, { ...identity, baseSequence: 5 })), 45)
      await clock.sleep(hourMs)
      assert.equal(codeOf(await produce(channel, { ...identity, baseSequence: 5 })), 0)
    }))

  test('an id that is initialised again has its open transaction aborted and its predecessor shut out', () =>
    started(async ({ brokers, clock }) => {
      const old = new TransactionalWriter(brokers, 'writer')
      old.append(at, recordsOf([['key', 'value']], clock.wallMs()))
      assert.equal(brokers.log(at).lastStable, 0n)
      const next = new TransactionalWriter(brokers, 'writer')
      assert.equal(brokers.log(at).lastStable, 2n)
      assert.throws(() => old.append(at, recordsOf([['key', 'value']], clock.wallMs())), /error 90/)
      next.append(at, recordsOf([['key', 'value']], clock.wallMs()))
      next.end('commit')
      assert.deepEqual(brokers.log(at).batches.map(describeBatch), [
        '0-0 transactional, 1 records',
        '1-1 marker, 1 records',
        '2-2 transactional, 1 records',
        '3-3 marker, 1 records',
      ])
    }))

  test('an open transaction refuses plain batches of its producer', () =>
    started(async ({ brokers, cluster, clock, produce }) => {
      const writer = new TransactionalWriter(brokers, 'writer')
      writer.append(at, recordsOf([['key', 'value']], clock.wallMs()))
      const channel = await cluster.openChannel(brokerId(1))
      assert.equal(codeOf(await produce(channel, { ...writer.identity, baseSequence: 1 })), 48)
    }))

  test('a marker with a newer epoch shuts an older one out of the partition', () =>
    started(async ({ brokers, cluster, produce }) => {
      const channel = await cluster.openChannel(brokerId(1))
      const identity = { producerId: 7n, producerEpoch: 0 }
      await produce(channel, { ...identity, baseSequence: 0 })
      assert.equal(brokers.writeMarker(at, { producerId: 7n, producerEpoch: 1 }, 'abort', -1), 0)
      assert.equal(codeOf(await produce(channel, { ...identity, baseSequence: 1 })), 47)
      assert.equal(codeOf(await produce(channel, { ...identity, producerEpoch: 1, baseSequence: 1 })), 45)
      assert.equal(codeOf(await produce(channel, { ...identity, producerEpoch: 1, baseSequence: 0 })), 0)
      assert.equal(brokers.writeMarker(at, identity, 'abort', -1), 47)
    }))

  test('epochs run out and give a new id', () =>
    started(async ({ brokers }) => {
      const { transactions } = brokers
      const init = () => {
        const answer = transactions.initProducerId('writer')
        assert(answer.ok)
        return answer.value
      }
      const first = init()
      assert.deepEqual(transactions.setEpoch('writer', 32_765), { ...first, producerEpoch: 32_765 })
      assert.deepEqual(init(), { ...first, producerEpoch: 32_766 })
      const next = init()
      assert.notEqual(next.producerId, first.producerId)
      assert.equal(next.producerEpoch, 0)
    }))
})

describe('what shortens a log', () => {
  test('retention removes whole old batches and leaves the offsets', () =>
    started(
      async ({ brokers, cluster, clock, topic, produce }) => {
        const channel = await cluster.openChannel(brokerId(1))
        await produce(channel)
        await clock.sleep(2 * hourMs)
        await produce(channel)
        brokers.applyRetention()
        const fetched = await fetchOne(channel, partitionOf(await topic(), 1n))
        assert.deepEqual([fetched.logStartOffset, baseOffsets(fetched.records)], [1n, [1n]])
        await clock.sleep(2 * hourMs)
        brokers.applyRetention()
        const empty = await fetchOne(channel, partitionOf(await topic(), 2n))
        assert.deepEqual([empty.logStartOffset, empty.highWatermark], [2n, 2n])
      },
      { configs: new Map([['retention.ms', `${hourMs}`]]) },
    ))

  // Compared with a real broker's cleaner, batch by batch, when this was written.
  test('the cleaner leaves gaps, empty batches of producers, and horizons of tombstones', () =>
    started(
      async ({ brokers, cluster, clock, topic, batch }) => {
        const channel = await cluster.openChannel(brokerId(1))
        const producer = (producerId: bigint, baseSequence: number) => ({
          producerId,
          producerEpoch: 0,
          baseSequence,
        })
        for (const bytes of [
          batch(
            [
              ['a', '1'],
              ['b', '1'],
              ['c', '1'],
            ],
            producer(50n, 0),
          ),
          batch(
            [
              ['a', '2'],
              ['b', '2'],
            ],
            { codec: 'gzip' },
          ),
          batch(
            [
              ['a', '3'],
              ['b', '3'],
            ],
            producer(51n, 0),
          ),
          batch(
            [
              ['a', '4'],
              ['b', null],
            ],
            { codec: 'lz4' },
          ),
          batch([['z', '1']], producer(50n, 3)),
        ]) {
          assert.equal(codeOf(await produceOne(channel, { ...at, batch: bytes })), 0)
        }
        brokers.compact(at)
        const { records } = await fetchOne(channel, partitionOf(await topic(), 0n))
        assert.deepEqual(brokers.log(at).batches.map(describeBatch), [
          '0-2 data, 1 records',
          '5-6 data, 0 records',
          '7-8 data, 2 records',
          '9-9 data, 1 records',
        ])
        const [, empty, withTombstone] = wholeBatches(records)
        assert.equal(recordCount(empty!, 0), 0)
        assert(hasDeleteHorizon(withTombstone!, 0))
        brokers.compact(at, { dropTombstones: true })
        assert.equal(describeBatch(brokers.log(at).batches[2]!), '7-8 data, 1 records')
        const [answer] = await cluster.listOffsets([{ ...at, at: { timestampMs: clock.wallMs() } }])
        assert(answer?.result.ok)
        assert.equal(answer.result.value.offset, 2n)
      },
      { configs: new Map([['cleanup.policy', 'compact']]) },
    ))
})
