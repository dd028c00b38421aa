import type { Flow } from './model.ts'

/** What Causeway keeps in topics of its own; see ARCHITECTURE.md, "Internal topics". */
export const internalTopicKinds = [
  'progress',
  'map',
  'groups',
  'producers',
  'control',
  'route',
  'canary',
  'status',
  'conflicts',
  'acls',
] as const
export type InternalTopicKind = (typeof internalTopicKinds)[number]

/** Names of a topology's internal topics: `causeway.<topology>.<kind>`, the same on every cluster. */
export function internalTopics(topology: {
  readonly name: string
}): Readonly<Record<InternalTopicKind, string>> {
  const names = internalTopicKinds.map((kind) => [kind, `causeway.${topology.name}.${kind}`])
  return Object.freeze(Object.fromEntries(names)) as Readonly<Record<InternalTopicKind, string>>
}

/**
 * Whether a topic belongs to Kafka, Causeway or MirrorMaker 2 and is therefore never replicated.
 *
 * MirrorMaker 2's are those of KIP-1074 (4.0), whatever separator it was given: `mm2-offset-syncs.B.internal`,
 * `A.checkpoints.internal`, Connect's `mm2-offsets.A.internal`. Its `heartbeats` is not internal: MirrorMaker 2
 * replicates it, and others use the name too.
 */
export function isInternalTopic(name: string): boolean {
  return (
    name.startsWith('__') ||
    name.startsWith('causeway.') ||
    /^mm2.*[._-]internal$/.test(name) ||
    /[._-]checkpoints[._-]internal$/.test(name)
  )
}

type FlowEnds = Pick<Flow, 'source' | 'target'>

/** The `transactional.id` that owns one shard of a flow, on the flow's target. */
export function transactionalId(topology: { readonly name: string }, flow: FlowEnds, shard: number): string {
  return `${flowGroupId(topology, flow)}.${shard}`
}

/** The consumer group in which a flow's replicas share its shards, on the flow's target. */
export function flowGroupId(topology: { readonly name: string }, flow: FlowEnds): string {
  return `causeway.${topology.name}.${flow.source}.${flow.target}`
}

/** The client id that broker logs and quotas show. */
export function clientId(topology: { readonly name: string }): string {
  return `causeway-${topology.name}`
}

/** Default HTTP ports of the processes. 8083, Kafka Connect's, stays free for a MirrorMaker 2 beside them. */
export const ports = { replicate: 8480, control: 8481, resolve: 8482 } as const

/** Paths that every process answers on its HTTP port. */
export const httpPaths = { health: '/healthz', ready: '/readyz' } as const

/** Where the image expects its configuration. */
export const configMountPath = '/etc/causeway/causeway.yaml'
