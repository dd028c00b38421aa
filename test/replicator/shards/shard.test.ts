import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ProducerIdentity } from '../../../replicator/kafka/cluster.ts'
import {
  baseSequence,
  isControl,
  producerEpoch,
  producerId,
} from '../../../replicator/records/batch-header.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { ShardLostError } from '../../../replicator/shards/fenced.ts'
import type { FencePlace } from '../../../replicator/shards/fencing.ts'
import {
  decodeProgress,
  decodeProgressKey,
  type Progress,
} from '../../../replicator/shards/progress-record.ts'
import type { Shard } from '../../../replicator/shards/shard.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { buildBatch, readRecords } from '../../simulation/record-batches.ts'
import { flow, progressTopic, ShardScene } from './shard-scene.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const progressAt = { topic: progressTopic, partition: 0 }

function place(partition: number): FencePlace {
  return { key: { flow, topic: 'orders', partition }, target: { topic: 'us-east.orders', partition } }
}

function entry(partition: number, sourceNext: bigint, producer: ProducerIdentity) {
  const progress: Progress = {
    topicId: undefined,
    targetTopicId: undefined,
    sourceNext: sourceOffset(sourceNext),
    targetNext: targetOffset(sourceNext + 1n),
    producer,
    sequence: 0,
    rule: 'everything',
  }
  return { key: place(partition).key, progress }
}

function targetScene(partitions = 3): ShardScene {
  const scene = new ShardScene()
  scene.create(scene.target, 'us-east.orders', partitions)
  return scene
}

/** What a log's batches are by, oldest first: `70/3 marker`, `70/3 2 records`. */
function batchesOf(scene: ShardScene, at = progressAt): readonly string[] {
  return scene.target.log(at).batches.map(({ bytes }) => {
    const by = `${producerId(bytes, 0)}/${producerEpoch(bytes, 0)}`
    return `${by} ${isControl(bytes, 0) ? 'marker' : `${readRecords(bytes).length} records`}`
  })
}

/** What the log itself says of a partition's progress. */
function progressInLog(scene: ShardScene, partition: number): bigint | undefined {
  let found: bigint | undefined
  for (const { bytes } of scene.target.log(progressAt).batches) {
    if (isControl(bytes, 0)) continue
    for (const { key, value } of readRecords(bytes)) {
      if (key === null || decodeProgressKey(key)?.partition !== partition) continue
      found = value === null ? undefined : decodeProgress(value).sourceNext
    }
  }
  return found
}

const dataBy = (producer: ProducerIdentity, scene: ShardScene, sequence = 0) =>
  buildBatch(scene.records(1), { ...producer, baseSequence: sequence })

async function taken(scene: ShardScene, shard: Shard, partitions: readonly number[] = [0]) {
  const fenced = await scene.run(shard.fence(partitions.map(place), scene.signal))
  await scene.clock.advance(100)
  return fenced
}

describe('taking a shard over', () => {
  test('the first time: markers everywhere, no progress, the logs as they were before', async () => {
    const scene = targetScene()
    scene.write(scene.target, place(1).target, 5)
    const shard = await scene.shard()
    assert.equal(shard.isProven(), false)
    const { marker, formerIds, progressLost, places } = await taken(scene, shard, [0, 1])
    assert.deepEqual(marker, shard.identity)
    assert.deepEqual([...formerIds], [])
    assert.equal(progressLost, false)
    assert.deepEqual(
      places.map((one) => one.kind === 'fenced' && [one.progress, one.before?.start, one.before?.end]),
      [
        [undefined, 0n, 0n],
        [undefined, 0n, 5n],
      ],
    )
    const by = `${marker.producerId}/${marker.producerEpoch} marker`
    assert.deepEqual(batchesOf(scene, place(0).target), [by])
    assert.deepEqual(batchesOf(scene, place(1).target).at(-1), by)
    assert.deepEqual(batchesOf(scene, place(2).target), [])
    assert.deepEqual(batchesOf(scene), [by])
    assert.equal(shard.isProven(), true)
    assert.deepEqual(
      scene.registered.map(({ producerId, shard: index }) => [producerId, index]),
      [[marker.producerId, 0]],
    )
  })

  test('from another: it learns the progress, and the other writes nothing any more', async () => {
    const scene = targetScene()
    const [first, second] = [await scene.shard(), await scene.shard()]
    const { marker: before } = await taken(scene, first)
    await scene.run(first.write([entry(0, 7n, before)], scene.signal))
    const { marker, formerIds, places } = await taken(scene, second)
    assert.deepEqual(marker, { ...before, producerEpoch: before.producerEpoch + 1 })
    assert(formerIds.has(before.producerId))
    const [found] = places
    assert(found?.kind === 'fenced')
    assert.equal(found.progress?.sourceNext, 7n)
    assert.deepEqual(found.progress?.producer, before)
    const late = scene.tryAppend(scene.target, place(0).target, dataBy(before, scene))
    assert.deepEqual(late?.ok === false && late.code, 47)
    await assert.rejects(scene.run(first.write([entry(0, 9n, before)], scene.signal)), ShardLostError)
    await assert.rejects(scene.run(first.fence([place(1)], scene.signal)), ShardLostError)
    await assert.rejects(scene.run(first.prove(scene.signal, true)), ShardLostError)
    assert.equal(progressInLog(scene, 0), 7n)
    await scene.run(second.write([entry(0, 8n, marker)], scene.signal))
    assert.equal(progressInLog(scene, 0), 8n)
  })

  test('again for more partitions: a new epoch, while the others go on under their own', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    const first = await taken(scene, shard, [0])
    scene.append(scene.target, place(0).target, dataBy(first.marker, scene, 0))
    const second = await taken(scene, shard, [1])
    assert.equal(second.marker.producerEpoch, first.marker.producerEpoch + 1)
    scene.append(scene.target, place(0).target, dataBy(first.marker, scene, 1))
    scene.append(scene.target, place(1).target, dataBy(second.marker, scene, 0))
    await scene.run(shard.write([entry(0, 3n, first.marker)], scene.signal))
    assert.equal(
      batchesOf(scene).at(-1),
      `${second.marker.producerId}/${second.marker.producerEpoch} 1 records`,
    )
  })

  test('whatever a predecessor gets in before the marker is known, and nothing of it comes after', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 60 }), fc.nat(30), async (delayMs, headStartMs) => {
        const scene = targetScene()
        let isLate = false
        const slow: DecideFault = ({ kind }) =>
          isLate && kind === 'produce' ? { requestDelayMs: delayMs, arrivesAnyway: true } : undefined
        const [first, second] = [await scene.shard({}, slow), await scene.shard()]
        const { marker } = await taken(scene, first)
        await scene.run(first.write([entry(0, 7n, marker)], scene.signal))
        isLate = true
        const late = first.write([entry(0, 8n, marker)], scene.signal).catch(() => {})
        await scene.clock.advance(headStartMs)
        const fenced = await scene.run(second.fence([place(0)], scene.signal))
        await scene.run(late)
        const [found] = fenced.places
        assert(found?.kind === 'fenced')
        assert.equal(found.progress?.sourceNext, progressInLog(scene, 0))
        assert.equal(second.progressOf('orders', 0)?.sourceNext, progressInLog(scene, 0))
      }),
      { numRuns: 60 },
    )
  })

  test('an expired transactional id: the id that progress names is fenced by hand first', async () => {
    const scene = targetScene()
    const [first, second] = [await scene.shard(), await scene.shard()]
    const { marker: before } = await taken(scene, first, [0, 1])
    await scene.run(first.write([entry(0, 7n, before), entry(1, 7n, before)], scene.signal))
    scene.target.transactions.expire('causeway.test.0', 0)
    const { marker, formerIds } = await taken(scene, second, [0])
    assert.notEqual(marker.producerId, before.producerId)
    assert(formerIds.has(before.producerId))
    assert(!formerIds.has(marker.producerId), 'the new one has written nothing yet')
    assert.deepEqual(batchesOf(scene, place(0).target), [
      `${before.producerId}/${before.producerEpoch} marker`,
      `${before.producerId}/${before.producerEpoch + 1} marker`,
      `${marker.producerId}/${marker.producerEpoch} marker`,
    ])
    const late = scene.tryAppend(scene.target, place(0).target, dataBy(before, scene))
    assert.deepEqual(late?.ok === false && late.code, 47)
    await assert.rejects(scene.run(first.write([entry(1, 8n, before)], scene.signal)), ShardLostError)
    // A partition that joins later is fenced then.
    await taken(scene, second, [1])
    const later = scene.tryAppend(scene.target, place(1).target, dataBy(before, scene))
    assert.deepEqual(later?.ok === false && later.code, 47)
  })

  test('an id that may not be fenced by hand keeps its partition, not the others', async () => {
    const scene = targetScene()
    const first = await scene.shard()
    const { marker: before } = await taken(scene, first, [0, 1])
    await scene.run(first.write([entry(0, 7n, before), entry(1, 7n, before)], scene.signal))
    scene.target.transactions.expire('causeway.test.0', 0)
    const denied = await scene.shard({}, undefined, {
      mark: ({ topic, partition }) => (topic === 'us-east.orders' && partition === 1 ? 31 : undefined),
    })
    const { places } = await taken(scene, denied, [0, 1, 2])
    assert.deepEqual(
      places.map(({ kind }) => kind),
      ['fenced', 'refused', 'fenced'],
    )
    const [, refused] = places
    assert(refused?.kind === 'refused')
    assert.equal(refused.retriable, false)
    assert.match(refused.wayOut, /CLUSTER_ACTION/)
    assert.equal(batchesOf(scene, place(1).target).length, 1, 'it gets no marker of ours')
  })

  test('whoever else progress names is fenced on the progress partition, once', async () => {
    const scene = targetScene()
    const stranger = { producerId: 900n, producerEpoch: 2 }
    const [first, second] = [await scene.shard(), await scene.shard()]
    await taken(scene, first)
    await scene.run(first.write([entry(1, 7n, stranger)], scene.signal))
    const byHand = () => batchesOf(scene).filter((batch) => batch === '900/3 marker').length
    await taken(scene, second, [0])
    assert.equal(byHand(), 1)
    await taken(scene, second, [0])
    assert.equal(byHand(), 1)
    assert.deepEqual(batchesOf(scene, place(1).target), [])
    await taken(scene, second, [1])
    assert.deepEqual(batchesOf(scene, place(1).target).slice(0, 1), ['900/3 marker'])
  })

  test('epochs that run out: a new producer id, and the old one is fenced', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    await taken(scene, shard)
    const last = scene.target.transactions.setEpoch('causeway.test.0', 32_765)
    const next = await scene.shard()
    const { marker: before } = await taken(scene, next)
    assert.deepEqual(before, { ...last, producerEpoch: 32_766 })
    await scene.run(next.write([entry(0, 7n, before)], scene.signal))
    // Another id than before may also mean that the coordinator has forgotten ours, and whoever had it since.
    await assert.rejects(taken(scene, next), ShardLostError)
    const { marker, formerIds } = await taken(scene, await scene.shard())
    assert.notEqual(marker.producerId, before.producerId)
    assert(formerIds.has(before.producerId))
    assert.deepEqual(batchesOf(scene, place(0).target).slice(-2), [
      `${before.producerId}/32767 marker`,
      `${marker.producerId}/${marker.producerEpoch} marker`,
    ])
    assert(scene.registered.some(({ producerId }) => producerId === marker.producerId))
  })

  test('a progress topic that is another one by now is told', async () => {
    const scene = targetScene()
    await taken(scene, await scene.shard())
    const next = await scene.shard({ progressTopicId: 'another' })
    assert.equal((await taken(scene, next)).progressLost, true)
    const unknowing = await scene.shard({ registry: undefined })
    const { progressLost, formerIds } = await taken(scene, unknowing)
    assert.deepEqual(
      [progressLost, formerIds.size],
      [false, 1],
      'an id with a history tells without a registry',
    )
  })

  test('nothing is written before it was taken over', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    const writing = shard.write([entry(0, 1n, { producerId: 1n, producerEpoch: 0 })], scene.signal)
    await assert.rejects(scene.run(writing), /no producer/)
    assert.deepEqual(batchesOf(scene), [])
  })
})

describe('the progress of a shard', () => {
  test('concurrent writes share appends', async () => {
    const scene = targetScene()
    const shard = await scene.shard({}, ({ kind }) =>
      kind === 'produce' ? { answerDelayMs: 20 } : undefined,
    )
    const { marker } = await taken(scene, shard)
    const writes = Array.from({ length: 50 }, (_, partition) =>
      shard.write([entry(partition, 5n, marker)], scene.signal),
    )
    await scene.run(Promise.all(writes))
    assert(batchesOf(scene).length <= 4, `${batchesOf(scene)}`)
    for (let partition = 0; partition < 50; partition++) {
      assert.equal(progressInLog(scene, partition), 5n)
      assert.equal(shard.progressOf('orders', partition)?.sourceNext, 5n)
    }
  })

  test('more than fits into one batch is written in several', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    const { marker } = await taken(scene, shard)
    const many = Array.from({ length: 3000 }, (_, partition) => entry(partition, 5n, marker))
    await scene.run(shard.write(many, scene.signal))
    assert(batchesOf(scene).length > 2)
    assert.equal(progressInLog(scene, 2999), 5n)
    for (const { bytes } of scene.target.log(progressAt).batches) assert(bytes.length < 1_000_000)
  })

  test('a write that is given up takes none along that share its append', async () => {
    const scene = targetScene()
    let isSilent = false
    const faults: DecideFault = ({ kind }) =>
      isSilent && kind === 'produce' ? { lose: 'answer' } : undefined
    const shard = await scene.shard({}, faults)
    const { marker } = await taken(scene, shard)
    isSilent = true
    const cut = new AbortController()
    const given = shard.write([entry(0, 5n, marker)], cut.signal)
    const shared = shard.write([entry(1, 6n, marker)], scene.signal)
    await scene.clock.advance(50)
    const later = shard.write([entry(2, 7n, marker)], scene.signal)
    cut.abort(new Error('no time left'))
    await assert.rejects(given, /no time left/)
    isSilent = false
    await scene.run(Promise.all([shared, later]))
    assert.deepEqual([progressInLog(scene, 1), progressInLog(scene, 2)], [6n, 7n])
  })

  test('an append that was given up never stands for another one', async () => {
    const scene = targetScene()
    let isSilent = false
    const faults: DecideFault = ({ kind }) =>
      isSilent && kind === 'produce' ? { lose: 'answer' } : undefined
    const shard = await scene.shard({}, faults)
    const { marker } = await taken(scene, shard)
    isSilent = true
    const cut = new AbortController()
    const given = shard.write([entry(0, 5n, marker)], cut.signal)
    await scene.clock.advance(50)
    cut.abort(new Error('no time left'))
    await assert.rejects(given, /no time left/)
    isSilent = false
    await scene.run(shard.write([entry(0, 6n, marker)], scene.signal))
    assert.equal(progressInLog(scene, 0), 6n)
  })

  test('sequences that the broker has forgotten cost an epoch, not a record', async () => {
    const scene = targetScene()
    let forgotten = 0
    const shard = await scene.shard({}, undefined, {
      produce: ({ topic }) => (topic === progressTopic && forgotten-- > 0 ? 59 : undefined),
    })
    const { marker } = await taken(scene, shard)
    await scene.run(shard.write([entry(0, 5n, marker)], scene.signal))
    forgotten = 1
    await scene.run(shard.write([entry(0, 6n, marker)], scene.signal))
    assert.equal(progressInLog(scene, 0), 6n)
    assert.equal(shard.identity?.producerEpoch, marker.producerEpoch + 1)
    // The partition has no new marker: it goes on as it was.
    scene.append(scene.target, place(0).target, dataBy(marker, scene))
    const last = scene.target.log(progressAt).batches.at(-1)?.bytes ?? assert.fail()
    assert.equal(baseSequence(last, 0), 0)
  })

  test('a fence of its own that was cut short fences nobody out', async () => {
    const scene = targetScene()
    let isLost = false
    const shard = await scene.shard({}, ({ kind }) =>
      isLost && kind === 'end-txn' ? { lose: 'answer' } : undefined,
    )
    const { marker } = await taken(scene, shard)
    isLost = true
    await assert.rejects(scene.run(shard.fence([place(1)], scene.signal)), { kind: 'timeout' })
    isLost = false
    await scene.run(shard.write([entry(0, 6n, marker)], scene.signal))
    assert.equal(progressInLog(scene, 0), 6n)
  })

  test('what another shard has taken over is forgotten', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    const { marker } = await taken(scene, shard)
    await scene.run(shard.write([entry(0, 5n, marker), entry(1, 5n, marker)], scene.signal))
    await scene.run(shard.forget([place(0).key], scene.signal))
    assert.deepEqual([progressInLog(scene, 0), progressInLog(scene, 1)], [undefined, 5n])
    const next = await scene.shard()
    await taken(scene, next)
    assert.equal(next.progressOf('orders', 0), undefined)
    assert.equal(next.progressOf('orders', 1)?.sourceNext, 5n)
  })
})

describe('ownership of a shard', () => {
  test('is proven by every append, for a while', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    const { marker } = await taken(scene, shard)
    await scene.clock.advance(4 * minuteMs)
    assert.equal(shard.isProven(), true)
    await scene.run(shard.write([entry(0, 5n, marker)], scene.signal))
    await scene.clock.advance(4 * minuteMs)
    assert.equal(shard.isProven(), true)
    await scene.clock.advance(2 * minuteMs)
    assert.equal(shard.isProven(), false)
    await scene.run(shard.prove(scene.signal))
    assert.equal(shard.isProven(), true)
  })

  test('is not asked about while it is proven, unless in doubt', async () => {
    const scene = targetScene()
    let asked = 0
    const shard = await scene.shard({}, ({ kind }) => {
      if (kind === 'end-txn') asked++
      return undefined
    })
    await taken(scene, shard)
    assert.equal(asked, 1)
    await scene.run(shard.prove(scene.signal))
    assert.equal(asked, 1)
    await scene.run(shard.prove(scene.signal, true))
    assert.equal(asked, 2)
  })

  test('after a pause longer than the target’s memory nothing is written on the old consent', async () => {
    for (const isTaken of [true, false]) {
      const scene = targetScene()
      const [first, second] = [await scene.shard(), await scene.shard()]
      const { marker } = await taken(scene, first)
      await scene.run(first.write([entry(0, 5n, marker)], scene.signal))
      await scene.clock.advance(2 * dayMs)
      if (isTaken) await taken(scene, second)
      // The target has forgotten everything about us, a successor's marker too.
      scene.target.log(progressAt).producers.expire(Number.POSITIVE_INFINITY, 0)
      const writing = first.write([entry(0, 6n, marker)], scene.signal)
      if (isTaken) {
        await assert.rejects(scene.run(writing), ShardLostError)
        assert.equal(progressInLog(scene, 0), 5n)
      } else {
        await scene.run(writing)
        assert.equal(progressInLog(scene, 0), 6n)
        assert.equal(first.identity?.producerEpoch, marker.producerEpoch + 1)
      }
    }
  })

  test('is kept through weeks of silence, and so is the transactional id', async () => {
    const scene = targetScene()
    const shard = await scene.shard()
    const { marker } = await taken(scene, shard)
    const stop = new AbortController()
    const troubles: unknown[] = []
    const keeping = shard.keep((error) => troubles.push(error), stop.signal)
    keeping.catch(() => {})
    for (let hours = 0; hours < 24 * 15; hours += 5) {
      await scene.clock.advance(5 * hourMs)
      assert.equal(shard.isProven(), true)
    }
    stop.abort(new Error('enough'))
    await assert.rejects(keeping, /enough/)
    assert.deepEqual(troubles, [])
    await scene.clock.advance(100)
    const next = await taken(scene, await scene.shard())
    assert.equal(next.marker.producerId, marker.producerId)
    const signs = batchesOf(scene).filter((batch) => batch.endsWith('records')).length
    assert(signs < 15 * 24 * 30, `${signs} signs of life`)
  })

  test('left alone for that long, the id is another one', async () => {
    const scene = targetScene()
    const { marker } = await taken(scene, await scene.shard())
    await scene.clock.advance(8 * dayMs)
    const next = await taken(scene, await scene.shard())
    assert.notEqual(next.marker.producerId, marker.producerId)
  })

  test('keeping it tells troubles and goes on; it ends when another has it', async () => {
    const scene = targetScene()
    let isDown = false
    const shard = await scene.shard({}, ({ kind }) =>
      isDown && kind === 'end-txn' ? { breakChannel: 'before' } : undefined,
    )
    await taken(scene, shard)
    const troubles: unknown[] = []
    const keeping = shard.keep((error) => troubles.push(error), scene.signal)
    keeping.catch(() => {})
    isDown = true
    await scene.clock.advance(dayMs + hourMs)
    assert(troubles.length > 0)
    isDown = false
    await taken(scene, await scene.shard())
    await assert.rejects(scene.run(keeping), ShardLostError)
  })
})
