import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Transaction } from '../../../replicator/kafka/cluster.ts'
import { isControl, isProducedBy } from '../../../replicator/records/batch-header.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import {
  addToTransaction,
  boundsOf,
  type FencePlace,
  type FenceRefusal,
  fenceFormer,
} from '../../../replicator/shards/fencing.ts'
import { formerProducers } from '../../../replicator/shards/former-producers.ts'
import { type AnsweredCodes, answeringCluster } from './answering-cluster.ts'
import { flow, progressTopic, ShardScene } from './shard-scene.ts'

const progress = { topic: progressTopic, partition: 0 }
const transactionalId = 'causeway.test.0'

class FenceScene extends ShardScene {
  readonly places: readonly FencePlace[]
  requests = 0

  constructor(partitions = 4) {
    super()
    this.create(this.target, progressTopic)
    this.create(this.target, 'us-east.orders', partitions)
    this.places = Array.from({ length: partitions }, (_, partition) => ({
      key: { flow, topic: 'orders', partition },
      target: { topic: 'us-east.orders', partition },
    }))
  }

  client(codes: AnsweredCodes = {}) {
    const connected = this.connect(this.target, () => {
      this.requests++
      return undefined
    })
    return answeringCluster(connected, codes)
  }

  async begin(): Promise<Transaction> {
    const identity = await this.run(this.connect(this.target).initProducerId(transactionalId))
    return { transactionalId, identity }
  }

  /** The partitions that hold a marker: `progress`, 0, 1, ... */
  marked(by?: { readonly producerId: bigint; readonly producerEpoch: number }): readonly (string | number)[] {
    const isMarked = (at: FencePlace['target']): boolean =>
      this.target
        .log(at)
        .batches.some(({ bytes }) => isControl(bytes, 0) && (by === undefined || isProducedBy(bytes, 0, by)))
    return [
      ...(isMarked(progress) ? ['progress'] : []),
      ...this.places.filter((place) => isMarked(place.target)).map((place) => place.target.partition),
    ]
  }

  async fence(codes: AnsweredCodes = {}, places = this.places) {
    const transaction = await this.begin()
    const target = this.client(codes)
    const refused = await this.run(addToTransaction(target, transaction, places, progress, this.signal))
    await this.run(target.endTransaction(transaction, 'abort'))
    await this.clock.advance(100)
    return refused
  }
}

const partitionsOf = (refused: ReadonlyMap<FencePlace, unknown>): readonly number[] =>
  [...refused.keys()].map(({ target }) => target.partition)

describe('adding partitions to a shard’s transaction', () => {
  test('all of them and the progress partition, in one request', async () => {
    const scene = new FenceScene(200)
    assert.equal((await scene.fence()).size, 0)
    assert.equal(scene.requests, 2)
    assert.equal(scene.marked().length, 201)
  })

  test('one that is refused does not keep the others from being fenced', async () => {
    const scene = new FenceScene()
    const refused = await scene.fence({
      add: ({ topic, partition }) => (topic === 'us-east.orders' && partition === 1 ? 29 : undefined),
    })
    assert.deepEqual(partitionsOf(refused), [1])
    const [refusal] = refused.values()
    assert.equal(refusal?.retriable, false)
    assert((refusal?.wayOut ?? '').length > 20)
    assert.deepEqual(scene.marked(), ['progress', 0, 2, 3])
  })

  test('several that are refused for several reasons', async () => {
    const scene = new FenceScene()
    const codes = new Map([
      [0, 29],
      [3, 3],
    ])
    const refused = await scene.fence({
      add: ({ topic, partition }) => (topic === 'us-east.orders' ? codes.get(partition) : undefined),
    })
    assert.deepEqual(partitionsOf(refused), [0, 3])
    assert.deepEqual(
      [...refused.values()].map(({ retriable }) => retriable),
      [false, true],
    )
    assert.deepEqual(scene.marked(), ['progress', 1, 2])
  })

  test('a topic that is gone takes nothing along', async () => {
    const scene = new FenceScene()
    const [first] = scene.places
    assert(first !== undefined)
    const gone = { ...first, target: { topic: 'gone', partition: 0 } }
    const refused = await scene.fence({}, [...scene.places, gone])
    assert.deepEqual([...refused.keys()], [gone])
    assert.deepEqual(scene.marked(), ['progress', 0, 1, 2, 3])
  })

  test('without the progress partition there is no fence', async () => {
    const scene = new FenceScene()
    const fencing = scene.fence({ add: ({ topic }) => (topic === progressTopic ? 29 : undefined) })
    await assert.rejects(fencing, { code: 29 })
    const all = scene.fence({ add: () => 29 })
    await assert.rejects(all, { code: 29 })
    assert.deepEqual(scene.marked(), [])
  })

  test('nothing but the progress partition', async () => {
    const scene = new FenceScene()
    await scene.fence({}, [])
    assert.deepEqual(scene.marked(), ['progress'])
  })
})

describe('fencing producers that nothing leads to any more', () => {
  const former = { producerId: 70n, producerEpoch: 3 }
  const fencing = { producerId: 70n, producerEpoch: 4 }

  test('their next epoch’s marker goes where they wrote, and to the progress partition', async () => {
    const scene = new FenceScene()
    const places = scene.places.slice(1, 3)
    const work = fenceFormer(scene.client(), [{ identity: former, places }], progress, scene.signal)
    assert.equal((await scene.run(work)).size, 0)
    assert.deepEqual(scene.marked(fencing), ['progress', 1, 2])
    const [place] = places
    assert(place !== undefined)
    const late = scene.write.bind(scene, scene.target, place.target, 1, { ...former, baseSequence: 0 })
    assert.throws(late, /47/)
  })

  test('one that is refused stays alone, and is told what is needed', async () => {
    const scene = new FenceScene()
    const work = fenceFormer(
      scene.client({
        mark: ({ topic, partition }) => (topic === progressTopic || partition !== 2 ? undefined : 31),
      }),
      [{ identity: former, places: scene.places }],
      progress,
      scene.signal,
    )
    const refused: ReadonlyMap<FencePlace, FenceRefusal> = await scene.run(work)
    assert.deepEqual(partitionsOf(refused), [2])
    assert.match([...refused.values()][0]?.wayOut ?? '', /CLUSTER_ACTION.*producer id 70/)
    assert.deepEqual(scene.marked(fencing), ['progress', 0, 1, 3])
  })

  test('without the progress partition nothing is taken over: refused where it is forbidden, tried again otherwise', async () => {
    const scene = new FenceScene()
    const fenceWith = (code: number) =>
      scene.run(
        fenceFormer(
          scene.client({ mark: ({ topic }) => (topic === progressTopic ? code : undefined) }),
          [{ identity: former, places: scene.places }],
          progress,
          scene.signal,
        ),
      )
    await assert.rejects(fenceWith(6), { code: 6 })
    const refused: ReadonlyMap<FencePlace, FenceRefusal> = await fenceWith(31)
    assert.equal(refused.size, scene.places.length)
    for (const { wayOut, retriable } of refused.values()) {
      assert.match(wayOut, /CLUSTER_ACTION/)
      assert.equal(retriable, false)
    }
  })

  test('are those that progress names, by id and with their latest epoch', () => {
    const scene = new FenceScene()
    const entry = (partition: number, id: bigint, epoch: number) => ({
      key: { flow, topic: 'orders', partition },
      progress: {
        topicId: undefined,
        targetTopicId: undefined,
        sourceNext: sourceOffset(0n),
        targetNext: targetOffset(0n),
        producer: { producerId: id, producerEpoch: epoch },
        sequence: 0,
        rule: 'everything' as const,
      },
    })
    const entries = [entry(0, 70n, 3), entry(1, 70n, 5), entry(2, 71n, 0), entry(3, 72n, 1)]
    const found = (places: readonly FencePlace[], everywhere: boolean) =>
      formerProducers(entries, places, new Set([72n]), everywhere).map(({ identity, places: at }) => [
        identity.producerId,
        identity.producerEpoch,
        at.map(({ target }) => target.partition),
      ])
    assert.deepEqual(found(scene.places, true), [
      [70n, 5, [0, 1]],
      [71n, 0, [2]],
    ])
    assert.deepEqual(found(scene.places.slice(0, 1), true), [
      [70n, 5, [0]],
      [71n, 0, []],
    ])
    assert.deepEqual(found(scene.places.slice(0, 1), false), [[70n, 3, [0]]])
  })
})

describe('where logs begin and end before they are fenced', () => {
  test('each partition by itself', async () => {
    const scene = new FenceScene()
    for (const { target } of scene.places) scene.write(scene.target, target, 3)
    scene.target.deleteRecords({ topic: 'us-east.orders', partition: 1 }, 2n)
    scene.target.loseLeader({ topic: 'us-east.orders', partition: 2 })
    const codes = { offsets: ({ partition }: { partition: number }) => (partition === 3 ? 29 : undefined) }
    const bounds = await scene.run(boundsOf(scene.client(codes), scene.places, scene.signal))
    const [first, second, third, fourth] = scene.places.map((place) => bounds.get(place))
    assert.deepEqual(first, { start: 0n, end: 3n })
    assert.deepEqual(second, { start: 2n, end: 3n })
    assert(third !== undefined && 'retriable' in third && third.retriable)
    assert(fourth !== undefined && 'retriable' in fourth && !fourth.retriable)
    assert(fourth.wayOut.length > 20)
  })

  test('nothing is asked about nothing', async () => {
    const scene = new FenceScene()
    assert.equal((await boundsOf(scene.client(), [], scene.signal)).size, 0)
    assert.equal(scene.requests, 0)
  })
})
