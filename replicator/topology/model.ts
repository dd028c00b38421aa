/** The pure model of a replication topology: what is declared, without addresses and without secrets. */

declare const brand: unique symbol

/** The name a topology gives to a region's cluster, such as `us-east`. Made by {@link regionAlias}. */
export type RegionAlias = string & { readonly [brand]: 'RegionAlias' }

/** Identifies a flow inside its topology: `us-east->eu-west`. */
export type FlowId = string & { readonly [brand]: 'FlowId' }

/** What a region is for. A `witness` takes part in failover votes and carries no flows. */
export type RegionRole = 'active' | 'passive' | 'peer' | 'witness'

/** The shape the flows were derived from. `custom` lists its flows itself. */
export type Pattern = 'active-passive' | 'active-active' | 'custom'

export interface Region {
  readonly alias: RegionAlias
  readonly role: RegionRole
}

/** Exact by name, or by an anchored regular expression with an optional exclusion. */
export type NameSelection =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'match'; readonly match: string; readonly exclude?: string }

/** Topics of a flow; `partitionRange` (inclusive) restricts the selection to some partitions. */
export type TopicSelection = NameSelection & {
  readonly partitionRange?: { readonly from: number; readonly to: number }
}

/**
 * How a source topic is called on the target.
 * `prefixed`: `<source alias><separator><topic>`, as MirrorMaker 2 names its copies.
 * `template`: `{source}`, `{target}` and `{topic}` are replaced.
 */
export type Naming =
  | { readonly kind: 'prefixed'; readonly separator: string }
  | { readonly kind: 'identity' }
  | { readonly kind: 'template'; readonly template: string }

/** Where a flow's replicator runs; see ARCHITECTURE.md, "Placement". */
export type Placement = 'source' | 'target'

/** How topic configs follow the source. `off` leaves the target's topics alone after creation. */
export type ConfigSync = {
  readonly mode: 'follow' | 'off'
  /** Anchored regular expressions of config names that are never carried over. */
  readonly exclude: readonly string[]
  /** What a config at its default on the source becomes on the target. */
  readonly defaultsFrom: 'target' | 'source'
}

/** How ACLs about topics follow the source. `report` tells what `sync` would do, and changes nothing. */
export type AclSync = {
  readonly mode: 'off' | 'report' | 'sync'
  /** Principals of the replicator, such as `User:replicator`, that its log-in does not tell. Never touched. */
  readonly principals: readonly string[]
}

/** One directed stream of records: `source` -> `target` for a set of topics. */
export interface Flow {
  readonly id: FlowId
  readonly source: RegionAlias
  readonly target: RegionAlias
  readonly topics: readonly TopicSelection[]
  /** Topic selections whose forwarding is paused: positions are kept, nothing is fetched. */
  readonly paused: readonly TopicSelection[]
  readonly groups: readonly NameSelection[]
  readonly naming: Naming
  readonly placement: Placement
  /** Replication factor of topics that the flow creates; `broker-default` asks the target's brokers. */
  readonly replicationFactor: number | 'broker-default'
  readonly configSync: ConfigSync
  readonly aclSync: AclSync
  /** Where a partition without progress starts. */
  readonly startAt: 'earliest' | 'latest'
  /** Units of ownership; changing it re-shards the flow. */
  readonly shards: number
  /** Whether MirrorMaker 2's offset-syncs, checkpoints and heartbeats are written beside the copies. Default: no. */
  readonly mirrorMakerTopics?: boolean
  /**
   * Whether topics of heartbeats are copied whatever {@link topics} says, prefixed whatever {@link naming} says, as
   * MirrorMaker 2 does. Default: no.
   */
  readonly copiesHeartbeats?: boolean
}

/** Goals, as declared. What was measured is always a different type. */
export interface Objectives {
  /** Recovery point objective, in milliseconds of data at risk. */
  readonly rpoMs?: number
  /** Recovery time objective, in milliseconds until clients are served again. */
  readonly rtoMs?: number
}

/** Who decides that a region is lost: a vote with the witness, a person, or nobody. */
export type FailoverMode = 'automatic' | 'manual' | 'off'

export interface Failover {
  readonly mode: FailoverMode
}

/** A complete, checked topology. Only `resolveTopology` makes one. */
export interface Topology {
  readonly name: string
  readonly pattern: Pattern
  readonly regions: readonly Region[]
  readonly flows: readonly Flow[]
  readonly objectives: Objectives
  readonly failover: Failover
}
