import type { metadataV12 } from '@platformatic/kafka'
import type { RegionAlias } from '../topology/model.ts'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.ts'
import { type BrokerId, brokerId } from './cluster.ts'
import { type KafkaError, protocolError } from './errors.ts'

/** What the last metadata answer said about the cluster itself. */
export class BrokerDirectory {
  readonly #cluster: RegionAlias
  #brokers: ReadonlyMap<BrokerId, BrokerAddress> = new Map()
  #controller: BrokerId | undefined
  #clusterId: string | undefined
  #stale = true

  constructor(cluster: RegionAlias) {
    this.#cluster = cluster
  }

  get brokers(): ReadonlyMap<BrokerId, BrokerAddress> {
    return this.#brokers
  }

  /** With KRaft any broker, which forwards; before, the real controller. `undefined` while there is none. */
  get controller(): BrokerId | undefined {
    return this.#controller
  }

  /** Ask for metadata before relying on this. */
  get stale(): boolean {
    return this.#stale
  }

  markStale(): void {
    this.#stale = true
  }

  /**
   * Takes over the brokers of an answer, so that one that moved is followed.
   * @throws KafkaError INCONSISTENT_CLUSTER_ID when the addresses lead to another cluster than before: its offsets
   *   mean something else
   */
  adopt(answer: metadataV12.MetadataResponse): void {
    const clusterId = answer.clusterId ?? undefined
    if (this.#clusterId !== undefined && clusterId !== undefined && clusterId !== this.#clusterId) {
      throw inconsistentCluster(this.#cluster, this.#clusterId, clusterId)
    }
    this.#clusterId = clusterId ?? this.#clusterId
    // A broker that has just started may answer before it knows anybody.
    if (answer.brokers.length === 0) return
    this.#brokers = new Map(
      answer.brokers.map(({ nodeId, host, port }) => [brokerId(nodeId), { host, port }] as const),
    )
    this.#controller = answer.controllerId < 0 ? undefined : brokerId(answer.controllerId)
    this.#stale = false
  }
}

function inconsistentCluster(cluster: RegionAlias, before: string, now: string): KafkaError {
  return protocolError(104, { cluster, during: 'Metadata' }, `was ${before}, is ${now}`)
}

/**
 * The order in which to try addresses for a request that any broker can answer: brokers we are connected to, other
 * known ones, then the bootstrap addresses; in each of these, those that failed recently come last. Pure.
 * @param failures when the address failed last, on any clock
 */
export function addressesToTry(
  known: Iterable<BrokerAddress>,
  bootstrap: readonly BrokerAddress[],
  isConnected: (address: BrokerAddress) => boolean,
  failures: ReadonlyMap<string, number>,
): readonly BrokerAddress[] {
  const unique = new Map<string, { address: BrokerAddress; rank: number; failedAt: number }>()
  const add = (address: BrokerAddress, rank: number) => {
    const key = formatBrokerAddress(address)
    if (unique.has(key)) return
    const failedAt = failures.get(key) ?? Number.NEGATIVE_INFINITY
    unique.set(key, { address, rank: isConnected(address) ? 0 : rank, failedAt })
  }
  for (const address of known) add(address, 1)
  for (const address of bootstrap) add(address, 2)
  return [...unique.values()]
    .sort((a, b) => a.rank - b.rank || (a.failedAt < b.failedAt ? -1 : a.failedAt > b.failedAt ? 1 : 0))
    .map(({ address }) => address)
}
