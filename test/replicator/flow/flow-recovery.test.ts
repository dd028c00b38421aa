import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { FlowScene } from './flow-scene.ts'

const orders = { topic: 'orders', partition: 0 }

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
    await flow.catchUp()
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
    await flow.catchUp()
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
    await flow.catchUp()
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
    await flow.catchUp()
    await flow.drain()
  })
})
