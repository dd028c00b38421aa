import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FlowScene } from './flow-scene.ts'

const orders = { topic: 'orders', partition: 0 }

describe('batches that cannot pass as they are', () => {
  test('compaction gaps, tombstones and empty batches: readers of both sides see the same', async () => {
    const scene = new FlowScene()
    scene.create('state', 1, { 'cleanup.policy': 'compact' })
    const state = { topic: 'state', partition: 0 }
    for (let i = 0; i < 20; i++) scene.write(state, 5, { codec: i % 3 === 0 ? 'gzip' : 'none' })
    scene.source.compact(state)
    scene.write(state, 2)
    const flow = scene.start()
    await flow.catchUp()
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
    await flow.catchUp()
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
    await flow.catchUp()
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
    await flow.catchUp()
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
      await flow.catchUp([{ topic: 'orders', partition: 1 }])
      await scene.until('what was before is there', () => scene.targetRecords(orders).length === 2)
      const [stopped] = flow.snapshot().stopped
      assert.deepEqual([stopped?.topic, stopped?.partition], ['orders', 0])
      assert.match(stopped?.reason ?? '', /offset 2/)
      assert.match(stopped?.wayOut ?? '', /Raise max\.message\.bytes/)
      await flow.drain()
      // The way out works, and nothing before it is copied again.
      scene.target.topics.alter('us-east.orders', [{ kind: 'set', name: 'max.message.bytes', value: '9000' }])
      const next = scene.start()
      await next.catchUp()
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
    await flow.catchUp()
    assert.deepEqual(flow.snapshot().reencoded, {})
    await flow.drain()
  })
})
