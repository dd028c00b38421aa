import { backoffMs, defaultBackoff } from '../clock/backoff.ts'
import type { FetchedPartition, FetchResponse, TopicPartition } from '../kafka/cluster.ts'
import { isRetriable, KafkaError } from '../kafka/errors.ts'
import { AbortedFilter } from '../records/aborted.ts'
import { lastOffset, producerId } from '../records/batch-header.ts'
import { CorruptBatchError, DecompressionLimitError } from '../records/corrupt-batch.ts'
import { crcMatches } from '../records/crc.ts'
import { decodeBatch } from '../records/decode.ts'
import { nextBatch, type RawBatch, rawBatch } from '../records/record-batch.ts'
import { fingerprintOf, type RecordFingerprint } from '../records/record-fingerprint.ts'
import { UnreadableError } from './broker-channels.ts'
import type { OffsetRange } from './committed-ranges.ts'
import type { ReaderContext } from './reader-context.ts'

/** Fetched at once per partition; a single larger batch still comes whole. */
const fetchBytesMax = 1024 * 1024
const fetchWaitMaxMs = 250
/** Failures in a row after which a partition counts as unreadable; with their pauses about 10 s. */
const attemptsMax = 14

/** Whether the batches of a producer id count. */
export type Takes = (producerId: bigint) => boolean

/**
 * The committed records of a partition, in order, in pieces of one Fetch. Fetched memory is given back before a
 * piece is handed out. Leader changes and broken channels are waited for.
 * @param takes batches of other producer ids are passed over
 * @throws UnreadableError when the range cannot be read to its end
 */
export async function* committedRecords(
  at: TopicPartition,
  range: OffsetRange,
  context: ReaderContext,
  takes: Takes = () => true,
): AsyncGenerator<readonly RecordFingerprint[]> {
  const { channels, clock, random, signal } = context
  let next = range.from
  let attempt = 0
  while (next < range.until) {
    const read = await tryFetch(at, { from: next, until: range.until }, context, takes)
    if (read.kind === 'piece' && read.next > next) {
      next = read.next
      attempt = 0
      if (read.records.length > 0) yield read.records
      continue
    }
    if (++attempt >= attemptsMax) {
      const why =
        read.kind === 'piece' ? `${channels.cluster.alias} returns no batches from there` : read.reason
      throw new UnreadableError(`offsets ${next} to ${range.until} of ${placeOf(at, context)}: ${why}`)
    }
    channels.forget(at.topic)
    await clock.sleep(backoffMs(defaultBackoff, attempt, random), signal)
  }
}

interface Piece {
  readonly kind: 'piece'
  readonly records: readonly RecordFingerprint[]
  /** The offset after everything that was looked at. */
  readonly next: bigint
}

type Read = Piece | { readonly kind: 'retry'; readonly reason: string }

async function tryFetch(
  at: TopicPartition,
  range: OffsetRange,
  context: ReaderContext,
  takes: Takes,
): Promise<Read> {
  try {
    const response = await fetchOnce(at, range.from, context)
    if (response === undefined) return { kind: 'retry', reason: 'the partition has no leader' }
    try {
      return readPiece(at, range, response, context, takes)
    } finally {
      response.frame.release()
    }
  } catch (error) {
    context.signal.throwIfAborted()
    if (isRetriable(error) && error instanceof Error) return { kind: 'retry', reason: error.message }
    if (error instanceof KafkaError) throw new UnreadableError(error.message, { cause: error })
    throw error
  }
}

async function fetchOnce(
  at: TopicPartition,
  offset: bigint,
  { channels, signal }: ReaderContext,
): Promise<FetchResponse | undefined> {
  const topic = await channels.topic(at.topic)
  const partition = topic.partitions[at.partition]
  if (partition === undefined) {
    throw new UnreadableError(
      `"${at.topic}" on ${channels.cluster.alias} has ${topic.partitions.length} partitions: there is no ${at.partition}`,
    )
  }
  if (partition.leader === undefined) return undefined
  const channel = await channels.channel(partition.leader)
  return channel.fetch(
    {
      partitions: [
        { ...at, topicId: topic.id, offset, leaderEpoch: partition.leaderEpoch, bytesMax: fetchBytesMax },
      ],
      waitMaxMs: fetchWaitMaxMs,
      bytesMin: 1,
      bytesMax: fetchBytesMax,
      isolation: 'read_committed',
    },
    signal,
  )
}

function readPiece(
  at: TopicPartition,
  range: OffsetRange,
  response: FetchResponse,
  context: ReaderContext,
  takes: Takes,
): Piece {
  const fetched = response.partitions[0]
  if (fetched === undefined) return { kind: 'piece', records: [], next: range.from }
  if (fetched.error !== undefined) throw fetched.error
  const records: RecordFingerprint[] = []
  let next = range.from
  for (const { batch, verdict } of judgedBatches(fetched, at, context)) {
    next = lastOffset(batch.buffer, batch.at) + 1n
    if (verdict !== 'deliver' || !takes(producerId(batch.buffer, batch.at))) continue
    for (const record of decoded(batch, at, context)) {
      if (record.offset >= range.from && record.offset < range.until) records.push(fingerprintOf(record))
    }
    if (next >= range.until) break
  }
  return { kind: 'piece', records, next }
}

function* judgedBatches(fetched: FetchedPartition, at: TopicPartition, context: ReaderContext) {
  const filter = new AbortedFilter(fetched.aborted)
  for (let position = 0; ; ) {
    const found = nextBatch(fetched.records, position)
    if (found.kind === 'partial') return
    if (found.kind !== 'batch') {
      const what = found.kind === 'malformed' ? found.reason : `a batch of format ${found.magic}`
      throw new UnreadableError(`${placeOf(at, context)} holds what cannot be read: ${what}`)
    }
    const batch = rawBatch(fetched.records, position, found.bytes)
    yield { batch, verdict: filter.judge(batch) }
    position += found.bytes
  }
}

function decoded(batch: RawBatch, at: TopicPartition, context: ReaderContext) {
  const place = () =>
    `the batch up to offset ${lastOffset(batch.buffer, batch.at)} of ${placeOf(at, context)}`
  if (!crcMatches(batch.buffer, batch.at, batch.bytes)) {
    throw new UnreadableError(`${place()} is corrupt: its checksum does not match`)
  }
  try {
    return decodeBatch(batch).records
  } catch (error) {
    if (!(error instanceof CorruptBatchError || error instanceof DecompressionLimitError)) throw error
    throw new UnreadableError(`${place()} cannot be decoded: ${error.message}`, { cause: error })
  }
}

function placeOf(at: TopicPartition, { channels }: ReaderContext): string {
  return `"${at.topic}" partition ${at.partition} on ${channels.cluster.alias}`
}
