import type { LogWalks } from '../logs/log-walks.ts'
import type { OffsetMap } from '../offsets/offset-map.ts'
import type { Shard } from '../shards/shard.ts'

/** A partition that a shard copies, for those who go by its offset map. */
export interface CopiedPartition {
  /** Its topic's name on the source. */
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  /** As far as copying got; `undefined` until what was written of it before has been read. */
  readonly map: OffsetMap | undefined
}

/** What is done for a shard beside copying, for as long as this process owns it. */
export interface ShardCompanion {
  /**
   * Called once, as soon as the shard falls to this process, with partitions or without; works until the signal aborts.
   * Nothing is fenced by it: another process may do the same for a moment.
   * @throws KafkaError; the signal's reason
   */
  hold?(signal: AbortSignal): Promise<void>
  /**
   * Called once, after the shard's first fence; works until the signal aborts. Waits for clusters that are away.
   * @throws ShardLostError; the signal's reason
   */
  run(signal: AbortSignal): Promise<void>
  /**
   * The shard goes to somebody else: everything that was copied is acknowledged, and whoever gets the shard waits.
   * @throws KafkaError; ShardLostError; the signal's reason
   */
  finish(signal: AbortSignal): Promise<void>
  /** Frees connections; whatever is under way ends by its signal. */
  close(): void
}

/** What a companion sees of its shard. */
export interface CompanionScene {
  readonly shard: Shard
  /** The partitions that run now. */
  readonly copies: () => readonly CopiedPartition[]
  /** Through either cluster's logs, for the flow's own use; stay open for as long as the flow runs. */
  readonly walks: { readonly source: LogWalks; readonly target: LogWalks }
}

export type MakeCompanion = (scene: CompanionScene) => ShardCompanion
