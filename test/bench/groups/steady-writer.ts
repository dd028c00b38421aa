/** Writes to a topic at an even rate, and knows where consumers stand that keep up. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Producer } from 'kafkajs'
import { kafkajsClient } from '../../../replicator/cli/demo/kafkajs-client.ts'

const tickMs = 20
const value = 'x'.repeat(200)

/** One producer, one request at a time. */
export class SteadyWriter {
  readonly #topic: string
  readonly #producer: Producer
  readonly #ends: number[]
  #isStopped = true
  #working: Promise<void> = Promise.resolve()

  private constructor(topic: string, producer: Producer, partitions: number) {
    this.#topic = topic
    this.#producer = producer
    this.#ends = Array.from({ length: partitions }, () => 0)
  }

  /** Writes `records` to each partition of the topic, which must exist and be empty. */
  static async fill(
    bootstrap: readonly string[],
    topic: string,
    counts: { readonly partitions: number; readonly records: number },
  ): Promise<SteadyWriter> {
    const producer = kafkajsClient('bench-writer', bootstrap).producer()
    await producer.connect()
    const writer = new SteadyWriter(topic, producer, counts.partitions)
    for (let partition = 0; partition < counts.partitions; partition++)
      await writer.#send(Array.from({ length: counts.records }, () => partition))
    return writer
  }

  /** Of each partition: where a consumer stands that has read all that is acknowledged. */
  get ends(): readonly number[] {
    return this.#ends
  }

  start(recordsPerSecond: number): void {
    this.#isStopped = false
    this.#working = this.#write(recordsPerSecond)
    this.#working.catch(() => {})
  }

  /** @throws whatever ended the load before */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#working
  }

  async close(): Promise<void> {
    await this.stop().catch(() => {})
    await this.#producer.disconnect()
  }

  async #write(recordsPerSecond: number): Promise<void> {
    const startedMs = performance.now()
    const partitions = this.#ends.length
    for (let sent = 0; !this.#isStopped; await delay(tickMs)) {
      const due = Math.floor(((performance.now() - startedMs) / 1000) * recordsPerSecond)
      if (due > sent)
        await this.#send(Array.from({ length: due - sent }, (_, at) => (sent + at) % partitions))
      sent = Math.max(sent, due)
    }
  }

  async #send(partitions: readonly number[]): Promise<void> {
    const messages = partitions.map((partition) => ({ partition, value }))
    const written = Map.groupBy(partitions, (partition) => partition)
    for (const { partition, baseOffset } of await this.#producer.send({
      topic: this.#topic,
      acks: -1,
      messages,
    })) {
      const records = written.get(partition)?.length ?? 0
      this.#ends[partition] = Math.max(this.#ends[partition] ?? 0, Number(baseOffset) + records)
    }
  }
}
