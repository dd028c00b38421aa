import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { FlowOptions } from '../flow/flow-options.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { ownPrincipal } from '../kafka/own-principal.ts'
import { createAclMemory } from '../topics/acl-memory.ts'
import { aclNames } from '../topics/acl-names.ts'
import type { OwnPrincipals } from '../topics/acl-sync.ts'
import { internalTopics } from '../topology/internal-names.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { writesAlone } from '../topology/writes-alone.ts'

/** What a flow needs to follow ACLs; nothing is asked of the clusters yet. */
export function flowAcls(
  flow: Flow,
  context: { readonly config: CausewayConfig; readonly clock: Clock; readonly random: Random },
  clusterOf: (alias: RegionAlias) => Cluster,
): NonNullable<FlowOptions['acls']> | undefined {
  const { mode } = flow.aclSync
  if (mode === 'off') return undefined
  const { config, clock, random } = context
  const { topology } = config
  return {
    mode,
    names: aclNames(topology, flow),
    role: writesAlone(topology, flow) ? 'passive' : 'active',
    principals: ownPrincipals(flow, config),
    memory: createAclMemory({
      cluster: clusterOf(flow.target),
      topic: internalTopics(topology).acls,
      flow: flow.id,
      replicationFactor: flow.replicationFactor,
      clock,
      random,
      backoff: defaultBackoff,
    }),
  }
}

/** Whoever lists principals knows which ones the log-ins do not tell. */
function ownPrincipals({ source, target, aclSync }: Flow, config: CausewayConfig): OwnPrincipals {
  const names = new Set(aclSync.principals)
  for (const cluster of [source, target]) {
    const settings = config.connections.get(cluster)
    const principal = settings === undefined ? undefined : ownPrincipal(settings)
    if (principal !== undefined) names.add(principal)
    else if (aclSync.principals.length === 0) return { kind: 'unknown', cluster }
  }
  return { kind: 'known', names }
}
