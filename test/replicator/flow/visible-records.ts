import { isControl, isTransactional, producerId } from '../../../replicator/records/batch-header.ts'
import type { PartitionLog } from '../../simulation/partition-log.ts'
import { readRecords } from '../../simulation/record-batches.ts'

export interface VisibleRecord {
  readonly key: string | undefined
  readonly value: string | undefined
  readonly timestampMs: number
  readonly headers: readonly (readonly [string, string | undefined])[]
}

/** What a read_committed reader sees of a log from its start, judged without any code of the product's readers. */
export function visibleRecords(log: PartitionLog): readonly VisibleRecord[] {
  const until = log.lastStable
  const visible: VisibleRecord[] = []
  for (const batch of log.batches) {
    if (batch.baseOffset >= until) break
    if (isControl(batch.bytes, 0)) continue
    const isAborted =
      isTransactional(batch.bytes, 0) &&
      log
        .abortedIn(batch.baseOffset, batch.lastOffset + 1n)
        .some((ended) => ended.producerId === producerId(batch.bytes, 0))
    if (isAborted) continue
    // Readers skip records whose offset is not beyond the one before: a log with such records has lost them.
    for (const record of readRecords(batch.bytes)) {
      const offset = batch.baseOffset + BigInt(record.offsetDelta)
      if (offset < log.logStart || offset > batch.lastOffset) continue
      visible.push({
        key: record.key?.toString(),
        value: record.value?.toString(),
        timestampMs: record.timestampMs,
        headers: record.headers.map(([name, value]) => [name, value?.toString()]),
      })
    }
  }
  return visible
}
