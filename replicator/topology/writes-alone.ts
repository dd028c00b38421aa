import type { Flow } from './model.ts'
import { mayReadWhatWasWritten, mayWriteTheSame } from './overlap.ts'

/**
 * Whether nobody but the flow has business in its target topics, so that other writers' records there are an accident.
 * Names with the source in them belong to the flow. A topic that keeps its name belongs to it while no other flow
 * writes there, and none carries the topic on from there: that would be where the target's own clients write.
 */
export function writesAlone({ flows }: { readonly flows: readonly Flow[] }, flow: Flow): boolean {
  const others = flows.filter((other) => other !== flow)
  if (others.some((other) => mayWriteTheSame(flow, other))) return false
  return flow.naming.kind !== 'identity' || !others.some((other) => mayReadWhatWasWritten(flow, other))
}

/**
 * Whether copies lie between records of the target's own, in topics of one name: what a group has read of those the
 * flow's map alone does not tell.
 */
export const copiesAmongOthers = (topology: { readonly flows: readonly Flow[] }, flow: Flow): boolean =>
  flow.naming.kind === 'identity' && !writesAlone(topology, flow)
