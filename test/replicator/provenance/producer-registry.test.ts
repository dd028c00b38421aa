import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LostRegistryError } from '../../../replicator/provenance/lost-registry.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { forever, producer, progressTopic, registryAt, registryScene, topic } from './registry-scene.ts'

const flow = 'eu-west->us-east'

describe('the registry of producer ids', () => {
  test('is a compacted topic of one partition, made when it is missing', async () => {
    const { brokers, registry, run } = registryScene()
    await run(() => registry().register(producer(7n), forever))
    const made = brokers.topics.byName(topic)!
    assert.equal(made.partitions.length, 1)
    assert.equal(made.partitions[0]?.replicas.length, 3)
    assert.equal(brokers.topics.configOf(made, 'cleanup.policy'), 'compact')
  })

  test('gives back every id of the flow, in order, to whoever asks, also after the cleaner has run', async () => {
    const { brokers, registry, run } = registryScene()
    const first = registry()
    await run(() => first.register(producer(7n), forever))
    await run(() => first.register(producer(9n, 1), forever))
    await run(() => registry().register(producer(8n, 0, 'asia->us-east'), forever))
    await run(() => first.register(producer(11n), forever))
    brokers.compact(registryAt)
    const expected = [producer(7n), producer(9n, 1), producer(11n)]
    assert.deepEqual(await run(() => registry().formerly(flow, forever)), expected)
    assert.deepEqual(await run(() => first.formerly(flow, forever)), expected)
    assert.deepEqual(first.registered(), expected)
  })

  test('an id is written once, and its first entry stands', async () => {
    const { brokers, registry, run } = registryScene()
    const first = registry()
    await run(() => first.register(producer(7n), forever))
    await run(() => first.register(producer(7n), forever))
    const later = registry()
    await run(() => later.register({ ...producer(7n), progressTopicId: 'another' }, forever))
    assert.equal(brokers.log(registryAt).highWatermark, 1n)
    assert.deepEqual(later.registered(), [producer(7n)])
    assert.deepEqual(await run(() => later.formerly(flow, forever)), [producer(7n)])
  })

  test('of two that registered an id at once the first entry stands', async () => {
    const { append, registry, run } = registryScene()
    await run(() => registry().register(producer(7n), forever))
    append(registryAt, '{"v":1,"producerId":"7"}', '{"v":1,"flow":"another","shard":3}')
    assert.deepEqual(await run(() => registry().formerly(flow, forever)), [producer(7n)])
    assert.deepEqual(await run(() => registry().formerly('another', forever)), [])
  })

  test('registering and asking at once, over broken connections and moving leaders, loses nothing', async () => {
    const random = new SeededRandom(11)
    const faults: DecideFault = ({ kind }) => {
      if ((kind !== 'produce' && kind !== 'fetch') || !random.chance(0.3)) return undefined
      return random.pick([{ breakChannel: 'before' }, { breakChannel: 'after' }, { lose: 'answer' }])
    }
    const { brokers, registry, run } = registryScene(faults)
    const one = registry()
    for (let round = 0; round < 5; round++) {
      const ids = Array.from({ length: 6 }, (_, i) => BigInt(round * 6 + i))
      await run(() => Promise.all(ids.map((id) => one.register(producer(id), forever))))
      brokers.moveLeader(registryAt, random.pick(brokers.brokers))
      const known = await run(() => registry().formerly(flow, forever))
      assert.deepEqual(
        known.map(({ producerId }) => producerId),
        Array.from({ length: round * 6 + 6 }, (_, i) => BigInt(i)),
      )
    }
  })

  test('what it writes has a version and members in a fixed order', async () => {
    const { brokers, registry, run } = registryScene()
    await run(() => registry().register(producer(7n), forever))
    const bytes = brokers.log(registryAt).batches[0]!.bytes.toString('latin1')
    assert.match(bytes, /\{"v":1,"producerId":"7"\}/)
    assert.match(bytes, /\{"v":1,"flow":"eu-west->us-east","shard":0,"progressTopicId":"progress-id"\}/)
  })

  test('an entry of an unknown version ends the reading loudly', async () => {
    const { append, registry, run } = registryScene()
    await run(() => registry().register(producer(7n), forever))
    append(registryAt, '{"v":2,"producerId":"8"}', '{}')
    await assert.rejects(run(() => registry().formerly(flow, forever)))
  })

  test('is not made anew where flows have kept progress and copies are told by it; elsewhere it is', async () => {
    const { append, create, brokers, registry, run } = registryScene()
    create(progressTopic, 2)
    await run(() => registry().register(producer(7n), forever))
    brokers.deleteTopic(topic)
    await run(() => registry().register(producer(7n), forever))
    brokers.deleteTopic(topic)
    append({ topic: progressTopic, partition: 1 }, 'k', 'v')
    await assert.rejects(
      run(() => registry().register(producer(8n), forever)),
      LostRegistryError,
    )
    assert.equal(brokers.topics.byName(topic), undefined)
    await run(() => registry({ isVital: false }).register(producer(8n), forever))
  })

  test('a registry that was deleted or re-created under a writer stops it', async () => {
    for (const isRecreated of [false, true]) {
      const { brokers, create, registry, run } = registryScene()
      const writer = registry()
      await run(() => writer.register(producer(7n), forever))
      brokers.deleteTopic(topic)
      if (isRecreated) create(topic)
      await assert.rejects(
        run(() => writer.register(producer(8n), forever)),
        isRecreated ? /was deleted and re-created/ : /was deleted:/,
      )
      await assert.rejects(
        run(() => writer.register(producer(9n), forever)),
        LostRegistryError,
      )
    }
  })
})
