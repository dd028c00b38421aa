import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type BrokerChannel, brokerId } from '../../replicator/kafka/cluster.ts'
import { isRetriable } from '../../replicator/kafka/errors.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { codeOf, fetchOne, partitionOf, produceOne } from '../contract/contract-harness.ts'
import { garbage } from './counted-lease.ts'
import type { DecideFault, Fault } from './faults.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { buildBatch, readRecords, recordsOf } from './record-batches.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedBrokers } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { processCluster } from './world/process-cluster.ts'
import { SimulatedProcess } from './world/simulated-process.ts'

const at = { topic: 'orders', partition: 0 }

function start(faults?: DecideFault) {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock })
  const created = brokers.topics.create({
    name: 'orders',
    partitions: 1,
    replicationFactor: 1,
    configs: new Map(),
  })
  assert(created.ok)
  const alias = regionAlias('simulated')
  const cluster = new MemoryCluster(brokers, faults === undefined ? { alias } : { alias, faults })
  const batch = (value = 'value') => buildBatch(recordsOf([['key', value]], clock.wallMs()))
  return { clock, brokers, cluster, batch }
}

/** One fault, for the first request of a kind. */
function once(kind: string, fault: Fault): DecideFault {
  let done = false
  return (request) => {
    if (done || request.kind !== kind) return undefined
    done = true
    return fault
  }
}

async function produceWith(fault: Fault) {
  const { clock, brokers, cluster, batch } = start(once('produce', fault))
  const outcome = await clock.run(
    (async () => {
      const channel = await cluster.openChannel(brokerId(1))
      return produceOne(channel, { ...at, batch: batch() }).then(codeOf, (error: unknown) => error)
    })(),
  )
  return { outcome, appended: brokers.log(at).logEnd, tookMs: clock.monotonicMs() }
}

describe('faults of a channel', () => {
  test('a delay delays', async () => {
    const { outcome, appended, tookMs } = await produceWith({ requestDelayMs: 30, answerDelayMs: 12 })
    assert.deepEqual([outcome, appended, tookMs], [0, 1n, 42])
  })

  test('a lost request is never seen; the channel breaks by timeout', async () => {
    const { outcome, appended, tookMs } = await produceWith({ lose: 'request' })
    assert(isRetriable(outcome))
    assert.deepEqual([appended, tookMs], [0n, 40_000])
  })

  test('a lost answer hides what was done', async () => {
    const { outcome, appended } = await produceWith({ lose: 'answer' })
    assert(isRetriable(outcome))
    assert.equal(appended, 1n)
  })

  test('a duplicate is done twice', async () => {
    const { outcome, appended } = await produceWith({ duplicate: true })
    assert.deepEqual([outcome, appended], [0, 2n])
  })

  test('a channel breaks before or after', async () => {
    const before = await produceWith({ breakChannel: 'before' })
    const after = await produceWith({ breakChannel: 'after' })
    assert(isRetriable(before.outcome) && isRetriable(after.outcome))
    assert.deepEqual([before.appended, after.appended], [0n, 1n])
  })

  test('what was on its way when the client cut the channel may still arrive', async () => {
    for (const arrivesAnyway of [true, false]) {
      const fault = { requestDelayMs: 50, arrivesAnyway }
      const { clock, brokers, cluster, batch } = start(once('produce', fault))
      await clock.run(
        (async () => {
          const channel = await cluster.openChannel(brokerId(1))
          const bytes = batch()
          const produced = produceOne(channel, { ...at, batch: bytes })
          channel.destroy()
          await assert.rejects(produced, isRetriable)
          bytes.fill(garbage)
          await clock.sleep(100)
        })(),
      )
      assert.equal(brokers.log(at).logEnd, arrivesAnyway ? 1n : 0n)
    }
  })

  test('a connection that nobody uses is closed by the broker, also under a process that is stopped', async () => {
    const { clock, brokers, cluster, batch } = start()
    const process = new SimulatedProcess('sleeper', clock)
    const seen = processCluster(cluster, process, 'target')
    await clock.run(
      (async () => {
        const channel = await seen.openChannel(brokerId(1))
        await clock.sleep(599_000)
        assert.equal(codeOf(await produceOne(channel, { ...at, batch: batch() })), 0)
        await clock.sleep(599_000)
        process.stop()
        const late = produceOne(channel, { ...at, batch: batch() })
        await clock.sleep(2000)
        process.continue()
        await assert.rejects(late, isRetriable)
        await channel.closed
      })(),
    )
    assert.equal(brokers.log(at).logEnd, 1n)
  })

  test('control requests fail, are late, or are done without an answer', async () => {
    const { clock, cluster, brokers } = start((request) =>
      request.number === 0
        ? { lose: 'answer' }
        : request.number === 1
          ? { breakChannel: 'before' }
          : { answerDelayMs: 7 },
    )
    const wanted = { partitions: 1, replicationFactor: 1, configs: new Map<string, string>() }
    await clock.run(
      (async () => {
        await assert.rejects(cluster.createTopics([{ ...wanted, name: 'made' }]), isRetriable)
        assert.equal(clock.monotonicMs(), 30_000)
        assert(brokers.topics.byName('made') !== undefined)
        await assert.rejects(cluster.listTopics(), isRetriable)
        assert.equal((await cluster.listTopics()).length, 2)
        assert.equal(clock.monotonicMs(), 30_007)
      })(),
    )
  })
})

describe('whose bytes', () => {
  test('bytes that are given away before the answer are found out', async () => {
    const { clock, cluster, batch } = start(once('produce', { requestDelayMs: 10 }))
    await clock.run(
      (async () => {
        const channel = await cluster.openChannel(brokerId(1))
        const bytes = batch()
        const produced = produceOne(channel, { ...at, batch: bytes })
        bytes.fill(garbage, 61)
        assert.equal(codeOf(await produced), 2)
      })(),
    )
  })

  test('an answer that nobody waits for any more takes no memory', async () => {
    const { clock, cluster, brokers, batch } = start(once('fetch', { answerDelayMs: 50, duplicate: true }))
    await clock.run(
      (async () => {
        const channel = await cluster.openChannel(brokerId(1))
        await produceOne(channel, { ...at, batch: batch() })
        const found = (await cluster.describeTopics(['orders'])).get('orders')
        assert(found?.kind === 'found')
        const fetched = fetchOne(channel, partitionOf(found.topic, 0n))
        await clock.sleep(10)
        channel.destroy()
        await assert.rejects(fetched, isRetriable)
        assert.deepEqual([cluster.leases.held, cluster.leases.bytes], [0, 0])
        await clock.sleep(100)
        assert.deepEqual([cluster.leases.held, cluster.leases.bytes], [0, 0])
        assert.equal(brokers.log(at).logEnd, 1n)
      })(),
    )
  })
})

/** A producer that does what Kafka's idempotent producer does: it sends the same sequences until they are acknowledged. */
async function produceThroughFaults(seed: number, count: number): Promise<readonly string[]> {
  const random = new SeededRandom(seed)
  const faults: DecideFault = ({ kind }) => {
    if (kind !== 'produce') return undefined
    return {
      requestDelayMs: random.between(0, 20),
      duplicate: random.chance(0.1),
      arrivesAnyway: random.chance(0.5),
      ...(random.chance(0.05) ? { lose: random.pick(['request', 'answer'] as const) } : {}),
      ...(random.chance(0.1) ? { breakChannel: random.pick(['before', 'after'] as const) } : {}),
    }
  }
  const { clock, brokers, cluster } = start(faults)
  const produceAll = async (): Promise<void> => {
    const identity = await cluster.initProducerId(undefined)
    const batches = Array.from({ length: count }, (_, i) =>
      buildBatch(recordsOf([['key', `value ${i}`]], clock.wallMs()), { ...identity, baseSequence: i }),
    )
    let acknowledged = 0
    let channel: BrokerChannel | undefined
    while (acknowledged < count) {
      channel ??= await cluster.openChannel(brokerId(1))
      const window = batches.slice(acknowledged, acknowledged + 5)
      const open = channel
      const sent = window.map((batch) => produceOne(open, { ...at, batch }))
      const results = await Promise.allSettled(sent)
      for (const result of results) {
        if (result.status === 'rejected' || !result.value.ok) break
        acknowledged += 1
      }
      if (results.some(({ status }) => status === 'rejected')) {
        channel.destroy()
        channel = undefined
        // An old connection's requests may still arrive; they must not land between those of the new one.
        await clock.sleep(random.between(0, 30))
      }
    }
  }
  await clock.run(produceAll(), 3_600_000)
  return brokers.log(at).batches.flatMap(({ bytes }) => readRecords(bytes).map((record) => `${record.value}`))
}

describe('an idempotent producer over a faulty network', () => {
  test('writes every batch once and in order, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), async (seed) => {
        const written = await produceThroughFaults(seed, 25)
        assert.deepEqual(
          written,
          Array.from({ length: 25 }, (_, i) => `value ${i}`),
        )
      }),
      { numRuns: 40 },
    )
  })
})

describe('a run', () => {
  test('is the same again with the same seed', async () => {
    const run = async (seed: number) => {
      const random = new SeededRandom(seed)
      const trace: string[] = []
      const { clock, cluster, batch } = start(({ kind, number }) => {
        const fault = { requestDelayMs: random.between(0, 9), answerDelayMs: random.between(0, 9) }
        trace.push(`${clock.monotonicMs()} ${number} ${kind} ${JSON.stringify(fault)}`)
        return fault
      })
      const client = async () => {
        const channel = await cluster.openChannel(brokerId(1))
        for (let i = 0; i < 10; i++) {
          const result = await produceOne(channel, { ...at, batch: batch(`${i}`) })
          trace.push(`${clock.monotonicMs()} ${result.ok && result.value.baseOffset}`)
        }
      }
      await clock.run(Promise.all([client(), client(), client()]))
      return trace
    }
    const first = await run(11)
    assert.equal(first.length, 3 + 30 + 30)
    assert.deepEqual(await run(11), first)
    assert.notDeepEqual(await run(12), first)
  })
})
