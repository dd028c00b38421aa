import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type {
  CompanionScene,
  CopiedPartition,
  ShardCompanion,
} from '../../../replicator/flow/shard-companion.ts'
import type { TakeCommits } from '../../../replicator/groups/commit-feed.ts'
import type { CommitChange } from '../../../replicator/groups/commit-source.ts'
import { FlowMirror } from '../../../replicator/mirror/flow-mirror.ts'
import { type MirrorPlan, usualPlan } from '../../../replicator/mirror/mirror-plan.ts'
import type { ShardCheckpointsOptions } from '../../../replicator/mirror/shard-checkpoints.ts'
import type { Checkpoint } from '../../../replicator/offsets/mm2/checkpoint.ts'
import type { Heartbeat } from '../../../replicator/offsets/mm2/heartbeat.ts'
import {
  checkpointCodec,
  heartbeatCodec,
  type MirrorCodec,
  MirrorTopic,
  offsetSyncCodec,
} from '../../../replicator/offsets/mm2/mirror-topic.ts'
import type { OffsetSync } from '../../../replicator/offsets/mm2/offset-sync.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { Flow } from '../../../replicator/topology/model.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const a = regionAlias('a')
const b = regionAlias('b')
const flow: Pick<Flow, 'source' | 'target' | 'naming' | 'groups' | 'replicationFactor'> = {
  source: a,
  target: b,
  naming: { kind: 'prefixed', separator: '.' },
  groups: [{ kind: 'match', match: '.*' }],
  replicationFactor: 1,
}

/** Two simulated clusters, one partition that is copied, and its shard's part in MirrorMaker 2's topics. */
export class MirrorScene {
  readonly clock = new SimulatedClock()
  readonly brokers = {
    source: new SimulatedBrokers({ clock: this.clock }),
    target: new SimulatedBrokers({ clock: this.clock }),
  }
  readonly troubles: (string | undefined)[] = []
  map: OffsetMap | undefined = new OffsetMap({ source: sourceOffset(0n), target: targetOffset(0n) })
  isProven = true
  fault: DecideFault = () => undefined
  readonly #random = new SeededRandom(1)
  readonly #newest = new Map<string, CommitChange>()
  readonly #takers = new Set<TakeCommits>()
  readonly #looking = { source: this.#connect('source', false), target: this.#connect('target', false) }

  constructor() {
    const { brokers } = this
    this.#topic(brokers.source, 'orders')
    this.#topic(brokers.target, 'a.orders')
  }

  #topic(brokers: SimulatedBrokers, name: string): void {
    const made = brokers.topics.create({ name, partitions: 1, replicationFactor: 1, configs: new Map() })
    assert(made.ok)
  }

  #connect(side: 'source' | 'target', isFaulty: boolean): MemoryCluster {
    return new MemoryCluster(this.brokers[side], {
      alias: side === 'source' ? a : b,
      faults: (request) => (isFaulty ? this.fault(request) : undefined),
    })
  }

  /** Copies records that follow each other; `gap` are left out before them. */
  copy(count: number, gap = 0): void {
    assert(this.map)
    const { source, target } = this.map.end
    this.map.append({ source: sourceOffset(source + BigInt(gap)), target, count })
  }

  /** Records of the copy's log, of which those below an offset are deleted. */
  fillTarget(count: number, start: bigint): void {
    const { target } = this.brokers
    const at = { topic: 'a.orders', partition: 0 }
    const pairs = Array.from({ length: count }, (_, i): [string, string] => ['key', `value ${i}`])
    const leader = target.partition(at).leader
    assert(leader !== undefined)
    const batch = buildBatch(recordsOf(pairs, this.clock.wallMs()))
    assert(target.produce(leader, [{ ...at, batch }])[0]?.ok)
    target.deleteRecords(at, start)
  }

  commit(group: string, offset: bigint | 'removed', metadata = ''): void {
    const at = { group, topic: 'orders', partition: 0 }
    const commit = offset === 'removed' ? offset : { offset, leaderEpoch: undefined, metadata }
    const change: CommitChange = { ...at, commit }
    if (offset === 'removed') this.#newest.delete(group)
    else this.#newest.set(group, change)
    for (const take of this.#takers) take([change])
  }

  /** A process takes the shard, and works on it. */
  own(
    shard = 0,
    options: { plan?: Partial<MirrorPlan>; refine?: ShardCheckpointsOptions['refine'] } = {},
  ): OwnedShard {
    const { plan, refine } = options
    const mirror = new FlowMirror({
      plan: { ...usualPlan(flow, []), ...plan },
      source: this.#connect('source', true),
      target: this.#connect('target', true),
      feed: {
        follow: (take) => {
          this.#takers.add(take)
          return { stop: () => this.#takers.delete(take) }
        },
        of: () => [...this.#newest.values()],
        failed: new Promise<never>(() => {}),
      },
      refine: refine && (() => refine),
      rereadMax: 1_000n,
      ...{ clock: this.clock, random: this.#random.fork(), backoff: defaultBackoff },
      onTrouble: (_, reason) => {
        if (reason !== this.troubles.at(-1)) this.troubles.push(reason)
      },
    })
    const copies = (): readonly CopiedPartition[] => [
      { topic: 'orders', partition: 0, targetTopic: 'a.orders', map: this.map },
    ]
    const owner = { index: shard, isProven: () => this.isProven }
    // A companion of this kind asks nothing else of its shard.
    const companion = mirror.companion({ copies, shard: owner } as unknown as CompanionScene)
    return new OwnedShard(companion, mirror)
  }

  get takers(): number {
    return this.#takers.size
  }

  pass(ms: number): Promise<void> {
    return this.clock.run(this.clock.sleep(ms))
  }

  async checkpoints(): Promise<readonly (readonly [string, bigint, bigint, string])[]> {
    const found: readonly Checkpoint[] = await this.#read(checkpointCodec, 'target', 'a.checkpoints.internal')
    return found.map(({ group, topic, partition, upstreamOffset, downstreamOffset, metadata }) => {
      assert.deepEqual([topic, partition], ['a.orders', 0])
      return [group, upstreamOffset, downstreamOffset, metadata]
    })
  }

  async syncs(): Promise<readonly (readonly [bigint, bigint])[]> {
    const found: readonly OffsetSync[] = await this.#read(
      offsetSyncCodec,
      'source',
      'mm2-offset-syncs.b.internal',
    )
    return found.map(({ topic, partition, upstreamOffset, downstreamOffset }) => {
      assert.deepEqual([topic, partition], ['orders', 0])
      return [upstreamOffset, downstreamOffset]
    })
  }

  heartbeats(side: 'source' | 'target'): Promise<readonly Heartbeat[]> {
    return this.#read(heartbeatCodec, side, 'heartbeats')
  }

  async #read<T>(codec: MirrorCodec<T>, side: 'source' | 'target', topic: string): Promise<readonly T[]> {
    if (this.brokers[side].topics.byName(topic) === undefined) return []
    const shared = { clock: this.clock, random: this.#random, backoff: defaultBackoff }
    const log = new MirrorTopic(codec, { cluster: this.#looking[side], topic, ...shared })
    const found: T[] = []
    await this.clock.run(
      log.read((entry) => {
        assert(entry.kind === 'decoded')
        found.push(entry.value)
      }, new AbortController().signal),
    )
    return found
  }
}

/** A shard's companion at work. */
class OwnedShard {
  readonly #companion: ShardCompanion
  readonly #mirror: FlowMirror
  readonly #stop = new AbortController()
  readonly running: Promise<void>

  constructor(companion: ShardCompanion, mirror: FlowMirror) {
    this.#companion = companion
    this.#mirror = mirror
    this.running = companion.run(this.#stop.signal)
    this.running.catch(() => {})
    companion.hold?.(this.#stop.signal).catch(() => {})
  }

  /** Gives the shard away, in order or not. */
  async leave(clock: SimulatedClock, how: 'finished' | 'lost' = 'finished'): Promise<void> {
    if (how === 'finished') await clock.run(this.#companion.finish(this.#stop.signal))
    this.#stop.abort(new Error('the shard is given up'))
    this.#companion.close()
    await clock.run(this.#mirror.close())
    await assert.rejects(this.running, /given up/)
  }
}
