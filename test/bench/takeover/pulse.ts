/** A load over very many partitions, and when its records arrive at the other cluster; one clock for both ends. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, Producer } from 'kafkajs'
import { kafkajsClient } from '../../../replicator/cli/demo/kafkajs-client.ts'

export interface PulseOptions {
  readonly source: string
  readonly target: string
  /** Under the same name on both sides. */
  readonly topic: string
  readonly partitions: number
  readonly recordsPerSecond: number
}

const tickMs = 100

/** A running load. */
export class Pulse {
  readonly #options: PulseOptions
  readonly #producer: Producer
  readonly #consumer: Consumer
  readonly #onRecord = new Set<(partition: number, sentMs: number, arrivedMs: number) => void>()
  #isStopped = false
  #failure: unknown
  #next = 0
  #working: Promise<void> = Promise.resolve()

  private constructor(options: PulseOptions) {
    this.#options = options
    this.#producer = kafkajsClient('pulse', [options.source]).producer({ retry: { retries: 20 } })
    this.#consumer = kafkajsClient('pulse', [options.target]).consumer({
      groupId: `pulse-${options.topic}`,
      maxWaitTimeInMs: 50,
      minBytes: 1,
    })
  }

  /** Both topics must exist. */
  static async start(options: PulseOptions): Promise<Pulse> {
    const pulse = new Pulse(options)
    await Promise.all([pulse.#producer.connect(), pulse.#consumer.connect()])
    await pulse.#consumer.subscribe({ topic: options.topic, fromBeginning: true })
    await pulse.#consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: 8,
      eachBatch: async ({ batch }) => {
        const arrivedMs = performance.now()
        for (const { value } of batch.messages) {
          const sentMs = Number(value?.toString())
          for (const listener of pulse.#onRecord) listener(batch.partition, sentMs, arrivedMs)
        }
      },
    })
    pulse.#working = pulse.#produce().catch((error: unknown) => {
      pulse.#failure = error
    })
    return pulse
  }

  /** One record to every partition, now. */
  async burst(): Promise<void> {
    await this.#send(Array.from({ length: this.#options.partitions }, (_, partition) => partition))
  }

  /**
   * When the first record that was sent after `sinceMs` arrived, by partition, once every one of `partitions` has one.
   * @throws Error after `timeoutMs`
   */
  async firstArrivals(
    partitions: ReadonlySet<number>,
    sinceMs: number,
    timeoutMs: number,
  ): Promise<ReadonlyMap<number, number>> {
    const first = new Map<number, number>()
    const listener = (partition: number, sentMs: number, arrivedMs: number) => {
      if (sentMs > sinceMs && partitions.has(partition) && !first.has(partition))
        first.set(partition, arrivedMs)
    }
    this.#onRecord.add(listener)
    try {
      const end = performance.now() + timeoutMs
      while (first.size < partitions.size) {
        if (this.#failure !== undefined) throw this.#failure
        if (performance.now() > end)
          throw new Error(`only ${first.size} of ${partitions.size} partitions go on after ${timeoutMs} ms`)
        await delay(10)
      }
      return first
    } finally {
      this.#onRecord.delete(listener)
    }
  }

  async close(): Promise<void> {
    this.#isStopped = true
    await this.#working
    await Promise.allSettled([this.#producer.disconnect(), this.#consumer.disconnect()])
  }

  async #produce(): Promise<void> {
    const perTick = Math.ceil((this.#options.recordsPerSecond * tickMs) / 1000)
    while (!this.#isStopped) {
      const dueMs = performance.now() + tickMs
      await this.#send(Array.from({ length: perTick }, () => this.#next++ % this.#options.partitions))
      await delay(Math.max(0, dueMs - performance.now()))
    }
  }

  async #send(partitions: readonly number[]): Promise<void> {
    const value = String(performance.now())
    const messages = partitions.map((partition) => ({ partition, value }))
    await this.#producer.send({ topic: this.#options.topic, acks: 1, messages })
  }
}
