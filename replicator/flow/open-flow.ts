import type { LogWalks } from '../shards/log-walks.ts'
import { type OwnershipLimits, readOwnershipLimits } from '../shards/ownership-limits.ts'
import { prepareProgressTopic, readProgress } from '../shards/progress-topic.ts'
import { Shard } from '../shards/shard.ts'
import { shardOf } from '../shards/shard-of.ts'
import type { FlowOptions } from './flow-options.ts'

/** What the target knows of a flow before it starts. */
export interface FlowMemory {
  readonly progressTopicId: string | undefined
  readonly limits: OwnershipLimits
  /** Ids of source topics as progress knows them, by topic. */
  readonly knownIds: ReadonlyMap<string, string>
  /** Partitions (`topic/partition`) whose progress stands with a shard that is not theirs any more, and which it is. */
  readonly misplaced: ReadonlyMap<string, number>
}

/** Makes the progress topic if need be, and reads it. @throws KafkaError; the signal's reason */
export async function openFlow(
  options: FlowOptions,
  walks: LogWalks,
  signal: AbortSignal,
): Promise<FlowMemory> {
  const { target: cluster, progressTopic: topic, clock, flow } = options
  const { shards, replicationFactor } = flow
  const prepared = await prepareProgressTopic({ cluster, topic, clock, shards, replicationFactor }, signal)
  const limits = await readOwnershipLimits(cluster, signal)
  const knownIds = new Map<string, string>()
  const misplaced = new Map<string, number>()
  const views = await readProgress(prepared, flow.id, walks, signal)
  for (const [index, view] of views.entries()) {
    for (const { key, progress } of view.entries) {
      if (progress.topicId !== undefined) knownIds.set(key.topic, progress.topicId)
      if (shardOf(key.topic, key.partition, shards) !== index)
        misplaced.set(`${key.topic}/${key.partition}`, index)
    }
  }
  return { progressTopicId: prepared.id, limits, knownIds, misplaced }
}

/** Makes the flow's shards. */
export function shardMaker(
  options: FlowOptions,
  memory: FlowMemory,
  walks: LogWalks,
): (index: number) => Shard {
  const { target, progressTopic, transactionalIdOf, registry, clock, random, backoff, flow } = options
  return (index) =>
    new Shard({
      flow: flow.id,
      index,
      transactionalId: transactionalIdOf(index),
      target,
      progressTopic,
      progressTopicId: memory.progressTopicId,
      registry,
      walks,
      limits: memory.limits,
      clock,
      random,
      backoff,
    })
}
