import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import {
  encodeOwnerKey,
  encodeProgress,
  encodeProgressKey,
  type Progress,
} from '../../../replicator/shards/progress-record.ts'
import { prepareProgressTopic, readOn, readProgress } from '../../../replicator/shards/progress-topic.ts'
import { ProgressView } from '../../../replicator/shards/progress-view.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { buildBatch, type TestRecord } from '../../simulation/record-batches.ts'
import { flow, progressTopic, ShardScene } from './shard-scene.ts'
import { visited, visitedMarker } from './visited-batches.ts'

const key = (partition: number, of = flow) => ({ flow: of, topic: 'orders', partition })

function progress(sourceNext: bigint, producerId = 70n, producerEpoch = 3): Progress {
  return {
    topicId: undefined,
    targetTopicId: undefined,
    sourceNext: sourceOffset(sourceNext),
    targetNext: targetOffset(sourceNext),
    producer: { producerId, producerEpoch },
    sequence: 0,
    rule: 'everything',
  }
}

const record = (bytes: Buffer, value: Buffer | null): TestRecord => ({
  offsetDelta: 0,
  timestampMs: 1000,
  key: bytes,
  value,
  headers: [],
})
const written = (partition: number, value: Progress | null, of = flow) =>
  buildBatch([record(encodeProgressKey(key(partition, of)), value === null ? null : encodeProgress(value))])

describe('what a progress partition says', () => {
  function viewOf(...batches: readonly Buffer[]): ProgressView {
    const view = new ProgressView(flow)
    for (const batch of batches) view.visit(visited(batch))
    return view
  }

  test('the last word about each partition counts', () => {
    const view = viewOf(
      written(0, progress(1n)),
      written(1, progress(5n)),
      written(0, progress(2n)),
      written(1, null),
    )
    assert.equal(view.of('orders', 0)?.sourceNext, 2n)
    assert.equal(view.of('orders', 1), undefined)
    assert.deepEqual(
      view.entries.map((entry) => entry.key),
      [key(0)],
    )
  })

  test('other flows, signs of life and markers say nothing', () => {
    const other = flowId(regionAlias('us-west'), regionAlias('eu-west'))
    const view = viewOf(
      written(0, progress(1n), other),
      buildBatch([record(encodeOwnerKey(flow, 0), Buffer.from('{}'))]),
    )
    view.visit(visitedMarker({ producerId: 70n, producerEpoch: 3 }, 5n))
    assert.deepEqual(view.entries, [])
  })

  test('a stale record of a fenced predecessor says less than what stands there', () => {
    const view = viewOf(written(0, progress(9n, 70n, 4)), written(0, progress(7n, 70n, 3)))
    assert.equal(view.of('orders', 0)?.sourceNext, 9n)
    view.visit(visited(written(0, progress(8n, 70n, 4))))
    assert.equal(view.of('orders', 0)?.sourceNext, 8n, 'the same epoch may go back: a person has decided so')
    view.visit(visited(written(0, progress(3n, 71n, 0))))
    assert.equal(view.of('orders', 0)?.sourceNext, 3n, 'epochs of another producer id start over')
  })

  test('what was read outlives the bytes it was read from', () => {
    const view = new ProgressView(flow)
    const batch = visited(written(0, { ...progress(1n), topicId: 'abc' }))
    view.visit(batch)
    batch.raw.buffer.fill(0)
    assert.equal(view.of('orders', 0)?.topicId, 'abc')
  })

  test('records of an unknown version are refused, never passed over', () => {
    const newer = buildBatch([record(Buffer.from('{"v":9}'), Buffer.from('{}'))])
    assert.throws(() => viewOf(newer))
  })
})

describe('the progress topic', () => {
  function prepared(scene: ShardScene, shards: number) {
    const { clock } = scene
    const cluster = scene.connect(scene.target)
    const options = { cluster, topic: progressTopic, clock, shards, replicationFactor: 1 }
    return prepareProgressTopic(options, scene.signal)
  }

  test('is made compacted, with a partition for every shard, and kept as it is', async () => {
    const scene = new ShardScene()
    const made = await scene.run(prepared(scene, 3))
    assert.equal(made.partitions.length, 3)
    const topic = scene.target.topics.byName(progressTopic)
    assert.equal(topic?.overrides.get('cleanup.policy'), 'compact')
    assert.equal((await scene.run(prepared(scene, 3))).id, made.id)
    assert.equal((await scene.run(prepared(scene, 2))).partitions.length, 3)
  })

  test('grows with the number of shards', async () => {
    const scene = new ShardScene()
    const made = await scene.run(prepared(scene, 2))
    const grown = await scene.run(prepared(scene, 5))
    assert.deepEqual([grown.id, grown.partitions.length], [made.id, 5])
  })

  test('two processes make it at once', async () => {
    const scene = new ShardScene()
    const [one, other] = await scene.run(Promise.all([prepared(scene, 3), prepared(scene, 3)]))
    assert.equal(one.id, other.id)
  })

  test('is read whole: every partition by itself, and on from where it was read to', async () => {
    const scene = new ShardScene({ brokers: 2 })
    const topic = await scene.run(prepared(scene, 3))
    const at = (partition: number) => ({ topic: progressTopic, partition })
    scene.append(scene.target, at(0), written(0, progress(1n)))
    scene.append(scene.target, at(2), written(7, progress(5n)))
    const walks = scene.walks(scene.connect(scene.target))
    const views = await scene.run(readProgress(topic, flow, walks, scene.signal))
    assert.deepEqual(
      views.map((view) => view.entries.map((entry) => entry.key.partition)),
      [[0], [], [7]],
    )
    const view = new ProgressView(flow)
    const next = await scene.run(readOn(at(0), undefined, view, walks, scene.signal))
    assert.equal(next, 1n)
    scene.append(scene.target, at(0), written(0, progress(2n)))
    assert.equal(await scene.run(readOn(at(0), next, view, walks, scene.signal)), 2n)
    assert.equal(view.of('orders', 0)?.sourceNext, 2n)
    await scene.run(walks.close())
  })

  test('a partition without a leader is waited for', async () => {
    const scene = new ShardScene()
    await scene.run(prepared(scene, 2))
    scene.target.loseLeader({ topic: progressTopic, partition: 1 })
    const again = prepared(scene, 2)
    await scene.clock.advance(1000)
    scene.target.moveLeader({ topic: progressTopic, partition: 1 }, brokerId(1))
    const topic = await scene.run(again)
    assert(topic.partitions.every(({ leader }) => leader !== undefined))
  })
})
