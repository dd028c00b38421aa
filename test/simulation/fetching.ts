import type { BrokerId, FetchPartition, FetchRequest } from '../../replicator/kafka/cluster.ts'
import { errorCode } from './broker-answer.ts'
import type { PartitionLog, StoredBatch } from './partition-log.ts'
import type { SimulatedBrokers } from './simulated-brokers.ts'

export interface PartitionRead {
  readonly asked: FetchPartition
  /** 0 when the partition answers. */
  readonly code: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  /** Batches in a row; the last one may be cut short at `bytes`. */
  readonly batches: readonly Buffer[]
  readonly bytes: number
}

/** How far a broker looks past the bytes it read for aborted transactions: one entry of its offset index. */
const indexIntervalBytes = 4096

/**
 * Answers a Fetch request: at once when it can give `bytesMin` or an error, otherwise when it can or when
 * `waitMaxMs` have passed. Source: Kafka 4.3 `ReplicaManager.fetchMessages`, `DelayedFetch`.
 *
 * @param broken settles when nobody waits for the answer any more
 */
export async function answerFetch(
  brokers: SimulatedBrokers,
  broker: BrokerId,
  request: FetchRequest,
  broken: Promise<void>,
): Promise<readonly PartitionRead[]> {
  const { clock } = brokers
  const deadlineMs = clock.monotonicMs() + request.waitMaxMs
  let given = false
  const gaveUp = broken.then(() => {
    given = true
  })
  for (;;) {
    const reads = readPartitions(brokers, broker, request)
    const bytes = reads.reduce((sum, read) => sum + read.bytes, 0)
    const failed = reads.some((read) => read.code !== 0)
    const leftMs = deadlineMs - clock.monotonicMs()
    if (given || failed || bytes >= request.bytesMin || reads.length === 0 || leftMs <= 0) return reads
    const timer = Promise.withResolvers<void>()
    const cancel = clock.after(leftMs, timer.resolve)
    const changes = request.partitions.map((asked) => logOf(brokers, asked)?.changed ?? gaveUp)
    await Promise.race([timer.promise, gaveUp, ...changes])
    cancel()
  }
}

const logOf = (brokers: SimulatedBrokers, asked: FetchPartition): PartitionLog | undefined =>
  brokers.topics.byId(asked.topicId ?? '')?.partitions[asked.partition]?.log

/** Reads every partition once, topic by topic as the request groups them, until `bytesMax` is used up. */
function readPartitions(
  brokers: SimulatedBrokers,
  broker: BrokerId,
  request: FetchRequest,
): readonly PartitionRead[] {
  const grouped = [...Map.groupBy(request.partitions, (asked) => asked.topic).values()].flat()
  let left = request.bytesMax
  let nothingYet = true
  return grouped.map((asked) => {
    const read = readPartition(brokers, broker, asked, request.isolation, left, nothingYet)
    left = Math.max(0, left - read.bytes)
    if (read.bytes > 0) nothingYet = false
    return read
  })
}

function readPartition(
  brokers: SimulatedBrokers,
  broker: BrokerId,
  asked: FetchPartition,
  isolation: FetchRequest['isolation'],
  bytesLeft: number,
  nothingYet: boolean,
): PartitionRead {
  if (asked.topicId === undefined) throw new Error(`fetching ${asked.topic} by topic id needs its id`)
  const topic = brokers.topics.byId(asked.topicId)
  if (topic === undefined) return failed(asked, errorCode.UNKNOWN_TOPIC_ID)
  const partition = topic.partitions[asked.partition]
  if (partition === undefined) return failed(asked, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  const known = asked.leaderEpoch ?? partition.leaderEpoch
  if (known < partition.leaderEpoch) return failed(asked, errorCode.FENCED_LEADER_EPOCH)
  if (known > partition.leaderEpoch) return failed(asked, errorCode.UNKNOWN_LEADER_EPOCH)
  // Followers answer consumers too (KIP-392), so a reader notices a new leader only by the epoch it names.
  if (!partition.replicas.includes(broker)) return failed(asked, errorCode.NOT_LEADER_OR_FOLLOWER)
  const { log } = partition
  if (asked.offset < log.logStart || asked.offset > log.logEnd) {
    return failed(asked, errorCode.OFFSET_OUT_OF_RANGE)
  }
  const until = isolation === 'read_committed' ? log.lastStable : log.highWatermark
  const available = log.batches.slice(log.indexOf(asked.offset)).filter((batch) => batch.baseOffset < until)
  const take = bytesToTake(available, Math.min(asked.bytesMax, bytesLeft), nothingYet)
  const below = upperBound(available, take, log)
  return {
    asked,
    code: 0,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStable,
    logStartOffset: log.logStart,
    aborted:
      isolation === 'read_committed' && take > 0
        ? log
            .abortedIn(asked.offset, below)
            .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
        : [],
    batches: available.map((batch) => batch.bytes),
    bytes: take,
  }
}

/** The first batch comes whole or not at all; those after it may be cut. */
function bytesToTake(available: readonly StoredBatch[], limit: number, nothingYet: boolean): number {
  const first = available[0]?.bytes.length ?? 0
  const total = available.reduce((sum, batch) => sum + batch.bytes.length, 0)
  const size = Math.min(total, nothingYet ? Math.max(limit, first) : limit)
  return size < first ? 0 : size
}

/** The offset up to which a broker reports aborted transactions: the next index entry, so a little too far. */
function upperBound(available: readonly StoredBatch[], taken: number, log: PartitionLog): bigint {
  let position = 0
  for (const batch of available) {
    if (position >= taken + indexIntervalBytes) return batch.baseOffset
    position += batch.bytes.length
  }
  return log.logEnd
}

const failed = (asked: FetchPartition, code: number): PartitionRead => ({
  asked,
  code,
  highWatermark: -1n,
  lastStableOffset: -1n,
  logStartOffset: -1n,
  aborted: [],
  batches: [],
  bytes: 0,
})
