import type { TopicMetadata } from '../kafka/cluster.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import type { FlowId } from '../topology/model.ts'
import { ProgressView } from './progress-view.ts'
import { prepareShardTopic, type ShardTopicOptions } from './shard-topic.ts'

/**
 * Progress is rewritten every second: the cleaner has to keep it short, because a takeover reads its partition whole.
 * Kafka's defaults would let it grow for a week before the first segment could be cleaned.
 */
const progressConfigs: ReadonlyMap<string, string> = new Map([
  ['cleanup.policy', 'compact'],
  // The least that Kafka 4 allows.
  ['segment.bytes', String(1024 * 1024)],
  ['segment.ms', '60000'],
  ['min.cleanable.dirty.ratio', '0.1'],
  ['max.compaction.lag.ms', '120000'],
])

/** As {@link prepareShardTopic}, for the progress topic. */
export function prepareProgressTopic(
  options: Omit<ShardTopicOptions, 'configs'>,
  signal: AbortSignal,
): Promise<TopicMetadata> {
  return prepareShardTopic({ ...options, configs: progressConfigs }, signal)
}

/**
 * What all partitions of the progress topic say about a flow, by partition. A partition that changed its shard may
 * have records in several.
 * @throws KafkaError when one of them cannot be read
 */
export async function readProgress(
  topic: TopicMetadata,
  flow: FlowId,
  walks: LogWalks,
  signal: AbortSignal,
): Promise<readonly ProgressView[]> {
  return await Promise.all(
    topic.partitions.map(async ({ partition }) => {
      const view = new ProgressView(flow)
      await readOn({ topic: topic.name, partition }, undefined, view, walks, signal)
      return view
    }),
  )
}

/**
 * Reads a partition of the progress topic on from an offset (its start, when `undefined`) to its end.
 * @returns where to read on
 */
export async function readOn(
  at: { readonly topic: string; readonly partition: number },
  from: bigint | undefined,
  view: ProgressView,
  walks: LogWalks,
  signal: AbortSignal,
): Promise<bigint> {
  const start = from ?? (await walks.bounds(at.topic, at.partition, signal)).start
  const { next } = await walks.walk(
    {
      ...at,
      from: start,
      isolation: 'read_uncommitted',
      atEnd: 'stop',
      visit(batch) {
        view.visit(batch)
        return 'on'
      },
    },
    signal,
  )
  return next
}
