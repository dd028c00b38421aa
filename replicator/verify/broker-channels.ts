import type { BrokerChannel, BrokerId, Cluster, TopicMetadata } from '../kafka/cluster.ts'

/** One channel per broker of a cluster, opened when first needed, and the topics' metadata. */
export class BrokerChannels {
  readonly cluster: Cluster
  readonly #signal: AbortSignal
  readonly #open = new Map<BrokerId, Promise<BrokerChannel>>()
  readonly #topics = new Map<string, Promise<TopicMetadata>>()

  /** @param signal ends everything that is under way */
  constructor(cluster: Cluster, signal: AbortSignal) {
    this.cluster = cluster
    this.#signal = signal
  }

  /**
   * The topic's metadata, asked for once until {@link forget}.
   * @throws KafkaError, or Error when the cluster has no such topic
   */
  topic(name: string): Promise<TopicMetadata> {
    const known = this.#topics.get(name)
    if (known !== undefined) return known
    const asked = this.#describe(name)
    this.#topics.set(name, asked)
    return asked
  }

  /** @throws KafkaError when the broker cannot be reached */
  async channel(broker: BrokerId): Promise<BrokerChannel> {
    const known = this.#open.get(broker)
    if (known !== undefined) return known
    const opened = this.cluster.openChannel(broker, this.#signal)
    this.#open.set(broker, opened)
    const drop = () => {
      if (this.#open.get(broker) === opened) this.#open.delete(broker)
    }
    opened.then((channel) => channel.closed.then(drop), drop)
    return opened
  }

  /** Asks for this topic's leaders again next time. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  async close(): Promise<void> {
    const channels = await Promise.allSettled(this.#open.values())
    await Promise.all(
      channels.map((opened) => (opened.status === 'fulfilled' ? opened.value.close() : undefined)),
    )
  }

  async #describe(name: string): Promise<TopicMetadata> {
    const lookups = await this.cluster.describeTopics([name], this.#signal)
    const lookup = lookups.get(name)
    if (lookup?.kind === 'found') return lookup.topic
    if (lookup?.kind === 'failed') throw lookup.error
    throw new UnreadableError(`${this.cluster.alias} has no topic "${name}"`)
  }
}

/** A partition cannot be read to its end, and trying again does not help. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError'
}
