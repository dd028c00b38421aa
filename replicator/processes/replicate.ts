import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { AnnounceFlowEvent } from '../flow/events.ts'
import { type RunningFlow, startFlow } from '../flow/flow.ts'
import { defaultFlowLimits, type FlowLimits } from '../flow/flow-limits.ts'
import type { FlowSnapshot } from '../flow/snapshot.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import { groupClaims } from '../shards/group-claims.ts'
import type { ShardClaims } from '../shards/shard-claims.ts'
import { topicRules } from '../topics/topic-rules.ts'
import { flowGroupId, internalTopics, transactionalId } from '../topology/internal-names.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { writesAlone } from '../topology/writes-alone.ts'
import { type FlowParts, flowParts } from './flow-parts.ts'

export interface ReplicateOptions {
  readonly config: CausewayConfig
  /** Only flows placed at this region; all of them without it. */
  readonly at?: RegionAlias
  readonly clock: Clock
  readonly random: Random
  readonly announce: AnnounceFlowEvent
  readonly acceptsGap: (topic: string, partition: number) => boolean
  /** Default: {@link createKafkaCluster}. */
  readonly connect?: typeof createKafkaCluster
}

/** Flows at work in this process. */
export interface Replicator {
  readonly snapshots: () => readonly FlowSnapshot[]
  /** Every flow has completed a discovery and forwards, or says what holds it back partition by partition. */
  readonly isReady: () => boolean
  /**
   * Rejects as soon as a flow fails by a fault of its own, not a cluster's; resolves when all have ended. Those who do
   * not look at it miss the failure: it is no unhandled rejection.
   */
  readonly ended: Promise<void>
  /** Settles everything in flight, writes progress, disconnects. A flow that has failed is cut. */
  drain(timeoutMs: number): Promise<void>
  /** Disconnects at once. What was in flight is copied again by the next start. */
  destroy(): Promise<void>
}

/** Flows try again by themselves; until an error reaches them nobody hears of it. In milliseconds. */
const PATIENCE_MS = 5000

/** The flows that a process replicates: those placed at `at`, or all. */
export function flowsAt(config: CausewayConfig, at: RegionAlias | undefined): readonly Flow[] {
  const { flows } = config.topology
  if (at === undefined) return flows
  return flows.filter(({ placement, source, target }) => (placement === 'source' ? source : target) === at)
}

/** Connects to the clusters and starts the flows. Clusters that are away are waited for. */
export function startReplicator(options: ReplicateOptions): Replicator {
  const { config, clock, random, announce, acceptsGap, connect = createKafkaCluster } = options
  const { topology } = config
  const chosen = flowsAt(config, options.at)
  const aliases = topology.regions.map(({ alias }) => alias)
  const clusters = new Map<RegionAlias, Cluster>()
  const clusterOf = (alias: RegionAlias): Cluster => {
    const known = clusters.get(alias)
    if (known !== undefined) return known
    const settings = config.connections.get(alias)
    if (settings === undefined) throw new Error(`The configuration holds no connection for ${alias}`)
    const cluster = connect({ alias, settings, clock, random, patienceMs: PATIENCE_MS })
    clusters.set(alias, cluster)
    return cluster
  }
  const parts: FlowParts[] = []
  const flows: readonly RunningFlow[] = chosen.map((flow) => {
    const beside = flowParts(flow, { config, clock, random, announce }, clusterOf)
    parts.push(beside)
    return startFlow({
      ...beside.options,
      flow,
      progressTopic: internalTopics(topology).progress,
      mapTopic: internalTopics(topology).map,
      transactionalIdOf: (shard) => transactionalId(topology, flow, shard),
      claims: claimsOf(flow, options, clusterOf(flow.target)),
      source: clusterOf(flow.source),
      target: clusterOf(flow.target),
      rules: topicRules(flow, aliases),
      clock,
      random,
      backoff: defaultBackoff,
      limits: flowLimits(config, chosen.length),
      announce,
      discoveryIntervalMs: config.discoveryIntervalMs,
      acceptsGap,
      exclusiveTarget: writesAlone(topology, flow),
    })
  })
  const failed = new Set<RunningFlow>()
  for (const flow of flows) flow.ended.catch(() => failed.add(flow))
  const ended = Promise.all(flows.map((flow) => flow.ended)).then(() => {})
  ended.catch(() => {})
  return {
    snapshots: () => flows.map((flow) => flow.snapshot()),
    isReady: () => flows.every((flow) => flow.snapshot().state === 'running'),
    ended,
    async drain(timeoutMs) {
      await Promise.all(flows.map((flow) => (failed.has(flow) ? flow.destroy() : flow.drain(timeoutMs))))
      await Promise.all(parts.map((beside) => beside.close()))
      await Promise.all([...clusters.values()].map((cluster) => cluster.close()))
    },
    async destroy() {
      for (const cluster of clusters.values()) cluster.destroy()
      await Promise.all(flows.map((flow) => flow.destroy()))
      await Promise.all(parts.map((beside) => beside.close()))
    },
  }
}

/** Replicas of a flow share its shards in a group on its target. */
function claimsOf(
  flow: Flow,
  { config: { topology, replicas }, clock, random, announce }: ReplicateOptions,
  cluster: Cluster,
): ShardClaims {
  let told: string | undefined
  return groupClaims({
    cluster,
    group: flowGroupId(topology, flow),
    shards: flow.shards,
    instanceId: replicas.instanceId,
    sessionTimeoutMs: replicas.sessionTimeoutMs,
    clock,
    random,
    onTrouble(error) {
      const reason = error?.message
      if (reason === told) return
      told = reason
      if (reason === undefined) announce({ flow: flow.id, kind: 'sharing-recovered' })
      else announce({ flow: flow.id, kind: 'sharing-trouble', reason })
    },
  })
}

/** The process's limits shared out among its flows. */
function flowLimits({ limits }: CausewayConfig, flows: number): FlowLimits {
  return {
    ...defaultFlowLimits,
    bufferBytesMax: Math.floor(limits.bufferBytesMax / Math.max(1, flows)),
    fetchBytesMax: limits.fetchBytesMax,
    fetchBytesMin: Math.min(defaultFlowLimits.fetchBytesMin, limits.fetchBytesMax),
    sourceLanes: limits.connectionsPerBroker,
  }
}
