import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerId } from '../../replicator/kafka/cluster.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { type BatchFields, buildBatch, recordsOf } from './record-batches.ts'
import { SimulatedBrokers } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'

const at = { topic: 'orders', partition: 0 }

/** Two brokers that hold one partition. */
function scene() {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock, brokers: 2 })
  const topic = { name: 'orders', partitions: 1, replicationFactor: 2, configs: new Map<string, string>() }
  assert(brokers.topics.create(topic).ok)
  const cluster = new MemoryCluster(brokers, { alias: regionAlias('simulated') })
  return {
    brokers,
    /** What each epoch's end is: epoch and offset, nothing, or an error code. */
    ends: async (...asked: readonly number[]) => {
      const queries = asked.map((leaderEpoch) => ({ ...at, leaderEpoch }))
      const answers = await clock.run(cluster.offsetsForLeaderEpochs(queries))
      return answers.map(({ result }) =>
        result.ok ? result.value && [result.value.leaderEpoch, result.value.endOffset] : result.error.code,
      )
    },
    /** Where the record went, or the code of the refusal. */
    produce: (fields: BatchFields = {}) => {
      const { leader } = brokers.partition(at)
      assert(leader !== undefined)
      const batch = buildBatch(recordsOf([['key', 'value']], clock.wallMs()), fields)
      const [answer] = brokers.produce(leader, [{ ...at, batch }])
      return answer?.ok ? answer.value.baseOffset : answer?.code
    },
  }
}

test('leader epochs end where the next one with records begins', async () => {
  const { brokers, ends, produce } = scene()
  produce()
  brokers.moveLeader(at, brokerId(2))
  produce()
  produce()
  brokers.moveLeader(at, brokerId(1))
  brokers.moveLeader(at, brokerId(2))
  assert.deepEqual(await ends(0, 1, 2, 3, 4), [[0, 1n], [1, 3n], [1, 3n], [3, 3n], undefined])
  brokers.loseLeader(at)
  assert.deepEqual(await ends(0), [5])
})

test('leader epochs show what an unclean election cut off, and its producers are forgotten with it', async () => {
  const { brokers, ends, produce } = scene()
  const identity = { producerId: 7n, producerEpoch: 0 }
  for (const baseSequence of [0, 1, 2]) produce({ ...identity, baseSequence })
  brokers.log(at).truncate(1n)
  brokers.moveLeader(at, brokerId(2))
  assert.deepEqual(await ends(0, 1), [
    [0, 1n],
    [1, 1n],
  ])
  assert.equal(produce({ ...identity, baseSequence: 2 }), 45)
  assert.equal(produce({ ...identity, baseSequence: 1 }), 1n)
})

test('leader epochs begin with the log', async () => {
  const { brokers, ends, produce } = scene()
  produce()
  brokers.moveLeader(at, brokerId(2))
  produce()
  produce()
  brokers.moveLeader(at, brokerId(1))
  brokers.deleteRecords(at, 2n)
  // Nothing is left of the first one: its end is where the oldest known one begins.
  assert.deepEqual(await ends(0, 1, 2), [
    [0, 2n],
    [1, 3n],
    [2, 3n],
  ])
})
