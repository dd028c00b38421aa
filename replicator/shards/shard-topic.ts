import type { Clock } from '../clock/clock.ts'
import type { Cluster, TopicMetadata } from '../kafka/cluster.ts'
import { type KafkaError, protocolError } from '../kafka/errors.ts'

const UNKNOWN_TOPIC_OR_PARTITION = 3
const TOPIC_ALREADY_EXISTS = 36

export interface ShardTopicOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly clock: Clock
  /** Partition k belongs to shard k. */
  readonly shards: number
  readonly replicationFactor: number | 'broker-default'
  /** For a topic that is created. */
  readonly configs: ReadonlyMap<string, string>
}

/**
 * Creates a topic with one partition for each shard if it is not there yet, and lets it grow with their number.
 * @returns the topic, with a leader for every partition where there is one within 10 s
 * @throws KafkaError when the target refuses
 */
export async function prepareShardTopic(
  options: ShardTopicOptions,
  signal: AbortSignal,
): Promise<TopicMetadata> {
  const { cluster, topic, shards, replicationFactor, configs } = options
  // Whoever made the topic for us need not let us create topics.
  if ((await cluster.describeTopics([topic], signal)).get(topic)?.kind !== 'found') {
    const created = await cluster.createTopics(
      [{ name: topic, partitions: shards, replicationFactor, configs }],
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

async function waitForLeaders(
  { cluster, topic, clock }: ShardTopicOptions,
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
