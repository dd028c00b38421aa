import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type CausewayConfig, loadConfig } from '../../../replicator/config/load-config.ts'
import type { FlowEvent } from '../../../replicator/flow/events.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import type { KafkaClusterOptions } from '../../../replicator/kafka/kafka-cluster.ts'
import { flowsAt, startReplicator } from '../../../replicator/processes/replicate.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { type DecideFault, noFaults } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const fanOut = `
name: orders
regions:
  us-east: { bootstrap: us-east.example:9092 }
  eu-west: { bootstrap: eu-west.example:9092 }
  ap-south: { bootstrap: ap-south.example:9092 }
topics: [{ name: orders }]
flows:
  - { source: us-east, target: [eu-west, ap-south] }
  - { source: eu-west, target: ap-south, naming: identity, topics: [{ name: returns }] }
`

function configOf(yaml: string): CausewayConfig {
  const readFile = (path: string) => (path.endsWith('causeway.yaml') ? Buffer.from(yaml) : readFileSync(path))
  const loaded = loadConfig({ path: 'causeway.yaml', readFile, environment: {} })
  assert.ok(loaded.ok, JSON.stringify(loaded))
  return loaded.config
}

const at = { topic: 'orders', partition: 0 }

/** A replicator between simulated clusters; `spoil` may put something else in a cluster's place. */
function scene(spoil: (cluster: Cluster) => Cluster = (cluster) => cluster, faults: DecideFault = noFaults) {
  const clock = new SimulatedClock()
  const brokers = new Map(
    ['us-east', 'eu-west', 'ap-south'].map((alias, seed) => [alias, new SimulatedBrokers({ clock, seed })]),
  )
  const at = (alias: string) => brokers.get(alias) ?? assert.fail(alias)
  const connected: string[] = []
  const clusters: Cluster[] = []
  const connect = ({ alias }: KafkaClusterOptions): Cluster => {
    connected.push(alias)
    const cluster = spoil(new MemoryCluster(at(alias), alias === 'eu-west' ? { alias, faults } : { alias }))
    clusters.push(cluster)
    return cluster
  }
  const startWith = (yaml: string, region?: string) => {
    const events: FlowEvent[] = []
    const replicator = startReplicator({
      config: configOf(fanOut + yaml),
      ...(region === undefined ? {} : { at: regionAlias(region) }),
      clock,
      random: new SeededRandom(1),
      announce: (event) => events.push(event),
      acceptsGap: () => false,
      connect,
    })
    return { replicator, events }
  }
  const start = (region?: string) => startWith('', region).replicator
  return { clock, at, connected, start, startWith }
}

async function until(clock: SimulatedClock, what: string, isSo: () => boolean): Promise<void> {
  for (let steps = 0; !isSo(); steps++) {
    assert.ok(steps < 1000, `${what}: still not so`)
    await clock.advance(100)
  }
}

describe('the flows of a process', () => {
  const config = configOf(fanOut)
  const ids = (region: string | undefined) =>
    flowsAt(config, region === undefined ? undefined : regionAlias(region)).map(({ id }) => id)

  test('are all of them, or those placed at a region', () => {
    assert.deepEqual(ids(undefined), ['us-east->eu-west', 'us-east->ap-south', 'eu-west->ap-south'])
    // Prefixed flows run at their target, identity flows at their source.
    assert.deepEqual(ids('eu-west'), ['us-east->eu-west', 'eu-west->ap-south'])
    assert.deepEqual(ids('ap-south'), ['us-east->ap-south'])
    assert.deepEqual(ids('us-east'), [])
  })

  test('share one connection to each cluster, and connect to no other', async () => {
    const all = scene()
    await all.clock.run(all.start().drain(1000))
    assert.deepEqual(all.connected.toSorted(), ['ap-south', 'eu-west', 'us-east'])
    const some = scene()
    await some.clock.run(some.start('ap-south').drain(1000))
    assert.deepEqual(some.connected.toSorted(), ['ap-south', 'us-east'])
  })

  test('are ready once all of them run, and no longer when they drain', async () => {
    const { clock, at: brokersAt, start } = scene()
    for (const topic of ['orders', 'returns'])
      brokersAt('us-east').topics.create({
        name: topic,
        partitions: 1,
        replicationFactor: 1,
        configs: new Map(),
      })
    const replicator = start()
    assert.equal(replicator.isReady(), false)
    await until(clock, 'ready', () => replicator.isReady())
    const drained = replicator.drain(1000)
    assert.equal(replicator.isReady(), false)
    await clock.run(drained)
    await replicator.ended
  })
})

describe('replicas of one configuration', () => {
  test('share the shards of each flow, and the last one has them all', async () => {
    const { clock, start } = scene()
    const [one, other] = [start('ap-south'), start('ap-south')]
    const shares = () => [one, other].map((replicator) => replicator.snapshots()[0]?.shards ?? [])
    await until(clock, 'each has its share', () => shares().every(({ length }) => length === 4))
    assert.deepEqual(
      shares()
        .flat()
        .toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7],
    )
    await clock.run(one.drain(1000))
    await until(clock, 'the other has all of them', () => shares()[1]?.length === 8)
    await clock.run(other.drain(1000))
    await Promise.all([one.ended, other.ended])
  })

  test('that are configured for other numbers of shards say so, and have none', async () => {
    const { clock, start, startWith } = scene()
    const one = start('ap-south')
    await until(clock, 'it has every shard', () => one.snapshots()[0]?.shards.length === 8)
    const { replicator: other, events } = startWith('replication: { shards: 3 }', 'ap-south')
    await until(clock, 'it is told', () => events.some(({ kind }) => kind === 'sharing-trouble'))
    assert.match(other.snapshots()[0]?.trouble ?? '', /do not share 3 shards/)
    assert.deepEqual(other.snapshots()[0]?.shards, [])
    await clock.run(Promise.all([one.drain(1000), other.drain(1000)]))
  })
})

describe('a flow that fails by a fault of its own', () => {
  /** From then on eu-west answers listings with what no cluster answers. */
  const spoil =
    (isSpoilt: () => boolean) =>
    (cluster: Cluster): Cluster =>
      new Proxy(cluster, {
        get(target, name) {
          if (cluster.alias === 'eu-west' && isSpoilt() && name === 'listTopics')
            return async () => {
              throw new TypeError('a bug')
            }
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })

  test('is told by `ended`, also to those who ask late, and nobody has to ask', async () => {
    const { clock, start } = scene(spoil(() => true))
    const unhandled: unknown[] = []
    const onUnhandled = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', onUnhandled)
    try {
      const replicator = start()
      await clock.advance(10_000)
      await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(unhandled, [])
      await assert.rejects(replicator.ended, { message: 'a bug' })
      await clock.run(replicator.destroy())
    } finally {
      process.off('unhandledRejection', onUnhandled)
    }
  })

  test('is not waited for when the others drain, whatever it had in flight', async () => {
    let isSpoilt = false
    const {
      clock,
      at: brokersAt,
      start,
    } = scene(
      spoil(() => isSpoilt),
      ({ kind }) => (kind === 'produce' && isSpoilt ? { lose: 'answer' } : undefined),
    )
    const source = brokersAt('us-east')
    source.topics.create({ name: 'orders', partitions: 1, replicationFactor: 1, configs: new Map() })
    const replicator = start()
    const flowTo = (alias: string) => replicator.snapshots().find(({ target }) => target === alias)
    await until(clock, 'the flows run', () =>
      ['eu-west', 'ap-south'].every((alias) => flowTo(alias)?.partitions.running === 1),
    )
    isSpoilt = true
    const batch = buildBatch(recordsOf([['k', 'v']], clock.wallMs()))
    const leader = source.partition(at).leader ?? assert.fail('no leader')
    assert.ok(source.produce(leader, [{ ...at, batch }])[0]?.ok)
    await until(clock, 'a batch is in flight', () => (flowTo('eu-west')?.bufferedBytes ?? 0) > 0)
    await until(clock, 'the other flow copies', () => flowTo('ap-south')?.records === 1)
    await until(clock, 'it fails', () => flowTo('eu-west')?.state === 'closed')
    const from = clock.monotonicMs()
    await clock.run(replicator.drain(30_000))
    assert.ok(clock.monotonicMs() - from < 10_000)
    await assert.rejects(replicator.ended, { message: 'a bug' })
  })
})
