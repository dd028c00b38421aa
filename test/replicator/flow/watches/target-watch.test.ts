import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Copy, ourId, WatchScene } from './watch-scene.ts'

const at = (partition: number) => ({ topic: 'us-east.orders', partition })
const hourMs = 3_600_000

function sceneOf(partitions: number, configs: Readonly<Record<string, string>> = {}) {
  const scene = new WatchScene()
  scene.create('us-east.orders', partitions, configs)
  const copies = Array.from({ length: partitions }, (_, partition) => new Copy(scene, at(partition)))
  return { scene, copies }
}

describe('the watch over the target', () => {
  test('finds nothing while copies are written, fenced, and old records expire', async () => {
    const { scene, copies } = sceneOf(2, { 'retention.ms': String(24 * hourMs) })
    const { findings, watch } = scene.watchTarget(copies)
    for (let round = 0; round < 30; round++) {
      for (const copy of copies) {
        // Old records are copied too, and some of them are past their time when they arrive.
        const { expected, base } = copy.write(2, (36 - round) * hourMs)
        if (base !== expected) watch.gap(copy, expected, base)
        scene.brokers.writeMarker(copy.targetAt, { producerId: ourId, producerEpoch: 0 }, 'abort', 0)
      }
      await scene.clock.advance(3000)
      scene.brokers.applyRetention()
    }
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('a foreign record in an idle copy', async () => {
    const { scene, copies } = sceneOf(2)
    for (const copy of copies) copy.write(3)
    const { findings } = scene.watchTarget(copies)
    scene.brokers.writeMarker(at(0), { producerId: 77n, producerEpoch: 0 }, 'abort', 0)
    scene.write(at(1), 2, { producerId: 77n, producerEpoch: 0, baseSequence: 0 })
    await scene.tenSeconds()
    assert.deepEqual(findings, [
      {
        copy: copies[1],
        finding: { kind: 'foreign', fromOffset: 3n, toOffset: 5n, records: 2, producerId: 77n },
      },
    ])
    await scene.end()
  })

  test('a foreign record between the batches of a busy copy, even if nothing ever rests', async () => {
    const { scene, copies } = sceneOf(1)
    const [copy] = copies
    assert.ok(copy)
    copy.write(3)
    copy.isIdle = false
    const { findings, watch } = scene.watchTarget(copies)
    scene.write(at(0), 1)
    const { expected, base } = copy.write(2)
    watch.gap(copy, expected, base)
    await scene.tenSeconds()
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      [{ kind: 'foreign', fromOffset: 3n, toOffset: 4n, records: 1, producerId: -1n }],
    )
    await scene.end()
  })

  test('where others may write, what they write is nothing', async () => {
    const { scene, copies } = sceneOf(1)
    const [copy] = copies
    assert.ok(copy)
    const { findings, watch } = scene.watchTarget(copies, { exclusive: false })
    scene.write(at(0), 1)
    watch.gap(copy, 0n, 1n)
    await scene.tenSeconds()
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('a copy is not judged by what is on its way', async () => {
    const { scene, copies } = sceneOf(1)
    const [copy] = copies
    assert.ok(copy)
    const { findings } = scene.watchTarget(copies)
    copy.isIdle = false
    // Sent and stored; the answer is still on its way.
    scene.write(at(0), 2, { producerId: ourId, producerEpoch: 0, baseSequence: 0 })
    await scene.tenSeconds()
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('a log that ends below what it had acknowledged', async () => {
    const { scene, copies } = sceneOf(2)
    for (const copy of copies) for (let batch = 0; batch < 3; batch++) copy.write(2)
    const { findings } = scene.watchTarget(copies)
    scene.electUncleanly(at(0), 4n)
    await scene.tenSeconds()
    assert.deepEqual(findings, [{ copy: copies[0], finding: { kind: 'lost', fromOffset: 4n, toOffset: 6n } }])
    await scene.end()
  })

  test('records deleted by someone', async () => {
    const { scene, copies } = sceneOf(2)
    for (const copy of copies) for (let batch = 0; batch < 3; batch++) copy.write(2)
    const { findings } = scene.watchTarget(copies)
    await scene.tenSeconds()
    scene.brokers.deleteRecords(at(1), 4n)
    await scene.tenSeconds()
    assert.deepEqual(findings, [
      { copy: copies[1], finding: { kind: 'deleted', fromOffset: 0n, toOffset: 4n } },
    ])
    await scene.end()
  })

  test('records deleted while the partition was taken anew', async () => {
    const { scene, copies } = sceneOf(1)
    const [copy] = copies
    assert.ok(copy)
    for (let batch = 0; batch < 3; batch++) copy.write(2)
    const { findings } = scene.watchTarget(copies)
    await scene.tenSeconds()
    const again = new Copy(scene, at(0))
    again.targetNext = copy.targetNext
    copies[0] = again
    scene.brokers.deleteRecords(at(0), 4n)
    await scene.tenSeconds()
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      [{ kind: 'deleted', fromOffset: 0n, toOffset: 4n }],
    )
    await scene.end()
  })

  test('records that a shortened retention deletes are not', async () => {
    const { scene, copies } = sceneOf(1)
    const [copy] = copies
    assert.ok(copy)
    for (let batch = 0; batch < 3; batch++) copy.write(2, 2 * hourMs)
    const { findings } = scene.watchTarget(copies)
    await scene.tenSeconds()
    const change = { kind: 'set', name: 'retention.ms', value: String(hourMs) } as const
    assert.ok(scene.brokers.topics.alter('us-east.orders', [change]).ok)
    scene.brokers.applyRetention()
    assert.equal(scene.brokers.log(at(0)).logStart, 6n)
    await scene.tenSeconds()
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('records that were past their time when they were copied are not', async () => {
    const { scene, copies } = sceneOf(1, { 'retention.ms': String(hourMs) })
    const [copy] = copies
    assert.ok(copy)
    const { findings } = scene.watchTarget(copies)
    for (let round = 0; round < 5; round++) {
      copy.write(2, 2 * hourMs)
      await scene.tenSeconds()
      scene.brokers.applyRetention()
      await scene.tenSeconds()
    }
    assert.equal(scene.brokers.log(at(0)).logStart, 10n)
    assert.deepEqual(findings, [])
    await scene.end()
  })

  test('a copy that was re-created', async () => {
    const { scene, copies } = sceneOf(1)
    copies[0]?.write(3)
    const { findings } = scene.watchTarget(copies)
    scene.brokers.deleteTopic('us-east.orders')
    scene.create('us-east.orders')
    await scene.tenSeconds()
    assert.deepEqual(
      findings.map(({ finding }) => finding),
      [{ kind: 're-created' }],
    )
    await scene.end()
  })
})
