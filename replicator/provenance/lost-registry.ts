import { KafkaError } from '../kafka/errors.ts'
import type { RegionAlias } from '../topology/model.ts'

/**
 * The list of replicators' producer ids is not what it was, so copies can no longer be told from a cluster's own
 * records. Final: going on could send records back to where they came from.
 */
export class LostRegistryError extends KafkaError {
  constructor(cluster: RegionAlias, topic: string, what: string) {
    super({
      code: undefined,
      kind: 'lost-registry',
      cluster,
      topic,
      summary: `the list of the producer ids that replicate to ${cluster} ${what}: copies there can no longer be told from ${cluster}'s own records`,
      retriable: false,
      refreshMetadata: false,
      wayOut: `Restore "${topic}" as it was, with cleanup.policy=compact; or stop, delete the copies on both sides together with the topology's causeway.* topics, and start over.`,
    })
  }
}
