import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId, type TopicPartition } from '../../../replicator/kafka/cluster.ts'
import type { RegisteredProducer } from '../../../replicator/provenance/origins.ts'
import { isControl, producerId } from '../../../replicator/records/batch-header.ts'
import type { ShardClaims, ShardHolder } from '../../../replicator/shards/shard-claims.ts'
import { shardOf } from '../../../replicator/shards/shard-of.ts'
import { checkCopy, FlowScene, type SceneFlow } from './flow-scene.ts'
import { Suspension } from './suspension.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const partitions = 9

/** Claims as the test makes them. */
class HandClaims implements ShardClaims {
  holder: ShardHolder | undefined

  async run(holder: ShardHolder, signal: AbortSignal): Promise<void> {
    this.holder = holder
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  }

  get held(): ShardHolder {
    return this.holder ?? assert.fail('the flow has not asked for claims yet')
  }
}

function sceneOf(options: ConstructorParameters<typeof FlowScene>[0] = {}): FlowScene {
  const scene = new FlowScene(options)
  scene.create('orders', partitions)
  return scene
}

const at = (partition: number): TopicPartition => ({ topic: 'orders', partition })
const inShard = (scene: FlowScene, shard: number) =>
  scene.partitions.filter(({ topic, partition }) => shardOf(topic, partition, scene.flow.shards) === shard)

function writeEverywhere(scene: FlowScene, count = 1): void {
  for (const place of scene.partitions) scene.write(place, count)
}

/** A flow whose shards the test deals out. */
async function dealt(scene: FlowScene, options: Parameters<FlowScene['start']>[0] = {}) {
  const claims = new HandClaims()
  const flow = scene.start({ ...options, claims })
  await scene.until('it asks for shards', () => claims.holder !== undefined)
  return { flow, holder: claims.held }
}

const kinds = (flow: SceneFlow, kind: string) => flow.events.filter((event) => event.kind === kind)
const copied = (scene: FlowScene, places: readonly TopicPartition[]) =>
  places.reduce((sum, place) => sum + scene.targetRecords(place).length, 0)

describe('the shards of a flow', () => {
  test('only what is claimed is copied, and each shard can go to another flow and back', async () => {
    const scene = sceneOf()
    writeEverywhere(scene, 3)
    const [one, other] = [await dealt(scene), await dealt(scene)]
    one.holder.claim([0, 1])
    await one.flow.catchUp([...inShard(scene, 0), ...inShard(scene, 1)])
    assert.equal(copied(scene, inShard(scene, 2)), 0)
    assert.deepEqual(one.flow.snapshot().shards, [0, 1])
    other.holder.claim([2])
    await other.flow.catchUp()
    for (let round = 0; round < 4; round++) {
      const [from, to] = round % 2 === 0 ? [one, other] : [other, one]
      writeEverywhere(scene)
      await scene.clock.advance(round * 13)
      await scene.run(() => from.holder.release([0]))
      assert(!from.flow.snapshot().shards.includes(0))
      to.holder.claim([0])
      writeEverywhere(scene)
      await to.flow.catchUp()
    }
    for (const { flow } of [one, other]) assert.deepEqual(kinds(flow, 'shard-lost'), [])
    await one.flow.destroy()
    await other.flow.destroy()
  })

  test('a release waits for what is in flight and writes progress: the next owner has nothing to find out', async () => {
    const scene = sceneOf()
    let delayMs = 0
    const one = await dealt(scene, {
      targetFaults: ({ kind }) => (kind === 'produce' ? { answerDelayMs: delayMs } : undefined),
    })
    writeEverywhere(scene)
    one.holder.claim([0, 1, 2])
    await one.flow.catchUp()
    delayMs = 3000
    writeEverywhere(scene)
    await scene.clock.advance(500)
    await scene.run(() => one.holder.release([0, 1, 2]))
    assert.equal(one.flow.snapshot().bufferedBytes, 0)
    assert.equal(copied(scene, scene.partitions), 2 * partitions)
    const next = scene.start()
    await scene.until('it runs', () => next.snapshot().state === 'running')
    const started = kinds(next, 'partition-started')
    assert.equal(started.length, partitions)
    for (const event of started)
      assert(event.kind === 'partition-started' && event.recovered === 0 && event.sourceNext === 2n)
    await next.catchUp()
    await next.drain()
    await one.flow.destroy()
  })

  test('claimed again while it is being released, a shard is held on', async () => {
    const scene = sceneOf()
    let delayMs = 0
    const one = await dealt(scene, {
      targetFaults: ({ kind }) => (kind === 'produce' ? { answerDelayMs: delayMs } : undefined),
    })
    writeEverywhere(scene)
    one.holder.claim([0])
    await one.flow.catchUp(inShard(scene, 0))
    delayMs = 2000
    writeEverywhere(scene)
    await scene.clock.advance(300)
    const released = one.holder.release([0])
    await scene.clock.advance(100)
    one.holder.claim([0])
    await scene.run(() => released)
    delayMs = 0
    writeEverywhere(scene)
    await one.flow.catchUp(inShard(scene, 0))
    await one.flow.destroy()
  })

  test('a lost shard stops at once; it can be claimed again', async () => {
    const scene = sceneOf()
    const one = await dealt(scene, {
      targetFaults: ({ kind }) => (kind === 'produce' ? { requestDelayMs: 50 } : undefined),
    })
    writeEverywhere(scene)
    one.holder.claim([0, 1, 2])
    await one.flow.catchUp()
    writeEverywhere(scene)
    await scene.clock.advance(120)
    one.holder.lose([0, 1])
    assert.deepEqual(one.flow.snapshot().shards, [2])
    const before = copied(scene, inShard(scene, 0))
    writeEverywhere(scene)
    await scene.clock.advance(5000)
    assert(copied(scene, inShard(scene, 0)) <= before + inShard(scene, 0).length)
    await one.flow.catchUp(inShard(scene, 2))
    one.holder.claim([0, 1])
    await one.flow.catchUp()
    await one.flow.destroy()
  })

  test('two flows that both believe to own everything fence each other and copy nothing twice', async () => {
    const scene = sceneOf()
    const [one, other] = [scene.start(), scene.start()]
    for (let i = 0; i < 60; i++) {
      writeEverywhere(scene)
      await scene.clock.advance(100 + 7 * i)
    }
    assert(kinds(one, 'shard-lost').length > 0 && kinds(other, 'shard-lost').length > 0)
    await one.destroy()
    await other.catchUp()
    await other.drain()
  })

  test('cut off, the records that were copied since the last progress are found in the logs', async () => {
    const scene = sceneOf()
    const first = scene.start({ limits: { progressIntervalMs: hourMs } })
    for (let i = 0; i < 3; i++) {
      writeEverywhere(scene, 2)
      await first.catchUp()
    }
    await first.destroy()
    writeEverywhere(scene)
    const second = scene.start()
    await second.catchUp()
    const started = kinds(second, 'partition-started')
    assert.equal(started.length, partitions)
    for (const event of started) assert(event.kind === 'partition-started' && event.recovered === 6)
    await second.drain()
  })

  test('a partition that comes later is fenced by itself, while the others go on', async () => {
    const scene = sceneOf()
    const flow = scene.start()
    writeEverywhere(scene)
    await flow.catchUp()
    scene.source.topics.grow('orders', partitions + 3)
    writeEverywhere(scene)
    await flow.catchUp()
    assert.equal(kinds(flow, 'partition-started').length, partitions + 3)
    await flow.drain()
    const next = scene.start()
    writeEverywhere(scene)
    await next.catchUp()
    await next.drain()
  })

  test('one that is tried again while others of its first attempt still start is started once', async () => {
    const scene = sceneOf({ flow: { shards: 1 } })
    scene.createTarget('us-east.orders', partitions)
    const leaderless = { topic: 'us-east.orders', partition: 4 }
    let delayMs = 0
    const { flow, holder } = await dealt(scene, {
      targetFaults: ({ kind }) => (kind === 'fetch' ? { answerDelayMs: delayMs } : undefined),
    })
    await scene.clock.advance(3000)
    scene.target.loseLeader(leaderless)
    delayMs = 2000
    holder.claim([0])
    await scene.clock.advance(2500)
    scene.target.moveLeader(leaderless, brokerId(1))
    await scene.clock.advance(30_000)
    const started = kinds(flow, 'partition-started')
    assert.deepEqual(
      started.map((event) => event.kind === 'partition-started' && event.partition).toSorted(),
      inShard(scene, 0).map(({ partition }) => partition),
    )
    writeEverywhere(scene)
    await flow.catchUp()
    await flow.drain()
  })

  test('one whose target has no leader is left for later, and holds up none of the others', async () => {
    const scene = sceneOf({ flow: { shards: 1 } })
    scene.createTarget('us-east.orders', partitions)
    const leaderless = { topic: 'us-east.orders', partition: 4 }
    scene.target.loseLeader(leaderless)
    writeEverywhere(scene, 2)
    const flow = scene.start()
    await flow.catchUp(scene.partitions.filter(({ partition }) => partition !== 4))
    assert.equal(copied(scene, [at(4)]), 0)
    scene.target.moveLeader(leaderless, brokerId(1))
    await flow.catchUp()
    await flow.drain()
  })

  test('every producer id is registered before its first batch', async () => {
    const scene = sceneOf()
    const registered: RegisteredProducer[] = []
    const registry = {
      register: async (producer: RegisteredProducer) => {
        for (const place of scene.partitions) {
          const topic = scene.target.topics.byName(scene.targetName(place.topic))
          for (const { bytes } of topic?.partitions[place.partition]?.log.batches ?? [])
            assert.notEqual(producerId(bytes, 0), producer.producerId)
        }
        await scene.clock.sleep(700)
        registered.push(producer)
      },
      formerly: async () => registered,
    }
    writeEverywhere(scene, 2)
    const flow = scene.start({ registry })
    await flow.catchUp()
    assert.deepEqual(registered.map(({ shard }) => shard).sort(), [0, 1, 2])
    const written = scene.partitions.flatMap(({ partition }) =>
      scene.target
        .log({ topic: 'us-east.orders', partition })
        .batches.map(({ bytes }) => producerId(bytes, 0)),
    )
    assert(written.length > 0)
    for (const id of written) assert(registered.some((entry) => entry.producerId === id))
    await flow.drain()
  })

  test('without its progress a flow does not start over', async () => {
    const scene = sceneOf()
    const registered: RegisteredProducer[] = []
    const registry = {
      register: async (producer: RegisteredProducer) => void registered.push(producer),
      formerly: async () => registered,
    }
    writeEverywhere(scene, 2)
    const first = scene.start({ registry })
    await first.catchUp()
    await first.drain()
    scene.target.deleteTopic('causeway.test.progress')
    const next = scene.start({ registry })
    await scene.until('all are stopped', () => next.snapshot().stopped.length === partitions)
    assert.equal(copied(scene, scene.partitions), 2 * partitions)
    for (const { reason, wayOut } of next.snapshot().stopped) {
      assert.match(reason, /no progress|progress topic/)
      assert.match(wayOut, /causeway flow resume/)
    }
    await next.drain()
  })
})

describe('doubts about ownership', () => {
  /** A target that forgets producers after four minutes: its memory is relied on for two, a proof for half a minute. */
  const forgetful = { producerExpiry: { expirationMs: 4 * minuteMs, checkIntervalMs: 10_000 } }

  const asksOwner: readonly string[] = ['add-partitions-to-txn', 'end-txn', 'init-producer-id']

  function dataBatches(scene: FlowScene): number {
    return scene.partitions.reduce((sum, { partition }) => {
      const { batches } = scene.target.log({ topic: 'us-east.orders', partition })
      return sum + batches.filter(({ bytes }) => !isControl(bytes, 0)).length
    }, 0)
  }

  test('nothing is sent while nobody says that the shard is still ours', async () => {
    const scene = sceneOf({ target: forgetful })
    let isSilent = false
    const isControlRequest = (kind: string) => kind === 'add-partitions-to-txn' || kind === 'end-txn'
    const flow = scene.start({
      targetFaults: ({ kind }) =>
        isSilent && isControlRequest(kind) ? { breakChannel: 'before' } : undefined,
      targetRefusals: {
        produce: ({ topic }) => (isSilent && topic === 'causeway.test.progress' ? 19 : undefined),
      },
    })
    writeEverywhere(scene)
    await flow.catchUp()
    isSilent = true
    await scene.clock.advance(40_000)
    writeEverywhere(scene)
    await scene.clock.advance(20_000)
    assert.equal(copied(scene, scene.partitions), partitions)
    isSilent = false
    await flow.catchUp()
    assert.deepEqual(kinds(flow, 'shard-lost'), [])
    await flow.drain()
  })

  for (const [pauseMs, how] of [
    [20_000, 'amid sending'],
    [minuteMs, 'amid sending'],
    [5 * minuteMs, 'amid sending'],
    [5 * minuteMs, 'idle'],
  ] as const) {
    test(`a process that was stopped ${how} for ${pauseMs / 1000} s writes nothing when it goes on`, async () => {
      const scene = sceneOf({ target: forgetful })
      const suspension = new Suspension()
      let isHeld = false
      // When it goes on, whatever could tell it that it was fenced is slow; only its data gets through.
      let isBlind = false
      const zombie = scene.start({
        suspension,
        targetFaults: ({ kind }) => {
          // What it has fetched waits in its windows, some of it sent without an answer.
          if (kind === 'produce') return isHeld ? { lose: 'answer' } : undefined
          return isBlind && asksOwner.includes(kind) ? { requestDelayMs: 3000 } : undefined
        },
        targetRefusals: {
          produce: ({ topic }) => (isBlind && topic === 'causeway.test.progress' ? 6 : undefined),
        },
      })
      writeEverywhere(scene, 2)
      await zombie.catchUp()
      await scene.clock.advance(1500)
      isHeld = how === 'amid sending'
      for (let i = 0; i < 12 && isHeld; i++) {
        writeEverywhere(scene)
        await scene.clock.advance(20)
      }
      suspension.stop()
      writeEverywhere(scene)
      const successor = scene.start()
      await successor.catchUp()
      await scene.clock.advance(pauseMs)
      const before = dataBatches(scene)
      isHeld = false
      isBlind = true
      suspension.goOn()
      await scene.clock.advance(2500)
      assert.equal(dataBatches(scene), before)
      isBlind = false
      // Until it takes the shards anew, which it may: nobody has told it that it must not.
      await scene.until('it notices', () => kinds(zombie, 'shard-lost').length === scene.flow.shards)
      assert.equal(dataBatches(scene), before)
      for (const place of scene.partitions) checkCopy(scene, place)
      await zombie.destroy()
      writeEverywhere(scene)
      await successor.catchUp()
      await successor.drain()
    })
  }

  test('a process that was stopped and was not missed goes on where it was', async () => {
    const scene = sceneOf({ target: forgetful })
    const suspension = new Suspension()
    const flow = scene.start({ suspension })
    writeEverywhere(scene, 2)
    await flow.catchUp()
    writeEverywhere(scene)
    await scene.clock.advance(20)
    suspension.stop()
    await scene.clock.advance(5 * minuteMs)
    suspension.goOn()
    writeEverywhere(scene)
    await flow.catchUp()
    assert.deepEqual(kinds(flow, 'shard-lost'), [])
    await flow.drain()
  })

  test('batches without an answer that are older than the target’s memory are looked for in its log', async () => {
    const scene = sceneOf({ target: forgetful })
    let isSilent = false
    const flow = scene.start({
      targetFaults: ({ kind }) => (isSilent && kind === 'produce' ? { lose: 'answer' } : undefined),
    })
    writeEverywhere(scene)
    await flow.catchUp()
    isSilent = true
    writeEverywhere(scene)
    await scene.clock.advance(5 * minuteMs)
    for (const { partition } of scene.partitions)
      scene.target.log({ topic: 'us-east.orders', partition }).producers.expire(Number.POSITIVE_INFINITY, 0)
    isSilent = false
    writeEverywhere(scene)
    await flow.catchUp()
    await flow.drain()
  })

  for (const code of [45, 46, 59]) {
    test(`a target that answers ${code} is asked by its log`, async () => {
      const scene = sceneOf()
      let odd = 0
      const flow = scene.start({
        targetRefusals: {
          produce: ({ topic }) => (topic.endsWith('orders') && odd-- > 0 ? code : undefined),
        },
      })
      writeEverywhere(scene, 2)
      await flow.catchUp()
      odd = 4
      for (let i = 0; i < 5; i++) {
        writeEverywhere(scene, 2)
        await scene.clock.advance(40)
      }
      await flow.catchUp()
      assert(kinds(flow, 'partition-started').length > partitions, 'some were taken anew')
      assert.deepEqual(flow.snapshot().stopped, [])
      await flow.drain()
    })
  }
})
