import { type BackoffPolicy, backoffMs } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { AbortedFilter } from '../records/aborted.ts'
import { lastOffset } from '../records/batch-header.ts'
import { crcMatches } from '../records/crc.ts'
import { type DecodedRecord, decodeBatch, type RecordContent } from '../records/decode.ts'
import { encodeBatch } from '../records/encode.ts'
import { nextBatch, rawBatch } from '../records/record-batch.ts'
import type { BrokerChannel, BrokerId, Cluster, FetchRequest } from './cluster.ts'
import { isRetriable, type KafkaError, protocolError } from './errors.ts'
import { boundsOfLog } from './list-bounds.ts'

const FETCH_BYTES_MAX = 4 * 1024 * 1024
const FETCH_WAIT_MAX_MS = 500
const OFFSET_OUT_OF_RANGE = 1
const PRODUCE_TIMEOUT_MS = 30_000
/** Leader changes and broker restarts are waited for about this many times, with backoff. */
const ATTEMPTS_MAX = 40

export interface TopicLogOptions {
  readonly cluster: Cluster
  readonly topic: string
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  /**
   * Which records are read. Default `read_uncommitted`. With `read_committed` a partition ends where an open
   * transaction begins.
   */
  readonly isolation?: FetchRequest['isolation']
}

/** A small internal topic, read whole and appended to: one channel per leader, retried across leader changes. */
export class TopicLog {
  readonly #options: TopicLogOptions
  readonly #isolation: FetchRequest['isolation']
  readonly #channels = new Map<BrokerId, BrokerChannel>()

  constructor(options: TopicLogOptions) {
    this.#options = options
    this.#isolation = options.isolation ?? 'read_uncommitted'
  }

  /**
   * Gives every record of a partition, from `from` (default: its start) to where it ends now.
   * @returns where the partition starts and where the next read would go on
   * @throws KafkaError when the partition cannot be read, after retries; OFFSET_OUT_OF_RANGE when it ends before `from`
   */
  async read(
    partition: number,
    onRecord: (record: DecodedRecord) => void,
    signal: AbortSignal,
    from = 0n,
  ): Promise<{ readonly start: bigint; readonly end: bigint }> {
    const { cluster, topic } = this.#options
    const bounds = await boundsOfLog(cluster, { topic, partition }, signal)
    const { start } = bounds
    const end = this.#isolation === 'read_committed' ? await this.#lastStable(partition, signal) : bounds.end
    if (from > end) {
      const place = { cluster: cluster.alias, topic, partition }
      throw protocolError(OFFSET_OUT_OF_RANGE, place, `it ends at ${end}; ${from} of it were read before`)
    }
    let at = from > start ? from : start
    while (at < end) {
      at = await this.#retried(partition, signal, (channel, topicId) =>
        this.#readOnce(channel, topicId, partition, at, onRecord, signal),
      )
    }
    return { start, end: at }
  }

  /**
   * Appends records as one batch, at least once.
   * @throws KafkaError when they cannot be appended, after retries
   */
  async append(partition: number, records: readonly RecordContent[], signal: AbortSignal): Promise<void> {
    const { topic } = this.#options
    const batch = encodeBatch(records)
    await this.#retried(partition, signal, async (channel) => {
      const batches = [{ topic, partition, batch }]
      const { results } = await channel.produce({ timeoutMs: PRODUCE_TIMEOUT_MS, batches }, signal)
      for (const { result } of results) if (!result.ok) throw result.error
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#channels.values()].map((channel) => channel.close()))
    this.#channels.clear()
  }

  async #readOnce(
    channel: BrokerChannel,
    topicId: string | undefined,
    partition: number,
    offset: bigint,
    onRecord: (record: DecodedRecord) => void,
    signal: AbortSignal,
  ): Promise<bigint> {
    const { topic } = this.#options
    const asked = { topic, topicId, partition, offset, leaderEpoch: undefined, bytesMax: FETCH_BYTES_MAX }
    const request = {
      partitions: [asked],
      waitMaxMs: FETCH_WAIT_MAX_MS,
      bytesMin: 1,
      bytesMax: FETCH_BYTES_MAX,
    }
    const { frame, partitions } = await channel.fetch({ ...request, isolation: this.#isolation }, signal)
    try {
      const answer = partitions[0]
      if (answer?.error !== undefined) throw answer.error
      const aborted = new AbortedFilter(answer?.aborted ?? [])
      let next = offset
      const records = answer?.records ?? Buffer.alloc(0)
      for (let at = 0; ; ) {
        const found = nextBatch(records, at)
        if (found.kind === 'partial') return next
        const readable = found.kind === 'batch' && crcMatches(records, at, found.bytes)
        if (!readable) throw protocolError(2, { cluster: this.#options.cluster.alias, topic, partition })
        // Decoded records may be views of the frame, which is released below.
        if (aborted.judge(rawBatch(records, at, found.bytes)) === 'deliver') {
          const own = Buffer.from(records.subarray(at, at + found.bytes))
          for (const record of decodeBatch(rawBatch(own, 0, found.bytes)).records) onRecord(record)
        }
        next = lastOffset(records, at) + 1n
        at += found.bytes
      }
    } finally {
      frame.release()
    }
  }

  async #lastStable(partition: number, signal: AbortSignal): Promise<bigint> {
    const { cluster, topic } = this.#options
    const [answer] = await cluster.listOffsets([{ topic, partition, at: 'last-stable' }], signal)
    if (answer === undefined) throw new Error('ListOffsets answered less than it was asked')
    if (!answer.result.ok) throw answer.result.error
    return answer.result.value.offset
  }

  async #retried<T>(
    partition: number,
    signal: AbortSignal,
    action: (channel: BrokerChannel, topicId: string | undefined) => Promise<T>,
  ): Promise<T> {
    const { clock, random, backoff } = this.#options
    for (let attempt = 0; ; attempt++) {
      let channel: BrokerChannel | undefined
      try {
        const { leader, topicId } = await this.#leaderOf(partition, signal)
        channel = this.#channels.get(leader) ?? (await this.#options.cluster.openChannel(leader, signal))
        this.#channels.set(leader, channel)
        return await action(channel, topicId)
      } catch (error) {
        // Also when it was given up: closing would wait for the answer.
        if (channel !== undefined) {
          channel.destroy()
          this.#channels.delete(channel.broker)
        }
        signal.throwIfAborted()
        if (!isRetriable(error) || attempt >= ATTEMPTS_MAX) throw error
        await clock.sleep(backoffMs(backoff, attempt, random), signal)
      }
    }
  }

  #known:
    | { readonly topicId: string | undefined; readonly leaders: readonly (BrokerId | undefined)[] }
    | undefined

  async #leaderOf(
    partition: number,
    signal: AbortSignal,
  ): Promise<{ leader: BrokerId; topicId: string | undefined }> {
    const { cluster, topic } = this.#options
    const knownLeader = this.#known?.leaders[partition]
    if (knownLeader !== undefined && this.#channels.has(knownLeader)) {
      return { leader: knownLeader, topicId: this.#known?.topicId }
    }
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind !== 'found') throw this.#unavailable(3, partition)
    this.#known = { topicId: lookup.topic.id, leaders: lookup.topic.partitions.map(({ leader }) => leader) }
    const leader = this.#known.leaders[partition]
    if (leader === undefined) throw this.#unavailable(5, partition)
    return { leader, topicId: this.#known.topicId }
  }

  #unavailable(code: number, partition: number): KafkaError {
    return protocolError(code, {
      cluster: this.#options.cluster.alias,
      topic: this.#options.topic,
      partition,
    })
  }
}
