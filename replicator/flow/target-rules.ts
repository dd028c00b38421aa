import type { Cluster } from '../kafka/cluster.ts'
import type { TargetTopicRules } from './partition-place.ts'

/** Kafka's default of `max.message.bytes`, for topics whose configs may not be read. */
const BATCH_BYTES_MAX_DEFAULT = 1_048_588
const TOPICS_PER_REQUEST = 200

/**
 * What the configs of target topics mean for batches. Topics whose configs are withheld count as having defaults: a
 * broker that disagrees refuses, and the refusal is handled.
 */
export async function readTargetRules(
  target: Cluster,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TargetTopicRules>> {
  const rules = new Map<string, TargetTopicRules>()
  for (let from = 0; from < topics.length; from += TOPICS_PER_REQUEST) {
    const chunk = topics.slice(from, from + TOPICS_PER_REQUEST)
    const configs = await target.describeTopicConfigs(chunk, signal)
    for (const topic of chunk) {
      const answer = configs.get(topic)
      const entries = answer?.ok === true ? answer.value : []
      const configOf = (name: string): string | undefined =>
        entries.find((entry) => entry.name === name)?.value
      rules.set(topic, {
        batchBytesMax: Number(configOf('max.message.bytes') ?? BATCH_BYTES_MAX_DEFAULT),
        stamps: configOf('message.timestamp.type') === 'LogAppendTime',
      })
    }
  }
  return rules
}
