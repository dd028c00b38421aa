import type { ProducerIdentity } from '../../../replicator/kafka/cluster.ts'
import type { VisitedBatch } from '../../../replicator/logs/log-walk.ts'
import { rawBatch } from '../../../replicator/records/record-batch.ts'
import { markerBatch } from '../../simulation/marker-batch.ts'
import { type BatchFields, buildBatch, recordsOf, type TestRecord } from '../../simulation/record-batches.ts'

/** Stands before every batch, so that nobody who forgets where it begins gets away with it. */
const before = Buffer.alloc(13, 0xee)

/** A batch as a walk gives it to its visitor: somewhere in a larger buffer. */
export function visited(batch: Buffer, verdict: VisitedBatch['verdict'] = 'deliver'): VisitedBatch {
  const buffer = Buffer.concat([before, batch, before])
  return { raw: rawBatch(buffer, before.length, batch.length), verdict }
}

/** So many records, each its own, as a visitor gets them. */
export function visitedRecords(
  count: number,
  fields: BatchFields = {},
  verdict?: VisitedBatch['verdict'],
): VisitedBatch {
  return visited(buildBatch(valuesOf(count, `at ${fields.baseOffset ?? 0n}`), fields), verdict)
}

export const valuesOf = (count: number, prefix = 'value'): readonly TestRecord[] =>
  recordsOf(
    Array.from({ length: count }, (_, i): [string, string] => [`key ${i}`, `${prefix} + ${i}`]),
    1000,
  )

/** A marker as a visitor gets it. */
export function visitedMarker(producer: ProducerIdentity, offset: bigint): VisitedBatch {
  const { producerId, producerEpoch: epoch } = producer
  const rest = { end: 'abort', coordinatorEpoch: 0, leaderEpoch: 0, timestampMs: 1000 } as const
  return visited(markerBatch({ producerId, epoch, offset, ...rest }), 'control')
}
