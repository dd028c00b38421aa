import type { ForwardingRule } from '../provenance/origins.ts'
import type { Progress } from '../shards/progress-record.ts'
import type { ProgressEntry } from '../shards/progress-view.ts'
import type { FlowId } from '../topology/model.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { partitionKey } from './partition-key.ts'

/** The progress of those partitions whose last written progress says less. */
export function progressMoved(
  partitions: Iterable<PartitionFlow>,
  written: ReadonlyMap<string, Progress>,
  flow: FlowId,
  rule: ForwardingRule,
): readonly ProgressEntry[] {
  const moved: ProgressEntry[] = []
  for (const { place, window, partition, epochs, stoppedForGood: stop } of partitions) {
    const { sourceTopic: topic, sourceTopicId: topicId, targetTopicId } = place
    const before = written.get(partitionKey(topic, partition))
    const { sourceNext, targetNext, sequence } = window.acknowledged
    const isSaid = stop === undefined || before?.stop !== undefined
    if (before?.sourceNext === sourceNext && before.targetNext === targetNext && isSaid) continue
    const { producer } = window
    // What recovery counted was not read here: who knows in which epoch it stood.
    const { latest } = epochs
    const sourceEpoch = latest !== undefined && latest.next >= sourceNext ? latest.leaderEpoch : undefined
    moved.push({
      key: { flow, topic, partition },
      progress: {
        topicId,
        targetTopicId,
        sourceNext,
        targetNext,
        producer,
        sequence,
        rule,
        ...(sourceEpoch === undefined ? {} : { sourceEpoch }),
        ...(stop === undefined ? {} : { stop }),
      },
    })
  }
  return moved
}
