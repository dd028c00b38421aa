import { heartbeatsTopic } from '../../topology/heartbeats.ts'

/** Which of MirrorMaker 2's replication policies names the topics. */
export interface ReplicationPolicy {
  /** `identity`: IdentityReplicationPolicy (KAFKA-9726, 3.0), which renames nothing but heartbeats. */
  readonly kind: 'default' | 'identity'
  /** `replication.policy.separator`, between a source's alias and a topic. */
  readonly separator: string
  /** What stands in the names of offset-syncs and checkpoints topics; `heartbeats` has none. */
  readonly internalSeparator: string
  /** Which names count as internal: from 4.0 on only MirrorMaker 2's own (KIP-1074). */
  readonly internalNames: 'before-4.0' | 'since-4.0'
}

/** How a MirrorMaker 2 names topics, as its user configured it. */
export interface PolicySettings {
  /** Default `default`. */
  readonly kind?: ReplicationPolicy['kind']
  /** Default `.` */
  readonly separator?: string
  /**
   * `replication.policy.internal.topic.separator.enabled` (KIP-949; 3.6, 3.5.2). Default `true`. As there, it has an
   * effect only beside a separator.
   */
  readonly internalTopicSeparatorEnabled?: boolean
  /** Of MirrorMaker 2, major and minor. Default: the newest. */
  readonly version?: readonly [major: number, minor: number]
}

export function replicationPolicy(settings: PolicySettings = {}): ReplicationPolicy {
  const { kind = 'default', separator = '.', internalTopicSeparatorEnabled = true, version } = settings
  // Before 3.1 (KIP-690) the separator did not reach the internal topics.
  const reaches = internalTopicSeparatorEnabled && !isBefore(version, 3, 1)
  return {
    kind,
    separator,
    internalSeparator: reaches ? separator : '.',
    internalNames: isBefore(version, 4, 0) ? 'before-4.0' : 'since-4.0',
  }
}

/** `mm2-offset-syncs.<alias>.internal`: of the target on a source cluster, of the source on a target cluster. */
export function offsetSyncsTopic({ internalSeparator: s }: ReplicationPolicy, otherAlias: string): string {
  return `mm2-offset-syncs${s}${otherAlias}${s}internal`
}

/** `<source>.checkpoints.internal`, on the target. */
export function checkpointsTopic(policy: ReplicationPolicy, sourceAlias: string): string {
  return sourceAlias + checkpointsSuffix(policy)
}

/** Connect's source offsets of a MirrorMaker 2 in dedicated mode, on the target; no separator reaches its name. */
export function sourceOffsetsTopic(sourceAlias: string): string {
  return `mm2-offsets.${sourceAlias}.internal`
}

/** What a topic's copy is called. */
export function remoteTopic(policy: ReplicationPolicy, sourceAlias: string, topic: string): string {
  if (policy.kind === 'identity' && !topic.endsWith(heartbeatsTopic)) return topic
  return sourceAlias + policy.separator + topic
}

/**
 * Where a topic came from, by its name alone, as Java's policies tell it: under `default` every name with a separator
 * in it has a source, `orders.v1` too. Under `identity` names do not tell; Java says what it was configured with.
 */
export function topicSource(
  policy: ReplicationPolicy,
  topic: string,
  configuredSource?: string,
): string | undefined {
  if (policy.kind === 'identity' && !topic.endsWith(heartbeatsTopic)) return configuredSource
  // Java's split drops empty parts at the end, so that `a.` has no source, and keeps others.
  const parts = topic.split(policy.separator)
  while (parts.at(-1) === '') parts.pop()
  return parts.length < 2 ? undefined : parts[0]
}

/** The name without its last hop; `undefined` for a topic that has no source. */
export function upstreamTopic(policy: ReplicationPolicy, topic: string): string | undefined {
  if (policy.kind === 'identity' && !topic.endsWith(heartbeatsTopic)) return topic
  const source = topicSource(policy, topic)
  return source === undefined ? undefined : topic.slice(source.length + policy.separator.length)
}

/** The name without any hop. */
export function originalTopic(policy: ReplicationPolicy, topic: string): string {
  let name = topic
  for (;;) {
    const upstream = upstreamTopic(policy, name)
    if (upstream === undefined || upstream === name) return name
    name = upstream
  }
}

/** Whether a topic is `heartbeats` or a copy of it, over any number of hops. */
export function isHeartbeatsTopic(policy: ReplicationPolicy, topic: string): boolean {
  return originalTopic(policy, topic) === heartbeatsTopic
}

export function isCheckpointsTopic(policy: ReplicationPolicy, topic: string): boolean {
  return topic.endsWith(checkpointsSuffix(policy))
}

/** Whether MirrorMaker 2 never copies the topic, whatever its filters say. */
export function isInternalToMirrorMaker(policy: ReplicationPolicy, topic: string): boolean {
  if (topic.startsWith('__') || topic.startsWith('.')) return true
  const ends = topic.endsWith(`${policy.internalSeparator}internal`)
  if (policy.internalNames === 'before-4.0')
    return ends || topic.endsWith('.internal') || topic.endsWith('-internal')
  return (ends && topic.startsWith('mm2')) || isCheckpointsTopic(policy, topic)
}

function checkpointsSuffix({ internalSeparator: s }: ReplicationPolicy): string {
  return `${s}checkpoints${s}internal`
}

function isBefore(version: PolicySettings['version'], major: number, minor: number): boolean {
  if (version === undefined) return false
  return version[0] < major || (version[0] === major && version[1] < minor)
}
