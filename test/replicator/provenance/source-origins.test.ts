import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LostRegistryError } from '../../../replicator/provenance/lost-registry.ts'
import type { ForwardingRule } from '../../../replicator/provenance/origins.ts'
import type { SourceOrigins } from '../../../replicator/provenance/source-origins.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import {
  fetched,
  forever,
  producer,
  progressTopic,
  registryAt,
  registryScene,
  topic,
} from './registry-scene.ts'

const verdicts = (origins: SourceOrigins, ...ids: readonly bigint[]) => ids.map((id) => origins.isLocal(id))

describe('origins', () => {
  test('tell registered ids from others, and ask nobody twice', async () => {
    const { cluster, registry, origins, run } = registryScene()
    await run(() => registry().register(producer(7n), forever))
    const one = origins()
    await run(async () => one.learn(fetched(7n, 3n, -1n), forever))
    assert.deepEqual(verdicts(one, 7n, 3n, -1n), [false, true, true])
    assert.deepEqual([...one.writers.values()], [producer(7n)])
    cluster.listOffsets = () => assert.fail('it asked again')
    assert.equal(one.learn(fetched(3n, 7n, 7n, -1n, 3n), forever), undefined)
  })

  test('take no notice of writers that the flow does not leave out', async () => {
    const { registry, origins, run } = registryScene()
    const writer = registry()
    await run(() => writer.register(producer(7n), forever))
    await run(() => writer.register(producer(8n, 0, 'asia->us-east'), forever))
    const one = origins({ isLeftOut: ({ flow }) => flow === 'asia->us-east' })
    await run(async () => one.learn(fetched(7n, 8n, 9n), forever))
    assert.deepEqual(verdicts(one, 7n, 8n, 9n), [true, false, true])
  })

  test('judge by any rule, the one of an earlier run too', async () => {
    const { registry, origins, run } = registryScene()
    const writer = registry()
    await run(() => writer.register(producer(7n, 0, 'eu-west->us-east'), forever))
    await run(() => writer.register(producer(8n, 0, 'asia->us-east'), forever))
    const one = origins({ flow: { source: regionAlias('us-east'), target: regionAlias('eu-west') } })
    await run(async () => one.learn(fetched(7n, 8n, 9n), forever))
    const under = (rule: ForwardingRule) => [7n, 8n, 9n].map((id) => one.isForwarded(id, rule))
    assert.deepEqual(under('everything'), [true, true, true])
    assert.deepEqual(under('all-but-returned'), [false, true, true])
    assert.deepEqual(under('local'), [false, false, true])
  })

  test('batches without a producer id, and markers, are no reason to ask', () => {
    const { origins } = registryScene()
    const marker = buildBatch([], { control: true, producerId: 5n, producerEpoch: 1 })
    assert.equal(origins().learn(Buffer.concat([fetched(-1n), marker]), forever), undefined)
    assert.equal(origins().learn(Buffer.alloc(0), forever), undefined)
  })

  test('a batch right behind the marker of its producer is asked about', async () => {
    const { registry, origins, run } = registryScene()
    const writer = registry()
    await run(() => writer.register(producer(7n), forever))
    const one = origins()
    const marker = buildBatch([], { control: true, producerId: 7n, producerEpoch: 1 })
    const asked = one.learn(Buffer.concat([marker, fetched(7n)]), forever)
    assert(asked !== undefined, 'it asks')
    await run(() => asked)
    assert.deepEqual(verdicts(one, 7n), [false])
  })

  test('an id that was registered after the last reading is found, and only what was added is read', async () => {
    const { registry, origins, run, brokers } = registryScene()
    const writer = registry()
    const one = origins()
    await run(() => writer.register(producer(7n), forever))
    await run(async () => one.learn(fetched(7n), forever))
    await run(() => writer.register(producer(8n), forever))
    // What was read already is not looked at again.
    brokers.log(registryAt).batches[0]!.bytes.fill(0xff, 17)
    await run(async () => one.learn(fetched(7n, 8n), forever))
    assert.deepEqual(verdicts(one, 7n, 8n), [false, false])
  })

  test('those who come while the registry is read wait for a reading that begins after them', async () => {
    const { append, registry, origins, run, cluster, clock } = registryScene(({ kind }) =>
      kind === 'list-offsets' ? { answerDelayMs: 50 } : undefined,
    )
    await run(() => registry().register(producer(7n), forever))
    const one = origins()
    let readings = 0
    const ask = cluster.listOffsets.bind(cluster)
    cluster.listOffsets = (...args) => {
      readings++
      return ask(...args)
    }
    const early = one.learn(fetched(1n), forever)
    await clock.advance(10)
    // Where the log ends is on its way to the reader already, and this entry is behind it.
    const { flow, shard } = producer(8n)
    append(registryAt, '{"v":1,"producerId":"8"}', JSON.stringify({ v: 1, flow, shard }))
    const late = [fetched(8n), fetched(9n), fetched(8n, 2n)].map((bytes) => one.learn(bytes, forever))
    await run(() => Promise.all([early, ...late]))
    assert.deepEqual(verdicts(one, 1n, 8n, 9n, 2n), [true, false, true, true])
    assert.equal(readings, 2)
  })

  test('a failed reading is everybody’s who waited for it, and the next one is tried again', async () => {
    let isAway = true
    const { registry, origins, run } = registryScene(({ kind }) =>
      kind === 'list-offsets' && isAway ? { breakChannel: 'before' } : undefined,
    )
    const one = origins()
    const both = () => Promise.allSettled([one.learn(fetched(1n), forever), one.learn(fetched(7n), forever)])
    assert.deepEqual(
      (await run(both)).map(({ status }) => status),
      ['rejected', 'rejected'],
    )
    isAway = false
    await run(() => registry().register(producer(7n), forever))
    await run(async () => one.learn(fetched(1n, 7n), forever))
    assert.deepEqual(verdicts(one, 1n, 7n), [true, false])
  })

  test('giving up ends the waiting of one, not of the others', async () => {
    const { origins, clock, run } = registryScene(({ kind }) =>
      kind === 'list-offsets' ? { answerDelayMs: 500 } : undefined,
    )
    const one = origins()
    const controller = new AbortController()
    const given = assert.rejects(async () => one.learn(fetched(1n), controller.signal), /given up/)
    const other = one.learn(fetched(2n), forever)
    await clock.advance(100)
    controller.abort(new Error('given up'))
    await given
    await run(async () => other)
  })

  test('closing ends a reading that gets nowhere, and gives everything back', async () => {
    const { cluster, create, origins, clock, append } = registryScene(({ kind }) =>
      kind === 'fetch' ? { lose: 'answer' } : undefined,
    )
    create(topic)
    append(registryAt, '{"v":1,"producerId":"8"}', '{"v":1,"flow":"f","shard":0}')
    const one = origins()
    const learning = assert.rejects(async () => one.learn(fetched(1n), forever), /no longer read/)
    await clock.advance(100)
    await clock.run(one.close(), 1000)
    await learning
    assert.equal(cluster.leases.held, 0)
  })

  test('memory is bounded: ids of long ago are asked about again', async () => {
    const { origins, run } = registryScene()
    const one = origins()
    const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => BigInt(from + i))
    await run(async () => one.learn(fetched(...ids(0, 50_000)), forever))
    await run(async () => one.learn(fetched(...ids(50_000, 40_000)), forever))
    assert.equal(one.learn(fetched(...ids(0, 10)), forever), undefined)
    await run(async () => one.learn(fetched(...ids(100_000, 50_000)), forever))
    assert.equal(one.learn(fetched(...ids(0, 10)), forever), undefined)
    assert.notEqual(one.learn(fetched(99n), forever), undefined)
  })
})

describe('a registry that is not there', () => {
  test('has nobody in it, and is made where flows replicate to the cluster', async () => {
    for (const create of ['never', { replicationFactor: 1 }] as const) {
      const { brokers, origins, run } = registryScene()
      const one = origins({ create })
      await run(async () => one.learn(fetched(1n), forever))
      assert.equal(one.isLocal(1n), true)
      assert.equal(brokers.topics.byName(topic) === undefined, create === 'never')
    }
  })

  test('is only not known yet when the controller has it: a broker that lags behind makes nobody local', async () => {
    const { cluster, registry, origins, run, client } = registryScene()
    await run(() => registry().register(producer(7n), forever))
    const lagging = client()
    const describeTopics = lagging.describeTopics.bind(lagging)
    let looks = 0
    lagging.describeTopics = async (names, signal) =>
      ++looks > 5 ? describeTopics(names, signal) : new Map(names.map((name) => [name, { kind: 'missing' }]))
    const one = origins({ cluster: lagging })
    await run(async () => one.learn(fetched(7n), forever))
    assert.equal(one.isLocal(7n), false)
    assert.equal(cluster.leases.held, 0)
  })

  test('and never was, where flows have kept progress, is an error and not an echo', async () => {
    const { append, create, origins, brokers, run } = registryScene()
    create(progressTopic, 3)
    const one = origins()
    await run(async () => one.learn(fetched(1n), forever))
    brokers.deleteTopic(topic)
    append({ topic: progressTopic, partition: 2 }, 'k', 'v')
    for (const create of ['never', { replicationFactor: 1 }] as const) {
      await assert.rejects(
        run(async () => origins({ create }).learn(fetched(1n), forever)),
        (error) => error instanceof LostRegistryError && /us-east.*progress/.test(error.message),
      )
    }
    assert.equal(brokers.topics.byName(topic), undefined)
  })
})

describe('a registry that is not what it was stops for good', () => {
  const damages: Record<string, (scene: ReturnType<typeof registryScene>) => void> = {
    'was deleted': ({ brokers }) => brokers.deleteTopic(topic),
    'was deleted and re-created': ({ brokers, create }) => {
      brokers.deleteTopic(topic)
      create(topic)
    },
    'begins at offset 2': ({ brokers }) => brokers.deleteRecords(registryAt, 2n),
  }
  for (const [what, damage] of Object.entries(damages)) {
    test(what, async () => {
      const scene = registryScene()
      const { registry, origins, run } = scene
      const writer = registry()
      for (const id of [7n, 8n, 9n]) await run(() => writer.register(producer(id), forever))
      const one = origins()
      await run(async () => one.learn(fetched(7n), forever))
      damage(scene)
      const learning = run(async () => one.learn(fetched(1n), forever))
      await assert.rejects(
        learning,
        (error) => error instanceof LostRegistryError && error.summary.includes(what) && !error.retriable,
      )
      await assert.rejects(
        run(async () => one.learn(fetched(2n), forever)),
        LostRegistryError,
      )
      await assert.rejects(
        run(async () => one.refresh(forever)),
        LostRegistryError,
      )
    })
  }

  test('a first look at a registry whose beginning was deleted stops too', async () => {
    const { brokers, registry, origins, run } = registryScene()
    const writer = registry()
    for (const id of [7n, 8n]) await run(() => writer.register(producer(id), forever))
    brokers.deleteRecords(registryAt, 1n)
    await assert.rejects(
      run(async () => origins().learn(fetched(1n), forever)),
      LostRegistryError,
    )
  })
})
