import type { PartitionMap } from './maps/partition-map.ts'
import { PartitionFlow, type PartitionSurroundings } from './partition-flow.ts'
import type { Started } from './partition-starter.ts'
import { PartitionWindow, type SettledCounts } from './partition-window.ts'
import type { TurnClock } from './turn-clock.ts'

export interface NewPartitionContext {
  readonly turn: TurnClock
  /** How long the target is sure to remember a producer. */
  readonly memoryMs: number
  readonly around: PartitionSurroundings
  readonly counts: SettledCounts
  readonly map: PartitionMap | undefined
}

/** A partition that goes on where its start pair says, under the identity whose marker stands before it. */
export function newPartition(started: Started, context: NewPartitionContext): PartitionFlow {
  const { newcomer, producer, sourceNext, targetNext, rules, from, earlier } = started
  const { pair, partition: index } = newcomer
  const { turn, memoryMs, around, counts, map } = context
  let partition: PartitionFlow | undefined
  const memory = {
    ms: memoryMs,
    nowMs: () => turn.wallMs,
    stamps: () => (partition?.rules ?? rules).stamps,
  }
  const start = { sourceNext, targetNext, sequence: 0 }
  const window = new PartitionWindow(producer, start, memory, (outgoing, targetBase) =>
    map?.copied(outgoing, targetBase),
  )
  map?.follow(() => {
    const { sourceNext: source, targetNext: target } = window.acknowledged
    return { source, target }
  })
  const place = {
    sourceTopic: pair.source.name,
    sourceTopicId: pair.source.id,
    targetTopic: pair.target.name,
    targetTopicId: pair.target.id,
    partition: index,
  }
  partition = new PartitionFlow(place, window, rules, around, counts, from === 'earliest')
  if (earlier !== undefined) {
    if (earlier.sourceEpoch !== undefined) partition.epochs.took(earlier.sourceEpoch, earlier.sourceNext)
    around.onTargetGap(partition, earlier.targetNext, targetNext, earlier.formerIds)
  }
  return partition
}
