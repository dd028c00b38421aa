import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TransactionalWriter } from '../../simulation/transactional-writer.ts'
import { FlowScene } from './flow-scene.ts'

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
    await flow.catchUp()
    for (let i = 0; i < 20; i++) {
      scene.write({ topic: 'payments', partition: i % 2 }, 3, { codec: 'gzip' })
      await scene.clock.advance(7)
    }
    await flow.catchUp()
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
    await flow.catchUp()
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
    await second.catchUp()
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
    await last.catchUp()
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
    await next.catchUp()
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
    await flow.catchUp([
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
    await flow.catchUp()
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
    await flow.catchUp()
    isHidden = true
    await scene.until('it is let go', () => flow.snapshot().partitions.total === 0)
    for (let i = 0; i < 5; i++) scene.write(orders, 1)
    isHidden = false
    await flow.catchUp()
    await flow.drain()
  }

  test('more partitions on the target than on the source: numbers are kept', async () => {
    const scene = new FlowScene()
    scene.create('orders', 2)
    scene.createTarget('us-east.orders', 5)
    scene.write({ topic: 'orders', partition: 1 }, 3)
    const flow = scene.start()
    await flow.catchUp()
    assert.equal(scene.events.filter(({ kind }) => kind === 'target-topic-wider').length, 1)
    await flow.drain()
  })

  test('identity naming keeps the name', async () => {
    const scene = new FlowScene({ flow: { naming: { kind: 'identity' } } })
    scene.create('orders')
    scene.write(orders, 3)
    const flow = scene.start()
    await flow.catchUp()
    assert.equal(scene.target.topics.byName('orders')?.partitions.length, 1)
    await flow.drain()
  })
})
