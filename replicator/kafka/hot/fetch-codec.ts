import type { AbortedTransaction, FetchedPartition, FetchPartition, FetchRequest } from '../cluster.ts'
import { type ErrorPlace, type KafkaError, protocolError } from '../errors.ts'
import type { ByteBuilder } from './byte-builder.ts'
import type { ByteCursor } from './byte-cursor.ts'

export const FETCH_API_KEY = 1
/** v12 (Kafka 2.7) names topics; v13 (3.1, KIP-516) identifies them; v15 (3.5, KIP-903) drops the replica id. */
export const FETCH_VERSIONS = { min: 12, max: 16 } as const

/*
  Fetch Request v12..16 => [replica_id <15] max_wait_ms min_bytes max_bytes isolation_level session_id session_epoch
                           [topics] [forgotten_topics_data] rack_id TAG_BUFFER
    topics => topic(v12: COMPACT_STRING, v13+: UUID) [partitions] TAG_BUFFER
      partitions => partition current_leader_epoch fetch_offset last_fetched_epoch log_start_offset
                    partition_max_bytes TAG_BUFFER
*/

/** The partitions of a request grouped by topic, in the order they came; answers come in the same order. */
export type FetchPlan = ReadonlyMap<string, readonly FetchPartition[]>

export function planFetch(partitions: readonly FetchPartition[]): FetchPlan {
  const plan = new Map<string, FetchPartition[]>()
  for (const partition of partitions) {
    const group = plan.get(partition.topic)
    if (group === undefined) plan.set(partition.topic, [partition])
    else group.push(partition)
  }
  return plan
}

/**
 * Writes the body of a Fetch request.
 * @throws Error if the version fetches by topic id and a partition comes without one.
 */
export function writeFetch(out: ByteBuilder, version: number, request: FetchRequest, plan: FetchPlan): void {
  if (version < 15) out.int32(-1)
  out
    .int32(request.waitMaxMs)
    .int32(request.bytesMin)
    .int32(request.bytesMax)
    .int8(request.isolation === 'read_committed' ? 1 : 0)
    // No fetch session (KIP-227): id 0, epoch -1.
    .int32(0)
    .int32(-1)
    .uvarint(plan.size + 1)
  for (const [topic, partitions] of plan) {
    if (version >= 13) out.uuid(topicIdOf(partitions))
    else out.string(topic)
    out.uvarint(partitions.length + 1)
    for (const p of partitions) {
      out
        .int32(p.partition)
        .int32(p.leaderEpoch ?? -1)
        .int64(p.offset)
        .int32(-1)
        .int64(-1n)
        .int32(p.bytesMax)
        .noTags()
    }
    out.noTags()
  }
  out.uvarint(1).string('').noTags()
}

function topicIdOf(partitions: readonly FetchPartition[]): string {
  const id = partitions[0]?.topicId
  if (id === undefined) throw new Error(`Fetching ${partitions[0]?.topic} by topic id needs its id`)
  return id
}

/*
  Fetch Response v12..16 => throttle_time_ms error_code session_id [responses] TAG_BUFFER
    responses => topic(v12: COMPACT_STRING, v13+: UUID) [partitions] TAG_BUFFER
      partitions => partition_index error_code high_watermark last_stable_offset log_start_offset
                    [aborted_transactions: producer_id first_offset TAG_BUFFER] preferred_read_replica
                    records(COMPACT_NULLABLE_BYTES) TAG_BUFFER
*/

export interface FetchAnswer {
  readonly throttleMs: number
  /** The request as a whole was refused. */
  readonly error: KafkaError | undefined
  readonly partitions: readonly FetchedPartition[]
}

/**
 * Reads the body of a Fetch answer; `records` are views into the cursor's buffer.
 * @throws RangeError if the answer ends early.
 */
export function readFetch(
  cursor: ByteCursor,
  version: number,
  plan: FetchPlan,
  place: ErrorPlace,
): FetchAnswer {
  const throttleMs = cursor.int32()
  const errorCode = cursor.int16()
  cursor.skip(4)
  if (errorCode !== 0) return { throttleMs, error: protocolError(errorCode, place), partitions: [] }
  const topicNames = version >= 13 ? namesById(plan) : undefined
  const partitions: FetchedPartition[] = []
  for (let topics = cursor.arrayLength(); topics > 0; topics--) {
    const key = topicNames === undefined ? (cursor.nullableString() ?? '') : cursor.uuid()
    const topic = topicNames === undefined ? key : topicNames.get(key)
    for (let left = cursor.arrayLength(); left > 0; left--) {
      const partition = readPartition(cursor, topic ?? '', place)
      if (topic !== undefined) partitions.push(partition)
    }
    cursor.skipTags()
  }
  return { throttleMs, error: undefined, partitions }
}

function readPartition(cursor: ByteCursor, topic: string, place: ErrorPlace): FetchedPartition {
  const partition = cursor.int32()
  const errorCode = cursor.int16()
  const highWatermark = cursor.int64()
  const lastStableOffset = cursor.int64()
  const logStartOffset = cursor.int64()
  const aborted = readAborted(cursor)
  cursor.skip(4)
  const records = cursor.bytes()
  cursor.skipTags()
  const error = errorCode === 0 ? undefined : protocolError(errorCode, { ...place, topic, partition })
  return { topic, partition, error, highWatermark, lastStableOffset, logStartOffset, aborted, records }
}

const noneAborted: readonly AbortedTransaction[] = []

function readAborted(cursor: ByteCursor): readonly AbortedTransaction[] {
  const count = cursor.arrayLength()
  if (count === 0) return noneAborted
  const aborted: AbortedTransaction[] = []
  for (let left = count; left > 0; left--) {
    aborted.push({ producerId: cursor.int64(), firstOffset: cursor.int64() })
    cursor.skipTags()
  }
  return aborted.sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0))
}

function namesById(plan: FetchPlan): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [topic, partitions] of plan) names.set(topicIdOf(partitions), topic)
  return names
}
