import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { ForwardingRule, Origins, ProducerRegistry } from '../provenance/origins.ts'
import type { ShardClaims } from '../shards/shard-claims.ts'
import type { AclSyncParts } from '../topics/acl-sync.ts'
import type { TopicRules } from '../topics/topic-pair.ts'
import type { Flow } from '../topology/model.ts'
import type { AnnounceFlowEvent } from './events.ts'
import type { FlowLimits } from './flow-limits.ts'
import type { MakeCompanion } from './shard-companion.ts'

/** Everything a flow needs; it keeps nothing outside. */
export interface FlowOptions {
  readonly flow: Flow
  /** Name of the compacted topic on the target that keeps progress. */
  readonly progressTopic: string
  /** Name of the compacted topic on the target that keeps the offset maps. Without it none are kept. */
  readonly mapTopic?: string
  /** What else is done for each shard that this process owns. */
  readonly companions?: readonly MakeCompanion[]
  /** The `transactional.id` that owns a shard, on the target. */
  readonly transactionalIdOf: (shard: number) => string
  /** Which of the flow's shards this process may own. */
  readonly claims: ShardClaims
  /** Of the target: every producer id is registered there before its first batch. */
  readonly registry: ProducerRegistry | undefined
  /** Of the source; must be there where the rule is not `everything`, or was not when the flow ran last. */
  readonly origins: Origins | undefined
  readonly rule: ForwardingRule
  readonly source: Cluster
  readonly target: Cluster
  readonly rules: TopicRules
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  readonly limits: FlowLimits
  readonly announce: AnnounceFlowEvent
  readonly discoveryIntervalMs: number
  /** Without it the target's ACLs are left alone. The replica that has shard 0 follows them. */
  readonly acls?: Omit<AclSyncParts, 'isOurTurn'> | undefined
  /**
   * Whether records of this partition that its source deleted before they were copied may be left out. Without it
   * such a partition stops.
   */
  readonly acceptsGap: (topic: string, partition: number) => boolean
  /**
   * Nobody else has business in the flow's target topics, so that what others write there stops a partition. Default:
   * unless the flow keeps the topics' names.
   */
  readonly exclusiveTarget?: boolean
}
