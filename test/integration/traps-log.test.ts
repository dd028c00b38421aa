import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { createProducerRegistry } from '../../replicator/provenance/producer-registry.ts'
import { encodeBatch } from '../../replicator/records/encode.ts'
import { internalTopics } from '../../replicator/topology/internal-names.ts'
import { compareSequences } from '../kill/sequence-check.ts'
import { createTopics } from './create-topics.ts'
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

describe('a filter that changed between two runs', { timeout: 200_000 }, () => {
  test('what was copied under the old rule is counted by the old rule, what comes by the new one', async () => {
    const scene = await sceneOf({})
    const region = (role: string, variable: 'CAUSEWAY_TEST_SOURCE' | 'CAUSEWAY_TEST_TARGET') => ({
      role,
      bootstrap: testBrokers(variable),
    })
    const mesh = {
      pattern: 'active-active',
      regions: {
        'us-east': region('peer', 'CAUSEWAY_TEST_SOURCE'),
        'eu-west': region('peer', 'CAUSEWAY_TEST_TARGET'),
      },
    }
    const foreign = await ForeignWriter.register(scene)
    await scene.produce(10)
    await foreign.write(10)
    // One direction alone forwards what a third region's replicator wrote, too.
    const first = await scene.start()
    await scene.arrived(20)
    await killBeforeProgress(scene, first, async () => {
      await scene.produce(10)
      await foreign.write(10)
      await scene.produce(10)
    })
    const copied = await scene.arrivedRecords()
    // Two directions forward only what each region's own clients wrote.
    const second = await scene.start(mesh)
    await second.ready()
    await scene.produce(5)
    await foreign.write(5)
    await scene.produce(5)
    const place = `${scene.topic}/0`
    const from = (await scene.fingerprints('source')).get(place) ?? []
    // The kill may have come in the middle of the burst: what was not copied by then falls under the new rule.
    const expected = from.filter((_, index) => index < copied || !foreign.wrote(index))
    await scene.arrived(expected.length)
    const to = (await scene.fingerprints('target')).get(place)
    assert.equal(from.length, 65, 'nothing comes back')
    assert.deepEqual(compareSequences(expected, to ?? []), {
      lost: 0,
      duplicated: 0,
      foreign: 0,
      reordered: 0,
      firstAt: undefined,
    })
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
    await createTopics(admins.target, [{ topic, replicaAssignment, configEntries }])
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

/** A replicator of another flow into the source, as far as its records tell. */
class ForeignWriter {
  readonly #scene: TrapScene
  readonly #producerId: bigint
  #sequence = 0
  /** Where its records stand among those of the source. */
  readonly #places = new Set<number>()

  private constructor(scene: TrapScene, producerId: bigint) {
    this.#scene = scene
    this.#producerId = producerId
  }

  static async register(scene: TrapScene): Promise<ForeignWriter> {
    const { producerId } = await scene.source.initProducerId(undefined)
    const registry = createProducerRegistry({
      cluster: scene.source,
      topic: internalTopics(scene).producers,
      progressTopic: scene.progressTopic,
      create: { replicationFactor: 1 },
      isVital: false,
      clock: systemClock,
      random: systemRandom,
      backoff: defaultBackoff,
    })
    const entry = { producerId, flow: 'asia->us-east', shard: 0, progressTopicId: undefined }
    await registry.register(entry, AbortSignal.timeout(30_000))
    await registry.close()
    return new ForeignWriter(scene, producerId)
  }

  wrote(index: number): boolean {
    return this.#places.has(index)
  }

  async write(count: number): Promise<void> {
    const { source, topic } = this.#scene
    const before = (await this.#scene.fingerprints('source')).get(`${topic}/0`)?.length ?? 0
    for (let i = 0; i < count; i++) this.#places.add(before + i)
    const lookup = (await source.describeTopics([topic])).get(topic)
    const leader = lookup?.kind === 'found' ? lookup.topic.partitions[0]?.leader : undefined
    assert(leader !== undefined)
    const records = Array.from({ length: count }, (_, i) => ({
      key: Buffer.from(`foreign ${i}`),
      value: Buffer.from(`foreign ${this.#sequence + i}`),
      headers: [],
      timestamp: BigInt(Date.now()),
    }))
    const producer = { producerId: this.#producerId, producerEpoch: 0, baseSequence: this.#sequence }
    const channel = await source.openChannel(leader)
    try {
      const batches = [{ topic, partition: 0, batch: encodeBatch(records, { producer }) }]
      const { results } = await channel.produce({ timeoutMs: 5000, batches })
      assert(results[0]?.result.ok, `${results[0]?.topic} takes the batch`)
      this.#sequence += count
    } finally {
      channel.destroy()
    }
  }
}

async function recordsOf(scene: TrapScene, partition: number): Promise<number> {
  const batches = await scene.dump(partition)
  return batches.reduce((sum, { control, records }) => sum + (control ? 0 : records), 0)
}
