/** What the benchmark does with a cluster besides copying: topics made, watched and removed. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Kafka } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { createTopics } from '../integration/create-topics.ts'

/** One of the two clusters, as the benchmark sees it. */
export class BenchCluster {
  readonly bootstrap: string
  readonly kafka: Kafka
  readonly #admin: Admin

  private constructor(bootstrap: string) {
    this.bootstrap = bootstrap
    this.kafka = kafkajsClient('bench', [bootstrap])
    this.#admin = this.kafka.admin({ retry: { retries: 3, initialRetryTime: 50 } })
  }

  /** @throws Error if the cluster does not answer */
  static async connect(bootstrap: string): Promise<BenchCluster> {
    const cluster = new BenchCluster(bootstrap)
    await cluster.#admin.connect()
    return cluster
  }

  /** Creates a topic of replication factor 1 and waits for its leaders. */
  async createTopic(topic: string, partitions: number): Promise<void> {
    await createTopics(this.#admin, [{ topic, numPartitions: partitions, replicationFactor: 1 }])
  }

  /** True if the cluster lists it; its leaders may not be there yet. */
  async hasTopic(topic: string): Promise<boolean> {
    return (await this.#admin.listTopics()).includes(topic)
  }

  /**
   * Records in a topic, by its end offsets; undefined while it cannot be read, as before it exists or has leaders.
   * Assumes logs that start at 0.
   */
  async countRecords(topic: string): Promise<number | undefined> {
    try {
      const offsets = await this.#admin.fetchTopicOffsets(topic)
      return offsets.reduce((sum, of) => sum + Number(of.high), 0)
    } catch {
      return undefined
    }
  }

  /** Where each partition's log ends. */
  async ends(topic: string): Promise<readonly number[]> {
    const ends: number[] = []
    for (const { partition, high } of await this.#admin.fetchTopicOffsets(topic))
      ends[partition] = Number(high)
    return ends
  }

  /** Makes each partition's log begin at its offset in the list. */
  async deleteRecords(topic: string, offsets: readonly number[]): Promise<void> {
    const partitions = offsets.map((offset, partition) => ({ partition, offset: String(offset) }))
    await this.#admin.deleteTopicRecords({ topic, partitions })
  }

  /** What a group has committed for a topic, by partition; partitions without a commit are left out. */
  async committed(groupId: string, topic: string): Promise<ReadonlyMap<number, number>> {
    const committed = await this.#admin.fetchOffsets({ groupId })
    const partitions = committed.find((each) => each.topic === topic)?.partitions ?? []
    return new Map(
      partitions.flatMap(({ partition, offset }) =>
        Number(offset) < 0 ? [] : [[partition, Number(offset)] as const],
      ),
    )
  }

  /**
   * Deletes every topic but the cluster's own and those to keep, and waits until they are gone.
   *
   * @throws Error if some are still there after a minute
   */
  async deleteTopics(keep: readonly string[], signal: AbortSignal): Promise<void> {
    for (let tries = 0; tries < 120; tries++) {
      const topics = (await this.#admin.listTopics()).filter(
        (name) => !name.startsWith('__') && !keep.includes(name),
      )
      if (topics.length === 0) return
      if (tries % 20 === 0) await this.#admin.deleteTopics({ topics }).catch(() => {})
      await delay(500, undefined, { signal })
    }
    throw new Error(`topics of ${this.bootstrap} were not deleted within a minute`)
  }

  async close(): Promise<void> {
    await this.#admin.disconnect()
  }
}
