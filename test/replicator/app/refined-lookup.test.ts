import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OffsetLookup } from '../../../replicator/app/lookup-options.ts'
import { LookupRefiner, type LookupRefinerOptions } from '../../../replicator/app/lookup-refiner.ts'
import { offsetLookupOf } from '../../../replicator/app/map-lookup.ts'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { transportError } from '../../../replicator/kafka/errors.ts'
import { TopicLog } from '../../../replicator/kafka/topic-log.ts'
import { planChunks } from '../../../replicator/offsets/map-chunks.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { createProducerRegistry } from '../../../replicator/provenance/producer-registry.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { type BatchFields, buildBatch } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'
import { valuesOf } from '../shards/visited-batches.ts'

const aliases = { source: regionAlias('us'), target: regionAlias('eu') }
const flow = { id: flowId(aliases.source, aliases.target), ...aliases }
const back = flowId(aliases.target, aliases.source)
const topics = { producers: 'causeway.test.producers', progress: 'causeway.test.progress' }
const mapTopic = 'causeway.test.map'
const signal = new AbortController().signal
type Side = 'source' | 'target'

/** Two clusters; the flow's producer is number 7, and 5 is somebody else's. */
class Scene {
  readonly clock = new SimulatedClock()
  readonly random = new SeededRandom(1)
  readonly #brokers = {
    source: new SimulatedBrokers({ clock: this.clock }),
    target: new SimulatedBrokers({ clock: this.clock }),
  }
  readonly source = this.#open('source')
  readonly target = this.#open('target')
  /** Questions to the source. */
  asked = 0
  /** What becomes of them. */
  fails: ((signal: AbortSignal | undefined) => Promise<void>) | undefined

  async prepare(): Promise<void> {
    await this.#create('source', 'orders')
    await this.#create('target', 'us.orders', mapTopic, topics.producers)
    await this.register('target', 7n, flow.id)
    // The marker of a takeover, as far as offsets go.
    await this.write('target', 'us.orders', 1, { producerId: 5n })
    await this.write('source', 'orders', 40)
    await this.write('target', 'us.orders', 12, { producerId: 7n, baseSequence: 0 })
    await this.write('target', 'us.orders', 3, { producerId: 5n, baseSequence: 1 })
    await this.write('target', 'us.orders', 28, { producerId: 7n, baseSequence: 12 })
    await this.writeMap(coarseMap())
  }

  async register(side: Side, producerId: bigint, writer: string): Promise<void> {
    const { producers: topic, progress: progressTopic } = topics
    const shared = { clock: this.clock, random: this.random, backoff: defaultBackoff }
    const create = { replicationFactor: 1 } as const
    const registry = createProducerRegistry({
      ...shared,
      cluster: this[side],
      topic,
      progressTopic,
      create,
      isVital: false,
    })
    await registry.register({ producerId, flow: writer, shard: 0, progressTopicId: undefined }, signal)
    await registry.close()
  }

  async write(side: Side, topic: string, count: number, fields: BatchFields = {}): Promise<void> {
    const cluster = this[side]
    const found = (await cluster.describeTopics([topic])).get(topic)
    assert(found?.kind === 'found')
    const leader = found.topic.partitions[0]?.leader
    assert(leader !== undefined)
    const channel = await cluster.openChannel(leader)
    const idempotent = fields.producerId === undefined ? {} : { producerEpoch: 0, baseSequence: 0 }
    const batch = buildBatch(valuesOf(count), { ...idempotent, ...fields })
    const { results } = await channel.produce({ batches: [{ topic, partition: 0, batch }], timeoutMs: 1000 })
    for (const { result } of results) if (!result.ok) throw result.error
    await channel.close()
  }

  async writeMap(map: OffsetMap): Promise<void> {
    const key = { flow: flow.id, topic: 'orders', partition: 0 }
    const ids = {
      topicId: await this.#idOf('source', 'orders'),
      targetTopicId: await this.#idOf('target', 'us.orders'),
    }
    const { records } = planChunks(new Map(), map, { key, ids })
    const log = new TopicLog({ ...this, cluster: this.target, topic: mapTopic, backoff: defaultBackoff })
    await log.append(
      0,
      records.map((record) => ({ ...record, headers: [], timestamp: 0n })),
      signal,
    )
    await log.close()
  }

  /** The topic of this name is another one from now on. */
  async recreate(topic: string): Promise<void> {
    await this.#brokers.source.deleteTopic(topic)
    await this.#create('source', topic)
  }

  lookup(changes: Partial<LookupRefinerOptions> = {}): OffsetLookup {
    const { clock, random } = this
    const [source, target] = [this.#watched(), this.#open('target')]
    const seams = { clock, random }
    return offsetLookupOf({
      ...seams,
      cluster: target,
      mapTopic,
      flow: flow.id,
      affixes: { before: 'us.', after: '' },
      refreshMs: 1000,
      bytesMax: 1_000_000,
      source,
      refiner: new LookupRefiner({
        ...seams,
        flow,
        source,
        target,
        topics,
        rule: 'everything',
        limitMs: 5000,
        ...changes,
      }),
    })
  }

  #open(side: Side): MemoryCluster {
    return new MemoryCluster(this.#brokers[side], { alias: aliases[side] })
  }

  #watched(): Cluster {
    const cluster = this.#open('source')
    const describe = cluster.describeTopics.bind(cluster)
    cluster.describeTopics = async (...args) => {
      this.asked += 1
      await this.fails?.(args[1])
      return describe(...args)
    }
    return cluster
  }

  async #create(side: Side, ...names: readonly string[]): Promise<void> {
    const created = names.map((name) => ({ name, partitions: 1, replicationFactor: 1, configs: new Map() }))
    for (const outcome of (await this[side].createTopics(created)).values()) assert(outcome.ok)
  }

  async #idOf(side: Side, topic: string): Promise<string | undefined> {
    const lookup = (await this[side].describeTopics([topic])).get(topic)
    return lookup?.kind === 'found' ? lookup.topic.id : undefined
  }
}

const scene = (work: (scene: Scene) => Promise<void>) => async () => {
  const created = new Scene()
  await created.clock.run(created.prepare().then(() => work(created)))
}

/** 4 records exactly, then 36 around a crash. */
function coarseMap(): OffsetMap {
  const map = new OffsetMap({ source: sourceOffset(0n), target: targetOffset(1n) })
  map.append({ source: sourceOffset(0n), target: targetOffset(1n), count: 4 })
  map.appendCoarse({
    sourceFrom: sourceOffset(4n),
    sourceTo: sourceOffset(40n),
    targetFrom: targetOffset(5n),
    targetTo: targetOffset(44n),
  })
  return map
}

const exact = (offset: bigint) => ({ kind: 'exact', offset, isNextRecord: true })
const between = { kind: 'between', from: 5n, to: 44n }
const there = { topic: 'us.orders', partition: 0 }

describe('a look-up that may ask the source', () => {
  test(
    'is exact inside coarse spans, both ways, and asks once for a span',
    scene(async (scene) => {
      const lookup = scene.lookup()
      assert.deepEqual(await lookup.translate('orders', 0, 2n), { ...there, ...exact(3n) })
      assert.equal(scene.asked, 0)
      assert.deepEqual(await lookup.translate('orders', 0, 10n), { ...there, ...exact(11n) })
      const { asked } = scene
      assert(asked > 0)
      assert.deepEqual(await lookup.translate('orders', 0, 20n), { ...there, ...exact(24n) })
      const back = { topic: 'orders', partition: 0 }
      assert.deepEqual(await lookup.translateBack('us.orders', 0, 24n), { ...back, ...exact(20n) })
      // The flow has written since: what the logs told is not asked for again.
      await scene.writeMap(coarseMap())
      await scene.clock.sleep(1000)
      assert.deepEqual(await lookup.translate('orders', 0, 30n), { ...there, ...exact(34n) })
      assert.equal(scene.asked, asked)
      await lookup.close()
    }),
  )

  test(
    'answers as without it where the source does not answer, and leaves it alone for a while',
    scene(async (scene) => {
      const lookup = scene.lookup()
      scene.fails = async () => {
        throw transportError('connection', 'nobody at us answers')
      }
      const answer = await lookup.translate('orders', 0, 10n)
      assert(answer.kind === 'between')
      const { because, ...rest } = answer
      assert.deepEqual(rest, { ...there, ...between, why: 'unreadable' })
      assert.match(because ?? '', /us/)
      const { asked } = scene
      scene.fails = undefined
      assert.equal((await lookup.translate('orders', 0, 11n)).kind, 'between')
      assert.equal(scene.asked, asked)
      await scene.clock.sleep(30_000)
      assert.deepEqual(await lookup.translate('orders', 0, 11n), { ...there, ...exact(12n) })
      await lookup.close()
    }),
  )

  test(
    'gives up when its time is over',
    scene(async (scene) => {
      const lookup = scene.lookup({ limitMs: 700 })
      scene.fails = (signal) => scene.clock.sleep(60_000, signal)
      const from = scene.clock.monotonicMs()
      assert.deepEqual(await lookup.translate('orders', 0, 10n), { ...there, ...between, why: 'out-of-time' })
      assert.equal(scene.clock.monotonicMs() - from, 700)
      await lookup.close()
    }),
  )

  test(
    'does not count in another topic of the same name',
    scene(async (scene) => {
      await scene.recreate('orders')
      await scene.write('source', 'orders', 40)
      const lookup = scene.lookup()
      assert.deepEqual(await lookup.translate('orders', 0, 10n), { ...there, ...between, why: 're-created' })
      await lookup.close()
    }),
  )

  test(
    'counts nothing as long as nobody can tell what is the flow’s',
    scene(async (scene) => {
      const nobody = scene.lookup({ flow: { ...flow, id: flowId(aliases.source, regionAlias('ap')) } })
      assert.deepEqual(await nobody.translate('orders', 0, 10n), {
        ...there,
        ...between,
        why: 'producers-unknown',
      })
      await nobody.close()
    }),
  )

  test(
    'without a rule it goes on while both rules mean the same',
    scene(async (scene) => {
      const unruled = scene.lookup({ rule: undefined })
      assert.deepEqual(await unruled.translate('orders', 0, 10n), { ...there, ...exact(11n) })
      await unruled.close()
      await scene.register('source', 3n, back)
      const returned = scene.lookup({ rule: undefined })
      assert.deepEqual(await returned.translate('orders', 0, 10n), { ...there, ...exact(11n) })
      await returned.close()
      await scene.register('source', 4n, flowId(regionAlias('ap'), aliases.source))
      const mixed = scene.lookup({ rule: undefined })
      assert.deepEqual(await mixed.translate('orders', 0, 10n), {
        ...there,
        ...between,
        why: 'origins-unknown',
      })
      await mixed.close()
      const ruled = scene.lookup({ rule: 'local' })
      assert.deepEqual(await ruled.translate('orders', 0, 10n), { ...there, ...exact(11n) })
      await ruled.close()
    }),
  )
})
