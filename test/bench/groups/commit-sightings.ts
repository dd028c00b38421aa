/** Commits of a cluster as they are written to its offsets topic, read with a client of another hand. */
import { randomUUID } from 'node:crypto'
import type { Consumer } from 'kafkajs'
import { kafkajsClient } from '../../../replicator/cli/demo/kafkajs-client.ts'

export interface Sighting {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** A commit's key (versions 0 and 1) and the offset that its value begins with; undefined for other records. */
export function readSighting(key: Buffer | null, value: Buffer | null): Sighting | undefined {
  if (key === null || value === null || key.readInt16BE(0) > 1) return undefined
  let at = 2
  const text = () => {
    const length = key.readInt16BE(at)
    at += 2 + length
    return key.toString('utf8', at - length, at)
  }
  const [group, topic] = [text(), text()]
  return { group, topic, partition: key.readInt32BE(at), offset: Number(value.readBigInt64BE(2)) }
}

/** Watches from now on. */
export class CommitSightings {
  readonly #consumer: Consumer

  private constructor(consumer: Consumer) {
    this.#consumer = consumer
  }

  /** Resolves when it has joined; `onSighting` is told the time of the answer that had the record. */
  static async start(
    bootstrap: readonly string[],
    onSighting: (sighting: Sighting, atMs: number) => void,
  ): Promise<CommitSightings> {
    const consumer = kafkajsClient('bench-sightings', bootstrap).consumer({
      groupId: `sightings-${randomUUID()}`,
      minBytes: 1,
      maxWaitTimeInMs: 200,
      allowAutoTopicCreation: false,
    })
    const joined = Promise.withResolvers<void>()
    consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve())
    consumer.on(consumer.events.CRASH, ({ payload }) => joined.reject(payload.error))
    await consumer.connect()
    await consumer.subscribe({ topic: '__consumer_offsets', fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: 50,
      eachBatch: async ({ batch: { messages } }) => {
        const atMs = performance.now()
        for (const { key, value } of messages) {
          const sighting = readSighting(key, value)
          if (sighting !== undefined) onSighting(sighting, atMs)
        }
      },
    })
    await joined.promise
    return new CommitSightings(consumer)
  }

  async close(): Promise<void> {
    await this.#consumer.disconnect()
  }
}
