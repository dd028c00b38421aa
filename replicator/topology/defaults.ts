import type { AclSync, ConfigSync, FailoverMode, Naming, Pattern, Placement } from './model.ts'

/** How often source topics are listed. The product promises that new topics flow within 5 s. */
export const discoveryIntervalMs = 2_000

/** Units of ownership per flow: as many replicas can share its work. A flow of few partitions leaves some idle. */
export const shards = 8
/** Far above any sensible number of replicas; each shard costs a transactional id and a progress partition. */
export const shardsMax = 1_024

/** As long as a replica may be silent before its shards go to others. Brokers allow 6 s to 30 min as they ship. */
export const sessionTimeoutMs = 10_000

/** KIP-464: the target's brokers know best. MirrorMaker 2 would say 2, which loses data on one broker's death. */
export const replicationFactor = 'broker-default'

/** As MirrorMaker 2 (`auto.offset.reset=earliest`): a copy begins with everything that there is. */
export const startAt = 'earliest'

/** MirrorMaker 2's separator (`replication.policy.separator`). */
export const prefixSeparator = '.'

/** MirrorMaker 2's `config.properties.exclude` (DefaultConfigPropertyFilter, 4.3). */
export const configExclude: readonly string[] = [
  'follower\\.replication\\.throttled\\.replicas',
  'leader\\.replication\\.throttled\\.replicas',
  'message\\.timestamp\\.difference\\.max\\.ms',
  'message\\.timestamp\\.type',
  'unclean\\.leader\\.election\\.enable',
  'min\\.insync\\.replicas',
]

/** MirrorMaker 2's `sync.topic.configs.enabled=true` and `use.defaults.from=target`. */
export const configSync: ConfigSync = { mode: 'follow', exclude: configExclude, defaultsFrom: 'target' }

/** Unlike MirrorMaker 2's: who may do what is changed only where that was asked for. */
export const aclSync: AclSync = { mode: 'off', principals: [] }

/** Nothing moves clients by itself unless it was asked to. */
export const failoverMode: FailoverMode = 'manual'

/**
 * Pairs and meshes keep names, so that clients change regions without changing topics; a flow on its own is prefixed,
 * as MirrorMaker 2's are, because it cannot then write into a topic that others write.
 */
export function namingOf(pattern: Pattern): Naming {
  return pattern === 'custom' ? { kind: 'prefixed', separator: prefixSeparator } : { kind: 'identity' }
}

/**
 * An identity flow at the target would pull every region's records over the wide-area link to forward one region's:
 * it runs at the source. Others run at the target (consume remote, produce local), as MirrorMaker 2's documentation advises.
 */
export function placementOf(naming: Naming): Placement {
  return naming.kind === 'identity' ? 'source' : 'target'
}
