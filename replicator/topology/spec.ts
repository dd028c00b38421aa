import type { FailoverMode, Pattern, Placement, RegionRole } from './model.ts'

/** What a user declares, in YAML or code; {@link resolveTopology} turns it into a topology or every problem. */
export interface TopologySpec {
  readonly name: string
  /** Default `custom`: the flows are exactly those listed. */
  readonly pattern?: Pattern | undefined
  /** By alias. */
  readonly regions: Readonly<Record<string, RegionSpec>>
  /** Of every flow that does not name its own. */
  readonly topics?: readonly TopicSpec[] | undefined
  /** Of every flow that does not name its own. Default: none. */
  readonly groups?: readonly NameSpec[] | undefined
  readonly objectives?: ObjectivesSpec | undefined
  readonly failover?: FailoverSpec | undefined
  /** Settings of every flow that does not give its own. */
  readonly replication?: ReplicationSpec | undefined
  /** Of a `custom` topology: its flows. Of the other patterns: settings of single flows that the pattern made. */
  readonly flows?: readonly FlowSpec[] | undefined
}

export interface RegionSpec {
  /** Required by `active-passive`; elsewhere `peer` by default. */
  readonly role?: RegionRole | undefined
}

/** Exactly one of `name`, `prefix` and `match`. */
export interface NameSpec {
  readonly name?: string | undefined
  /** Literal beginning. */
  readonly prefix?: string | undefined
  /** Anchored regular expression. */
  readonly match?: string | undefined
  /** Anchored regular expression of names that are left out of `prefix` or `match`. */
  readonly exclude?: string | undefined
}

export interface TopicSpec extends NameSpec {
  /** Inclusive. */
  readonly partitionRange?: { readonly from: number; readonly to: number } | undefined
}

/** Durations such as `5s`. */
export interface ObjectivesSpec {
  readonly rpo?: string | undefined
  readonly rto?: string | undefined
}

export interface FailoverSpec {
  /** Default `manual`. */
  readonly mode?: FailoverMode | undefined
}

export interface ReplicationSpec {
  /** `identity`, `prefixed`, or a template with `{topic}` and optionally `{source}` and `{target}`. */
  readonly naming?: string | undefined
  readonly placement?: Placement | undefined
  readonly replicationFactor?: number | 'broker-default' | undefined
  readonly configSync?: ConfigSyncSpec | undefined
  readonly aclSync?: AclSyncSpec | undefined
  readonly startAt?: 'earliest' | 'latest' | undefined
  readonly paused?: readonly TopicSpec[] | undefined
  readonly shards?: number | undefined
  /** MirrorMaker 2's offset-syncs, checkpoints and heartbeats beside the copies. Default: none. */
  readonly mirrorMakerTopics?: boolean | undefined
}

export interface ConfigSyncSpec {
  readonly mode?: 'follow' | 'off' | undefined
  readonly exclude?: readonly string[] | undefined
  readonly defaultsFrom?: 'target' | 'source' | undefined
}

export interface AclSyncSpec {
  readonly mode?: 'off' | 'report' | 'sync' | undefined
  readonly principals?: readonly string[] | undefined
}

/** Lists on both sides declare a flow from each source to each target. */
export interface FlowSpec extends ReplicationSpec {
  readonly source: string | readonly string[]
  readonly target: string | readonly string[]
  readonly topics?: readonly TopicSpec[] | undefined
  readonly groups?: readonly NameSpec[] | undefined
  /** Topics of heartbeats as MirrorMaker 2 copies them. Default: where its topics are kept. */
  readonly copiesHeartbeats?: boolean | undefined
}
