import assert from 'node:assert/strict'
import type {
  BrokerChannel,
  Cluster,
  PartitionMetadata,
  TopicPartition,
} from '../../replicator/kafka/cluster.ts'
import { AbortedFilter } from '../../replicator/records/aborted.ts'
import {
  baseOffset,
  baseSequence,
  baseTimestamp,
  type Codec,
  codecOf,
  hasDeleteHorizon,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffset,
  maxTimestamp,
  producerEpoch,
  producerId,
  recordCount,
} from '../../replicator/records/batch-header.ts'
import { batchLayout } from '../../replicator/records/batch-layout.ts'
import { crcMatches } from '../../replicator/records/crc.ts'
import { decodeBatch } from '../../replicator/records/decode.ts'
import { nextBatch, rawBatch } from '../../replicator/records/record-batch.ts'

/** A batch as a broker stores it: what its header says, and all of its bytes. */
export interface StoredBatch {
  readonly bytes: Buffer
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly records: number
  readonly codec: Codec | 'unassigned'
  readonly logAppendTime: boolean
  readonly transactional: boolean
  readonly control: boolean
  readonly deleteHorizon: boolean
  readonly baseTimestamp: bigint
  readonly maxTimestamp: bigint
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly crcMatches: boolean
}

/** Everything behind the header: the records, as they are stored. */
export const bodyOf = (batch: StoredBatch): Buffer => batch.bytes.subarray(batchLayout.records)

export const isGapped = (batch: StoredBatch): boolean =>
  batch.lastOffset - batch.baseOffset + 1n !== BigInt(batch.records)

/** Offset of the last record that is really there; `undefined` for an empty batch. */
export const lastRecordOffset = (batch: StoredBatch): bigint | undefined =>
  decodeBatch(rawBatch(batch.bytes, 0, batch.bytes.length)).records.at(-1)?.offset

const fetchBytes = 32 * 1024 * 1024

/** The whole log of a partition as it is stored: markers, aborted transactions and emptied batches included. */
export async function storedBatches(
  cluster: Cluster,
  topic: string,
  partition = 0,
): Promise<readonly StoredBatch[]> {
  return (await walk(cluster, { topic, partition }, 'read_uncommitted')).map(({ batch }) => batch)
}

/** One past the last record that a committed reader sees, which the log may go on behind: with markers, aborted ones. */
export async function endOfRecords(cluster: Cluster, topic: string, partition: number): Promise<bigint> {
  const walked = await walk(cluster, { topic, partition }, 'read_committed')
  for (const { batch, isVisible } of walked.toReversed()) {
    const last = isVisible ? lastRecordOffset(batch) : undefined
    if (last !== undefined) return last + 1n
  }
  return 0n
}

interface Walked {
  readonly batch: StoredBatch
  readonly isVisible: boolean
}

async function walk(
  cluster: Cluster,
  place: TopicPartition,
  isolation: 'read_committed' | 'read_uncommitted',
): Promise<readonly Walked[]> {
  const walked: Walked[] = []
  const answers = await cluster.listOffsets([{ ...place, at: 'earliest' }])
  const earliest = answers[0]?.result
  assert(earliest?.ok, `${place.topic} has an earliest offset`)
  await onLeader(cluster, place, async (channel, topicId) => {
    for (let offset = earliest.value.offset; ; ) {
      const request = { ...place, topicId, offset, leaderEpoch: undefined, bytesMax: fetchBytes }
      const limits = { waitMaxMs: 0, bytesMin: 0, bytesMax: fetchBytes, isolation }
      const response = await channel.fetch({ partitions: [request], ...limits })
      const [answer] = response.partitions
      assert(answer !== undefined && answer.error === undefined, `${place.topic} is read: ${answer?.error}`)
      const found = batchesIn(Buffer.from(answer.records))
      response.frame.release()
      const last = found.at(-1)
      if (last === undefined) return
      const filter = new AbortedFilter(answer.aborted)
      for (const batch of found) {
        const raw = rawBatch(batch.bytes, 0, batch.bytes.length)
        walked.push({ batch, isVisible: filter.judge(raw) === 'deliver' })
      }
      offset = last.lastOffset + 1n
    }
  })
  return walked
}

/** The batches that hold records of users. */
export async function dataBatches(cluster: Cluster, topic: string, partition = 0): Promise<StoredBatch[]> {
  return (await storedBatches(cluster, topic, partition)).filter((batch) => !batch.control)
}

/** Sends bytes as they are to a partition, and gives the error code that they are refused with. */
export async function produceUntouched(
  cluster: Cluster,
  topic: string,
  batch: Buffer,
  partition = 0,
): Promise<number | 'taken'> {
  return onLeader(cluster, { topic, partition }, async (channel) => {
    const { results } = await channel.produce({ batches: [{ topic, partition, batch }], timeoutMs: 10_000 })
    const result = results[0]?.result
    assert(result !== undefined)
    return result.ok ? 'taken' : (result.error.code ?? Number.NaN)
  })
}

async function onLeader<Value>(
  cluster: Cluster,
  { topic, partition }: TopicPartition,
  work: (channel: BrokerChannel, topicId: string | undefined) => Promise<Value>,
): Promise<Value> {
  const lookup = (await cluster.describeTopics([topic])).get(topic)
  assert(lookup?.kind === 'found', `${topic} is on ${cluster.alias}`)
  const at: PartitionMetadata | undefined = lookup.topic.partitions[partition]
  assert(at?.leader !== undefined, `${topic} partition ${partition} has a leader`)
  const channel = await cluster.openChannel(at.leader)
  try {
    return await work(channel, lookup.topic.id)
  } finally {
    await channel.close()
  }
}

/** What is in fetched bytes, up to what is cut off. */
export function batchesIn(buffer: Buffer): StoredBatch[] {
  const batches: StoredBatch[] = []
  for (let at = 0; ; ) {
    const next = nextBatch(buffer, at)
    if (next.kind !== 'batch') return batches
    batches.push({
      bytes: buffer.subarray(at, at + next.bytes),
      baseOffset: baseOffset(buffer, at),
      lastOffset: lastOffset(buffer, at),
      records: recordCount(buffer, at),
      codec: codecOf(buffer, at),
      logAppendTime: isLogAppendTime(buffer, at),
      transactional: isTransactional(buffer, at),
      control: isControl(buffer, at),
      deleteHorizon: hasDeleteHorizon(buffer, at),
      baseTimestamp: baseTimestamp(buffer, at),
      maxTimestamp: maxTimestamp(buffer, at),
      producerId: producerId(buffer, at),
      producerEpoch: producerEpoch(buffer, at),
      baseSequence: baseSequence(buffer, at),
      crcMatches: crcMatches(buffer, at, next.bytes),
    })
    at += next.bytes
  }
}
