import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Reader, WatchScene } from './watch-scene.ts'

const at = (partition: number) => ({ topic: 'orders', partition })

describe('the watch over the source', () => {
  test('finds nothing while leaders move, records come and go, and readers lag', async () => {
    const scene = new WatchScene()
    scene.create('orders', 3)
    const readers = [0, 1, 2].map((partition) => new Reader(scene, at(partition)))
    const { findings } = scene.watchSource(readers)
    for (let round = 0; round < 12; round++) {
      for (const reader of readers) {
        scene.write(reader.sourceAt, 3)
        scene.write(reader.sourceAt, 2)
        reader.read(reader.sourceAt.partition)
        if (reader.position > 0n) scene.brokers.deleteRecords(reader.sourceAt, reader.position)
      }
      const { leader, replicas } = scene.brokers.partition(at(round % 3))
      scene.brokers.moveLeader(at(round % 3), replicas.find((replica) => replica !== leader)!)
      await scene.clock.advance(4000)
    }
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('a log that ends below what was read, and others are left alone', async () => {
    const scene = new WatchScene()
    scene.create('orders', 2)
    const readers = [0, 1].map((partition) => new Reader(scene, at(partition)))
    for (const reader of readers) {
      for (let batch = 0; batch < 4; batch++) scene.write(reader.sourceAt, 2)
      reader.read()
    }
    const { findings } = scene.watchSource(readers)
    scene.electUncleanly(at(1), 4n)
    await scene.tenSeconds()
    assert.deepEqual(findings, [
      { reader: readers[1], finding: { kind: 'truncated', fromOffset: 4n, toOffset: 8n } },
    ])
    await scene.end()
  })

  test('a log that was cut and has grown past the position since, read on or not', async () => {
    const scene = new WatchScene()
    scene.create('orders', 2)
    const readers = [0, 1].map((partition) => new Reader(scene, at(partition)))
    for (const reader of readers) {
      for (let batch = 0; batch < 4; batch++) scene.write(reader.sourceAt, 2)
      reader.read()
    }
    const { findings } = scene.watchSource(readers)
    await scene.tenSeconds()
    assert.equal(findings.length, 0)
    for (const reader of readers) {
      scene.electUncleanly(reader.sourceAt, 4n)
      for (let batch = 0; batch < 6; batch++) scene.write(reader.sourceAt, 2)
    }
    // Nothing tells it that what it reads now is not what followed what it had read.
    readers[1]!.read(1)
    assert.equal(readers[1]!.position, 10n)
    readers[1]!.read(1)
    await scene.tenSeconds()
    const finding = { kind: 'truncated', fromOffset: 4n, toOffset: 8n }
    assert.deepEqual(
      findings.map((found) => found.finding),
      [finding, finding],
    )
    await scene.end()
  })

  test('records deleted before they were read, on a reader that stands still', async () => {
    const scene = new WatchScene()
    scene.create('orders', 2)
    const [strict, lenient] = [new Reader(scene, at(0)), new Reader(scene, at(1), true)]
    for (const { sourceAt } of [strict, lenient]) {
      for (let batch = 0; batch < 4; batch++) scene.write(sourceAt, 2)
    }
    strict.read(1)
    const { findings } = scene.watchSource([strict, lenient])
    for (const { sourceAt } of [strict, lenient]) scene.brokers.deleteRecords(sourceAt, 6n)
    await scene.tenSeconds()
    assert.deepEqual(findings, [
      { reader: strict, finding: { kind: 'overrun', fromOffset: 2n, toOffset: 6n } },
    ])
    await scene.end()
  })

  test('a topic that was re-created is called so, not truncated', async () => {
    const scene = new WatchScene()
    scene.create('orders')
    const reader = new Reader(scene, at(0))
    scene.write(at(0), 5)
    reader.read()
    const { findings } = scene.watchSource([reader])
    scene.brokers.deleteTopic('orders')
    await scene.tenSeconds()
    assert.deepEqual(findings, [], 'a topic that is gone is for discovery to tell')
    scene.create('orders')
    scene.write(at(0), 1)
    await scene.tenSeconds()
    assert.deepEqual(findings, [{ reader, finding: { kind: 're-created' } }])
    await scene.end()
  })

  test('a leader that is behind for a moment is no truncation', async () => {
    const scene = new WatchScene()
    scene.create('orders')
    const reader = new Reader(scene, at(0))
    scene.write(at(0), 5)
    scene.brokers.log(at(0)).holdHighWatermark(true)
    scene.write(at(0), 3)
    reader.read()
    const { findings } = scene.watchSource([reader])
    await scene.clock.advance(5100)
    scene.brokers.log(at(0)).holdHighWatermark(false)
    await scene.tenSeconds()
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('a source that is away is asked again', async () => {
    const scene = new WatchScene()
    scene.create('orders')
    const reader = new Reader(scene, at(0))
    scene.write(at(0), 5)
    reader.read()
    const { findings } = scene.watchSource([reader])
    const brokers = [...scene.brokers.brokers]
    for (const broker of brokers) scene.brokers.stopBroker(broker)
    await scene.tenSeconds()
    for (const broker of brokers) scene.brokers.startBroker(broker)
    scene.brokers.log(at(0)).truncate(0n)
    await scene.tenSeconds()
    assert.equal(findings.length, 1)
    await scene.end()
  })
})

describe('the forecast over the source', () => {
  const hourMs = 3_600_000

  test('warns of records that retention is about to take, from their own time, and takes it back', async () => {
    const scene = new WatchScene()
    scene.create('orders', 2, { 'retention.ms': String(168 * hourMs) })
    const [idle, moving] = [new Reader(scene, at(0)), new Reader(scene, at(1))]
    for (const { sourceAt } of [idle, moving])
      for (let hour = 0; hour < 6; hour++)
        scene.write(sourceAt, 1, { ageMs: (168 - 0.25 - 0.1 * hour) * hourMs })
    const { findings, near, overruns } = scene.watchSource([idle, moving])
    moving.read()
    await scene.clock.advance(30_000)
    assert.deepEqual(findings, [])
    assert.deepEqual(
      near.map(({ reader, overrun }) => [reader, overrun?.by]),
      [[idle, 'age']],
    )
    const minutes = (overruns.nearest?.inMs ?? 0) / 60_000
    assert.ok(minutes > 10 && minutes < 16, `the oldest of them goes in ${minutes} minutes`)
    assert.equal(overruns.nearest?.partition, idle)
    idle.read()
    await scene.tenSeconds()
    assert.equal(overruns.nearest, undefined)
    assert.deepEqual(
      near.map(({ overrun }) => overrun?.by),
      ['age', undefined],
    )
    await scene.end()
  })

  test('says nothing of a new record behind an old one', async () => {
    const scene = new WatchScene()
    scene.create('orders', 1, { 'retention.ms': String(168 * hourMs) })
    const reader = new Reader(scene, at(0))
    scene.write(at(0), 1, { ageMs: 167.5 * hourMs })
    reader.read()
    scene.write(at(0), 1)
    const { near, overruns } = scene.watchSource([reader])
    await scene.clock.advance(60_000)
    assert.deepEqual(near, [])
    assert.equal(overruns.nearest, undefined)
    await scene.end()
  })

  test('nothing is in danger where retention deletes nothing', async () => {
    const scene = new WatchScene()
    scene.create('orders', 1, { 'retention.ms': '-1' })
    scene.create('compacted', 1, { 'cleanup.policy': 'compact', 'retention.ms': String(168 * hourMs) })
    const readers = ['orders', 'compacted'].map((topic) => new Reader(scene, { topic, partition: 0 }))
    for (const { sourceAt } of readers) scene.write(sourceAt, 1, { ageMs: 167.5 * hourMs })
    const { near, overruns } = scene.watchSource(readers)
    await scene.clock.advance(60_000)
    assert.deepEqual(near, [])
    assert.equal(overruns.nearest, undefined)
    await scene.end()
  })
})
