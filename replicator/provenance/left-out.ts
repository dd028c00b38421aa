import { forwardsOnlyLocal } from '../topology/forwards-only-local.ts'
import { flowId } from '../topology/identifiers.ts'
import type { Flow } from '../topology/model.ts'
import type { ForwardingRule, RegisteredProducer } from './origins.ts'

/**
 * A flow's rule, as its topology asks for it. `everything` where names tell copies apart. Flows that mix records of
 * several regions forward `local` ones. Any other identity flow leaves out at least what came from its own target: a
 * pair that is turned round finds its own earlier records on the other side.
 */
export function forwardingRule(topology: { readonly flows: readonly Flow[] }, flow: Flow): ForwardingRule {
  if (flow.naming.kind !== 'identity') return 'everything'
  return forwardsOnlyLocal(topology, flow) ? 'local' : 'all-but-returned'
}

/** Which replicators' batches a flow leaves out on its source under a rule; `undefined` when none. */
export function leftOutUnder(
  rule: ForwardingRule,
  flow: Pick<Flow, 'source' | 'target'>,
): ((writer: RegisteredProducer) => boolean) | undefined {
  switch (rule) {
    case 'everything':
      return undefined
    case 'local':
      return () => true
    case 'all-but-returned': {
      const back = flowId(flow.target, flow.source)
      return (writer) => writer.flow === back
    }
  }
}

/** {@link leftOutUnder} the rule that the topology asks for. */
export function leftOutBy(
  topology: { readonly flows: readonly Flow[] },
  flow: Flow,
): ((writer: RegisteredProducer) => boolean) | undefined {
  return leftOutUnder(forwardingRule(topology, flow), flow)
}
