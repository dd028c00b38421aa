import type { Clock } from '../../clock/clock.ts'
import type { Cluster, TopicPartition } from '../../kafka/cluster.ts'
import { recreatedTopics } from './recreated-topics.ts'

/** Until a finding is looked at again, in milliseconds: a leader that has just been elected may be behind for a moment. */
const CONFIRM_MS = 300

interface Recreated {
  readonly kind: 're-created'
}

export interface SecondLook<
  P extends { readonly isStopped: boolean },
  Finding extends { readonly kind: string },
> {
  readonly cluster: Cluster
  readonly clock: Clock
  /** Where a partition is on that cluster, and the topic's id as it was when copying began. */
  readonly placeOf: (partition: P) => TopicPartition & { readonly topicId: string | undefined }
  /** What is found of each partition now, in their order. */
  readonly look: (
    partitions: readonly P[],
    signal: AbortSignal,
  ) => Promise<readonly { readonly finding: Finding | Recreated | undefined }[]>
  readonly onFinding: (partition: P, finding: Finding | Recreated) => void
}

/**
 * Looks once more at partitions of which something was found, and tells what is found again. Where a topic is another
 * one by now, that is what is told: it explains whatever else was found.
 * @throws KafkaError when the cluster does not answer; the signal's reason
 */
export async function confirm<
  P extends { readonly isStopped: boolean },
  Finding extends { readonly kind: string },
>(
  { cluster, clock, placeOf, look, onFinding }: SecondLook<P, Finding>,
  suspects: readonly P[],
  signal: AbortSignal,
): Promise<void> {
  await clock.sleep(CONFIRM_MS, signal)
  const recreated = await recreatedTopics(cluster, suspects.map(placeOf), signal)
  const again = await look(suspects, signal)
  for (const [index, partition] of suspects.entries()) {
    if (partition.isStopped) continue
    const { topic, topicId } = placeOf(partition)
    const finding = recreated(topic, topicId) ? ({ kind: 're-created' } as const) : again[index]?.finding
    if (finding !== undefined) onFinding(partition, finding)
  }
}
