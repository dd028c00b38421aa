import {
  baseSequence,
  codecOf,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetDelta,
  maxTimestampMs,
  partitionLeaderEpoch,
  producerEpoch,
  producerId,
} from '../../replicator/records/batch-header.ts'
import type { PartitionLog, StoredBatch } from './partition-log.ts'
import { buildBatch, readRecords, type TestRecord } from './record-batches.ts'

export interface CompactionOptions {
  /** Removes tombstones too, as after `delete.retention.ms`. Default false: they get a delete horizon. */
  readonly dropTombstones?: boolean
  /** Where a kept tombstone's horizon is. */
  readonly deleteHorizonMs: number
}

/**
 * Cleans a log up to its last stable offset as Kafka's cleaner does: of every key the newest record stays, aborted
 * records go, batches keep their offsets and their producers' fields, and the last batch of a producer stays even
 * when it is empty. Markers stay. Sources: Kafka's `Cleaner.cleanInto`, `MemoryRecords.filterTo`, KIP-534.
 */
export function compact(log: PartitionLog, options: CompactionOptions): void {
  const until = log.lastStable
  const newest = newestOffsets(log, until)
  const lastOfProducer = new Map<bigint, StoredBatch>()
  for (const batch of log.batches) {
    const id = producerId(batch.bytes, 0)
    if (id >= 0n && !isControl(batch.bytes, 0)) lastOfProducer.set(id, batch)
  }
  const cleaned: Buffer[] = []
  for (const batch of log.batches) {
    if (batch.lastOffset >= until || isControl(batch.bytes, 0)) {
      cleaned.push(batch.bytes)
      continue
    }
    const records = readRecords(batch.bytes)
    const kept = records.filter((record) => {
      if (record.key === null || isAborted(log, batch)) return false
      if (record.value === null && options.dropTombstones) return false
      return newest.get(record.key.toString('hex')) === batch.baseOffset + BigInt(record.offsetDelta)
    })
    const emptyButNeeded = lastOfProducer.get(producerId(batch.bytes, 0)) === batch
    if (kept.length === 0 && !emptyButNeeded) continue
    const tombstones = kept.some((record) => record.value === null)
    cleaned.push(
      kept.length === records.length && !tombstones ? batch.bytes : rebuilt(batch, kept, tombstones, options),
    )
  }
  log.replaceBatches(cleaned)
}

function newestOffsets(log: PartitionLog, until: bigint): ReadonlyMap<string, bigint> {
  const newest = new Map<string, bigint>()
  for (const batch of log.batches) {
    if (batch.lastOffset >= until || isControl(batch.bytes, 0) || isAborted(log, batch)) continue
    for (const record of readRecords(batch.bytes)) {
      if (record.key === null) continue
      newest.set(record.key.toString('hex'), batch.baseOffset + BigInt(record.offsetDelta))
    }
  }
  return newest
}

const isAborted = (log: PartitionLog, batch: StoredBatch): boolean =>
  isTransactional(batch.bytes, 0) &&
  log
    .abortedIn(batch.baseOffset, batch.lastOffset + 1n)
    .some((ended) => ended.producerId === producerId(batch.bytes, 0))

function rebuilt(
  batch: StoredBatch,
  kept: readonly TestRecord[],
  tombstones: boolean,
  options: CompactionOptions,
): Buffer {
  const { bytes } = batch
  const codec = codecOf(bytes, 0)
  return buildBatch(kept, {
    baseOffset: batch.baseOffset,
    leaderEpoch: partitionLeaderEpoch(bytes, 0),
    codec: kept.length > 0 && codec !== 'unassigned' ? codec : 'none',
    logAppendTime: isLogAppendTime(bytes, 0),
    transactional: isTransactional(bytes, 0),
    producerId: producerId(bytes, 0),
    producerEpoch: producerEpoch(bytes, 0),
    baseSequence: baseSequence(bytes, 0),
    lastOffsetDelta: lastOffsetDelta(bytes, 0),
    ...(tombstones && !options.dropTombstones ? { deleteHorizonMs: options.deleteHorizonMs } : {}),
    ...(kept.length === 0 ? { maxTimestampMs: maxTimestampMs(bytes, 0) } : {}),
  })
}
