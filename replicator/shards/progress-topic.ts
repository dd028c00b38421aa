import type { Clock } from '../clock/clock.ts'
import type { Cluster, TopicMetadata } from '../kafka/cluster.ts'
import { type KafkaError, protocolError } from '../kafka/errors.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import type { FlowId } from '../topology/model.ts'
import { ProgressView } from './progress-view.ts'

const UNKNOWN_TOPIC_OR_PARTITION = 3
const TOPIC_ALREADY_EXISTS = 36

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

export interface ProgressTopicOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly clock: Clock
  /** Partition k belongs to shard k. */
  readonly shards: number
  readonly replicationFactor: number | 'broker-default'
}

/**
 * Creates the progress topic if it is not there yet: compacted, with as many partitions as there are shards.
 * @returns the topic, with a leader for every partition where there is one within 10 s
 * @throws KafkaError when the target refuses
 */
export async function prepareProgressTopic(
  options: ProgressTopicOptions,
  signal: AbortSignal,
): Promise<TopicMetadata> {
  const { cluster, topic, shards, replicationFactor } = options
  // Whoever made the topic for us need not let us create topics.
  if ((await cluster.describeTopics([topic], signal)).get(topic)?.kind !== 'found') {
    const created = await cluster.createTopics(
      [{ name: topic, partitions: shards, replicationFactor, configs: progressConfigs }],
      signal,
    )
    const outcome = created.get(topic)
    if (outcome !== undefined && !outcome.ok && outcome.error.code !== TOPIC_ALREADY_EXISTS)
      throw outcome.error
  }
  const found = await waitForLeaders(options, signal)
  if (found.partitions.length >= shards) return found
  const grown = (await cluster.growTopics(new Map([[topic, shards]]), signal)).get(topic)
  if (grown !== undefined && !grown.ok) throw grown.error
  return await waitForLeaders(options, signal)
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

async function waitForLeaders(
  { cluster, topic, clock }: ProgressTopicOptions,
  signal: AbortSignal,
): Promise<TopicMetadata> {
  for (let left = 100; ; left--) {
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed' && !lookup.error.retriable) throw lookup.error
    if (lookup?.kind === 'found') {
      if (left <= 0 || lookup.topic.partitions.every(({ leader }) => leader !== undefined))
        return lookup.topic
    } else if (left <= 0) throw neverAppeared(cluster, topic)
    await clock.sleep(100, signal)
  }
}

function neverAppeared({ alias }: Cluster, topic: string): KafkaError {
  const place = { cluster: alias, topic }
  return protocolError(UNKNOWN_TOPIC_OR_PARTITION, place, 'created, but not known after 10 s')
}
