import type { Cluster, TopicPartition } from '../kafka/cluster.ts'
import type { LogBounds } from './judge-source.ts'

export interface SeenBounds extends LogBounds {
  /** Of the leader that answered; `undefined` when it did not say. */
  readonly leaderEpoch: number | undefined
}

/**
 * Where the partitions' logs begin and end now, by index; `undefined` where the leader did not say.
 * @throws KafkaError when the cluster does not answer
 */
export async function readBounds(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<readonly (SeenBounds | undefined)[]> {
  if (partitions.length === 0) return []
  const asked = partitions.map(({ topic, partition }) => ({ topic, partition }))
  // The end is asked for first: a log that is emptied between the two must not look as if it ended before its start.
  const queries = [
    ...asked.map((at) => ({ ...at, at: 'latest' as const })),
    ...asked.map((at) => ({ ...at, at: 'earliest' as const })),
  ]
  const answers = await cluster.listOffsets(queries, signal)
  return asked.map((_, index) => {
    const [latest, earliest] = [answers[index]?.result, answers[asked.length + index]?.result]
    if (latest?.ok !== true || earliest?.ok !== true) return undefined
    const { offset: end, leaderEpoch } = latest.value
    return { start: earliest.value.offset, end, leaderEpoch }
  })
}
