import type { Cluster, TopicPartition } from '../kafka/cluster.ts'
import { type LogBounds, listBounds } from '../kafka/list-bounds.ts'

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
  // The end is asked for first: a log that is emptied between the two must not look as if it ended before its start.
  const listed = await listBounds(cluster, partitions, 'latest', signal)
  return listed.map(({ start, end }) =>
    start.ok && end.ok
      ? { start: start.value.offset, end: end.value.offset, leaderEpoch: end.value.leaderEpoch }
      : undefined,
  )
}
