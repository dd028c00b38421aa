import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { FlowScene } from './flow-scene.ts'

const orders = { topic: 'orders', partition: 0 }

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
    await flow.catchUp([{ topic: 'orders', partition: 1 }])
    await scene.until('what was before is there', () => scene.targetRecords(orders).length === 5)
    const [stopped] = flow.snapshot().stopped
    assert.match(stopped?.reason ?? '', /orders partition 0 at source offset 5.*checksum/)
    assert.match(stopped?.wayOut ?? '', /kafka-dump-log/)
    assert.equal(scene.events.filter(({ kind }) => kind === 'partition-stopped').length, 1)
    await flow.drain()
    bytes[bytes.length - 2]! ^= 1
    const next = scene.start()
    await next.catchUp()
    await next.drain()
  })

  test('records that retention took before they were copied stop the partition, until the gap is accepted', async () => {
    const scene = new FlowScene()
    scene.create('orders', 2)
    scene.write(orders, 3)
    const first = scene.start()
    await first.catchUp()
    await first.drain()
    for (let i = 0; i < 4; i++) scene.write(orders, 2)
    scene.source.deleteRecords(orders, 7n)
    const stops = scene.start()
    await scene.until('it stops', () => stops.snapshot().stopped.length === 1)
    const [stopped] = stops.snapshot().stopped
    assert.match(stopped?.reason ?? '', /deleted offsets 3 to 6/)
    assert.match(stopped?.wayOut ?? '', /--accept-gap orders\/0/)
    scene.write({ topic: 'orders', partition: 1 }, 2)
    await stops.catchUp([{ topic: 'orders', partition: 1 }])
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
    await flow.catchUp()
    assert.equal(scene.targetRecords(orders).length, 4)
    await flow.drain()
  })

  test('a source that ends before what was copied stops the partition', async () => {
    const scene = new FlowScene()
    scene.create('orders')
    for (let i = 0; i < 4; i++) scene.write(orders, 2)
    const flow = scene.start()
    await flow.catchUp()
    scene.source.log(orders).truncate(4n)
    await scene.until('it stops', () => flow.snapshot().stopped.length === 1)
    assert.match(flow.snapshot().stopped[0]?.reason ?? '', /lost offsets 4 to 7|ends at offset 4, before 8/)
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
