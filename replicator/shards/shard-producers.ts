import type { Cluster, ProducerIdentity } from '../kafka/cluster.ts'

/** The producer id that each shard writes to the target with. */
export class ShardProducers {
  readonly #target: Cluster
  readonly #current = new Map<number, Promise<ProducerIdentity>>()

  constructor(target: Cluster) {
    this.#target = target
  }

  /** The shard's producer id, asked for once. */
  identityOf(shard: number, signal: AbortSignal): Promise<ProducerIdentity> {
    const known = this.#current.get(shard)
    if (known !== undefined) return known
    const asked = this.#target.initProducerId(undefined, signal)
    this.#current.set(shard, asked)
    // A failed question is asked again by whoever needs the answer next.
    asked.catch(() => {
      if (this.#current.get(shard) === asked) this.#current.delete(shard)
    })
    return asked
  }

  /** Another producer id than `used`, for a partition whose sequences the broker no longer knows as we do. */
  async renewed(shard: number, used: ProducerIdentity, signal: AbortSignal): Promise<ProducerIdentity> {
    const current = await this.identityOf(shard, signal)
    if (current.producerId !== used.producerId) return current
    this.#current.delete(shard)
    return this.identityOf(shard, signal)
  }
}
