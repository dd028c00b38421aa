import type { LogWalks } from '../logs/log-walks.ts'
import { readProgress } from '../shards/progress-topic.ts'
import type { CopiedIds, CopiedTopics } from '../topics/copied-ids.ts'
import type { FlowOptions } from './flow-options.ts'

/**
 * Between which topics the flow's partitions were copied, as progress says now.
 * @throws KafkaError when it cannot be read; the signal's reason
 */
export async function readCopiedIds(
  { target, progressTopic, flow }: Pick<FlowOptions, 'target' | 'progressTopic' | 'flow'>,
  walks: LogWalks,
  signal: AbortSignal,
): Promise<CopiedTopics> {
  const lookup = (await target.describeTopics([progressTopic], signal)).get(progressTopic)
  if (lookup?.kind === 'failed') throw lookup.error
  const found = new Map<string, CopiedIds[]>()
  if (lookup?.kind !== 'found') return found
  for (const view of await readProgress(lookup.topic, flow.id, walks, signal)) {
    for (const { key, progress } of view.entries) {
      const ids = {
        partition: key.partition,
        sourceId: progress.topicId,
        targetId: progress.targetTopicId,
      }
      found.set(key.topic, [...(found.get(key.topic) ?? []), ids])
    }
  }
  return found
}
