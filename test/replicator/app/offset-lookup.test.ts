import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { OffsetLookup } from '../../../replicator/app/lookup-options.ts'
import { offsetLookupOf } from '../../../replicator/app/map-lookup.ts'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type { Cluster, FetchRequest } from '../../../replicator/kafka/cluster.ts'
import { TopicLog } from '../../../replicator/kafka/topic-log.ts'
import { type MapKey, planChunks } from '../../../replicator/offsets/map-chunks.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { RunStore } from '../../../replicator/offsets/run-store.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const flow = 'us->eu' as FlowId
const mapTopic = 'causeway.test.map'
const place = { flow, topic: 'orders', partition: 0 }
const signal = new AbortController().signal
const at = (source: number, target: number) => ({
  source: sourceOffset(BigInt(source)),
  target: targetOffset(BigInt(target)),
})
const run = (source: number, target: number, count: number) => ({ ...at(source, target), count })

/** A target with a map topic, and a flow that writes into it. */
class Scene {
  readonly clock = new SimulatedClock()
  readonly brokers = new SimulatedBrokers({ clock: this.clock })
  readonly cluster: Cluster = new MemoryCluster(this.brokers, { alias: regionAlias('eu') })
  readonly random = new SeededRandom(1)
  /** Where the map topic was fetched from. */
  readonly fetched: bigint[] = []

  async create(...names: readonly string[]): Promise<void> {
    const topics = names.map((name) => ({ name, partitions: 2, replicationFactor: 1, configs: new Map() }))
    const outcomes = await this.cluster.createTopics(topics)
    for (const outcome of outcomes.values()) assert(outcome.ok)
  }

  async idOf(topic: string): Promise<string | undefined> {
    const lookup = (await this.cluster.describeTopics([topic])).get(topic)
    return lookup?.kind === 'found' ? lookup.topic.id : undefined
  }

  /** Writes the whole map. */
  async write(map: OffsetMap, change: Partial<MapKey> & { topicId?: string; shard?: number } = {}) {
    const { topicId = 'source-id', shard = 0, ...others } = change
    const key = { ...place, ...others }
    const ids = { topicId, targetTopicId: await this.idOf(`us.${key.topic}`) }
    const { records } = planChunks(new Map(), map, { key, ids })
    const log = new TopicLog({ ...this, topic: mapTopic, backoff: defaultBackoff })
    const contents = records.map((record) => ({ ...record, headers: [], timestamp: 0n }))
    await log.append(shard, contents, signal)
    await log.close()
  }

  lookup(bytesMax = 1_000_000): OffsetLookup {
    return offsetLookupOf({
      cluster: this.#watched(),
      mapTopic,
      flow,
      affixes: { before: 'us.', after: '' },
      refreshMs: 1000,
      bytesMax,
      clock: this.clock,
      random: this.random,
    })
  }

  #watched(): Cluster {
    const cluster = new MemoryCluster(this.brokers, { alias: regionAlias('eu') })
    const open = cluster.openChannel.bind(cluster)
    cluster.openChannel = async (...args) => {
      const channel = await open(...args)
      const fetch = channel.fetch.bind(channel)
      channel.fetch = (request: FetchRequest, stop) => {
        this.fetched.push(...request.partitions.map(({ offset }) => offset))
        return fetch(request, stop)
      }
      return channel
    }
    return cluster
  }
}

const scene = (work: (scene: Scene) => Promise<void>) => async () => {
  const created = new Scene()
  await created.clock.run(work(created))
}

function mapOf(...runs: readonly ReturnType<typeof run>[]): OffsetMap {
  const map = new OffsetMap(at(10, 5))
  for (const one of runs) map.append(one)
  return map
}

describe('createOffsetLookup', () => {
  test(
    'answers both ways, in plain data, with the name on the other side',
    scene(async (scene) => {
      await scene.create(mapTopic, 'us.orders')
      const map = mapOf(run(10, 6, 10), run(21, 17, 4))
      map.appendCoarse({
        sourceFrom: sourceOffset(30n),
        sourceTo: sourceOffset(40n),
        targetFrom: targetOffset(22n),
        targetTo: targetOffset(30n),
      })
      await scene.write(map)
      const lookup = scene.lookup()
      const there = { topic: 'us.orders', partition: 0 }
      const back = { topic: 'orders', partition: 0 }
      const exact = (offset: bigint) => ({ kind: 'exact', offset, isNextRecord: true })
      assert.deepEqual(await lookup.translate('orders', 0, 12n), { ...there, ...exact(8n) })
      assert.deepEqual(await lookup.translate('orders', 0, 20n), { ...there, ...exact(17n) })
      assert.deepEqual(await lookup.translateBack('us.orders', 0, 8n), { ...back, ...exact(12n) })
      const between = { kind: 'between', from: 22n, to: 30n }
      assert.deepEqual(await lookup.translate('orders', 0, 35n), { ...there, ...between })
      const betweenBack = { kind: 'between', from: 30n, to: 40n }
      assert.deepEqual(await lookup.translateBack('us.orders', 0, 25n), { ...back, ...betweenBack })
      const last = { source: 40n, target: 30n }
      assert.deepEqual(await lookup.translate('orders', 0, 41n), { ...there, kind: 'not-copied-yet', last })
      const first = { source: 10n, target: 5n }
      assert.deepEqual(await lookup.translate('orders', 0, 9n), { ...there, kind: 'before-the-map', first })
      await lookup.close()
    }),
  )

  test(
    'says why there is no map',
    scene(async (scene) => {
      const lookup = scene.lookup()
      const why = async (topic: string, partition = 0, options = {}) => {
        const answer = await lookup.translate(topic, partition, 12n, options)
        return answer.kind === 'no-map' ? answer.why : answer.kind
      }
      assert.equal(await why('orders'), 'no-map-topic')
      await scene.create(mapTopic)
      assert.equal(await why('orders'), 'no-copy')
      await scene.create('us.orders')
      await scene.clock.sleep(1000)
      assert.equal(await why('orders'), 'not-in-map')
      await scene.write(mapOf(run(10, 6, 10)))
      await scene.clock.sleep(1000)
      assert.equal(await why('orders'), 'exact')
      assert.equal(await why('orders', 1), 'not-in-map')
      assert.equal(await why('orders', 0, { topicId: 'source-id' }), 'exact')
      assert.equal(await why('orders', 0, { topicId: 'another' }), 're-created')
      scene.brokers.deleteTopic('us.orders')
      await scene.create('us.orders')
      await scene.clock.sleep(1000)
      assert.equal(await why('orders'), 're-created')
      await lookup.close()
    }),
  )

  test(
    'reads on where it read before, at most once in the time that is given, and knows what is new',
    scene(async (scene) => {
      await scene.create(mapTopic, 'us.orders')
      await scene.write(mapOf(run(10, 6, 10)))
      const lookup = scene.lookup()
      const kindAt = async (position: bigint) => (await lookup.translate('orders', 0, position)).kind
      assert.equal(await kindAt(15n), 'exact')
      assert.deepEqual(scene.fetched, [0n])
      assert.equal(await kindAt(25n), 'not-copied-yet')
      await scene.write(mapOf(run(10, 6, 10), run(20, 16, 10)))
      assert.equal(await kindAt(25n), 'not-copied-yet', 'what was read is fresh enough')
      assert.deepEqual(scene.fetched, [0n])
      await scene.clock.sleep(1000)
      assert.equal(await kindAt(25n), 'exact')
      assert.deepEqual(scene.fetched, [0n, 1n])
      // So late, deletions may have been compacted away.
      await scene.clock.sleep(7 * 60 * 60 * 1000)
      assert.equal(await kindAt(25n), 'exact')
      assert.equal(scene.fetched.at(2), 0n)
      await lookup.close()
    }),
  )

  test(
    'begins anew where the map topic does, or where it ends before what was read of it',
    scene(async (scene) => {
      await scene.create(mapTopic, 'us.orders')
      await scene.write(mapOf(run(10, 6, 10)))
      const lookup = scene.lookup()
      const offsetAt = async (position: bigint) => {
        await scene.clock.sleep(1000)
        const answer = await lookup.translate('orders', 0, position)
        return answer.kind === 'exact' ? answer.offset : answer.kind
      }
      assert.equal(await offsetAt(15n), 11n)
      scene.brokers.deleteTopic(mapTopic)
      assert.equal(await offsetAt(15n), 'no-map')
      await scene.create(mapTopic)
      await scene.write(mapOf(run(10, 7, 10)))
      assert.equal(await offsetAt(15n), 12n)
      await scene.write(mapOf(run(10, 8, 10)))
      assert.equal(await offsetAt(15n), 13n)
      scene.brokers.log({ topic: mapTopic, partition: 0 }).truncate(1n)
      assert.equal(await offsetAt(15n), 12n)
      await lookup.close()
    }),
  )

  test(
    'believes the topic that was copied last, and the partition of the map that got furthest',
    scene(async (scene) => {
      await scene.create(mapTopic, 'us.orders')
      // Under a chunk number of its own, as until it is deleted.
      const former = new OffsetMap(new RunStore({ source: 10, target: 5 }, [], 5, 100))
      former.append(run(10, 6, 30))
      await scene.write(former, { topicId: 'former' })
      await scene.write(mapOf(run(10, 8, 10)), { topicId: 'present' })
      const lookup = scene.lookup()
      const offsetAt = async (position: bigint) => {
        const answer = await lookup.translate('orders', 0, position)
        return answer.kind === 'exact' ? answer.offset : answer.kind
      }
      assert.equal(await offsetAt(15n), 13n)
      assert.equal(await offsetAt(25n), 'not-copied-yet')
      await scene.write(mapOf(run(10, 8, 20)), { topicId: 'present', shard: 1 })
      await scene.clock.sleep(1000)
      assert.equal(await offsetAt(25n), 23n)
      await lookup.close()
    }),
  )

  test(
    'in little memory it reads again what it had to forget, and answers the same',
    scene(async (scene) => {
      const topics = ['orders', 'payments', 'ledger']
      await scene.create(mapTopic, ...topics.map((topic) => `us.${topic}`))
      for (const [n, topic] of topics.entries()) await scene.write(mapOf(run(10, 6 + n, 10)), { topic })
      const lookup = scene.lookup(300)
      for (const round of [1, 2])
        for (const [n, topic] of topics.entries()) {
          const answer = await lookup.translate(topic, 0, 15n)
          assert(answer.kind === 'exact', `${topic}, round ${round}: ${JSON.stringify(answer.kind)}`)
          assert.equal(answer.offset, 11n + BigInt(n), topic)
        }
      await scene.write(mapOf(run(10, 8, 10), run(30, 28, 5)), { topic: 'ledger' })
      await scene.clock.sleep(1000)
      const answer = await lookup.translate('ledger', 0, 32n)
      assert.equal(answer.kind === 'exact' && answer.offset, 30n)
      await lookup.close()
    }),
  )

  test(
    'refuses what is no position and no copy',
    scene(async (scene) => {
      const lookup = scene.lookup()
      await assert.rejects(lookup.translate('orders', 0, -1n), /RangeError: orders\/0@-1 is no position/)
      await assert.rejects(lookup.translate('orders', 0.5, 1n), RangeError)
      await assert.rejects(lookup.translateBack('orders', 0, 1n), /no copy of us->eu: .*us\.<topic>/)
      await lookup.close()
    }),
  )

  test(
    'stops for a signal and for close, and answers others afterwards',
    scene(async (scene) => {
      await scene.create(mapTopic, 'us.orders')
      await scene.write(mapOf(run(10, 6, 10)))
      const lookup = scene.lookup()
      const stop = new AbortController()
      const stopped = lookup.translate('orders', 0, 15n, { signal: stop.signal })
      const waiting = lookup.translate('orders', 0, 15n)
      stop.abort(new Error('enough'))
      await assert.rejects(stopped, /enough/)
      assert.equal((await waiting).kind, 'exact')
      const late = lookup.translate('orders', 0, 16n)
      const closed = lookup.close()
      await assert.rejects(late, /lookup was closed/)
      await closed
      await lookup.close()
      await assert.rejects(lookup.translate('orders', 0, 15n), /lookup was closed/)
    }),
  )

  test('is what the package exports', async () => {
    const entry = await import(import.meta.resolve('@causeway/replicator/app'))
    assert.equal(typeof entry.createOffsetLookup, 'function')
  })
})
