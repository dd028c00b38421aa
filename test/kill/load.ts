import { setTimeout as delay } from 'node:timers/promises'
import { CompressionTypes, type Producer, type Transaction } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import type { SeededRandom } from '../simulation/seeded-random.ts'

/** A topic of the load, and how it is written. */
export interface LoadTopic {
  readonly name: string
  readonly partitions: number
  /** `plain`: small records. `large`: 16 KiB in lz4 batches. `transactions`: both kinds of end, and plain records between. */
  readonly kind: 'plain' | 'large' | 'transactions'
}

export const loadTopics: readonly LoadTopic[] = [
  { name: 'orders', partitions: 6, kind: 'plain' },
  { name: 'images', partitions: 2, kind: 'large' },
  { name: 'ledger', partitions: 3, kind: 'transactions' },
]

export interface LoadCounts {
  /** Records of plain requests that the source acknowledged. */
  readonly acknowledged: number
  readonly committedTransactions: number
  readonly abortedTransactions: number
  /** Transactions whose end the client does not know; the log does. */
  readonly unknownTransactions: number
}

const largeBytes = 16 * 1024

/** kafkajs clients that write to the source until they are told to stop. */
export class Load {
  readonly #bootstrap: readonly string[]
  readonly #working: Promise<unknown>
  readonly #counts = {
    acknowledged: 0,
    committedTransactions: 0,
    abortedTransactions: 0,
    unknownTransactions: 0,
  }
  #isStopped = false

  /** Topics must exist. `paceMs`: pause between the requests of one writer. */
  constructor(bootstrap: readonly string[], random: SeededRandom, paceMs: number) {
    this.#bootstrap = bootstrap
    const writers = loadTopics.flatMap((topic) => [
      this.#write(topic, paceMs),
      ...(topic.kind === 'transactions'
        ? [
            this.#writeTransactions(topic, 'a', [0], random.fork()),
            this.#writeTransactions(topic, 'b', [1, 2], random.fork()),
          ]
        : []),
    ])
    this.#working = Promise.all(writers)
    this.#working.catch(() => {})
  }

  get counts(): LoadCounts {
    return { ...this.#counts }
  }

  /** Ends when every writer has been answered. @throws what stopped a writer */
  async stop(): Promise<LoadCounts> {
    this.#isStopped = true
    await this.#working
    return this.counts
  }

  async #write({ name, partitions, kind }: LoadTopic, paceMs: number): Promise<void> {
    // Not idempotent: kafkajs counts records as sent that brokers took for repeats while leaders change.
    const producer = kafkajsClient('storm-writer', this.#bootstrap).producer({
      maxInFlightRequests: 1,
      retry: { retries: 60, maxRetryTime: 2000 },
    })
    await producer.connect()
    const filler = 'x'.repeat(kind === 'large' ? largeBytes : 150)
    const compressions = [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.LZ4] as const
    for (let round = 0; !this.#isStopped; round++) {
      const messages = Array.from({ length: kind === 'large' ? 4 : 30 }, (_, i) => ({
        // One partition a request: kafkajs takes a broker that answered for others as having answered for
        // a partition that moved to it meanwhile, and counts records as sent that never were.
        partition: round % partitions,
        key: `key ${i}`,
        value: `${name} ${round} ${i} ${filler}`,
        headers: { round: String(round) },
      }))
      const compression =
        kind === 'large' ? CompressionTypes.LZ4 : (compressions[round % 3] ?? CompressionTypes.None)
      await producer.send({ topic: name, messages, acks: -1, compression })
      this.#counts.acknowledged += messages.length
      await delay(kind === 'plain' ? paceMs : 4 * paceMs)
    }
    await producer.disconnect()
  }

  /**
   * Every partition sees one transactional producer at most: kafkajs expects aborted transactions in the order in which
   * they began, brokers list them in the order in which they ended, and interleaved ones it then takes for committed.
   */
  async #writeTransactions(
    topic: LoadTopic,
    writer: string,
    partitions: readonly number[],
    random: SeededRandom,
  ): Promise<void> {
    let producer: Producer | undefined
    for (let round = 0; !this.#isStopped; round++) {
      let transaction: Transaction | undefined
      try {
        producer ??= await this.#transactional(`storm-${writer}`)
        transaction = await producer.transaction()
        for (let part = random.between(1, 3); part > 0; part--) {
          const messages = Array.from({ length: 5 }, (_, i) => ({
            key: `key ${i}`,
            value: `${writer} ${round} ${part} ${i}`,
            partition: random.pick(partitions),
          }))
          await transaction.send({ topic: topic.name, messages, acks: -1 })
          await delay(random.between(0, 60))
        }
        if (random.chance(0.3)) {
          await transaction.abort()
          this.#counts.abortedTransactions++
        } else {
          await transaction.commit()
          this.#counts.committedTransactions++
        }
      } catch {
        // Brokers went away in the middle. A new producer takes the transactional id over and aborts what is open.
        this.#counts.unknownTransactions++
        await producer?.disconnect().catch(() => {})
        producer = undefined
        await delay(200)
      }
      await delay(random.between(10, 80))
    }
    await producer?.disconnect().catch(() => {})
  }

  async #transactional(transactionalId: string): Promise<Producer> {
    const producer = kafkajsClient('storm-transactions', this.#bootstrap).producer({
      transactionalId,
      idempotent: true,
      maxInFlightRequests: 1,
      transactionTimeout: 15_000,
      retry: { retries: 8, maxRetryTime: 1000 },
    })
    await producer.connect()
    return producer
  }
}
