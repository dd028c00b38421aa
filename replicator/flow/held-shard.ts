import type { Progress } from '../shards/progress-record.ts'
import type { Shard } from '../shards/shard.ts'
import type { ShardMaps } from './maps/shard-maps.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { CopiedPartition, ShardCompanion } from './shard-companion.ts'
import type { StoppedPartition } from './snapshot.ts'

/** A shard that this process owns, and what it does with it. */
export interface HeldShard {
  readonly shard: Shard
  readonly maps: ShardMaps | undefined
  readonly companions: readonly ShardCompanion[]
  /** Ends everything that is done for the shard. */
  readonly stop: AbortController
  /** By `topic/partition`. */
  readonly partitions: Map<string, PartitionFlow>
  /** Partitions that are being fenced and looked up in the logs, by `topic/partition`. */
  readonly starting: Set<string>
  /** Partitions that cannot be started, and why, by `topic/partition`. */
  readonly refused: Map<string, StoppedPartition>
  /** Partitions that ran once, or could not, by `topic/partition`. */
  readonly tried: Set<string>
  /** How often in a row a partition was taken anew without getting anywhere, by `topic/partition`. */
  readonly takenAnew: Map<string, number>
  /** Everything that is under way for the shard. */
  readonly tasks: Set<Promise<void>>
  /** The progress that was written last, by `topic/partition`. */
  readonly written: Map<string, Progress>
  /** It was fenced, and ownership is being kept. */
  isKept: boolean
  /** It goes to another process: nothing new is started. */
  isLeaving: boolean
  /** A proof of ownership is being asked for. */
  isProving: boolean
}

export function heldShard(
  shard: Shard,
  maps: ShardMaps | undefined,
  makeCompanions: (shard: Shard, copies: () => readonly CopiedPartition[]) => readonly ShardCompanion[],
): HeldShard {
  const partitions = new Map<string, PartitionFlow>()
  return {
    shard,
    maps,
    companions: makeCompanions(shard, () => copiesOf(partitions, maps)),
    stop: new AbortController(),
    partitions,
    starting: new Set(),
    refused: new Map(),
    tried: new Set(),
    takenAnew: new Map(),
    tasks: new Set(),
    written: new Map(),
    isKept: false,
    isLeaving: false,
    isProving: false,
  }
}

const copiesOf = (
  partitions: ReadonlyMap<string, PartitionFlow>,
  maps: ShardMaps | undefined,
): readonly CopiedPartition[] =>
  [...partitions.values()].map(({ place, partition, targetTopic }) => {
    const kept = maps?.of(place.sourceTopic, partition)
    return {
      topic: place.sourceTopic,
      partition,
      targetTopic,
      map: kept?.isWhole === true ? kept.map : undefined,
    }
  })
