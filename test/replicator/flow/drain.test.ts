import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FlowScene, type SceneFlow } from './flow-scene.ts'

const orders = { topic: 'orders', partition: 0 }
const drainTimeoutMs = 30_000

async function drainDurationMs(scene: FlowScene, flow: SceneFlow): Promise<number> {
  const from = scene.clock.monotonicMs()
  await flow.drain(drainTimeoutMs)
  return scene.clock.monotonicMs() - from
}

describe('a drain', () => {
  test('does not wait for partitions that the target refuses', async () => {
    const scene = new FlowScene()
    scene.create('forbidden', 3)
    scene.create('orders')
    let isForbidden = true
    const flow = scene.start({
      targetRefusals: {
        produce: ({ topic }) => (isForbidden && topic.endsWith('forbidden') ? 29 : undefined),
      },
    })
    for (let i = 0; i < 9; i++) scene.write({ topic: 'forbidden', partition: i % 3 })
    scene.write(orders, 5)
    await flow.catchUp([orders])
    await scene.until('they wait', () => flow.snapshot().partitions.stopped === 3)
    assert.ok((await drainDurationMs(scene, flow)) < drainTimeoutMs / 10)

    isForbidden = false
    const next = scene.start()
    await next.catchUp()
    await next.drain()
  })

  test('does not wait for partitions without a leader', async () => {
    const scene = new FlowScene({ brokers: 3, flow: { replicationFactor: 1, shards: 1 } })
    scene.create('orders', 6)
    const flow = scene.start()
    await scene.until('it runs', () => flow.snapshot().state === 'running')
    const dead = 3 as (typeof scene.target.brokers)[number]
    scene.target.stopBroker(dead)
    for (const at of scene.partitions) scene.write(at, 3)
    const alive = scene.partitions.filter(({ partition }) => partition % 3 !== 2)
    await flow.catchUp(alive)
    await scene.until('the others are fetched', () => flow.snapshot().bufferedBytes > 0)
    assert.ok((await drainDurationMs(scene, flow)) < drainTimeoutMs / 10)

    scene.target.startBroker(dead)
    const next = scene.start()
    await next.catchUp()
    await next.drain()
  })

  test('waits for a slow target', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    const flow = scene.start({
      targetFaults: ({ kind }) => (kind === 'produce' ? { answerDelayMs: 4000 } : undefined),
    })
    scene.write(orders, 5)
    await scene.until('a batch is under way', () => flow.snapshot().bufferedBytes > 0)
    await flow.drain(drainTimeoutMs)
    assert.equal(scene.targetRecords(orders).length, 5)
    assert.equal(flow.snapshot().records, 5)
  })
})
