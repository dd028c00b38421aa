import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId, type TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../../replicator/kafka/errors.ts'
import type { WalkRequest } from '../../../replicator/logs/log-walk.ts'
import type { LogWalks } from '../../../replicator/logs/log-walks.ts'
import { baseOffset, producerId } from '../../../replicator/records/batch-header.ts'
import type { DecideFault, RequestKind } from '../../simulation/faults.ts'
import type { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { TransactionalWriter } from '../../simulation/transactional-writer.ts'
import { ShardScene } from '../shards/shard-scene.ts'

const orders = { topic: 'orders', partition: 0 }

/** A cluster with logs, and one that walks through them. */
class WalkScene extends ShardScene {
  readonly cluster: MemoryCluster
  readonly walker: LogWalks
  readonly requests: RequestKind[] = []
  fault: DecideFault = () => undefined

  constructor(brokers = 1) {
    super({ brokers })
    this.cluster = this.connect(this.target, (request) => {
      this.requests.push(request.kind)
      return this.fault(request)
    })
    this.walker = this.walks(this.cluster)
  }

  requestsOf(kind: RequestKind): number {
    return this.requests.filter((one) => one === kind).length
  }

  /** Walks, and says what was seen: base offsets, with what is not delivered marked. */
  begin(request: Partial<WalkRequest> & TopicPartition, signal = this.signal) {
    const seen: string[] = []
    const ended = this.walker.walk(
      {
        from: 0n,
        isolation: 'read_uncommitted',
        atEnd: 'stop',
        ...request,
        visit: (batch) => {
          const offset = baseOffset(batch.raw.buffer, batch.raw.at)
          seen.push(batch.verdict === 'deliver' ? `${offset}` : `${offset} ${batch.verdict}`)
          return request.visit?.(batch) ?? 'on'
        },
      },
      signal,
    )
    ended.catch(() => {})
    return { seen, ended }
  }

  /** Everything ends, and gives its memory back. */
  async finish(): Promise<void> {
    await this.run(this.walker.close())
    assert.equal(this.cluster.leases.held, 0)
  }
}

const rejectsWith = (code: number) => (error: unknown) => error instanceof KafkaError && error.code === code

describe('walks through logs', () => {
  test('a former leader does not answer for what it has not got', async () => {
    const scene = new WalkScene(2)
    scene.create(scene.target, 'orders', 1)
    scene.write(scene.target, orders, 2)
    const leader = scene.target.partition(orders).leader
    const next = [brokerId(1), brokerId(2)].find((id) => id !== leader) ?? brokerId(1)
    // The cluster has another leader by the time that the first answer about leaders is used.
    scene.fault = ({ kind }) => {
      if (kind === 'open-channel' && scene.target.partition(orders).leader === leader)
        scene.target.moveLeader(orders, next)
      return undefined
    }
    const { seen, ended } = scene.begin(orders)
    await scene.run(ended)
    assert.deepEqual(seen, ['0'])
    assert.equal(scene.requestsOf('describe-topics'), 2, 'it was asked who leads now')
    await scene.finish()
  })

  test('a thousand partitions share their requests', async () => {
    const scene = new WalkScene(2)
    scene.create(scene.target, 'orders', 1000)
    const places = Array.from({ length: 1000 }, (_, partition) => ({ topic: 'orders', partition }))
    for (const at of places) for (let i = 0; i < 2; i++) scene.write(scene.target, at, 2)
    const begun = places.map((at) => scene.begin(at))
    for (const { seen, ended } of begun) {
      assert.deepEqual(await scene.run(ended), { kind: 'end', next: 4n, logStart: 0n })
      assert.deepEqual(seen, ['0', '2'])
    }
    assert.equal(scene.requestsOf('describe-topics'), 1)
    assert.equal(scene.requestsOf('open-channel'), 2)
    assert(scene.requestsOf('fetch') <= 4, `${scene.requestsOf('fetch')} fetches`)
    await scene.finish()
  })

  test('a log of many answers is walked to its end, batches in order and none twice', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 3, { 'max.message.bytes': '3000000' })
    const filler = Buffer.alloc(700_000, 'x').toString()
    for (let i = 0; i < 24; i++) {
      const at = { topic: 'orders', partition: i % 3 }
      scene.append(scene.target, at, buildBatch(scene.records(2, [filler, `${i % 5 === 0 ? filler : i}`])))
    }
    const begun = [0, 1, 2].map((partition) => scene.begin({ topic: 'orders', partition }))
    for (const { seen, ended } of begun) {
      assert.equal((await scene.run(ended)).next, 16n)
      assert.deepEqual(seen, ['0', '2', '4', '6', '8', '10', '12', '14'])
    }
    assert(scene.requestsOf('fetch') > 3)
    await scene.finish()
  })

  test('one without a leader waits alone', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 3)
    for (const partition of [0, 1, 2]) scene.write(scene.target, { topic: 'orders', partition }, 1)
    scene.target.loseLeader(orders)
    const [leaderless, ...others] = [0, 1, 2].map((partition) => scene.begin({ topic: 'orders', partition }))
    const from = scene.clock.monotonicMs()
    for (const { ended } of others) await scene.run(ended)
    assert.equal(scene.clock.monotonicMs(), from, 'the others wait for nothing')
    await scene.clock.advance(20_000)
    assert.deepEqual(leaderless?.seen, [])
    assert(scene.requestsOf('describe-topics') < 60, 'it is asked for ever more rarely')
    scene.target.moveLeader(orders, brokerId(1))
    assert.equal((await scene.run(leaderless?.ended ?? assert.fail())).next, 1n)
    await scene.finish()
  })

  test('one without a leader waits no longer than it may', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders')
    scene.target.loseLeader(orders)
    const { ended } = scene.begin({ ...orders, atEnd: { waitMs: 5000 } })
    await assert.rejects(scene.run(ended, 8000), rejectsWith(5))
    assert(scene.clock.monotonicMs() >= 5000)
    await scene.finish()
  })

  test('a leader that dies, and answers that are lost, are survived', async () => {
    const scene = new WalkScene(2)
    scene.create(scene.target, 'orders', 2)
    let fetches = 0
    scene.fault = ({ kind }) => (kind === 'fetch' && fetches++ === 2 ? { lose: 'answer' } : undefined)
    for (let i = 0; i < 3; i++) scene.write(scene.target, orders, 1)
    const { seen, ended } = scene.begin({
      ...orders,
      atEnd: { waitMs: 30_000 },
      visit: () => (scene.target.log(orders).logEnd === 5n && seen.length === 5 ? 'enough' : 'on'),
    })
    await scene.clock.advance(50)
    scene.target.stopBroker(scene.target.partition(orders).leader ?? assert.fail())
    scene.write(scene.target, orders, 1)
    await scene.clock.advance(200)
    scene.write(scene.target, orders, 1)
    assert.equal((await scene.run(ended)).kind, 'enough')
    assert.deepEqual(seen, ['0', '1', '2', '3', '4'])
    assert(fetches > 2)
    await scene.finish()
  })

  test('no broker answers for a while', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders')
    scene.write(scene.target, orders, 1)
    scene.target.stopBroker(brokerId(1))
    const { ended } = scene.begin(orders)
    await scene.clock.advance(3000)
    scene.target.startBroker(brokerId(1))
    assert.equal((await scene.run(ended)).next, 1n)
    await scene.finish()
  })

  test('an offset outside of the log, damage and a visitor’s fault end one walk, not the others', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 5)
    const at = (partition: number) => ({ topic: 'orders', partition })
    for (let partition = 0; partition < 5; partition++) {
      scene.write(scene.target, at(partition), 1)
      scene.write(scene.target, at(partition), 1)
    }
    scene.target.deleteRecords(at(0), 1n)
    const bytes = scene.target.log(at(2)).batches[1]?.bytes ?? assert.fail()
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2)
    const below = scene.begin(at(0))
    const beyond = scene.begin({ ...at(1), from: 3n })
    const damaged = scene.begin(at(2))
    const faulty = scene.begin({
      ...at(3),
      visit: () => {
        throw new RangeError('the visitor fails')
      },
    })
    const good = scene.begin(at(4))
    assert.equal((await scene.run(good.ended)).next, 2n)
    await assert.rejects(scene.run(below.ended), rejectsWith(1))
    await assert.rejects(scene.run(beyond.ended), rejectsWith(1))
    await assert.rejects(scene.run(damaged.ended), (error) => {
      assert(rejectsWith(2)(error))
      assert.match(String(error), /offset 1/)
      return true
    })
    assert.deepEqual(damaged.seen, ['0'])
    await assert.rejects(scene.run(faulty.ended), RangeError)
    await scene.finish()
  })

  test('an aborted walk rejects at once with the signal’s reason; the others go on', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 3)
    scene.target.loseLeader({ topic: 'orders', partition: 1 })
    const cut = new AbortController()
    const atEnd = { waitMs: 60_000 }
    const walked = [0, 1].map((partition) => scene.begin({ topic: 'orders', partition, atEnd }, cut.signal))
    const other = scene.begin({ topic: 'orders', partition: 2, atEnd, visit: () => 'enough' })
    await scene.clock.advance(250)
    cut.abort(new Error('no more'))
    for (const { ended } of walked) await assert.rejects(ended, /no more/)
    assert.throws(() => scene.begin(orders, cut.signal), /no more/)
    scene.write(scene.target, { topic: 'orders', partition: 2 }, 1)
    assert.equal((await scene.run(other.ended)).kind, 'enough')
    await scene.finish()
  })

  test('closing ends every walk, wherever it is', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 2)
    scene.target.loseLeader({ topic: 'orders', partition: 1 })
    const atEnd = { waitMs: 60_000 }
    const early = [0, 1].map((partition) => scene.begin({ topic: 'orders', partition, atEnd }))
    await scene.clock.advance(250)
    const late = scene.begin({ topic: 'nowhere', partition: 0, atEnd })
    await scene.finish()
    for (const { ended } of [...early, late]) await assert.rejects(ended, /closed/)
    assert.throws(() => scene.begin(orders), /closed/)
    assert.equal(scene.clock.waiting, 0, 'no timer is left')
  })

  test('both isolations at once on one partition: each sees its own end', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders')
    const [aborted, open] = [
      new TransactionalWriter(scene.target, 'a'),
      new TransactionalWriter(scene.target, 'b'),
    ]
    scene.write(scene.target, orders, 1)
    aborted.append(orders, scene.records(2))
    aborted.end('abort')
    open.append(orders, scene.records(1))
    scene.write(scene.target, orders, 1)
    const committed = scene.begin({ ...orders, isolation: 'read_committed' })
    const uncommitted = scene.begin(orders)
    const again = scene.begin({ ...orders, from: 2n })
    assert.equal((await scene.run(committed.ended)).next, 4n)
    assert.equal((await scene.run(uncommitted.ended)).next, 6n)
    assert.equal((await scene.run(again.ended)).next, 6n)
    assert.deepEqual(committed.seen, ['0', '1 aborted', '3 control'])
    assert.deepEqual(uncommitted.seen, ['0', '1', '3 control', '4', '5'])
    assert.deepEqual(again.seen, ['1', '3 control', '4', '5'], 'from the batch around the offset')
    await scene.finish()
  })

  test('partitions that are walked under different isolations share no request', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 2)
    const places = [0, 1].map((partition) => ({ topic: 'orders', partition }))
    const open = new TransactionalWriter(scene.target, 'open')
    for (const place of places) {
      scene.write(scene.target, place, 1)
      open.append(place, scene.records(1))
    }
    const [first, second] = places
    assert(first !== undefined && second !== undefined)
    const uncommitted = scene.begin(first)
    const committed = scene.begin({ ...second, isolation: 'read_committed' })
    assert.equal((await scene.run(uncommitted.ended)).next, 2n)
    assert.equal((await scene.run(committed.ended)).next, 1n)
    assert.deepEqual([uncommitted.seen, committed.seen], [['0', '1'], ['0']])
    await scene.finish()
  })

  test('waiting at the end: what comes is seen, and nothing comes', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders', 2)
    const { seen, ended } = scene.begin({ ...orders, atEnd: { waitMs: 3000 } })
    for (let i = 0; i < 4; i++) {
      await scene.clock.advance(2000)
      scene.write(scene.target, orders, 1)
    }
    assert.equal((await scene.run(ended)).kind, 'end')
    assert.deepEqual(seen, ['0', '1', '2', '3'])
    const waitedMs = scene.clock.monotonicMs() - 8000
    assert(waitedMs >= 3000 && waitedMs < 4000, `${waitedMs} ms`)
    assert(scene.requestsOf('fetch') > 20, 'long polls end in time for others')
    assert(scene.requestsOf('fetch') < 250)
    await scene.finish()
  })

  test('what a visitor needs to know is learnt before it sees the bytes', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders')
    for (const id of [5n, 6n])
      scene.write(scene.target, orders, 1, { producerId: id, producerEpoch: 0, baseSequence: 0 })
    const learnt = new Set<bigint>()
    const { ended } = scene.begin({
      ...orders,
      prepare: async (records) => {
        await scene.clock.sleep(10)
        learnt.add(producerId(records, 0))
      },
      visit: ({ raw }) => {
        assert(learnt.size > 0 && (raw.at > 0 || learnt.has(producerId(raw.buffer, raw.at))))
        return 'on'
      },
    })
    assert.equal((await scene.run(ended)).next, 2n)
    await scene.finish()
  })

  test('a topic that was made anew under way is found again', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders')
    const { seen, ended } = scene.begin({ ...orders, atEnd: { waitMs: 60_000 }, visit: () => 'enough' })
    await scene.clock.advance(500)
    scene.target.deleteTopic('orders')
    await scene.clock.advance(500)
    scene.create(scene.target, 'orders')
    scene.write(scene.target, orders, 1)
    assert.equal((await scene.run(ended)).next, 1n)
    assert.deepEqual(seen, ['0'])
    await scene.finish()
  })

  test('where a log begins and ends', async () => {
    const scene = new WalkScene()
    scene.create(scene.target, 'orders')
    scene.write(scene.target, orders, 5)
    scene.target.deleteRecords(orders, 2n)
    assert.deepEqual(await scene.run(scene.walker.bounds('orders', 0, scene.signal)), { start: 2n, end: 5n })
    await assert.rejects(scene.run(scene.walker.bounds('orders', 7, scene.signal)), rejectsWith(3))
    await scene.finish()
  })
})
