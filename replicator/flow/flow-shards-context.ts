import type { KafkaError } from '../kafka/errors.ts'
import type { Shard } from '../shards/shard.ts'
import type { FlowOptions } from './flow-options.ts'
import type { ShardMaps } from './maps/shard-maps.ts'
import type { PartitionSurroundings } from './partition-flow.ts'
import type { PartitionStarter } from './partition-starter.ts'
import type { SettledCounts } from './partition-window.ts'
import type { CopiedPartition, ShardCompanion } from './shard-companion.ts'
import type { SourceReader } from './source-reader.ts'
import type { TargetWriter } from './target-writer.ts'
import type { TaskSet } from './task-set.ts'
import type { TurnClock } from './turn-clock.ts'

/** What a flow gives its shards. */
export interface FlowShardsContext {
  readonly options: FlowOptions
  readonly makeShard: (index: number) => Shard
  /** Keeps the offset maps of a shard; `undefined` where nobody keeps them. */
  readonly makeMaps: (shard: Shard) => ShardMaps | undefined
  readonly makeCompanions: (
    shard: Shard,
    copies: () => readonly CopiedPartition[],
  ) => readonly ShardCompanion[]
  readonly memoryMs: number
  readonly starter: PartitionStarter
  readonly reader: SourceReader
  readonly writer: TargetWriter
  readonly around: Omit<PartitionSurroundings, 'mayWrite'>
  readonly counts: SettledCounts
  readonly tasks: TaskSet
  readonly turn: TurnClock
  readonly onTrouble: (error: KafkaError | undefined) => void
  readonly isPaused: (topic: string) => boolean
  /** Something has started, or was refused. */
  readonly onProgressed: () => void
  /** Aborts when the flow is cut: nothing is waited for then. */
  readonly cut: AbortSignal
}
