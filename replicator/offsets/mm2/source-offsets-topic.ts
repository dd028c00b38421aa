import type { Cluster, TopicMetadata } from '../../kafka/cluster.ts'
import { protocolError } from '../../kafka/errors.ts'
import { boundsOfLog } from '../../kafka/list-bounds.ts'
import { TopicLog, type TopicLogOptions } from '../../kafka/topic-log.ts'
import type { RecordContent } from '../../records/decode.ts'
import type { SourceOffset } from '../../records/offsets.ts'
import { partitionOfKey } from './java-partitioner.ts'
import { batchesOf } from './mirror-topic.ts'
import {
  decodeSourceOffset,
  encodeSourceOffsetKey,
  encodeSourceOffsetValue,
  type SourceOffsetKey,
  type StoredSourceOffset,
} from './source-offset.ts'

const UNKNOWN_TOPIC_OR_PARTITION = 3

/** What Connect would find, and what stands in the way of believing it. */
export interface SourceOffsetsFound {
  /** The last entry of each key that Connect looks up, tombstones included. */
  readonly entries: readonly StoredSourceOffset[]
  /** Keys with entries in several partitions of the topic: which one Connect takes is chance. */
  readonly ambiguous: readonly SourceOffsetKey[]
  /** Entries of a topic partition that Connect never looks up. */
  readonly neverLookedUp: readonly StoredSourceOffset[]
  /** Partitions that end in an open transaction: a worker still writes, or was killed less than its timeout ago. */
  readonly openTransactions: readonly number[]
}

/**
 * Reads the source offsets of MirrorMaker 2's source connectors, committed ones only (KIP-618), from the topic in which
 * Connect keeps them. What other connectors keep there is passed over.
 * @throws KafkaError when the topic is missing or cannot be read, after retries
 */
export async function readSourceOffsets(
  options: TopicLogOptions,
  signal: AbortSignal,
): Promise<SourceOffsetsFound> {
  const { partitions } = await described(options, signal)
  const log = new TopicLog({ ...options, isolation: 'read_committed' })
  const found = new Map<string, { readonly entry: StoredSourceOffset; readonly partition: number }>()
  const ambiguous = new Map<string, SourceOffsetKey>()
  const neverLookedUp: StoredSourceOffset[] = []
  const openTransactions: number[] = []
  try {
    for (const { partition } of partitions) {
      const { topic } = options
      const before = await boundsOfLog(options.cluster, { topic, partition }, signal)
      const onRecord = (record: RecordContent): void => {
        const decoded = decodeSourceOffset(record)
        if (decoded.kind === 'undecodable') return
        const { value: entry } = decoded
        if (!entry.isLookedUp) {
          neverLookedUp.push(entry)
          return
        }
        const key = encodeSourceOffsetKey(entry).toString()
        const known = found.get(key)
        if (known !== undefined && known.partition !== partition) ambiguous.set(key, entry)
        found.set(key, { entry, partition })
      }
      const { end } = await log.read(partition, onRecord, signal)
      if (end < before.end) openTransactions.push(partition)
    }
  } finally {
    await log.close()
  }
  const entries = [...found.values()].map(({ entry }) => entry)
  return { entries, ambiguous: [...ambiguous.values()], neverLookedUp, openTransactions }
}

/** What to store for a partition: `undefined` makes MirrorMaker 2 begin anew. */
export interface SourceOffsetToStore extends SourceOffsetKey {
  readonly lastCopied: SourceOffset | undefined
}

/**
 * Writes source offsets where Connect would, for a MirrorMaker 2 that is stopped: it reads them when it starts.
 * @throws RangeError for what is no offset; KafkaError when the topic is missing or cannot be written, after retries
 */
export async function writeSourceOffsets(
  options: TopicLogOptions,
  offsets: readonly SourceOffsetToStore[],
  signal: AbortSignal,
): Promise<void> {
  const { partitions } = await described(options, signal)
  const timestamp = BigInt(Math.floor(options.clock.wallMs()))
  const byPartition = new Map<number, RecordContent[]>()
  for (const offset of offsets) {
    const key = encodeSourceOffsetKey(offset)
    const record = { key, value: encodeSourceOffsetValue(offset.lastCopied), headers: [], timestamp }
    const partition = partitionOfKey(key, partitions.length)
    const records = byPartition.get(partition)
    if (records === undefined) byPartition.set(partition, [record])
    else records.push(record)
  }
  const log = new TopicLog(options)
  try {
    for (const [partition, records] of byPartition) {
      for (const batch of batchesOf(records)) await log.append(partition, batch, signal)
    }
  } finally {
    await log.close()
  }
}

async function described(
  { cluster, topic }: { readonly cluster: Cluster; readonly topic: string },
  signal: AbortSignal,
): Promise<TopicMetadata> {
  const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
  if (lookup?.kind === 'failed') throw lookup.error
  if (lookup?.kind === 'found') return lookup.topic
  throw protocolError(UNKNOWN_TOPIC_OR_PARTITION, { cluster: cluster.alias, topic })
}
