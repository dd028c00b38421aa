/**
 * Produces records at a steady rate to one cluster and consumes their copies from another, in one process, so that
 * both ends of a latency are read from the same monotonic clock.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, Producer } from 'kafkajs'
import type { BenchCluster } from '../bench-cluster.ts'

export interface LoadOptions {
  readonly source: BenchCluster
  readonly target: BenchCluster
  readonly sourceTopic: string
  readonly targetTopic: string
  readonly partitions: number
  /** At least 16: a record starts with the time it was due and its number. */
  readonly recordBytes: number
  readonly recordsPerSecond: number
  /** The load ends by itself at this length. */
  readonly secondsMax: number
}

/** How long records gather before they are sent, as a producer's linger would have it. */
const lingerMs = 5
/** As Java's producer has it; what is due meanwhile goes into the next request, in larger batches. */
const requestsInFlightMax = 5
/** Of record values in one record batch; a producer's `batch.size`. */
const batchBytesMax = 64 * 1024

/** A running load. */
export class SteadyLoad {
  readonly #options: LoadOptions
  readonly #producer: Producer
  readonly #consumer: Consumer
  readonly #latenciesMs: Float64Array
  #sent = 0
  #received = 0
  #failure: unknown
  #stopped = false
  #producing: Promise<void> = Promise.resolve()

  private constructor(options: LoadOptions) {
    this.#options = options
    this.#producer = options.source.kafka.producer({ allowAutoTopicCreation: false })
    this.#consumer = options.target.kafka.consumer({
      groupId: `bench-latency-${options.targetTopic}`,
      maxWaitTimeInMs: 500,
      minBytes: 1,
      allowAutoTopicCreation: false,
    })
    this.#latenciesMs = new Float64Array(Math.ceil(options.secondsMax * options.recordsPerSecond)).fill(
      Number.NaN,
    )
  }

  /** Both topics must exist. Producing begins at once. */
  static async start(options: LoadOptions): Promise<SteadyLoad> {
    const load = new SteadyLoad(options)
    await load.#producer.connect()
    await load.#consumer.connect()
    await load.#consumer.subscribe({ topic: options.targetTopic, fromBeginning: true })
    await load.#consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: options.partitions,
      eachBatch: async ({ batch }) => {
        const now = performance.now()
        for (const { value } of batch.messages) load.#receive(value!, now)
      },
    })
    load.#producing = load.#produce().catch((error: unknown) => {
      load.#failure = error
    })
    return load
  }

  /** Records produced so far; also the number of the next one. */
  get sent(): number {
    return this.#sent
  }

  /** Different records consumed so far. @throws whatever stopped the producer */
  get received(): number {
    if (this.#failure) throw this.#failure
    return this.#received
  }

  /** Latencies of the records numbered `from` up to but not including `to`; NaN where a copy has not arrived. */
  latenciesMs(from: number, to: number): Float64Array {
    return this.#latenciesMs.subarray(from, to)
  }

  /** Stops producing, goes on consuming. */
  async stopProducing(): Promise<void> {
    this.#stopped = true
    await this.#producing
  }

  async close(): Promise<void> {
    await this.stopProducing()
    await Promise.allSettled([this.#producer.disconnect(), this.#consumer.disconnect()])
  }

  /**
   * A record's latency counts from the moment it was due, not from the moment it was sent: a stalled producer would
   * otherwise leave out the records that waited longest (coordinated omission).
   */
  async #produce(): Promise<void> {
    const { recordsPerSecond, recordBytes, partitions } = this.#options
    const startMs = performance.now()
    const filler = Buffer.alloc(recordBytes, 'causeway ')
    const batchRecordsMax = Math.max(1, Math.floor(batchBytesMax / recordBytes))
    const sends = new Set<Promise<unknown>>()
    for (let batch = 0; !this.#stopped && !this.#failure; ) {
      if (sends.size >= requestsInFlightMax) await Promise.race(sends)
      const due = Math.floor(((performance.now() - startMs) / 1000) * recordsPerSecond)
      const count = Math.min(due, this.#latenciesMs.length) - this.#sent
      const messages = Array.from({ length: Math.min(count, batchRecordsMax * partitions) }, (_, index) => {
        const value = Buffer.from(filler)
        value.writeDoubleBE(startMs + (this.#sent / recordsPerSecond) * 1000, 0)
        value.writeDoubleBE(this.#sent++, 8)
        return { value, partition: (batch + Math.floor(index / batchRecordsMax)) % partitions }
      })
      batch += Math.ceil(messages.length / batchRecordsMax)
      if (messages.length > 0) {
        const send: Promise<unknown> = this.#producer
          .send({ topic: this.#options.sourceTopic, acks: 1, messages })
          .catch((error: unknown) => {
            this.#failure = error
          })
          .then(() => sends.delete(send))
        sends.add(send)
      }
      await delay(lingerMs)
    }
    await Promise.all(sends)
  }

  #receive(value: Buffer, now: number): void {
    const number = value.readDoubleBE(8)
    if (!Number.isNaN(this.#latenciesMs[number])) return
    this.#latenciesMs[number] = now - value.readDoubleBE(0)
    this.#received++
  }
}
