/** Fills a topic with numbered records in a way that makes offsets of a copy differ from its own. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Producer } from 'kafkajs'
import type { BenchCluster } from '../bench-cluster.ts'

export interface WriterOptions {
  readonly source: BenchCluster
  /** Must exist. */
  readonly topic: string
  readonly partitions: number
  /** Of each value, at least 8: it begins with the record's sequence number in its partition, a double. */
  readonly recordBytes: number
}

/** Values of one batch when the topic is filled. */
const batchRecords = 5_000
/** How often a steady load writes, in milliseconds. */
const tickMs = 50

interface Written {
  readonly sequence: number
  readonly offset: number
}

/** The sequence number of a record that {@link SequenceWriter} wrote. */
export const sequenceOf = (value: Buffer): number => value.readDoubleBE(0)

/**
 * Even partitions are written plainly, odd ones in transactions of one batch each: their markers take offsets that a
 * copy does not have.
 */
export class SequenceWriter {
  readonly #options: WriterOptions
  readonly #plain: Producer
  readonly #transactional: readonly Producer[]
  readonly #filler: Buffer
  readonly #next: number[]
  /** Of each partition, in order: where batches begin. */
  readonly #written: Written[][]
  #loading: { stop(): void; readonly ended: Promise<void> } | undefined

  private constructor(options: WriterOptions) {
    const { source, topic, partitions, recordBytes } = options
    this.#options = options
    const retry = { initialRetryTime: 10, retries: 30 }
    this.#plain = source.kafka.producer({ allowAutoTopicCreation: false, retry })
    this.#transactional = Array.from({ length: partitions >> 1 }, (_, index) =>
      source.kafka.producer({
        allowAutoTopicCreation: false,
        transactionalId: `${topic}-${index}`,
        maxInFlightRequests: 1,
        idempotent: true,
        retry,
      }),
    )
    this.#filler = Buffer.alloc(recordBytes, 'causeway ')
    this.#next = Array.from({ length: partitions }, () => 0)
    this.#written = Array.from({ length: partitions }, () => [])
  }

  static async connect(options: WriterOptions): Promise<SequenceWriter> {
    const writer = new SequenceWriter(options)
    await Promise.all([writer.#plain, ...writer.#transactional].map((producer) => producer.connect()))
    return writer
  }

  /** Writes this many records to every partition. */
  async fill(recordsPerPartition: number): Promise<void> {
    await Promise.all(
      this.#next.map(async (_, partition) => {
        for (let left = recordsPerPartition; left > 0; left -= batchRecords)
          await this.#write(partition, Math.min(left, batchRecords))
      }),
    )
  }

  /** Goes on writing until {@link stopLoad}. */
  startLoad(recordsPerSecondAndPartition: number): void {
    let isStopped = false
    const load = async (partition: number) => {
      const startedMs = performance.now()
      for (let sent = 0; !isStopped; await delay(tickMs)) {
        const due = Math.floor(((performance.now() - startedMs) / 1000) * recordsPerSecondAndPartition)
        if (due > sent) await this.#write(partition, due - sent)
        sent = Math.max(sent, due)
      }
    }
    const ended = Promise.all(this.#next.map((_, partition) => load(partition))).then(() => {})
    ended.catch(() => {})
    this.#loading = { stop: () => (isStopped = true), ended }
  }

  /** @throws whatever ended the load before */
  async stopLoad(): Promise<void> {
    this.#loading?.stop()
    await this.#loading?.ended
    this.#loading = undefined
  }

  /** Of each partition: how many records are acknowledged. */
  get acknowledged(): readonly number[] {
    return this.#next
  }

  /**
   * Where a consumer stands that has `lag` records still to read, of those that are acknowledged: the offset of the
   * first of them, or right behind the last record.
   */
  positionBehind(partition: number, lag: number): number {
    const sequence = this.#next[partition]! - lag
    const batch = this.#written[partition]!.findLast((each) => each.sequence <= sequence - 1)
    if (batch === undefined) throw new RangeError(`partition ${partition} has no record ${sequence - 1}`)
    const next = this.#written[partition]!.find((each) => each.sequence === sequence)
    // Clients that read transactions skip their markers; those that stand at the end have not seen the last one yet.
    return next?.offset ?? batch.offset + sequence - batch.sequence
  }

  async close(): Promise<void> {
    await this.stopLoad().catch(() => {})
    await Promise.allSettled([this.#plain, ...this.#transactional].map((producer) => producer.disconnect()))
  }

  async #write(partition: number, records: number): Promise<void> {
    const { topic } = this.#options
    const sequence = this.#next[partition]!
    const messages = Array.from({ length: records }, (_, index) => {
      const value = Buffer.from(this.#filler)
      value.writeDoubleBE(sequence + index, 0)
      return { partition, value }
    })
    const transactional = partition % 2 === 1 ? this.#transactional[partition >> 1] : undefined
    const batch = { topic, acks: -1, messages }
    let answers: Awaited<ReturnType<Producer['send']>>
    if (transactional === undefined) answers = await this.#plain.send(batch)
    else {
      const transaction = await transactional.transaction()
      answers = await transaction.send(batch)
      await transaction.commit()
    }
    const offset = Number(answers[0]?.baseOffset)
    if (!(offset >= 0)) throw new Error(`${topic}/${partition}: the broker told no offset`)
    this.#written[partition]!.push({ sequence, offset })
    this.#next[partition] = sequence + records
  }
}
