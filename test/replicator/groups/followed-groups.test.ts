import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CommitChange } from '../../../replicator/groups/commit-source.ts'
import { back, type FollowDirection, forth } from '../../../replicator/groups/follow-direction.ts'
import type { Followed } from '../../../replicator/groups/follow-group.ts'
import { FollowedGroups, type Remembered } from '../../../replicator/groups/followed-groups.ts'
import { decodeFollowed, decodeFollowedKey } from '../../../replicator/groups/followed-record.ts'
import { OwnCommits } from '../../../replicator/groups/own-commits.ts'
import type { CommittedOffset } from '../../../replicator/kafka/consumer-groups.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const flow = flowId(regionAlias('us'), regionAlias('eu'))
const signal = new AbortController().signal
const names = { us: 'orders', eu: 'us.orders' }
type Side = keyof typeof names

/** Records 0 to 9 of `orders` are 5 to 14 of `us.orders`; both go on behind a gap: 20 to 29 are 16 to 25. */
function mapOfOrders(): OffsetMap {
  const map = new OffsetMap({ source: sourceOffset(0n), target: targetOffset(5n) })
  map.append({ source: sourceOffset(0n), target: targetOffset(5n), count: 10 })
  map.append({ source: sourceOffset(20n), target: targetOffset(16n), count: 10 })
  return map
}

const commitOf = (offset: bigint, metadata = ''): CommittedOffset => ({
  offset,
  metadata,
  leaderEpoch: undefined,
})

/** Two clusters, a copied partition, and what follows its groups, one turn at a time. */
class Scene {
  readonly clock = new SimulatedClock()
  readonly clusters: Readonly<Record<Side, MemoryCluster>>
  readonly own = { forth: new OwnCommits(), back: new OwnCommits() }
  /** What was written down, in order. */
  readonly ledger: { readonly at: string; readonly offsets: readonly bigint[] }[] = []
  readonly #groups: readonly FollowedGroups[]
  readonly #copies = [{ topic: names.us, partition: 0, targetTopic: names.eu, map: mapOfOrders() }]
  fault: DecideFault = () => undefined
  ledgerError: Error | undefined

  private constructor(directions: readonly FollowDirection[], remembered: Remembered) {
    const connect = (side: Side) =>
      new MemoryCluster(new SimulatedBrokers({ clock: this.clock }), {
        alias: regionAlias(side),
        faults: (request) => (side === 'eu' ? this.fault(request) : undefined),
      })
    this.clusters = { us: connect('us'), eu: connect('eu') }
    this.#groups = directions.map(
      (direction) =>
        new FollowedGroups(
          {
            flow,
            direction,
            target: this.clusters[direction === forth ? 'eu' : 'us'],
            commits: this.clusters[direction === forth ? 'eu' : 'us'],
            feed: { of: () => [] },
            clock: this.clock,
            rereadMax: 2n ** 63n,
            refine: async () => {},
          },
          {
            follow: { refreshMs: 3_600_000, watchMs: 30_000, lookLastsMs: 2_000 },
            remembered: direction === forth ? remembered : new Map(),
            remember: async (records) => {
              if (this.ledgerError !== undefined) throw this.ledgerError
              for (const { key, value } of records) {
                const { direction: way, group, topic } = decodeFollowedKey(key)
                const offsets = decodeFollowed(value).map(({ offset }) => offset)
                this.ledger.push({ at: `${way} ${group} ${topic}`, offsets })
              }
            },
            own: this.own[direction.name],
            echoes: this.own[direction === forth ? 'back' : 'forth'],
          },
        ),
    )
  }

  static async open(
    directions: readonly FollowDirection[] = [forth],
    remembered: Remembered = new Map(),
  ): Promise<Scene> {
    const scene = new Scene(directions, remembered)
    for (const side of ['us', 'eu'] as const) {
      const topic = { name: names[side], partitions: 1, replicationFactor: 1, configs: new Map() }
      await scene.clusters[side].createTopics([topic])
    }
    await scene.turn()
    return scene
  }

  async turn(isLast = false): Promise<void> {
    for (const groups of this.#groups) groups.see(this.#copies)
    for (const groups of this.#groups) await groups.turn(signal, isLast)
  }

  /** What is copied behind everything before. */
  copy(source: bigint, target: bigint, count: number): void {
    this.#copies[0]?.map.append({ source: sourceOffset(source), target: targetOffset(target), count })
  }

  /** What a feed would tell, in whichever direction it follows that cluster. */
  async told(side: Side, group: string, commit: CommittedOffset | 'removed'): Promise<void> {
    const change: CommitChange = { group, topic: names[side], partition: 0, commit }
    this.#groups[side === 'us' ? 0 : 1]?.take([change])
    await this.turn()
  }

  async later(ms: number): Promise<void> {
    await this.clock.advance(ms)
    await this.turn()
  }

  async stands(side: Side, group: string): Promise<CommittedOffset | undefined> {
    const partitions = [{ topic: names[side], partition: 0 }]
    const [answer] = await this.clusters[side].groupOffsets([{ group, partitions }], { requireStable: false })
    assert(answer?.result.ok)
    const [offset] = answer.result.value
    assert(offset?.result.ok)
    return offset.result.value
  }

  async commit(side: Side, group: string, offset: bigint): Promise<void> {
    const commit = { topic: names[side], partition: 0, ...commitOf(offset) }
    assert.equal((await this.clusters[side].commitGroupOffsets(group, [commit])).kind, 'answered')
  }

  get trouble(): string | undefined {
    return this.#groups[0]?.trouble
  }
}

const followed = (position: bigint, offset: bigint): Followed => ({
  position: sourceOffset(position),
  offset: targetOffset(offset),
  metadata: '',
  atMs: 0,
})

describe('groups that a shard follows', () => {
  test('are written down before they are committed, with all that may stand there', async () => {
    const scene = await Scene.open()
    await scene.told('us', 'g', commitOf(3n, 'm'))
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(8n, 'm'))
    await scene.told('us', 'g', commitOf(12n))
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(16n))
    assert.deepEqual(scene.ledger, [
      { at: 'forth g orders', offsets: [8n] },
      { at: 'forth g orders', offsets: [8n, 16n] },
    ])
  })

  test('are not committed when they cannot be written down; later they are', async () => {
    const scene = await Scene.open()
    scene.ledgerError = new Error('fenced')
    await assert.rejects(scene.told('us', 'g', commitOf(3n)), /fenced/)
    assert.equal(await scene.stands('eu', 'g'), undefined)
    scene.ledgerError = undefined
    await scene.turn()
    assert.equal(await scene.stands('eu', 'g'), undefined)
    await scene.later(1_000)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(8n))
  })

  test('are known by what was written down before; by anything else they are the target’s own', async () => {
    const remembered = new Map([['orders/0', new Map([['g', [followed(2n, 7n), followed(3n, 8n)]]])]])
    const scene = await Scene.open([forth], remembered)
    await scene.commit('eu', 'g', 7n)
    await scene.commit('eu', 'other', 7n)
    await scene.told('us', 'g', commitOf(4n))
    await scene.told('us', 'other', commitOf(4n))
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(9n))
    assert.deepEqual(await scene.stands('eu', 'other'), commitOf(7n))
  })

  test('are looked at again when that failed', async () => {
    const scene = await Scene.open()
    scene.fault = ({ kind }) => (kind === 'describe-groups' ? { lose: 'request' } : undefined)
    const failed = assert.rejects(scene.told('us', 'g', commitOf(3n)))
    await scene.clock.advance(60_000)
    await failed
    scene.fault = () => undefined
    assert.equal(await scene.stands('eu', 'g'), undefined)
    await scene.later(1_000)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(8n))
  })

  test('whose commit got lost on the way are looked at, and committed again if need be', async () => {
    for (const lose of ['request', 'answer'] as const) {
      const scene = await Scene.open()
      scene.fault = ({ kind }) => (kind === 'commit-group-offsets' ? { lose } : undefined)
      const told = scene.told('us', 'g', commitOf(3n))
      await scene.clock.advance(60_000)
      await told
      scene.fault = () => undefined
      await scene.told('us', 'g', commitOf(4n))
      await scene.later(1_000)
      assert.deepEqual(await scene.stands('eu', 'g'), commitOf(9n), lose)
    }
  })

  test('are made again before they expire, and no more once they are gone on the source', async () => {
    const scene = await Scene.open()
    await scene.told('us', 'g', commitOf(3n))
    await scene.later(3_600_000)
    assert.equal(scene.ledger.length, 2)
    await scene.told('us', 'g', 'removed')
    await scene.later(7_200_000)
    assert.equal(scene.ledger.length, 2)
  })

  test('of both regions: what one direction commits, the other one does not follow back', async () => {
    const scene = await Scene.open([forth, back])
    await scene.told('us', 'g', commitOf(21n))
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(17n))
    await scene.told('eu', 'g', commitOf(17n))
    assert.equal(await scene.stands('us', 'g'), undefined)
    await scene.told('eu', 'h', commitOf(14n))
    assert.deepEqual(await scene.stands('us', 'h'), commitOf(9n))
    await scene.told('us', 'h', commitOf(9n))
    assert.deepEqual(await scene.stands('eu', 'h'), undefined)
  })

  test('of both regions: nor what an earlier process committed', async () => {
    const remembered = new Map([['orders/0', new Map([['g', [followed(3n, 8n)]]])]])
    const scene = await Scene.open([forth, back], remembered)
    await scene.told('eu', 'g', commitOf(8n))
    assert.equal(await scene.stands('us', 'g'), undefined)
    await scene.told('eu', 'g', commitOf(9n))
    assert.deepEqual(await scene.stands('us', 'g'), commitOf(4n))
  })

  test('wait for the copy of what they have read, and go on every two seconds to where copying got', async () => {
    const scene = await Scene.open()
    await scene.told('us', 'g', commitOf(35n))
    assert.equal(await scene.stands('eu', 'g'), undefined)
    await scene.later(1_900)
    assert.equal(await scene.stands('eu', 'g'), undefined)
    await scene.later(100)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(26n))
    scene.copy(30n, 26n, 2)
    await scene.later(1_900)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(26n))
    await scene.later(100)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(28n))
    scene.copy(32n, 28n, 8)
    await scene.later(200)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(31n))
  })

  test('wait for no copy when the shard goes to somebody else', async () => {
    const scene = await Scene.open()
    await scene.told('us', 'g', commitOf(35n))
    await scene.turn(true)
    assert.deepEqual(await scene.stands('eu', 'g'), commitOf(26n))
  })

  test('are followed back exactly, gaps and ends included', async () => {
    const scene = await Scene.open([forth, back])
    for (const [copied, original] of [
      [0n, 0n],
      [5n, 0n],
      [15n, 20n],
      [16n, 20n],
      [26n, 30n],
      [99n, 30n],
    ] as const) {
      const group = `at ${copied}`
      await scene.told('eu', group, commitOf(copied))
      // A position that is not copied yet waits for its copy.
      await scene.later(2_000)
      assert.deepEqual((await scene.stands('us', group))?.offset, original, group)
    }
  })
})
