import { backoffMs } from '../clock/backoff.ts'
import type { TopicMetadata } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { type OwnershipLimits, readOwnershipLimits } from '../shards/ownership-limits.ts'
import { prepareProgressTopic, readProgress } from '../shards/progress-topic.ts'
import type { ProgressView } from '../shards/progress-view.ts'
import { Shard } from '../shards/shard.ts'
import type { FlowOptions } from './flow-options.ts'

/** What the target knows of a flow before it starts. */
export interface FlowMemory {
  readonly progressTopicId: string | undefined
  readonly limits: OwnershipLimits
  /** Ids of source topics as progress knows them, by topic. */
  readonly knownIds: ReadonlyMap<string, string>
  /** What the progress topic says, by shard. */
  readonly views: readonly ProgressView[]
}

/**
 * Makes the progress topic if need be, and reads it. Tries until the target answers.
 * @param onTrouble what the target says, and `undefined` when it has answered
 * @throws the signal's reason
 */
export async function openFlow(
  options: FlowOptions,
  walks: LogWalks,
  onTrouble: (error: KafkaError | undefined) => void,
  signal: AbortSignal,
): Promise<FlowMemory> {
  const { clock, backoff, random } = options
  for (let attempt = 0; ; attempt++) {
    try {
      const memory = await readMemory(options, walks, signal)
      onTrouble(undefined)
      return memory
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      onTrouble(error)
      await clock.sleep((error.retriable ? 1 : 5) * backoffMs(backoff, attempt, random), signal)
    }
  }
}

async function readMemory(options: FlowOptions, walks: LogWalks, signal: AbortSignal): Promise<FlowMemory> {
  const topic = await prepare(options, signal)
  const limits = await readOwnershipLimits(options.target, signal)
  const knownIds = new Map<string, string>()
  const views = await readProgress(topic, options.flow.id, walks, signal)
  for (const { key, progress } of views.flatMap(({ entries }) => entries)) {
    if (progress.topicId !== undefined) knownIds.set(key.topic, progress.topicId)
  }
  return { progressTopicId: topic.id, limits, knownIds, views }
}

/** What the progress topic says now, by shard. @throws KafkaError; the signal's reason */
export async function readViews(
  options: FlowOptions,
  walks: LogWalks,
  signal: AbortSignal,
): Promise<readonly ProgressView[]> {
  return await readProgress(await prepare(options, signal), options.flow.id, walks, signal)
}

async function prepare(
  { target: cluster, progressTopic: topic, clock, flow }: FlowOptions,
  signal: AbortSignal,
): Promise<TopicMetadata> {
  const { shards, replicationFactor } = flow
  return await prepareProgressTopic({ cluster, topic, clock, shards, replicationFactor }, signal)
}

/** Makes the flow's shards. @param walks through the target's logs */
export function shardMaker(
  options: FlowOptions,
  memory: Pick<FlowMemory, 'progressTopicId' | 'limits'>,
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
