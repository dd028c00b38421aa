import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { AnnounceFlowEvent } from '../flow/events.ts'
import type { FlowOptions } from '../flow/flow-options.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { flowAcls } from './flow-acls.ts'
import { flowGroups } from './flow-groups.ts'
import { flowMirror } from './flow-mirror.ts'
import { provenanceOf } from './flow-provenance.ts'

export interface FlowPartsContext {
  readonly config: CausewayConfig
  readonly clock: Clock
  readonly random: Random
  readonly announce: AnnounceFlowEvent
}

/** What a flow works with beside its clusters; closed after it. */
export interface FlowParts {
  readonly options: Pick<FlowOptions, 'registry' | 'origins' | 'rule' | 'acls' | 'companions'>
  close(): Promise<void>
}

/** Nothing is asked of the clusters yet. */
export function flowParts(
  flow: Flow,
  context: FlowPartsContext,
  clusterOf: (alias: RegionAlias) => Cluster,
): FlowParts {
  const { topology } = context.config
  const provenance = provenanceOf(flow, { topology, ...context }, clusterOf)
  const acls = flowAcls(flow, context, clusterOf)
  const groups = flowGroups(flow, { topology, provenance, ...context }, clusterOf)
  const mirror = flowMirror(flow, { ...context, provenance, commits: groups?.commits }, clusterOf)
  const { registry, origins, rule } = provenance
  return {
    options: {
      registry,
      origins,
      rule,
      acls,
      companions: [groups?.companion, mirror?.companion].filter((companion) => companion !== undefined),
    },
    async close() {
      await Promise.all([provenance.close(), acls?.memory.close(), groups?.close(), mirror?.close()])
    },
  }
}
