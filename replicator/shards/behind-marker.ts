import type { ProducerIdentity, TopicPartition } from '../kafka/cluster.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { isProducedBy, recordCount } from '../records/batch-header.ts'
import { type TargetOffset, targetOffset } from '../records/offsets.ts'

/** How long a marker is waited for once the log has nothing new, in milliseconds. */
const MARKER_WAIT_MS = 10_000

export interface BehindMarker {
  /** Behind our marker: whatever lies before it is none of ours from now on. */
  readonly targetNext: TargetOffset
  /** Records that came between, in the walked stretch, by whomever. */
  readonly records: number
}

/**
 * Walks from an offset to our marker in a partition that was just fenced.
 * @returns `undefined` when the marker has not come
 * @throws KafkaError when the log cannot be read
 */
export async function walkBehindMarker(
  walks: LogWalks,
  { topic, partition, from }: TopicPartition & { readonly from: bigint },
  marker: ProducerIdentity,
  signal: AbortSignal,
): Promise<BehindMarker | undefined> {
  let records = 0
  const end = await walks.walk(
    {
      ...{ topic, partition, from },
      isolation: 'read_uncommitted',
      atEnd: { waitMs: MARKER_WAIT_MS },
      visit: ({ raw: { buffer, at }, verdict }) => {
        if (verdict === 'control') return isProducedBy(buffer, at, marker) ? 'enough' : 'on'
        records += recordCount(buffer, at)
        return 'on'
      },
    },
    signal,
  )
  return end.kind === 'enough' ? { targetNext: targetOffset(end.next), records } : undefined
}
