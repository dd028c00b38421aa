import type { Cluster } from '../kafka/cluster.ts'
import { type KafkaError, protocolError } from '../kafka/errors.ts'
import {
  decodeProgress,
  decodeProgressKey,
  encodeProgress,
  encodeProgressKey,
  type Progress,
  type ProgressKey,
} from './progress-record.ts'
import { TopicLog, type TopicLogOptions } from '../kafka/topic-log.ts'

const UNKNOWN_TOPIC_OR_PARTITION = 3
const TOPIC_ALREADY_EXISTS = 36

export interface ProgressEntry {
  readonly key: ProgressKey
  readonly progress: Progress
}

export interface ProgressLogOptions extends TopicLogOptions {
  /** Partitions of the progress topic: partition k belongs to shard k. */
  readonly shards: number
  readonly replicationFactor: number | 'broker-default'
}

/** The flow's memory across restarts: a compacted topic on the target, one partition per shard. */
export class ProgressLog {
  readonly #options: ProgressLogOptions
  readonly #log: TopicLog

  constructor(options: ProgressLogOptions) {
    this.#options = options
    this.#log = new TopicLog(options)
  }

  /**
   * Creates the topic if it is not there yet, with as many partitions as there are shards.
   * @throws KafkaError when the target refuses
   */
  async prepare(signal: AbortSignal): Promise<void> {
    const { cluster, topic, shards, replicationFactor } = this.#options
    // Whoever made the topic for us need not let us create topics.
    if ((await cluster.describeTopics([topic], signal)).get(topic)?.kind !== 'found') {
      const configs = new Map([['cleanup.policy', 'compact']])
      const created = await cluster.createTopics(
        [{ name: topic, partitions: shards, replicationFactor, configs }],
        signal,
      )
      const outcome = created.get(topic)
      if (outcome !== undefined && !outcome.ok && outcome.error.code !== TOPIC_ALREADY_EXISTS)
        throw outcome.error
    }
    const partitions = await this.#waitForLeaders(cluster, signal)
    if (partitions >= shards) return
    const grown = (await cluster.growTopics(new Map([[topic, shards]]), signal)).get(topic)
    if (grown !== undefined && !grown.ok) throw grown.error
    await this.#waitForLeaders(cluster, signal)
  }

  /**
   * Everything that is known about a flow, keyed by `topic/partition`. A partition that changed its shard has records
   * in several partitions of the topic: the one that got furthest counts.
   */
  async load(flow: string, signal: AbortSignal): Promise<ReadonlyMap<string, Progress>> {
    const loaded = new Map<string, Progress>()
    const partitions = await this.#waitForLeaders(this.#options.cluster, signal)
    for (let partition = 0; partition < partitions; partition++) {
      const latest = new Map<string, Progress | undefined>()
      const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }): void => {
        if (key === null) return
        const decoded = decodeProgressKey(key)
        if (decoded.flow !== flow) return
        latest.set(
          `${decoded.topic}/${decoded.partition}`,
          value === null ? undefined : decodeProgress(value),
        )
      }
      await this.#log.read(partition, onRecord, signal)
      for (const [key, progress] of latest) {
        const known = loaded.get(key)
        if (progress !== undefined && (known === undefined || progress.sourceNext > known.sourceNext)) {
          loaded.set(key, progress)
        }
      }
    }
    return loaded
  }

  /** Writes entries of one shard as one batch. */
  async write(shard: number, entries: readonly ProgressEntry[], signal: AbortSignal): Promise<void> {
    const timestamp = BigInt(Math.floor(this.#options.clock.wallMs()))
    await this.#log.append(
      shard,
      entries.map(({ key, progress }) => ({
        key: encodeProgressKey(key),
        value: encodeProgress(progress),
        headers: [],
        timestamp,
      })),
      signal,
    )
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  async #waitForLeaders(cluster: Cluster, signal: AbortSignal): Promise<number> {
    const { topic, clock } = this.#options
    for (let left = 100; ; left--) {
      const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
      if (lookup?.kind === 'failed' && !lookup.error.retriable) throw lookup.error
      if (lookup?.kind === 'found') {
        const { partitions } = lookup.topic
        if (left <= 0 || partitions.every(({ leader }) => leader !== undefined)) return partitions.length
      } else if (left <= 0) throw neverAppeared(cluster, topic)
      await clock.sleep(100, signal)
    }
  }
}

function neverAppeared({ alias }: Cluster, topic: string): KafkaError {
  return protocolError(
    UNKNOWN_TOPIC_OR_PARTITION,
    { cluster: alias, topic },
    'created, but not known after 10 s',
  )
}
