import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { testBrokers } from './flow-pair.ts'
import { until } from './replicate-process.ts'
import { killBeforeProgress, type SceneOptions, TrapScene } from './traps-scene.ts'

const scenes: TrapScene[] = []
const clusters: LocalCluster[] = []
let cleaned: LocalCluster
let threeBrokers: LocalCluster

before(async () => {
  const { signal } = new AbortController()
  const installation = await installKafka({}, signal)
  const start = async (alias: string, brokers: number, brokerConfig: Record<string, string>) => {
    const cluster = await startLocalCluster(
      { alias, brokers, heapMb: 256, installation, brokerConfig, startTimeoutMs: 120_000 },
      signal,
    )
    clusters.push(cluster)
    return cluster
  }
  // The cleaner looks every 15 s by default.
  cleaned = await start('trap-cleaned', 1, { 'log.cleaner.backoff.ms': '200' })
  threeBrokers = await start('trap-brokers', 3, {})
})
after(async () => {
  await Promise.all(scenes.map((scene) => scene.close()))
  await Promise.all(clusters.map((cluster) => cluster.stop()))
})

async function sceneOf(options: Partial<SceneOptions>): Promise<TrapScene> {
  const scene = await TrapScene.open({
    source: testBrokers('CAUSEWAY_TEST_SOURCE'),
    target: testBrokers('CAUSEWAY_TEST_TARGET'),
    ...options,
  })
  scenes.push(scene)
  return scene
}

describe('a source that was cleaned between progress and resume', { timeout: 200_000 }, () => {
  const compacted = {
    'cleanup.policy': 'compact',
    'segment.ms': '300',
    'min.cleanable.dirty.ratio': '0.01',
    'max.compaction.lag.ms': '300',
  }
  const uniqueKeys = (count: number, kind: string) => Array.from({ length: count }, (_, i) => `${kind} ${i}`)

  /** Appends records with keys of their own until the cleaner has taken `missing` records. @returns how many */
  async function untilCleaned(scene: TrapScene, produced: number, missing: number): Promise<number> {
    let rollers = 0
    await until(
      `the cleaner takes ${missing}`,
      async () => {
        await scene.produce(1, { keys: [`roller ${rollers++}`] })
        await delay(300)
        const { records } = await scene.compare()
        return records.source <= produced + rollers - missing || undefined
      },
      () => scene.words(),
    )
    return rollers
  }

  test('contents tell how far copying got', async () => {
    const scene = await sceneOf({ source: cleaned.bootstrap, configs: compacted })
    await scene.produce(20, { keys: uniqueKeys(20, 'first') })
    const first = await scene.start()
    await scene.arrived(20)
    await killBeforeProgress(scene, first, () => scene.produce(30, { keys: uniqueKeys(5, 'version') }))
    const place = `${scene.topic}/0`
    const copied = (await scene.fingerprints('target')).get(place) ?? []
    const rollers = await untilCleaned(scene, copied.length, 25)
    const second = await scene.start()
    await scene.arrived(copied.length + rollers)
    await scene.produce(10, { keys: uniqueKeys(10, 'last') })
    await scene.arrived(copied.length + rollers + 10)
    const [from = [], to] = [
      (await scene.fingerprints('source')).get(place),
      (await scene.fingerprints('target')).get(place),
    ]
    assert.deepEqual(to, [...copied, ...from.slice(-(rollers + 10))], scene.words())
    await second.stop()
  })

  test('where contents do not tell, the partition stops and says so', async () => {
    const scene = await sceneOf({ source: cleaned.bootstrap, configs: compacted })
    await scene.produce(20, { keys: uniqueKeys(20, 'first') })
    const first = await scene.start()
    await scene.arrived(20)
    // The same record again and again: four are copied, the fifth is not, and the cleaner leaves one of them.
    const same = { key: 'same', value: 'same', timestampMs: Date.now() }
    await killBeforeProgress(scene, first, () => scene.produceRecords([same, same, same, same]))
    const copied = await scene.arrivedRecords()
    await scene.produceRecords([same])
    await untilCleaned(scene, copied + 1, 4)
    const second = await scene.start()
    const stopped = await second.logged('partition-stopped')
    assert.match(`${stopped.reason}`, /gap|content|ambiguous/i)
    assert.ok(`${stopped.wayOut}`.length > 10, JSON.stringify(stopped))
    assert.equal(await scene.arrivedRecords(), copied)
    await second.stop()
  })
})

describe('a target partition without leader during a takeover', { timeout: 200_000 }, () => {
  test('only that partition waits; it goes on when it has one', async () => {
    const scene = await sceneOf({ target: threeBrokers.bootstrap, partitions: 2, shards: 1 })
    const { admins, topic } = scene
    await admins.target.connect()
    const replicaAssignment = [
      { partition: 0, replicas: [1] },
      { partition: 1, replicas: [2] },
    ]
    const configEntries = [{ name: 'min.insync.replicas', value: '1' }]
    await admins.target.createTopics({
      topics: [{ topic, replicaAssignment, configEntries }],
      waitForLeaders: true,
    })
    for (const partition of [0, 1]) await scene.produce(20, { partition })
    const first = await scene.start()
    await scene.arrived(40)
    await first.kill()
    await threeBrokers.killBroker(2, 'SIGTERM')
    for (const partition of [0, 1]) await scene.produce(10, { partition })
    const second = await scene.start()
    await until(
      'the other partition goes on',
      async () => {
        const [answer] = await scene.target.listOffsets([{ topic, partition: 0, at: 'latest' }])
        return (
          (answer?.result.ok === true && (await recordsOf(scene, 0)) === 30 && answer.result.value.offset) ||
          undefined
        )
      },
      () => scene.words(),
    )
    await threeBrokers.restartBroker(2)
    await scene.arrived(60)
    for (const partition of [0, 1]) await scene.produce(10, { partition })
    await scene.exact()
    await second.stop()
  })
})

async function recordsOf(scene: TrapScene, partition: number): Promise<number> {
  const batches = await scene.dump(partition)
  return batches.reduce((sum, { control, records }) => sum + (control ? 0 : records), 0)
}
