import type { RegionAlias } from '../topology/model.ts'

/**
 * The list of replicators' producer ids is not what it was, so copies can no longer be told from a cluster's own
 * records. Final: going on could send records back to where they came from.
 */
export class LostRegistryError extends Error {
  override readonly name = 'LostRegistryError'
  readonly reason: string
  /** What the user can do about it. */
  readonly wayOut: string

  constructor(cluster: RegionAlias, topic: string, what: string) {
    const reason = `"${topic}" on ${cluster}, the list of the producer ids that replicate to it, ${what}: copies there can no longer be told from ${cluster}'s own records`
    const wayOut = `restore "${topic}" as it was, with cleanup.policy=compact; or stop, delete the copies on both sides together with the topology's causeway.* topics, and start over`
    super(`${reason}. Retrying does not help; ${wayOut}`)
    this.reason = reason
    this.wayOut = wayOut
  }
}
