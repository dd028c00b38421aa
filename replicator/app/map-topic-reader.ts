import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { TopicLog } from '../kafka/topic-log.ts'
import type { ChunkStore, Place } from './chunk-store.ts'

/**
 * Whoever has not read for so long begins anew, in milliseconds: the cleaner may have dropped deletions meanwhile
 * (`delete.retention.ms`, a day by default).
 */
const READ_ON_WITHIN_MS = 6 * 60 * 60 * 1000
const OFFSET_OUT_OF_RANGE = 1

export interface MapTopicReaderOptions {
  /** The target. */
  readonly cluster: Cluster
  /** The map topic. */
  readonly topic: string
  readonly store: ChunkStore
  readonly clock: Clock
  readonly random: Random
}

/** Follows a map topic: each reading goes on where the one before ended. One reading at a time. */
export class MapTopicReader {
  readonly #options: MapTopicReaderOptions
  readonly #log: TopicLog
  /** Where reading goes on, by partition of the map topic. */
  readonly #at = new Map<number, bigint>()
  #topicId: string | undefined
  #readAtMs = -Infinity

  constructor(options: MapTopicReaderOptions) {
    this.#options = options
    this.#log = new TopicLog({ ...options, backoff: defaultBackoff })
  }

  /** Milliseconds since everything that was written by then had been read. */
  get ageMs(): number {
    return this.#options.clock.monotonicMs() - this.#readAtMs
  }

  /**
   * Reads what was written since the last time. What failed on the way is read again by the next call.
   * @returns `missing` where the topic is not there
   * @throws KafkaError after retries; the signal's reason
   */
  async readOn(signal: AbortSignal): Promise<'read' | 'missing'> {
    const { cluster, topic, clock } = this.#options
    const startedMs = clock.monotonicMs()
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind !== 'found') {
      this.#beginAnew(undefined)
      return 'missing'
    }
    const { id, partitions } = lookup.topic
    if (id !== this.#topicId || this.ageMs > READ_ON_WITHIN_MS) this.#beginAnew(id)
    const numbers = partitions.map(({ partition }) => partition)
    try {
      await this.#readAll(numbers, signal)
    } catch (error) {
      const isCut = error instanceof KafkaError && error.code === OFFSET_OUT_OF_RANGE
      if (!isCut) throw error
      // It ends before what was read of it: an unclean election took some back.
      this.#beginAnew(id)
      await this.#readAll(numbers, signal)
    }
    this.#readAtMs = startedMs
    return 'read'
  }

  /** Reads again what was forgotten of a partition, as far as everything else was read. @throws as {@link readOn} */
  async readAgain(place: Place, signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    try {
      for (const [partition, end] of this.#at) {
        await this.#log.read(
          partition,
          (record) => {
            if (record.offset < end) store.add(partition, record, place)
          },
          signal,
        )
      }
    } catch (error) {
      store.forget(place)
      throw error
    }
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  async #readAll(partitions: readonly number[], signal: AbortSignal): Promise<void> {
    const { store } = this.#options
    for (const partition of partitions) {
      const { end } = await this.#log.read(
        partition,
        (record) => store.add(partition, record),
        signal,
        this.#at.get(partition),
      )
      this.#at.set(partition, end)
    }
  }

  #beginAnew(topicId: string | undefined): void {
    this.#options.store.clear()
    this.#at.clear()
    this.#topicId = topicId
    this.#readAtMs = -Infinity
  }
}
