import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { loadConfig } from '../../../replicator/config/load-config.ts'
import type { FlowEvent } from '../../../replicator/flow/events.ts'
import { checkpointCodec, heartbeatCodec, MirrorTopic } from '../../../replicator/offsets/mm2/mirror-topic.ts'
import { type Replicator, startReplicator } from '../../../replicator/processes/replicate.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const head = `name: mirrored
regions: { a: { bootstrap: a.example:9092 }, b: { bootstrap: b.example:9092 }, c: { bootstrap: c.example:9092 } }
topics: [{ name: orders }]
groups: [{ match: '.*' }]
`
const aliases = ['a', 'b', 'c'] as const
type Alias = (typeof aliases)[number]

/** A process between three simulated clusters; `orders` is on a and b. */
class Scene {
  readonly clock = new SimulatedClock()
  readonly events: FlowEvent[] = []
  readonly #brokers: Readonly<Record<Alias, SimulatedBrokers>>
  readonly #random = new SeededRandom(1)

  constructor() {
    const [a, b, c] = [1, 2, 3].map((seed) => new SimulatedBrokers({ clock: this.clock, seed }))
    assert(a && b && c)
    this.#brokers = { a, b, c }
    for (const brokers of [a, b]) {
      brokers.topics.create({ name: 'orders', partitions: 1, replicationFactor: 1, configs: new Map() })
      const at = { topic: 'orders', partition: 0 }
      const leader = brokers.partition(at).leader
      assert(leader !== undefined)
      const pairs = Array.from({ length: 50 }, (_, i): [string, string] => ['key', `value ${i}`])
      const batch = buildBatch(recordsOf(pairs, this.clock.wallMs()))
      assert(brokers.produce(leader, [{ ...at, batch }])[0]?.ok)
    }
  }

  #connect(alias: Alias): MemoryCluster {
    return new MemoryCluster(this.#brokers[alias], { alias: regionAlias(alias) })
  }

  start(yaml: string): Replicator {
    const readFile = (path: string) =>
      path.endsWith('causeway.yaml') ? Buffer.from(head + yaml) : readFileSync(path)
    const loaded = loadConfig({ path: 'causeway.yaml', readFile, environment: {} })
    assert(loaded.ok, JSON.stringify(loaded))
    return startReplicator({
      config: loaded.config,
      clock: this.clock,
      random: this.#random.fork(),
      announce: (event) => this.events.push(event),
      acceptsGap: () => false,
      connect: ({ alias }) => this.#connect(alias as string as Alias),
    })
  }

  async commit(alias: Alias, group: string, offset: bigint): Promise<void> {
    const commit = { topic: 'orders', partition: 0, offset, leaderEpoch: undefined, metadata: '' }
    await this.clock.run(this.#connect(alias).commitGroupOffsets(group, [commit]))
  }

  /** Topics of MirrorMaker 2 and the copies of heartbeats. */
  topics(alias: Alias): readonly string[] {
    const names = this.#brokers[alias].topics.all.map(({ name }) => name)
    return names.filter((name) => /heartbeats$|internal$/.test(name)).toSorted()
  }

  async entries<T>(codec: ConstructorParameters<typeof MirrorTopic<T>>[0], alias: Alias, topic: string) {
    const shared = { clock: this.clock, random: this.#random, backoff: defaultBackoff }
    const log = new MirrorTopic<T>(codec, { cluster: this.#connect(alias), topic, ...shared })
    const found: T[] = []
    await this.clock.run(
      log.read((entry) => {
        assert(entry.kind === 'decoded')
        found.push(entry.value)
      }, new AbortController().signal),
    )
    return found
  }

  async until(what: string, isSo: () => boolean): Promise<void> {
    for (let steps = 0; !isSo(); steps++) {
      assert(
        steps < 600,
        `${what}: still not so; ${aliases.map((alias) => `${alias}: ${this.topics(alias)}`)}`,
      )
      await this.clock.advance(100)
    }
  }
}

describe("MirrorMaker 2's topics of a process", () => {
  test('heartbeats travel as far as flows lead, and never back', async () => {
    const scene = new Scene()
    const replicator = scene.start(`flows:
  - { source: a, target: b }
  - { source: b, target: c }
  - { source: c, target: a }
replication: { mirrorMakerTopics: true, shards: 1 }
`)
    await scene.until('all of them are there', () => scene.topics('a').includes('c.b.heartbeats'))
    await scene.clock.advance(20_000)
    for (const [here, before, twoBefore, next] of [
      ['a', 'c', 'b', 'b'],
      ['b', 'a', 'c', 'c'],
      ['c', 'b', 'a', 'a'],
    ] as const) {
      const expected = [
        'heartbeats',
        `${before}.checkpoints.internal`,
        `${before}.heartbeats`,
        `${before}.${twoBefore}.heartbeats`,
        `mm2-offset-syncs.${next}.internal`,
      ]
      assert.deepEqual(scene.topics(here), expected.toSorted(), here)
      const copied = await scene.entries(heartbeatCodec, here, `${before}.${twoBefore}.heartbeats`)
      assert.ok(copied.length > 5, `${copied.length} heartbeats of ${twoBefore} on ${here}`)
    }
    await scene.clock.run(replicator.drain(5_000))
  })

  test('none are written unless they are asked for, of all flows or of one', async () => {
    const scene = new Scene()
    const replicator = scene.start(`flows:
  - { source: a, target: b, naming: identity }
  - { source: b, target: c, mirrorMakerTopics: true }
`)
    await scene.until('the one that is asked for', () => scene.topics('c').includes('b.heartbeats'))
    assert.deepEqual(scene.topics('a'), [])
    await scene.clock.run(replicator.drain(5_000))
  })

  test('checkpoints outlive a restart; where regions share a topic there are none, and that is said', async () => {
    const scene = new Scene()
    const yaml = (naming: string) => `flows:
  - { source: a, target: b }
  - { source: b, target: a }
replication: { mirrorMakerTopics: true, shards: 2, naming: ${naming} }
`
    await scene.commit('a', 'g', 20n)
    const first = scene.start(yaml('prefixed'))
    const read = async (alias: Alias, topic: string) =>
      (await scene.entries(checkpointCodec, alias, topic)).map((entry) => [
        ...[entry.group, entry.topic, entry.upstreamOffset, entry.downstreamOffset],
      ])
    const checkpoints = () => read('b', 'a.checkpoints.internal')
    await scene.clock.advance(15_000)
    const [told] = await checkpoints()
    assert.deepEqual(told?.slice(0, 3), ['g', 'a.orders', 20n])
    await scene.clock.run(first.drain(5_000))
    await scene.commit('a', 'g', 30n)
    const second = scene.start(yaml('prefixed'))
    await scene.clock.advance(15_000)
    const all = await checkpoints()
    assert.deepEqual(
      all.length,
      2,
      JSON.stringify(all, (_, value) => String(value)),
    )
    assert.deepEqual(all[1], ['g', 'a.orders', 30n, (told?.[3] as bigint) + 10n])
    await scene.clock.run(second.drain(5_000))
    assert.ok(!scene.events.some(({ kind }) => kind === 'mirror-topics-trouble'))

    const shared = new Scene()
    await shared.commit('a', 'g', 20n)
    const third = shared.start(yaml('identity'))
    await shared.clock.advance(15_000)
    assert.ok(shared.topics('b').includes('a.heartbeats'))
    assert.deepEqual(await shared.entries(checkpointCodec, 'b', 'a.checkpoints.internal'), [])
    assert.ok(shared.events.some(({ kind }) => kind === 'mirror-topics-trouble'))
    await shared.clock.run(third.drain(5_000))
  })
})
