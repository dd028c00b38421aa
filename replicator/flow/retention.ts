import type { Cluster, TopicConfigEntry } from '../kafka/cluster.ts'

/** When a topic's brokers delete old segments. */
export interface Retention {
  /** `cleanup.policy` names `delete`. */
  readonly deletes: boolean
  /** `retention.ms`; `undefined` when age deletes nothing. */
  readonly ms: number | undefined
  /** `retention.bytes` of a partition; `undefined` when size deletes nothing. */
  readonly bytes: bigint | undefined
}

const TOPICS_PER_REQUEST = 200

/**
 * The retention of topics, as their configs say now; `undefined` for those whose configs may not be read.
 * @throws KafkaError when the cluster does not answer
 */
export async function readRetention(
  cluster: Cluster,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Retention | undefined>> {
  const found = new Map<string, Retention | undefined>()
  for (let from = 0; from < topics.length; from += TOPICS_PER_REQUEST) {
    const chunk = topics.slice(from, from + TOPICS_PER_REQUEST)
    const answers = await cluster.describeTopicConfigs(chunk, signal)
    for (const topic of chunk) {
      const answer = answers.get(topic)
      found.set(topic, answer?.ok === true ? retentionOf(answer.value) : undefined)
    }
  }
  return found
}

function retentionOf(entries: readonly TopicConfigEntry[]): Retention {
  const value = (name: string): string | undefined => entries.find((entry) => entry.name === name)?.value
  const ms = Number(value('retention.ms') ?? -1)
  const bytes = BigInt(value('retention.bytes') ?? -1)
  return {
    deletes: (value('cleanup.policy') ?? 'delete').includes('delete'),
    ms: ms < 0 ? undefined : ms,
    bytes: bytes < 0n ? undefined : bytes,
  }
}
