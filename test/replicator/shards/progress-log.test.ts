import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { sourceOffset } from '../../../replicator/records/offsets.ts'
import { ProgressLog } from '../../../replicator/shards/progress-log.ts'
import { encodeProgressKey, type Progress } from '../../../replicator/shards/progress-record.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const topic = 'causeway.test.progress'
const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const other = flowId(regionAlias('asia'), regionAlias('eu-west'))
const forever = new AbortController().signal

const at = (next: bigint): Progress => ({
  topicId: 'id',
  sourceNext: sourceOffset(next),
  targetNext: undefined,
})
const keyOf = (partition: number, of = flow) => ({ flow: of, topic: 'orders', partition })

function setting(shards = 2, faults: DecideFault = () => undefined) {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock, brokers: 3 })
  const cluster = new MemoryCluster(brokers, { alias: regionAlias('eu-west'), faults })
  const connect = (count = shards) =>
    new ProgressLog({
      cluster,
      topic,
      clock,
      random: new SeededRandom(1),
      backoff: defaultBackoff,
      shards: count,
      replicationFactor: 3,
    })
  return { clock, brokers, cluster, connect, run: <T>(work: () => Promise<T>) => clock.run(work(), 600_000) }
}

describe('the progress log', () => {
  test('makes a compacted topic with a partition for each shard, and grows it when there are more', async () => {
    const { brokers, connect, run } = setting(2)
    await run(() => connect().prepare(forever))
    const made = brokers.topics.byName(topic)!
    assert.equal(made.partitions.length, 2)
    assert.equal(brokers.topics.configOf(made, 'cleanup.policy'), 'compact')
    await run(() => connect(5).prepare(forever))
    assert.equal(made.partitions.length, 5)
    await run(() => connect(3).prepare(forever))
    assert.equal(made.partitions.length, 5)
  })

  test('a topic that is there already is not created again: that needs a right of its own', async () => {
    const { cluster, connect, run } = setting()
    await run(() => connect().prepare(forever))
    cluster.createTopics = () => assert.fail('it was asked to create topics')
    await run(() => connect().prepare(forever))
  })

  test('gives back the last of each partition of this flow, after tombstones and across shards', async () => {
    const { brokers, connect, run, cluster } = setting(2)
    const log = connect()
    await run(() => log.prepare(forever))
    assert.equal((await run(() => log.load(flow, forever))).size, 0)
    await run(() =>
      log.write(
        0,
        [
          { key: keyOf(0), progress: at(5n) },
          { key: keyOf(1), progress: at(50n) },
        ],
        forever,
      ),
    )
    await run(() =>
      log.write(
        0,
        [
          { key: keyOf(0), progress: at(9n) },
          { key: keyOf(0, other), progress: at(77n) },
        ],
        forever,
      ),
    )
    // Before it changed its shard, partition 2 was further behind; partition 1 was forgotten by a person.
    await run(() => log.write(0, [{ key: keyOf(2), progress: at(3n) }], forever))
    await run(() => log.write(1, [{ key: keyOf(2), progress: at(30n) }], forever))
    const tombstone = {
      offsetDelta: 0,
      timestampMs: 1,
      key: encodeProgressKey(keyOf(1)),
      value: null,
      headers: [],
    }
    const [answer] = brokers.produce(brokers.partition({ topic, partition: 0 }).leader!, [
      { topic, partition: 0, batch: buildBatch([tombstone]) },
    ])
    assert(answer?.ok)
    const loaded = await run(() => connect().load(flow, forever))
    assert.deepEqual(
      [...loaded],
      [
        ['orders/0', at(9n)],
        ['orders/2', at(30n)],
      ],
    )
    await run(() => log.close())
    assert.equal(cluster.leases.held, 0)
  })

  test('reads and writes on while leaders move, brokers go and connections break', async () => {
    const random = new SeededRandom(7)
    let isCalm = false
    const faults: DecideFault = ({ kind }) => {
      if (isCalm || (kind !== 'produce' && kind !== 'fetch') || !random.chance(0.3)) return undefined
      return random.pick([{ breakChannel: 'before' }, { breakChannel: 'after' }, { lose: 'answer' }])
    }
    const { brokers, connect, run, cluster } = setting(1, faults)
    const log = connect()
    await run(() => log.prepare(forever))
    for (let next = 1; next <= 40; next++) {
      if (next % 7 === 0) brokers.moveLeader({ topic, partition: 0 }, random.pick(brokers.brokers))
      if (next === 15) brokers.stopBroker(brokerId(2))
      if (next === 25) brokers.startBroker(brokerId(2))
      await run(() => log.write(0, [{ key: keyOf(0), progress: at(BigInt(next)) }], forever))
      const loaded = await run(() => log.load(flow, forever))
      assert.equal(loaded.get('orders/0')?.sourceNext, BigInt(next))
    }
    isCalm = true
    await run(() => log.close())
    assert.equal(cluster.leases.held, 0)
  })

  test('progress of a version that is not known ends the reading loudly', async () => {
    const { brokers, connect, run } = setting(1)
    const log = connect()
    await run(() => log.prepare(forever))
    const record = {
      offsetDelta: 0,
      timestampMs: 1,
      key: encodeProgressKey(keyOf(0)),
      value: Buffer.from('{"v":9}'),
      headers: [],
    }
    brokers.produce(brokers.partition({ topic, partition: 0 }).leader!, [
      { topic, partition: 0, batch: buildBatch([record]) },
    ])
    await assert.rejects(run(() => log.load(flow, forever)))
  })

  test('a damaged batch is an error, not an empty log', async () => {
    const { brokers, connect, run } = setting(1)
    const log = connect()
    await run(() => log.prepare(forever))
    await run(() => log.write(0, [{ key: keyOf(0), progress: at(1n) }], forever))
    const { bytes } = brokers.log({ topic, partition: 0 }).batches[0]!
    bytes[bytes.length - 2]! ^= 1
    await assert.rejects(
      run(() => log.load(flow, forever)),
      /checksum|CORRUPT/,
    )
  })

  test('giving up ends a write that gets nowhere, with the signal’s reason', async () => {
    const { brokers, clock, connect, run } = setting(1)
    const log = connect()
    await run(() => log.prepare(forever))
    brokers.loseLeader({ topic, partition: 0 })
    const controller = new AbortController()
    const reason = new Error('given up')
    const writing = assert.rejects(
      log.write(0, [{ key: keyOf(0), progress: at(1n) }], controller.signal),
      reason,
    )
    await clock.advance(3000)
    controller.abort(reason)
    await clock.run(writing)
  })
})
