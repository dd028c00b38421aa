import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import { defaultFlowLimits } from '../flow/flow-limits.ts'
import type { FlowOptions } from '../flow/flow-options.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import { everyShard } from '../shards/shard-claims.ts'
import { topicRules } from '../topics/topic-rules.ts'
import { internalTopics, transactionalId } from '../topology/internal-names.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { provenanceOf } from './flow-provenance.ts'

export interface CommandFlowOptions {
  readonly config: CausewayConfig
  readonly flow: Flow
  readonly clock: Clock
  readonly random: Random
  /** Default: {@link createKafkaCluster}. */
  readonly connect?: typeof createKafkaCluster
}

/** Connects to a flow's clusters for a command that decides about it, and disconnects in the end. */
export async function withFlow<T>(
  options: CommandFlowOptions,
  work: (flow: FlowOptions) => Promise<T>,
): Promise<T> {
  const { config, flow, clock, random, connect = createKafkaCluster } = options
  const { topology } = config
  const clusterOf = (alias: RegionAlias): Cluster => {
    const settings = config.connections.get(alias)
    if (settings === undefined) throw new Error(`The configuration holds no connection for ${alias}`)
    return connect({ alias, settings, clock, random })
  }
  const source = clusterOf(flow.source)
  const target = clusterOf(flow.target)
  const provenance = provenanceOf(flow, { topology, clock, random }, (alias) =>
    alias === flow.source ? source : target,
  )
  try {
    return await work({
      flow,
      progressTopic: internalTopics(topology).progress,
      transactionalIdOf: (shard) => transactionalId(topology, flow, shard),
      claims: everyShard(flow.shards),
      registry: provenance.registry,
      origins: provenance.origins,
      rule: provenance.rule,
      source,
      target,
      rules: topicRules(
        flow,
        topology.regions.map(({ alias }) => alias),
      ),
      clock,
      random,
      backoff: defaultBackoff,
      limits: defaultFlowLimits,
      announce: () => {},
      discoveryIntervalMs: config.discoveryIntervalMs,
      acceptsGap: () => false,
    })
  } finally {
    await provenance.close()
    await Promise.all([source.close(), target.close()])
  }
}
