import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId, type ProducerIdentity } from '../../replicator/kafka/cluster.ts'
import { isRetriable } from '../../replicator/kafka/errors.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { patiently } from '../contract/contract-harness.ts'
import type { DecideFault, Fault, RequestKind } from './faults.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { describeBatch } from './partition-log.ts'
import { SimulatedBrokers, type SimulatedBrokersOptions } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'

const at = { topic: 'orders', partition: 0 }
const other = { topic: 'orders', partition: 1 }
const transactionalId = 'shard'
const dayMs = 86_400_000

interface Setting {
  readonly clock: SimulatedClock
  readonly brokers: SimulatedBrokers
  readonly cluster: MemoryCluster
  init(current?: ProducerIdentity): Promise<ProducerIdentity>
  /** The next request of a kind meets this fault. */
  next(kind: RequestKind, fault: Fault): void
}

/** Two brokers with one partition each. */
async function started(
  work: (setting: Setting) => Promise<void>,
  options: Partial<SimulatedBrokersOptions> = {},
): Promise<void> {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock, brokers: 2, ...options })
  const faults: { kind: RequestKind; fault: Fault }[] = []
  const decide: DecideFault = ({ kind }) => {
    const index = faults.findIndex((each) => each.kind === kind)
    return index < 0 ? undefined : faults.splice(index, 1)[0]?.fault
  }
  const cluster = new MemoryCluster(brokers, { alias: regionAlias('simulated'), faults: decide })
  const topic = { name: 'orders', partitions: 2, replicationFactor: 1, configs: new Map<string, string>() }
  assert(brokers.topics.create(topic).ok)
  await clock.run(
    work({
      clock,
      brokers,
      cluster,
      init: (current) =>
        patiently({ clock }, () => cluster.initProducerId(transactionalId, undefined, current)),
      next: (kind, fault) => faults.push({ kind, fault }),
    }),
    30 * dayMs,
  )
}

const markers = (brokers: SimulatedBrokers, where = at) => brokers.log(where).batches.map(describeBatch)

describe('a transaction’s end', () => {
  test('is answered before its markers are written, which keep the id busy', () =>
    started(async ({ brokers, cluster, clock, init }) => {
      const identity = await init()
      const transaction = { transactionalId, identity }
      await cluster.addPartitionsToTransaction(transaction, [at, other])
      await cluster.endTransaction(transaction, 'abort')
      assert.deepEqual([markers(brokers), markers(brokers, other)], [[], []])
      const busy = { code: 51, retriable: true }
      await assert.rejects(cluster.initProducerId(transactionalId, undefined, identity), busy)
      await assert.rejects(cluster.addPartitionsToTransaction(transaction, [at]), busy)
      await assert.rejects(cluster.endTransaction(transaction, 'abort'), busy)
      await assert.rejects(cluster.endTransaction(transaction, 'commit'), { code: 48 })
      await clock.sleep(31)
      assert.deepEqual(markers(brokers), ['0-0 marker, 1 records'])
      assert.deepEqual(markers(brokers, other), ['0-0 marker, 1 records'])
      await cluster.endTransaction(transaction, 'abort')
    }))

  test('takes the same time in every run of a seed, and another one with another seed', async () => {
    const timeOf = async (seed: number) => {
      let tookMs = 0
      await started(
        async ({ cluster, clock, init }) => {
          for (let round = 0; round < 5; round++) {
            const identity = await init()
            await cluster.addPartitionsToTransaction({ transactionalId, identity }, [at, other])
            await cluster.endTransaction({ transactionalId, identity }, 'abort')
          }
          await init()
          tookMs = clock.monotonicMs()
        },
        { seed, markerDelayMaxMs: 1000 },
      )
      return tookMs
    }
    assert.equal(await timeOf(1), await timeOf(1))
    assert.notEqual(await timeOf(1), await timeOf(2))
  })

  test('comes by itself after the transaction timeout, under an epoch of its own', () =>
    started(async ({ brokers, cluster, clock, init }) => {
      const identity = await init()
      const transaction = { transactionalId, identity }
      await cluster.addPartitionsToTransaction(transaction, [at])
      await clock.sleep(61_000)
      assert.deepEqual(markers(brokers), ['0-0 marker, 1 records'])
      await assert.rejects(cluster.endTransaction(transaction, 'commit'), { code: 90 })
      await assert.rejects(init(identity), { code: 90 })
    }))

  test('leaves the timeout of the next transaction whole', () =>
    started(async ({ cluster, clock, init }) => {
      const identity = await init()
      const transaction = { transactionalId, identity }
      for (let round = 0; round < 4; round++) {
        await cluster.addPartitionsToTransaction(transaction, [at])
        await clock.sleep(40_000)
        await cluster.endTransaction(transaction, 'abort')
        await clock.sleep(100)
      }
    }))

  test('waits for a leader where brokers have ZooKeeper', () =>
    started(
      async ({ brokers, cluster, clock, init }) => {
        const identity = await init()
        const transaction = { transactionalId, identity }
        await cluster.addPartitionsToTransaction(transaction, [at, other])
        brokers.stopBroker(brokerId(2))
        await cluster.endTransaction(transaction, 'abort')
        await clock.sleep(10_000)
        assert.deepEqual([markers(brokers).length, markers(brokers, other).length], [1, 0])
        await assert.rejects(cluster.initProducerId(transactionalId, undefined, identity), { code: 51 })
        brokers.startBroker(brokerId(2))
        await init(identity)
        assert.equal(markers(brokers, other).length, 1)
      },
      { leaderlessMarkers: 'delayed' },
    ))

  test('waits for replicas', () =>
    started(async ({ brokers, cluster, clock, init }) => {
      const configs = new Map([['min.insync.replicas', '2']])
      assert(brokers.topics.create({ name: 'safe', partitions: 1, replicationFactor: 2, configs }).ok)
      const safe = { topic: 'safe', partition: 0 }
      const identity = await init()
      await cluster.addPartitionsToTransaction({ transactionalId, identity }, [safe])
      brokers.stopBroker(brokerId(2))
      await cluster.endTransaction({ transactionalId, identity }, 'abort')
      await clock.sleep(10_000)
      assert.equal(markers(brokers, safe).length, 0)
      brokers.startBroker(brokerId(2))
      await init(identity)
      assert.equal(markers(brokers, safe).length, 1)
    }))

  test('needs no marker in a topic that is gone', () =>
    started(async ({ brokers, cluster, init }) => {
      const identity = await init()
      await cluster.addPartitionsToTransaction({ transactionalId, identity }, [at])
      brokers.deleteTopic('orders')
      await cluster.endTransaction({ transactionalId, identity }, 'abort')
      assert.equal((await init(identity)).producerEpoch, 1)
    }))

  // As on real brokers: the coordinator gives up, and its state stays undecided.
  test('never comes where somebody else has written a marker of a newer epoch', () =>
    started(async ({ cluster, clock, init }) => {
      const identity = await init()
      const newer = { ...identity, producerEpoch: identity.producerEpoch + 1 }
      await cluster.writeTransactionMarkers(newer, 'abort', [at])
      await cluster.addPartitionsToTransaction({ transactionalId, identity }, [at])
      await cluster.endTransaction({ transactionalId, identity }, 'abort')
      await clock.sleep(3_600_000)
      await assert.rejects(cluster.initProducerId(transactionalId), { code: 51 })
    }))
})

test('a marker of an older coordinator is refused where a newer one has written one', () =>
  started(async ({ brokers, cluster, init }) => {
    const identity = await init()
    await cluster.addPartitionsToTransaction({ transactionalId, identity }, [at])
    await cluster.endTransaction({ transactionalId, identity }, 'abort')
    const next = await init(identity)
    assert.equal(brokers.writeMarker(at, next, 'abort', -1), 52)
    assert.equal(brokers.writeMarker(other, next, 'abort', -1), 0)
    assert.equal(brokers.writeMarker(at, next, 'abort', 0), 0)
  }))

describe('identities', () => {
  test('that ran out of epochs are followed by a new id, also when the answer gets lost', () =>
    started(async ({ brokers, init }) => {
      const first = await init()
      const last = brokers.transactions.setEpoch(transactionalId, 32_766)
      const next = await init(last)
      assert.notEqual(next.producerId, first.producerId)
      assert.equal(next.producerEpoch, 0)
      assert.deepEqual(await init(last), next, 'a repeat')
      await init()
      await assert.rejects(init(last), { code: 90 })
    }))

  test('are bumped once by a request that arrives twice', () =>
    started(async ({ init, next }) => {
      const identity = await init()
      next('init-producer-id', { duplicate: true })
      assert.deepEqual(await init(identity), { ...identity, producerEpoch: 1 })
    }))

  test('are the same for whoever asks again after a lost answer', () =>
    started(async ({ cluster, init, next }) => {
      const identity = await init()
      next('init-producer-id', { lose: 'answer' })
      const lost = await cluster.initProducerId(transactionalId, undefined, identity).catch((error) => error)
      assert(isRetriable(lost))
      assert.deepEqual(await init(identity), { ...identity, producerEpoch: 1 })
    }))

  test('are fenced by a request that arrives after its client has gone', () =>
    started(async ({ cluster, clock, init, next }) => {
      const identity = await init()
      next('init-producer-id', { requestDelayMs: 1000, arrivesAnyway: true })
      const gone = new AbortController()
      const asked = assert.rejects(cluster.initProducerId(transactionalId, gone.signal), /gone/)
      gone.abort(new Error('gone'))
      await asked
      await clock.sleep(2000)
      await assert.rejects(init(identity), { code: 90 })
    }))

  test('last for a week without use', () =>
    started(async ({ clock, init }) => {
      const identity = await init()
      await clock.sleep(604_800_000 - 1000)
      const next = await init(identity)
      assert.deepEqual(next, { ...identity, producerEpoch: 1 })
      await clock.sleep(604_800_000 + 3_600_000)
      assert.notEqual((await init(next)).producerId, identity.producerId)
    }))
})

describe('requests that arrive twice', () => {
  test('end a transaction once', () =>
    started(async ({ brokers, cluster, clock, init, next }) => {
      const identity = await init()
      const transaction = { transactionalId, identity }
      next('add-partitions-to-txn', { duplicate: true })
      await cluster.addPartitionsToTransaction(transaction, [at])
      next('end-txn', { duplicate: true })
      await assert.rejects(cluster.endTransaction(transaction, 'abort'), { code: 51 })
      await clock.sleep(100)
      assert.equal(markers(brokers).length, 1)
      await cluster.endTransaction(transaction, 'abort')
    }))

  test('write a marker twice, which changes nothing more', () =>
    started(async ({ brokers, cluster, next }) => {
      next('write-txn-markers', { duplicate: true })
      const [outcome] = await cluster.writeTransactionMarkers({ producerId: 7n, producerEpoch: 4 }, 'abort', [
        at,
      ])
      assert(outcome?.result.ok)
      assert.equal(markers(brokers).length, 2)
      const [answer] = await cluster.describeProducers([at])
      assert(answer?.result.ok)
      assert.deepEqual(
        answer.result.value.map(({ producerEpoch }) => producerEpoch),
        [4],
      )
    }))
})
