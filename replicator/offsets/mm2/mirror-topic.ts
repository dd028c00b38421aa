import { TopicLog, type TopicLogOptions } from '../../kafka/topic-log.ts'
import type { RecordContent } from '../../records/decode.ts'
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts'
import type { Decoded, FetchedKeyValue, KeyValue } from './fields.ts'
import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from './heartbeat.ts'
import { decodeOffsetSync, encodeOffsetSync, type OffsetSync } from './offset-sync.ts'

/** Readers look at this partition alone, however many there are. */
const PARTITION = 0
/** Well below what brokers accept by default (`message.max.bytes`, 1 MiB). */
const BATCH_BYTES_MAX = 256 * 1024
const RECORD_OVERHEAD_BYTES = 32

/** How one kind of entry is kept in its topic. */
export interface MirrorCodec<T> {
  /** @throws RangeError for what the format cannot carry */
  encode(entry: T): KeyValue
  decode(record: FetchedKeyValue): Decoded<T>
}

export const offsetSyncCodec: MirrorCodec<OffsetSync> = {
  encode: encodeOffsetSync,
  decode: decodeOffsetSync,
}
export const checkpointCodec: MirrorCodec<Checkpoint> = {
  encode: encodeCheckpoint,
  decode: decodeCheckpoint,
}
export const heartbeatCodec: MirrorCodec<Heartbeat> = { encode: encodeHeartbeat, decode: decodeHeartbeat }

/**
 * One of MirrorMaker 2's topics on a cluster: appended to as MirrorMaker 2 does, and read whole. Await each append before
 * the next: of two at once, one that is tried again may end up behind the other, and readers take the last of a key.
 */
export class MirrorTopic<T> {
  readonly #codec: MirrorCodec<T>
  readonly #options: TopicLogOptions
  readonly #log: TopicLog

  constructor(codec: MirrorCodec<T>, options: TopicLogOptions) {
    this.#codec = codec
    this.#options = options
    this.#log = new TopicLog(options)
  }

  /**
   * Appends entries in their order, at least once. Nothing is written when one of them cannot be encoded.
   * @throws RangeError for what the format cannot carry; KafkaError when they cannot be appended, after retries
   */
  async append(entries: readonly T[], signal: AbortSignal): Promise<void> {
    const timestamp = BigInt(Math.floor(this.#options.clock.wallMs()))
    const records = entries.map((entry) => ({ ...this.#codec.encode(entry), headers: [], timestamp }))
    for (const batch of batchesOf(records)) await this.#log.append(PARTITION, batch, signal)
  }

  /**
   * Gives every record from `from` (default: the start) to where the topic ends now, those that cannot be decoded too.
   * @returns where the next read goes on
   * @throws KafkaError when the topic cannot be read, after retries
   */
  async read(
    onEntry: (entry: Decoded<T>, offset: bigint) => void,
    signal: AbortSignal,
    from = 0n,
  ): Promise<bigint> {
    const { end } = await this.#log.read(
      PARTITION,
      (record) => onEntry(this.#codec.decode(record), record.offset),
      signal,
      from,
    )
    return end
  }

  async close(): Promise<void> {
    await this.#log.close()
  }
}

/** Cuts records into batches that brokers accept. A record that is larger alone is a batch of its own. */
export function batchesOf(records: readonly RecordContent[]): readonly (readonly RecordContent[])[] {
  const batches: RecordContent[][] = []
  let room = 0
  for (const record of records) {
    const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0) + RECORD_OVERHEAD_BYTES
    const open = batches.at(-1)
    if (open === undefined || bytes > room) {
      batches.push([record])
      room = BATCH_BYTES_MAX - bytes
    } else {
      open.push(record)
      room -= bytes
    }
  }
  return batches
}
