import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { forwardingRule, leftOutUnder } from '../provenance/left-out.ts'
import type { ForwardingRule } from '../provenance/origins.ts'
import { createProducerRegistry, type WritableRegistry } from '../provenance/producer-registry.ts'
import { registrySettings } from '../provenance/registry-settings.ts'
import { createOrigins, type SourceOrigins } from '../provenance/source-origins.ts'
import type { Flow, RegionAlias, Topology } from '../topology/model.ts'

/** Who replicates to a flow's target, and who wrote what is on its source. */
export interface FlowProvenance {
  readonly rule: ForwardingRule
  readonly registry: WritableRegistry
  /** `undefined` where names tell copies apart. */
  readonly origins: SourceOrigins | undefined
  readonly close: () => Promise<void>
}

/** Lists and reads of a flow's two registries; nothing is asked of the clusters yet. */
export function provenanceOf(
  flow: Flow,
  {
    topology,
    clock,
    random,
  }: { readonly topology: Topology; readonly clock: Clock; readonly random: Random },
  clusterOf: (alias: RegionAlias) => Cluster,
): FlowProvenance {
  const settings = (alias: RegionAlias) => ({
    cluster: clusterOf(alias),
    ...registrySettings(topology, alias),
    clock,
    random,
    backoff: defaultBackoff,
  })
  const rule = forwardingRule(topology, flow)
  const isLeftOut = leftOutUnder(rule, flow)
  const registry = createProducerRegistry(settings(flow.target))
  const origins =
    isLeftOut === undefined ? undefined : createOrigins({ ...settings(flow.source), isLeftOut, flow })
  return {
    rule,
    registry,
    origins,
    close: async () => {
      await Promise.all([registry.close(), origins?.close()])
    },
  }
}
