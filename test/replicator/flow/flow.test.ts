import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
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
})
