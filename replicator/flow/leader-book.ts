import type { Clock } from '../clock/clock.ts'
import type { BrokerId, Cluster, TopicMetadata } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'

/** Questions asked because of errors are spaced by this much, in milliseconds. */
const REFRESH_INTERVAL_MS = 250

/** Who leads which partition of one cluster, as last heard. */
export class LeaderBook {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #onChange: () => void
  readonly #topics = new Map<string, TopicMetadata>()
  #refreshing: Promise<void> | undefined

  /** `onChange` is called whenever a leader may have changed. */
  constructor(cluster: Cluster, clock: Clock, onChange: () => void) {
    this.#cluster = cluster
    this.#clock = clock
    this.#onChange = onChange
  }

  leaderOf(topic: string, partition: number): BrokerId | undefined {
    return this.#topics.get(topic)?.partitions[partition]?.leader
  }

  /** Takes over what discovery has learnt; topics that are not named are forgotten. */
  replace(topics: readonly TopicMetadata[]): void {
    this.#topics.clear()
    for (const topic of topics) this.#topics.set(topic.name, topic)
    this.#onChange()
  }

  /** Asks the cluster again, unless a question is already under way. */
  refresh(signal: AbortSignal): Promise<void> {
    this.#refreshing ??= this.#ask(signal)
    return this.#refreshing
  }

  async #ask(signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(REFRESH_INTERVAL_MS, signal)
      const names = [...this.#topics.keys()]
      const answers = await this.#cluster.describeTopics(names, signal)
      for (const [name, lookup] of answers) {
        if (lookup.kind === 'found' && this.#topics.has(name)) this.#topics.set(name, lookup.topic)
      }
      // Whoever still misses a leader may ask again from inside the call.
      this.#refreshing = undefined
      this.#onChange()
    } catch (error) {
      this.#refreshing = undefined
      // Whoever needs a leader asks again; discovery reports a cluster that stays away.
      if (!signal.aborted && !(error instanceof KafkaError)) throw error
    }
  }
}
