import type { Cluster } from '../kafka/cluster.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

/** How long the target can be relied on to know us, in milliseconds. */
export interface OwnershipLimits {
  /** A partition's leader remembers a producer for at least this long after its last batch, by that batch's timestamp. */
  readonly memoryMs: number
  /** Nothing is sent on a proof of ownership that is older. */
  readonly proofMaxMs: number
  /** The transactional id is used at least this often, so that it never expires. */
  readonly renewMs: number
}

/**
 * `producer.id.expiration.ms` (1 day) and `transactional.id.expiration.ms` (7 days), with ample margins: memory never
 * counts for more than an hour.
 */
export function ownershipLimits(configs: ReadonlyMap<string, string>): OwnershipLimits {
  const idExpiryMs = Number(configs.get('producer.id.expiration.ms') ?? DAY_MS)
  const transactionalExpiryMs = Number(configs.get('transactional.id.expiration.ms') ?? 7 * DAY_MS)
  const memoryMs = Math.min(60 * MINUTE_MS, idExpiryMs / 2)
  return {
    memoryMs,
    proofMaxMs: Math.min(5 * MINUTE_MS, memoryMs / 4),
    renewMs: transactionalExpiryMs / 7,
  }
}

/** As the target's brokers are configured; Kafka's defaults where they do not tell. */
export async function readOwnershipLimits(target: Cluster, signal: AbortSignal): Promise<OwnershipLimits> {
  const names = ['producer.id.expiration.ms', 'transactional.id.expiration.ms']
  return ownershipLimits(await target.describeBrokerConfigs(names, signal))
}
