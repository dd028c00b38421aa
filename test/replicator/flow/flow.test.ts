import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { TransactionalWriter } from '../../simulation/transactional-writer.ts'
import { checkCopy, FlowScene } from './flow-scene.ts'

const orders = { topic: 'orders', partition: 0 }

describe('a flow', () => {
  test('copies what is there and what comes, exactly and in order', async () => {
    const scene = new FlowScene({ brokers: 3 })
    scene.create('orders', 4)
    scene.create('payments', 2)
    for (let i = 0; i < 40; i++) {
      scene.write({ topic: 'orders', partition: i % 4 }, 1 + (i % 5), { codec: i % 2 === 0 ? 'lz4' : 'none' })
    }
    const flow = scene.start()
    await flow.catchUp('exact')
    for (let i = 0; i < 20; i++) {
      scene.write({ topic: 'payments', partition: i % 2 }, 3, { codec: 'gzip' })
      await scene.clock.advance(7)
    }
    await flow.catchUp('exact')
    const snapshot = flow.snapshot()
    assert.equal(snapshot.state, 'running')
    assert.deepEqual(snapshot.partitions, { total: 6, running: 6, paused: 0, stopped: 0 })
    assert.equal(snapshot.records, 40 * 3 + 60)
    assert.equal(snapshot.lagRecords, 0)
    assert.equal(snapshot.lagMs, 0)
    await flow.drain()
    assert.equal(flow.snapshot().state, 'closed')
  })

  test('leaves aborted transactions and markers out, and open ones until they end', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    const [first, second] = [
      new TransactionalWriter(scene.source, 'a'),
      new TransactionalWriter(scene.source, 'b'),
    ]
    first.append(orders, scene.records(2))
    second.append(orders, scene.records(3))
    first.append(orders, scene.records(1))
    first.end('abort')
    scene.write(orders, 2)
    const flow = scene.start()
    await scene.clock.advance(5000)
    assert.deepEqual(scene.targetRecords(orders), [], 'nothing behind an open transaction')
    second.end('commit')
    first.append(orders, scene.records(2))
    first.end('commit')
    await flow.catchUp('exact')
    assert.equal(scene.targetRecords(orders).length, 7)
    await flow.drain()
  })

  test('a drain writes how far it got, so that the next start copies nothing twice', async () => {
    const scene = new FlowScene({ brokers: 3 })
    scene.create('orders', 3)
    const first = scene.start({
      targetFaults: ({ kind }) => (kind === 'produce' ? { answerDelayMs: 150 } : undefined),
    })
    for (let i = 0; i < 60; i++) {
      scene.write({ topic: 'orders', partition: i % 3 }, 2)
      await scene.clock.advance(20)
    }
    await first.drain()
    assert(scene.targetRecords(orders).length > 0)
    for (let i = 0; i < 9; i++) scene.write({ topic: 'orders', partition: i % 3 }, 1)
    const second = scene.start()
    await second.catchUp('exact')
    await second.drain()
  })

  test('cut off at any moment, the next start loses nothing', async () => {
    const scene = new FlowScene({ brokers: 3 })
    scene.create('orders', 3)
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 30; i++) scene.write({ topic: 'orders', partition: i % 3 }, 2, {}, 500)
      const flow = scene.start({
        targetFaults: ({ kind }) => (kind === 'produce' ? { answerDelayMs: 30 } : undefined),
      })
      await scene.clock.advance(100 + 37 * round)
      await flow.destroy()
    }
    const last = scene.start()
    await last.catchUp('at-least-once')
    await last.drain()
  })

  test('a drain that gets no answers ends in its time and leaves nothing behind', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    let isSilent = false
    const flow = scene.start({ targetFaults: () => (isSilent ? { lose: 'answer' } : undefined) })
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    isSilent = true
    scene.write(orders, 5)
    await scene.clock.advance(1000)
    const from = scene.clock.monotonicMs()
    await flow.drain(3000)
    assert(scene.clock.monotonicMs() - from < 10_000)
    const next = scene.start()
    await next.catchUp('at-least-once')
    await next.drain()
  })

  test('starting at the latest, a topic and a partition that come later are copied from their first record', async () => {
    const scene = new FlowScene({ flow: { startAt: 'latest' } })
    scene.create('old')
    scene.write({ topic: 'old', partition: 0 }, 3)
    const flow = scene.start()
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    scene.write({ topic: 'old', partition: 0 }, 2)
    scene.create('new', 2)
    scene.write({ topic: 'new', partition: 1 }, 4)
    scene.source.topics.grow('old', 2)
    scene.write({ topic: 'old', partition: 1 }, 4)
    await flow.catchUp('exact', [
      { topic: 'new', partition: 0 },
      { topic: 'new', partition: 1 },
      { topic: 'old', partition: 1 },
    ])
    assert.deepEqual(
      scene.targetRecords({ topic: 'old', partition: 0 }),
      scene.sourceRecords({ topic: 'old', partition: 0 }).slice(3),
    )
    await flow.drain()
  })

  test('a paused topic rests until it is resumed, whatever else happens to it', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    scene.create('clicks')
    let isForbidden = false
    const flow = scene.start({
      targetRefusals: { produce: ({ topic }) => (isForbidden && topic.endsWith('orders') ? 29 : undefined) },
    })
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    isForbidden = true
    scene.write(orders, 1)
    await scene.until('it waits', () => flow.snapshot().stopped.length === 1)
    flow.running.pause('orders')
    isForbidden = false
    await scene.clock.advance(10_000)
    scene.write(orders, 2)
    scene.write({ topic: 'clicks', partition: 0 }, 2)
    await scene.clock.advance(10_000)
    assert.equal(scene.targetRecords(orders).length, 1, 'what was fetched goes out, nothing else is fetched')
    assert.equal(scene.targetRecords({ topic: 'clicks', partition: 0 }).length, 2)
    assert.equal(flow.snapshot().partitions.paused, 1)
    flow.running.resume('orders')
    await flow.catchUp('exact')
    await flow.drain()
  })

  test('a topic that the topology pauses is created and waits', async () => {
    const scene = new FlowScene({ flow: { paused: [{ kind: 'name', name: 'orders' }] } })
    scene.create('orders')
    scene.write(orders, 2)
    const flow = scene.start()
    await scene.clock.advance(5000)
    assert.equal(scene.targetRecords(orders).length, 0)
    assert.equal(flow.snapshot().partitions.paused, 1)
    await flow.drain()
  })

  // Few batches: sequences that start over look like repeats of the first life's. Many: they are out of order.
  for (const count of [5, 9]) {
    test(`a topic out of sight for a while goes on where it was, after ${count} batches`, () =>
      outOfSight(count))
  }

  async function outOfSight(count: number): Promise<void> {
    const scene = new FlowScene()
    scene.create('orders')
    let isHidden = false
    const flow = scene.start({ sourceRefusals: { hides: (topic) => isHidden && topic === 'orders' } })
    for (let i = 0; i < count; i++) scene.write(orders, 1)
    await flow.catchUp('exact')
    isHidden = true
    await scene.until('it is let go', () => flow.snapshot().partitions.total === 0)
    for (let i = 0; i < 5; i++) scene.write(orders, 1)
    isHidden = false
    await flow.catchUp('exact')
    await flow.drain()
  }

  test('more partitions on the target than on the source: numbers are kept', async () => {
    const scene = new FlowScene()
    scene.create('orders', 2)
    scene.createTarget('us-east.orders', 5)
    scene.write({ topic: 'orders', partition: 1 }, 3)
    const flow = scene.start()
    await flow.catchUp('exact')
    assert.equal(scene.events.filter(({ kind }) => kind === 'target-topic-wider').length, 1)
    await flow.drain()
  })

  test('identity naming keeps the name', async () => {
    const scene = new FlowScene({ flow: { naming: { kind: 'identity' } } })
    scene.create('orders')
    scene.write(orders, 3)
    const flow = scene.start()
    await flow.catchUp('exact')
    assert.equal(scene.target.topics.byName('orders')?.partitions.length, 1)
    await flow.drain()
  })
})

describe('batches that cannot pass as they are', () => {
  test('compaction gaps, tombstones and empty batches: readers of both sides see the same', async () => {
    const scene = new FlowScene()
    scene.create('state', 1, { 'cleanup.policy': 'compact' })
    const state = { topic: 'state', partition: 0 }
    for (let i = 0; i < 20; i++) scene.write(state, 5, { codec: i % 3 === 0 ? 'gzip' : 'none' })
    scene.source.compact(state)
    scene.write(state, 2)
    const flow = scene.start()
    await flow.catchUp('exact')
    assert((flow.snapshot().reencoded['compacted-gaps'] ?? 0) > 0)
    await flow.drain()
  })

  test('append times are kept, and the memory of re-encoded batches is bounded too', async () => {
    const scene = new FlowScene({
      flow: { configSync: { mode: 'off', exclude: [], defaultsFrom: 'target' } },
    })
    scene.create('stamped', 3, { 'message.timestamp.type': 'LogAppendTime' })
    scene.createTarget('us-east.stamped', 3)
    for (let i = 0; i < 120; i++) {
      scene.write({ topic: 'stamped', partition: i % 3 }, 2, {}, 2000)
      await scene.clock.advance(5)
    }
    let isStopped = true
    const flow = scene.start({
      targetRefusals: { produce: ({ topic }) => (isStopped && topic.endsWith('stamped') ? 19 : undefined) },
    })
    let most = 0
    for (let i = 0; i < 100; i++) {
      await scene.clock.advance(100)
      most = Math.max(most, flow.snapshot().bufferedBytes)
    }
    assert(most > 60_000, `re-encoded batches are counted: ${most}`)
    assert(most < 3 * (32 + 16 + 16) * 1024, `and bounded: ${most}`)
    isStopped = false
    await flow.catchUp('exact')
    assert((flow.snapshot().reencoded['log-append-time'] ?? 0) >= 120)
    await flow.drain()
  })

  test('a target that stamps records itself takes the batches as they are', async () => {
    const scene = new FlowScene()
    scene.create('stamped', 1, { 'message.timestamp.type': 'LogAppendTime' })
    scene.write({ topic: 'stamped', partition: 0 }, 2)
    const flow = scene.start()
    await scene.until(
      'they are there',
      () => scene.targetRecords({ topic: 'stamped', partition: 0 }).length === 2,
    )
    assert.deepEqual(flow.snapshot().reencoded, {})
    await flow.drain()
  })

  test('a batch over the target’s limit is split, those around it keep their order', async () => {
    const scene = new FlowScene({
      flow: { configSync: { mode: 'off', exclude: [], defaultsFrom: 'target' } },
    })
    scene.create('orders')
    scene.createTarget('us-east.orders', 1, { 'max.message.bytes': '3000' })
    for (let i = 0; i < 6; i++) scene.write(orders, i % 2 === 0 ? 1 : 12, {}, 600)
    const flow = scene.start()
    await flow.catchUp('exact')
    assert.equal(flow.snapshot().reencoded.oversize, 3)
    await flow.drain()
  })

  test('the limit shrinks under way, or cannot be read at all: the refused batch is split', async () => {
    const scene = new FlowScene({
      flow: { configSync: { mode: 'off', exclude: [], defaultsFrom: 'target' } },
    })
    scene.create('orders')
    scene.createTarget('us-east.orders', 1, { 'max.message.bytes': '3000' })
    for (let i = 0; i < 12; i++) scene.write(orders, i % 2 === 0 ? 1 : 12, {}, 600)
    const flow = scene.start({ targetRefusals: { hidesConfigs: () => true } })
    await flow.catchUp('at-least-once')
    assert((flow.snapshot().reencoded.oversize ?? 0) >= 6)
    await flow.drain()
  })

  test('a record that fits no batch stops its partition and says what to raise', async () => {
    for (const hidesConfigs of [true, false]) {
      const scene = new FlowScene({
        flow: { configSync: { mode: 'off', exclude: [], defaultsFrom: 'target' } },
      })
      scene.create('orders', 2)
      scene.createTarget('us-east.orders', 2, { 'max.message.bytes': '3000' })
      scene.write(orders, 2)
      scene.write(orders, 1, {}, 5000)
      scene.write(orders, 1)
      scene.write({ topic: 'orders', partition: 1 }, 2)
      const flow = scene.start({ targetRefusals: { hidesConfigs: () => hidesConfigs } })
      await scene.until('it stops', () => flow.snapshot().stopped.length === 1)
      await flow.catchUp('exact', [{ topic: 'orders', partition: 1 }])
      await scene.until('what was before is there', () => scene.targetRecords(orders).length === 2)
      const [stopped] = flow.snapshot().stopped
      assert.deepEqual([stopped?.topic, stopped?.partition], ['orders', 0])
      assert.match(stopped?.reason ?? '', /offset 2/)
      assert.match(stopped?.wayOut ?? '', /Raise max\.message\.bytes/)
      await flow.drain()
      // The way out works, and nothing before it is copied again.
      scene.target.topics.alter('us-east.orders', [{ kind: 'set', name: 'max.message.bytes', value: '9000' }])
      const next = scene.start()
      await next.catchUp('exact')
      await next.drain()
    }
  })

  test('config sync raises the limit under way: no batch is split for the old one', async () => {
    const scene = new FlowScene()
    scene.create('orders', 1, { 'max.message.bytes': '3000' })
    const flow = scene.start()
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    scene.source.topics.alter('orders', [{ kind: 'set', name: 'max.message.bytes', value: '20000' }])
    await scene.until('the target follows', () => scene.events.some(({ kind }) => kind === 'configs-changed'))
    await scene.clock.advance(100)
    scene.write(orders, 12, {}, 600)
    await flow.catchUp('exact')
    assert.deepEqual(flow.snapshot().reencoded, {})
    await flow.drain()
  })
})

describe('partitions that cannot go on', () => {
  test('a corrupt batch stops its partition alone, behind everything that came before it', async () => {
    const scene = new FlowScene()
    scene.create('orders', 2)
    scene.write(orders, 3)
    scene.write(orders, 2)
    scene.write(orders, 1)
    scene.write(orders, 1)
    const bytes = scene.source.log(orders).batches[2]!.bytes
    bytes[bytes.length - 2]! ^= 1
    const flow = scene.start()
    scene.write({ topic: 'orders', partition: 1 }, 4)
    await flow.catchUp('exact', [{ topic: 'orders', partition: 1 }])
    await scene.until('what was before is there', () => scene.targetRecords(orders).length === 5)
    const [stopped] = flow.snapshot().stopped
    assert.match(stopped?.reason ?? '', /orders partition 0 at source offset 5.*checksum/)
    assert.match(stopped?.wayOut ?? '', /kafka-dump-log/)
    assert.equal(scene.events.filter(({ kind }) => kind === 'partition-stopped').length, 1)
    await flow.drain()
    bytes[bytes.length - 2]! ^= 1
    const next = scene.start()
    await next.catchUp('exact')
    await next.drain()
  })

  test('records that retention took before they were copied stop the partition, until the gap is accepted', async () => {
    const scene = new FlowScene()
    scene.create('orders', 2)
    scene.write(orders, 3)
    const first = scene.start()
    await first.catchUp('exact')
    await first.drain()
    for (let i = 0; i < 4; i++) scene.write(orders, 2)
    scene.source.deleteRecords(orders, 7n)
    const stops = scene.start()
    await scene.until('it stops', () => stops.snapshot().stopped.length === 1)
    const [stopped] = stops.snapshot().stopped
    assert.match(stopped?.reason ?? '', /deleted offsets 3 to 6/)
    assert.match(stopped?.wayOut ?? '', /--accept-gap orders\/0/)
    scene.write({ topic: 'orders', partition: 1 }, 2)
    await stops.catchUp('exact', [{ topic: 'orders', partition: 1 }])
    assert.equal(scene.targetRecords(orders).length, 3)
    await stops.drain()
    const goesOn = scene.start({ acceptsGap: (topic, partition) => topic === 'orders' && partition === 0 })
    await scene.until('the rest is there', () => scene.targetRecords(orders).length === 7)
    assert.deepEqual(scene.targetRecords(orders).slice(3), scene.sourceRecords(orders))
    const [gap] = scene.events.filter((event) => event.kind === 'gap-accepted')
    assert.deepEqual([gap?.fromOffset, gap?.toOffset], [3n, 7n])
    await goesOn.drain()
  })

  test('an accepted gap that opens while batches are on their way is passed once they arrived', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    let delayMs = 0
    const flow = scene.start({
      acceptsGap: () => true,
      targetFaults: ({ kind }) => (kind === 'produce' ? { requestDelayMs: delayMs } : undefined),
    })
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    delayMs = 5000
    scene.write(orders, 2)
    await scene.clock.advance(500)
    for (let i = 0; i < 3; i++) scene.write(orders, 2)
    scene.source.log(orders).moveLogStart(6n)
    await scene.until('the rest is there', () => scene.targetRecords(orders).length === 4)
    assert.deepEqual(flow.snapshot().stopped, [])
    await flow.drain()
  })

  test('a partition that begins where its source begins follows retention until its first fetch', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    for (let i = 0; i < 4; i++) scene.write(orders, 2)
    const flow = scene.start({
      sourceFaults: ({ kind }) => {
        if (kind === 'fetch' && scene.source.log(orders).logStart === 0n)
          scene.source.deleteRecords(orders, 4n)
        return undefined
      },
    })
    await flow.catchUp('exact')
    assert.equal(scene.targetRecords(orders).length, 4)
    await flow.drain()
  })

  test('a source that ends before what was copied stops the partition', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    for (let i = 0; i < 4; i++) scene.write(orders, 2)
    const flow = scene.start()
    await flow.catchUp('exact')
    scene.source.log(orders).truncate(4n)
    await scene.until('it stops', () => flow.snapshot().stopped.length === 1)
    assert.match(flow.snapshot().stopped[0]?.reason ?? '', /ends at offset 4, before 8/)
    await flow.drain()
  })

  test('timestamps and missing keys that the target refuses stop with what to change', async () => {
    const scene = new FlowScene({
      flow: { configSync: { mode: 'off', exclude: [], defaultsFrom: 'target' } },
    })
    for (const topic of ['late', 'keyless'])
      scene.create(topic, 1, { 'message.timestamp.after.max.ms': '9999999999999' })
    scene.createTarget('us-east.late')
    scene.createTarget('us-east.keyless', 1, { 'cleanup.policy': 'compact' })
    const record = scene.records(1)[0]!
    const put = (topic: string, change: object) => {
      const [answer] = scene.source.produce(brokerId(1), [
        { topic, partition: 0, batch: buildBatch([{ ...record, ...change }]) },
      ])
      assert(answer?.ok)
    }
    put('late', { timestampMs: scene.clock.wallMs() + 7_200_000 })
    put('keyless', { key: null })
    const flow = scene.start()
    await scene.until('both stop', () => flow.snapshot().stopped.length === 2)
    const wayOut = (topic: string) => flow.snapshot().stopped.find((one) => one.topic === topic)?.wayOut ?? ''
    assert.match(wayOut('late'), /message\.timestamp\.after\.max\.ms/)
    assert.match(wayOut('keyless'), /cleanup\.policy/)
    await flow.drain()
  })
})

describe('bounded memory', () => {
  test('a slow target holds the source back', async () => {
    const scene = new FlowScene({ brokers: 3 })
    scene.create('orders', 6)
    for (let i = 0; i < 1200; i++) scene.write({ topic: 'orders', partition: i % 6 }, 1, {}, 1000)
    const flow = scene.start({
      targetFaults: ({ kind }) => (kind === 'produce' ? { requestDelayMs: 200 } : undefined),
    })
    let most = 0
    await scene.until('everything is copied', () => {
      most = Math.max(most, flow.snapshot().bufferedBytes)
      return flow.snapshot().records === 1200
    })
    // The bound, and what fetches brought beyond what they had reserved.
    assert(most <= 256 * 1024 + 6 * 2048, `at most ${most} bytes were buffered`)
    assert(most > 64 * 1024, `the bound was met: ${most}`)
    for (const at of scene.partitions) checkCopy(scene, at, 'exact')
    await flow.drain()
  })

  test('topics that may not be written wait, say so once, keep no memory from the others, and recover', async () => {
    const scene = new FlowScene()
    scene.create('forbidden', 12)
    scene.create('orders', 1)
    for (let i = 0; i < 600; i++) scene.write({ topic: 'forbidden', partition: i % 12 }, 1, {}, 1000)
    let isForbidden = true
    const flow = scene.start({
      limits: { bufferBytesMax: 96 * 1024 },
      targetRefusals: {
        produce: ({ topic }) => (isForbidden && topic.endsWith('forbidden') ? 29 : undefined),
      },
    })
    await scene.clock.advance(20_000)
    for (let i = 0; i < 200; i++) scene.write(orders, 1, {}, 1000)
    await flow.catchUp('exact', [orders], 60_000)
    const waiting = flow.snapshot().stopped
    assert.equal(waiting.length, 12)
    assert.match(waiting[0]?.wayOut ?? '', /ACL|WRITE|Grant/i)
    isForbidden = false
    await flow.catchUp('exact')
    await scene.until('all run', () => flow.snapshot().partitions.running === 13)
    const said = (kind: string) => scene.events.filter((event) => event.kind === kind).length
    assert.equal(said('partition-waiting'), 12)
    assert.equal(said('partition-recovered'), 12)
    await flow.drain()
  })

  test('partitions without enough replicas keep no memory from the others', async () => {
    const scene = new FlowScene()
    scene.create('unsafe', 12)
    scene.create('orders', 1)
    for (let i = 0; i < 600; i++) scene.write({ topic: 'unsafe', partition: i % 12 }, 1, {}, 1000)
    let isUnsafe = true
    const flow = scene.start({
      limits: { bufferBytesMax: 96 * 1024 },
      targetRefusals: { produce: ({ topic }) => (isUnsafe && topic.endsWith('unsafe') ? 19 : undefined) },
    })
    await scene.clock.advance(20_000)
    for (let i = 0; i < 200; i++) scene.write(orders, 1, {}, 1000)
    await flow.catchUp('exact', [orders], 60_000)
    isUnsafe = false
    await flow.catchUp('exact')
    await flow.drain()
  })

  test('a dead target broker keeps no memory from the partitions of the others', async () => {
    const scene = new FlowScene({ brokers: 3, flow: { replicationFactor: 1, shards: 1 } })
    scene.create('orders', 18)
    const flow = scene.start({ limits: { bufferBytesMax: 96 * 1024 } })
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    const dead = brokerId(3)
    scene.target.stopBroker(dead)
    await scene.clock.advance(3000)
    for (let i = 0; i < 1800; i++) scene.write({ topic: 'orders', partition: i % 18 }, 1, {}, 1000)
    const alive = scene.partitions.filter(({ partition }) => partition % 3 !== 2)
    await flow.catchUp('exact', alive, 60_000)
    scene.target.startBroker(dead)
    await flow.catchUp('at-least-once')
    await flow.drain()
  })
})

test('a target broker out of reach keeps no memory from the partitions of the others', async () => {
  const scene = new FlowScene({ brokers: 3, flow: { replicationFactor: 1, shards: 1 } })
  scene.create('orders', 18)
  let isCutOff = false
  const flow = scene.start({
    limits: { bufferBytesMax: 96 * 1024 },
    targetRefusals: { cutsOff: (broker) => isCutOff && broker === 3 },
  })
  await scene.until('it runs', () => flow.snapshot().state === 'running')
  isCutOff = true
  for (let i = 0; i < 1800; i++) scene.write({ topic: 'orders', partition: i % 18 }, 1, {}, 1000)
  const reachable = scene.partitions.filter(({ partition }) => partition % 3 !== 2)
  await flow.catchUp('exact', reachable, 60_000)
  isCutOff = false
  await flow.catchUp('exact')
  await flow.drain()
})

describe('trouble while recovering', () => {
  test('a new producer id cannot be had for a while', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    let isDown = false
    let odd = 1
    const flow = scene.start({
      targetFaults: ({ kind }) =>
        isDown && kind === 'init-producer-id' ? { breakChannel: 'before' } : undefined,
      targetRefusals: { produce: ({ topic }) => (topic.endsWith('orders') && odd-- === 1 ? 59 : undefined) },
    })
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    isDown = true
    scene.write(orders, 2)
    await scene.clock.advance(10_000)
    assert.equal(scene.targetRecords(orders).length, 0)
    isDown = false
    await flow.catchUp('exact')
    await flow.drain()
  })

  test('offsets cannot be asked for while a position is out of range', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    let isDown = false
    const flow = scene.start({
      acceptsGap: () => true,
      sourceFaults: ({ kind }) =>
        isDown && kind === 'list-offsets' ? { breakChannel: 'before' } : undefined,
    })
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    isDown = true
    for (let i = 0; i < 3; i++) scene.write(orders, 2)
    scene.source.log(orders).moveLogStart(4n)
    await scene.clock.advance(10_000)
    isDown = false
    await scene.until('the rest is there', () => scene.targetRecords(orders).length === 2)
    await flow.drain()
  })

  test('progress cannot be written at the start: the partitions are read once it can', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    scene.write(orders, 2)
    let isForbidden = true
    const flow = scene.start({
      targetRefusals: {
        produce: ({ topic }) => (isForbidden && topic === 'causeway.test.progress' ? 29 : undefined),
      },
    })
    await scene.clock.advance(5000)
    assert.equal(scene.targetRecords(orders).length, 0, 'nothing goes out before the start is written')
    assert.match(flow.snapshot().trouble ?? '', /progress/)
    isForbidden = false
    await flow.catchUp('exact')
    await flow.drain()
  })

  test('one dead broker of three is told once and recovers once, while the others answer', async () => {
    const scene = new FlowScene({ brokers: 3, flow: { replicationFactor: 1 } })
    scene.create('orders', 3, {}, 1)
    const flow = scene.start()
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    const dead = brokerId(2)
    scene.source.stopBroker(dead)
    for (let i = 0; i < 50; i++) {
      scene.write({ topic: 'orders', partition: 0 }, 1)
      await scene.clock.advance(200)
    }
    assert.match(flow.snapshot().trouble ?? '', /broker 2/)
    scene.source.startBroker(dead)
    await scene.until('it is over', () => flow.snapshot().trouble === undefined)
    const said = (kind: string) => scene.events.filter((event) => event.kind === kind).length
    // The connection breaks, then nothing listens there: two reasons at most.
    assert(said('cluster-trouble') <= 2, `${said('cluster-trouble')} times`)
    assert.equal(said('cluster-recovered'), 1)
    await flow.catchUp('exact')
    await flow.drain()
  })

  test('a source partition that keeps failing is asked ever more rarely', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    let asked = 0
    let isFailing = true
    const flow = scene.start({
      sourceRefusals: {
        fetch: () => {
          if (isFailing) asked++
          return isFailing ? 56 : undefined
        },
      },
    })
    await scene.clock.advance(60_000)
    assert(asked > 10 && asked < 110, `${asked} times in a minute`)
    isFailing = false
    scene.write(orders, 2)
    await flow.catchUp('exact')
    await flow.drain()
  })
})
