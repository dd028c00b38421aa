import { forwardsOnlyLocal } from '../topology/forwards-only-local.ts'
import { flowId } from '../topology/identifiers.ts'
import type { Flow } from '../topology/model.ts'
import type { RegisteredProducer } from './origins.ts'

/**
 * Which replicators' batches a flow leaves out on its source; `undefined` when names tell copies apart.
 *
 * Those of every replicator for flows that forward only local batches. Any other identity flow leaves out at least
 * what came from its own target: a pair that is turned round finds its own earlier records on the other side.
 */
export function leftOutBy(
  topology: { readonly flows: readonly Flow[] },
  flow: Flow,
): ((writer: RegisteredProducer) => boolean) | undefined {
  if (flow.naming.kind !== 'identity') return undefined
  if (forwardsOnlyLocal(topology, flow)) return () => true
  const back = flowId(flow.target, flow.source)
  return (writer) => writer.flow === back
}
