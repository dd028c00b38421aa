import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CompanionScene, MakeCompanion } from '../flow/shard-companion.ts'
import type { CommitFeed } from '../groups/commit-feed.ts'
import type { Cluster } from '../kafka/cluster.ts'
import {
  checkpointCodec,
  heartbeatCodec,
  type MirrorCodec,
  offsetSyncCodec,
} from '../offsets/mm2/mirror-topic.ts'
import { heartbeatsTopic } from '../topology/heartbeats.ts'
import { CheckpointBook } from './checkpoint-book.ts'
import { FlowHeartbeats } from './flow-heartbeats.ts'
import type { MirrorPart } from './mirror-part.ts'
import type { MirrorPlan } from './mirror-plan.ts'
import { MirrorWriter } from './mirror-writer.ts'
import { ShardCheckpoints, type ShardCheckpointsOptions } from './shard-checkpoints.ts'
import { ShardMirror } from './shard-mirror.ts'
import { ShardOffsetSyncs } from './shard-offset-syncs.ts'

export interface FlowMirrorOptions {
  readonly plan: MirrorPlan
  readonly source: Cluster
  readonly target: Cluster
  /** The commits of the plan's groups. */
  readonly feed: Pick<CommitFeed, 'follow' | 'of' | 'failed'>
  /** See {@link ShardCheckpointsOptions}. */
  readonly refine: ((scene: CompanionScene) => NonNullable<ShardCheckpointsOptions['refine']>) | undefined
  readonly rereadMax: bigint
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  /** Told what keeps a shard's part from being written, and `undefined` when nothing does any more. */
  readonly onTrouble: (shard: number, reason: string | undefined) => void
}

/** MirrorMaker 2's topics of a flow, kept by the shards that this process owns. */
export class FlowMirror {
  readonly #options: FlowMirrorOptions
  readonly #writers: { close(): Promise<void> }[] = []
  readonly #makers: readonly ((scene: CompanionScene) => readonly MirrorPart[])[]
  readonly #heartbeats: readonly (() => FlowHeartbeats)[]

  constructor(options: FlowMirrorOptions) {
    this.#options = options
    this.#makers = [this.#offsetSyncs(), this.#checkpoints()]
    this.#heartbeats = this.#makersOfHeartbeats()
  }

  readonly companion: MakeCompanion = (scene) => {
    const { clock, feed, onTrouble } = this.#options
    return new ShardMirror({
      parts: this.#makers.flatMap((make) => make(scene)),
      // One replica writes them: whoever has the first shard, which may have no partitions.
      ofFlow: scene.shard.index === 0 ? this.#heartbeats.map((make) => make()) : [],
      clock,
      failed: feed.failed,
      onTrouble: (reason) => onTrouble(scene.shard.index, reason),
    })
  }

  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()))
  }

  #offsetSyncs(): (scene: CompanionScene) => readonly MirrorPart[] {
    const { plan, clock } = this.#options
    const { offsetSyncs } = plan
    if (offsetSyncs === undefined) return () => []
    const { on, topic, replicationFactor, offsetLagMax, flushIntervalMs } = offsetSyncs
    const writer = this.#writer(offsetSyncCodec, on, topic, replicationFactor)
    return (scene) => [new ShardOffsetSyncs({ scene, writer, offsetLagMax, flushIntervalMs, clock })]
  }

  #checkpoints(): (scene: CompanionScene) => readonly MirrorPart[] {
    const { plan, feed, target, clock, rereadMax, refine } = this.#options
    if (plan.checkpoints === undefined) return () => []
    const { topic, replicationFactor } = plan.checkpoints
    const book = new CheckpointBook(this.#writer(checkpointCodec, 'target', topic, replicationFactor))
    const shared = { target, feed, book, clock, rereadMax }
    return (scene) => [new ShardCheckpoints({ scene, ...shared, refine: refine?.(scene) })]
  }

  #makersOfHeartbeats(): readonly (() => FlowHeartbeats)[] {
    const { plan, clock } = this.#options
    return plan.heartbeats.map(({ on, source, target, intervalMs, replicationFactor }) => {
      const writer = this.#writer(heartbeatCodec, on, heartbeatsTopic, replicationFactor)
      return () => new FlowHeartbeats({ source, target, intervalMs, writer, clock })
    })
  }

  #writer<T>(
    codec: MirrorCodec<T>,
    on: 'source' | 'target',
    topic: string,
    replicationFactor: number | 'broker-default',
  ): MirrorWriter<T> {
    const { clock, random, backoff } = this.#options
    const cluster = this.#options[on]
    const writer = new MirrorWriter({ cluster, topic, codec, replicationFactor, clock, random, backoff })
    this.#writers.push(writer)
    return writer
  }
}
