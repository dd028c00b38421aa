import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { checkCopy, FlowScene } from './flow-scene.ts'

const orders = { topic: 'orders', partition: 0 }

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
    for (const at of scene.partitions) checkCopy(scene, at)
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
    await flow.catchUp([orders], 60_000)
    const waiting = flow.snapshot().stopped
    assert.equal(waiting.length, 12)
    assert.match(waiting[0]?.wayOut ?? '', /ACL|WRITE|Grant/i)
    isForbidden = false
    await flow.catchUp()
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
    await flow.catchUp([orders], 60_000)
    isUnsafe = false
    await flow.catchUp()
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
    await flow.catchUp(alive, 60_000)
    scene.target.startBroker(dead)
    await flow.catchUp()
    await flow.drain()
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
    await flow.catchUp(reachable, 60_000)
    isCutOff = false
    await flow.catchUp()
    await flow.drain()
  })
})
