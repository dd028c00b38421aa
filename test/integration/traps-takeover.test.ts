import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { testBrokers } from './flow-pair.ts'
import type { DumpedBatch } from './log-dump.ts'
import { until } from './replicate-process.ts'
import { besides, killBeforeProgress, type SceneOptions, TrapScene } from './traps-scene.ts'

const scenes: TrapScene[] = []
after(() => Promise.all(scenes.map((scene) => scene.close())))

async function sceneOf(options: Partial<SceneOptions> = {}): Promise<TrapScene> {
  const scene = await TrapScene.open({
    source: testBrokers('CAUSEWAY_TEST_SOURCE'),
    target: testBrokers('CAUSEWAY_TEST_TARGET'),
    ...options,
  })
  scenes.push(scene)
  return scene
}

/** Epochs of one producer id never go back, and every change of writer begins with the new one's marker. */
function assertFenced(batches: readonly DumpedBatch[]): void {
  let writer: DumpedBatch | undefined
  for (const batch of batches) {
    const isNew =
      writer === undefined || batch.producerId !== writer.producerId || batch.epoch !== writer.epoch
    if (isNew)
      assert(batch.control, `${show(batch)} comes behind its own marker: ${batches.map(show).join(' ')}`)
    if (writer?.producerId === batch.producerId) assert(batch.epoch >= writer.epoch, show(batch))
    writer = batch
  }
}

const show = ({ base, producerId, epoch, sequence, records, control }: DumpedBatch) =>
  `[${base} ${control ? 'marker' : `${records} from ${sequence}`} by ${producerId}.${epoch}]`

const writers = (batches: readonly DumpedBatch[]) =>
  new Set(batches.map(({ producerId, epoch }) => `${producerId}.${epoch}`))

describe('taking over', { timeout: 280_000 }, () => {
  test('a predecessor that was stopped in the middle of its load and goes on writes nothing', async () => {
    const scene = await sceneOf({ partitions: 3, shards: 2 })
    const first = await scene.start()
    const load = scene.load()
    await scene.arrived(300)
    first.child.kill('SIGSTOP')
    const present = await scene.arrivedRecords()
    const second = await scene.start(besides('two'))
    await scene.arrived(present + 300)
    first.child.kill('SIGCONT')
    await scene.arrived((await scene.arrivedRecords()) + 500)
    await load.stop()
    await scene.exact()
    for (let partition = 0; partition < scene.partitions; partition++) {
      const batches = await scene.dump(partition)
      assertFenced(batches)
      assert(writers(batches).size >= 2, 'it was taken over')
    }
    assert.equal(second.child.exitCode, null, second.text)
  })

  test('other numbers of shards: the former owners are fenced, dead or alive', async () => {
    const scene = await sceneOf({ partitions: 6, shards: 3 })
    const first = await scene.start()
    const load = scene.load()
    await scene.arrived(200)
    await first.kill()
    const second = await scene.start({ shards: 5 })
    await scene.arrived((await scene.arrivedRecords()) + 300)
    // A zombie with the other number of shards.
    second.child.kill('SIGSTOP')
    const third = await scene.start({ shards: 2, ...besides('two') })
    await scene.arrived((await scene.arrivedRecords()) + 300)
    second.child.kill('SIGCONT')
    await scene.arrived((await scene.arrivedRecords()) + 300)
    await load.stop()
    await scene.exact()
    await second.kill()
    await third.stop()
  })

  test('records that a change of shards left behind when it was cut do not count, and are swept', async () => {
    const scene = await sceneOf({ partitions: 6, shards: 3 })
    const copyMore = async (shards: number) => {
      for (let partition = 0; partition < scene.partitions; partition++)
        await scene.produce(10, { partition })
      const process = await scene.start({ shards })
      await scene.exact()
      const swept = await until(
        `one record a partition with ${shards} shards`,
        async () => {
          const left = await scene.progressRecords()
          return left.length === scene.partitions ? left : undefined
        },
        () => scene.words(),
      )
      await process.stop()
      assert.equal(
        process.log.find(({ event }) => event === 'shard-lost'),
        undefined,
        process.text,
      )
      return swept
    }
    const before = await copyMore(3)
    await copyMore(5)
    // As if it had died before it deleted what it adopted: with two shards some of these are its own, some are not.
    await scene.restoreProgress(before)
    for (const shards of [3, 2, 5]) await copyMore(shards)
  })

  test('a replica that waited for others with another number of shards takes over all that they copied', async () => {
    const scene = await sceneOf({ partitions: 2, shards: 3 })
    await scene.produce(20)
    const first = await scene.start()
    await scene.arrived(20)
    const waiting = await scene.start({ shards: 2, ...besides('two') })
    await waiting.logged('sharing-trouble')
    // It has read progress by now, and knows nothing of what comes.
    await scene.grow(6)
    for (let partition = 0; partition < scene.partitions; partition++) await scene.produce(10, { partition })
    await scene.exact()
    await first.stop()
    for (let partition = 0; partition < scene.partitions; partition++) await scene.produce(10, { partition })
    await scene.exact()
    assert.equal(scene.logged('partition-stopped'), undefined, waiting.text)
    await waiting.stop()
  })

  test('killed between acknowledgement and progress: the target log is counted', async () => {
    const scene = await sceneOf()
    await scene.produce(20)
    const first = await scene.start()
    await scene.arrived(20)
    await killBeforeProgress(scene, first, () => scene.produce(50))
    await scene.produce(10)
    const second = await scene.start()
    await scene.exact()
    await second.stop()
  })

  test('after a clean drain nothing is copied twice and nothing has to be counted', async () => {
    const scene = await sceneOf({ partitions: 2 })
    await scene.produce(30)
    const first = await scene.start()
    await scene.arrived(30)
    await scene.produce(30, { partition: 1 })
    await scene.arrived(60)
    await first.stop()
    const progress = await scene.progress()
    const batches = await scene.dump()
    assert.equal(progress?.sourceNext, 30n)
    assert.equal(progress?.targetNext, batches.at(-1)!.last + 1n, 'progress names the end of the target log')
    const second = await scene.start()
    await scene.produce(10)
    await scene.arrived(70)
    await scene.exact()
    await second.stop()
  })
})

describe('the progress topic', { timeout: 280_000 }, () => {
  test('deleted: everything stops and says so; nothing starts over', async () => {
    const scene = await sceneOf()
    await scene.produce(25)
    const first = await scene.start()
    await scene.arrived(25)
    await first.stop()
    await scene.admins.target.connect()
    await scene.admins.target.deleteTopics({ topics: [scene.progressTopic] })
    await until(
      'it is gone',
      async () =>
        (await scene.target.describeTopics([scene.progressTopic])).get(scene.progressTopic)?.kind ===
          'missing' || undefined,
    )
    await scene.produce(5)
    const second = await scene.start()
    const stopped = await second.logged('partition-stopped')
    assert.match(`${stopped.reason}`, /progress/)
    assert.ok(`${stopped.wayOut}`.length > 10, JSON.stringify(stopped))
    assert.equal(await scene.arrivedRecords(), 25)
    await second.stop()
    // The next start finds the topic that the last one made, and does not take it for its own.
    const third = await scene.start()
    await third.logged('partition-stopped')
    assert.equal(await scene.arrivedRecords(), 25)
    await third.stop()
  })
})
