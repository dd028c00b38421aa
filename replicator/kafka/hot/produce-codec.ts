import type { ProduceBatch, ProduceRequest, ProduceResult } from '../cluster.ts'
import { type ErrorPlace, protocolError } from '../errors.ts'
import { ByteBuilder } from './byte-builder.ts'
import type { ByteCursor } from './byte-cursor.ts'

export const PRODUCE_API_KEY = 0
/** v9 (Kafka 2.8) is the first flexible one; v12 (4.0, KIP-890) changes only what transactions mean. */
export const PRODUCE_VERSIONS = { min: 9, max: 11 } as const

/*
  Produce Request v9..11 => transactional_id acks timeout_ms [topic_data] TAG_BUFFER
    topic_data => name [partition_data] TAG_BUFFER
      partition_data => index records(COMPACT_BYTES) TAG_BUFFER
*/

/** A Produce body as the pieces of one vectored write: batches go out from where they were received. */
export interface ProduceBody {
  readonly pieces: readonly Buffer[]
  readonly bytes: number
}

/**
 * Lays out the body of a Produce request.
 * @throws Error if a partition occurs twice: brokers keep only the last batch, without a word.
 */
export function layOutProduce(request: ProduceRequest): ProduceBody {
  const topics = groupByTopic(request.batches)
  const pieces: Buffer[] = []
  // All small pieces live in one buffer; capacity is generous so that it does not move while views point into it.
  const small = new ByteBuilder(64 + topics.size * 264 + request.batches.length * 16)
  let pieceStart = 0
  let batchBytes = 0
  small
    .uvarint(0)
    .int16(-1)
    .int32(request.timeoutMs)
    .uvarint(topics.size + 1)
  for (const [topic, batches] of topics) {
    small.string(topic).uvarint(batches.size + 1)
    for (const [partition, batch] of batches) {
      small.int32(partition).uvarint(batch.length + 1)
      pieces.push(small.view(pieceStart), batch)
      pieceStart = small.length
      batchBytes += batch.length
      small.noTags()
    }
    small.noTags()
  }
  small.noTags()
  pieces.push(small.view(pieceStart))
  return { pieces, bytes: small.length + batchBytes }
}

/** By topic, then by partition. No text is made: this is done for every batch. */
type ByPlace<Value> = Map<string, Map<number, Value>>

function groupByTopic(batches: readonly ProduceBatch[]): ByPlace<Buffer> {
  const topics: ByPlace<Buffer> = new Map()
  for (const { topic, partition, batch } of batches) {
    const group = partitionsOf(topics, topic)
    if (group.has(partition)) throw new Error(`Two batches for ${topic}/${partition} in one Produce request`)
    group.set(partition, batch)
  }
  return topics
}

function partitionsOf<Value>(topics: ByPlace<Value>, topic: string): Map<number, Value> {
  let partitions = topics.get(topic)
  if (partitions === undefined) {
    partitions = new Map()
    topics.set(topic, partitions)
  }
  return partitions
}

/*
  Produce Response v9..11 => [responses] throttle_time_ms TAG_BUFFER
    responses => name [partition_responses] TAG_BUFFER
      partition_responses => index error_code base_offset log_append_time_ms log_start_offset
                             [record_errors: batch_index batch_index_error_message TAG_BUFFER] error_message TAG_BUFFER
*/

export interface ProduceAnswer {
  readonly throttleMs: number
  readonly results: readonly ProduceResult[]
}

/** Reads the body of a Produce answer, in the order of `batches`. A batch without an answer is an error. */
export function readProduce(
  cursor: ByteCursor,
  batches: readonly ProduceBatch[],
  place: ErrorPlace,
): ProduceAnswer {
  const answered: ByPlace<ProduceResult> = new Map()
  for (let topics = cursor.arrayLength(); topics > 0; topics--) {
    const topic = cursor.nullableString() ?? ''
    const partitions = partitionsOf(answered, topic)
    for (let left = cursor.arrayLength(); left > 0; left--) {
      const result = readPartition(cursor, topic, place)
      partitions.set(result.partition, result)
    }
    cursor.skipTags()
  }
  const throttleMs = cursor.int32()
  const results = batches.map(({ topic, partition }): ProduceResult => {
    const result = answered.get(topic)?.get(partition)
    return (
      result ?? {
        topic,
        partition,
        result: { ok: false, error: protocolError(-1, { ...place, topic, partition }) },
      }
    )
  })
  return { throttleMs, results }
}

function readPartition(cursor: ByteCursor, topic: string, place: ErrorPlace): ProduceResult {
  const partition = cursor.int32()
  const errorCode = cursor.int16()
  const baseOffset = cursor.int64()
  const appendTime = cursor.int64()
  cursor.skip(8)
  let detail: string | undefined
  for (let left = cursor.arrayLength(); left > 0; left--) {
    const index = cursor.int32()
    const told = cursor.nullableString() ?? 'refused'
    detail ??= `record ${index} of the batch: ${told}`
    cursor.skipTags()
  }
  const message = cursor.nullableString()
  cursor.skipTags()
  if (errorCode !== 0) {
    const error = protocolError(errorCode, { ...place, topic, partition }, message ?? detail)
    return { topic, partition, result: { ok: false, error } }
  }
  const logAppendTimeMs = appendTime < 0n ? undefined : Number(appendTime)
  return { topic, partition, result: { ok: true, value: { baseOffset, logAppendTimeMs } } }
}
