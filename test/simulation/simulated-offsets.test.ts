import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId } from '../../replicator/kafka/cluster.ts'
import type { GroupOffsetCommit } from '../../replicator/kafka/consumer-groups.ts'
import { SimulatedBrokers } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { TransactionalWriter } from './transactional-writer.ts'

const orders = { topic: 'orders', partition: 0 }
const commitOf = (offset: bigint): GroupOffsetCommit => ({
  ...orders,
  offset,
  leaderEpoch: undefined,
  metadata: '',
})

function scene(count = 1): SimulatedBrokers {
  const brokers = new SimulatedBrokers({ clock: new SimulatedClock(), brokers: count })
  brokers.topics.create({ name: 'orders', partitions: 1, replicationFactor: 1, configs: new Map() })
  return brokers
}

/** What the group has committed, or the code of a refusal. */
function committed({ offsets }: SimulatedBrokers, group: string): bigint | number | undefined {
  const answer = offsets.fetch({ group, partitions: [orders] }, true)
  if (!answer.ok) return answer.code
  const [fetched] = answer.value
  assert(fetched)
  return fetched.answer.ok ? fetched.answer.value?.offset : fetched.answer.code
}

describe('simulated offsets', () => {
  test('of a producer that was taken over are aborted with its transaction', () => {
    const brokers = scene()
    assert.deepEqual(brokers.offsets.commit('g', [commitOf(1n)]), { ok: true, value: [0] })
    new TransactionalWriter(brokers, 'writer').commitOffsets('g', [commitOf(7n)])
    assert.equal(committed(brokers, 'g'), 88)
    const successor = new TransactionalWriter(brokers, 'writer')
    assert.equal(committed(brokers, 'g'), 1n)
    successor.commitOffsets('g', [commitOf(8n)])
    successor.end('commit')
    assert.equal(committed(brokers, 'g'), 8n)
  })

  test('of several transactions wait for the last one', () => {
    const brokers = scene()
    const [one, other] = ['one', 'other'].map((id) => new TransactionalWriter(brokers, id))
    assert(one && other)
    one.commitOffsets('g', [commitOf(3n)])
    other.commitOffsets('g', [commitOf(4n)])
    one.end('commit')
    assert.equal(committed(brokers, 'g'), 88)
    other.end('abort')
    assert.equal(committed(brokers, 'g'), 3n)
  })

  test('have no coordinator while their partition has no leader', () => {
    const brokers = scene(2)
    brokers.offsets.commit('g', [commitOf(1n)])
    brokers.loseLeader(brokers.offsetsLog.partitionOf('g'))
    const refused = brokers.offsets.commit('g', [commitOf(2n)])
    assert.equal(refused.ok ? 0 : refused.code, 15)
    assert.equal(committed(brokers, 'g'), 15)
    brokers.stopBroker(brokerId(1))
    assert.equal(committed(brokers, 'g'), 1n)
    assert.equal(brokers.offsets.commit('g', [commitOf(2n)]).ok, true)
    assert.equal(committed(brokers, 'g'), 2n)
  })

  test('expire, and a group that has none is gone', async () => {
    const brokers = scene()
    brokers.offsets.commit('g', [commitOf(1n)])
    await brokers.clock.advance(1000)
    brokers.offsets.expire(brokers.clock.wallMs() - 1001)
    assert.equal(committed(brokers, 'g'), 1n)
    brokers.offsets.expire(brokers.clock.wallMs() - 1000)
    assert.equal(committed(brokers, 'g'), undefined)
    assert.deepEqual(brokers.offsets.groups, [])
    brokers.offsets.commit('g', [commitOf(2n)])
    assert.equal(committed(brokers, 'g'), 2n)
  })

  test('of a group are in one partition, as real coordinators choose it', () => {
    const brokers = scene()
    // Java's hash codes: 0, 97, and 98.
    const partitions = ['', 'a', 'b'].map((group) => brokers.offsetsLog.partitionOf(group).partition)
    assert.deepEqual(partitions, [0, 1, 0])
  })
})
