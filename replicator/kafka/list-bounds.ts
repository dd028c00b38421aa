import type { Cluster, OffsetAnswer, TopicPartition } from './cluster.ts'

/** Where a partition's log begins and ends on one cluster: the end is the high watermark. */
export interface LogBounds {
  readonly start: bigint
  readonly end: bigint
}

/** What the leader says of each end of a log. */
export interface ListedBounds {
  readonly start: OffsetAnswer['result']
  readonly end: OffsetAnswer['result']
}

/**
 * Asks where the partitions' logs begin and end, all in one question; nothing is asked about nothing. Requests name
 * each partition once, so that the two ends are told at two moments.
 * @param first the end that is asked for first
 * @returns an answer for each partition, in their order
 * @throws KafkaError when the cluster does not answer
 */
export async function listBounds(
  cluster: Pick<Cluster, 'listOffsets'>,
  partitions: readonly TopicPartition[],
  first: 'earliest' | 'latest',
  signal: AbortSignal,
): Promise<readonly ListedBounds[]> {
  if (partitions.length === 0) return []
  const order = first === 'earliest' ? (['earliest', 'latest'] as const) : (['latest', 'earliest'] as const)
  const queries = order.flatMap((at) => partitions.map(({ topic, partition }) => ({ topic, partition, at })))
  const answers = await cluster.listOffsets(queries, signal)
  return partitions.map((_, index) => {
    const [asked, then] = [answers[index]?.result, answers[partitions.length + index]?.result]
    if (asked === undefined || then === undefined)
      throw new Error('ListOffsets answered less than it was asked')
    return first === 'earliest' ? { start: asked, end: then } : { start: then, end: asked }
  })
}

/** Where one log begins and ends, the beginning asked for first. @throws KafkaError when the cluster does not say */
export async function boundsOfLog(
  cluster: Pick<Cluster, 'listOffsets'>,
  at: TopicPartition,
  signal: AbortSignal,
): Promise<LogBounds> {
  const [listed] = await listBounds(cluster, [at], 'earliest', signal)
  if (listed === undefined) throw new Error('Unreachable: each partition has its answer')
  const { start, end } = listed
  if (!start.ok) throw start.error
  if (!end.ok) throw end.error
  return { start: start.value.offset, end: end.value.offset }
}
