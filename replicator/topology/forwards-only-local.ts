import { findLoops } from './loops.ts'
import type { Flow, RegionAlias } from './model.ts'
import { mayReadWhatWasWritten, mayWriteTheSame } from './overlap.ts'
import { compileTopics } from './selection.ts'

/*
 * Topics of one name that hold records of several regions. A flow that takes part forwards only the batches that its
 * source's own clients wrote, which the source's registry of producer ids tells (see provenance/): so every record
 * leaves the region it was written in once for each other region, and never a second time from elsewhere.
 *
 * Other flows forward whatever they find, copies included: in a chain a -> b -> c the records of a reach c through b.
 */

/**
 * Whether the flow leaves out what replicators wrote to its source: identity flows on a loop, and those that share
 * topics of their target with another flow.
 */
export function forwardsOnlyLocal(topology: { readonly flows: readonly Flow[] }, flow: Flow): boolean {
  return mixingWith(topology.flows, flow).length > 0
}

/** The identity flows with which this one mixes records of several regions in topics of one name. */
export function mixingWith(flows: readonly Flow[], flow: Flow): readonly Flow[] {
  if (flow.naming.kind !== 'identity') return []
  const loop = findLoops(flows).find((candidate) => candidate.includes(flow)) ?? []
  return flows.filter(
    (other) =>
      other !== flow &&
      other.naming.kind === 'identity' &&
      (loop.includes(other) || mayWriteTheSame(other, flow)),
  )
}

/** Records of `origin` that `by` brings to a flow's source, that the flow leaves out, and that nobody else carries on. */
export interface Gap {
  readonly origin: RegionAlias
  readonly by: Flow
}

/** What would be missing on the target of a flow that forwards only local batches; nothing for other flows. */
export function gapsOf(flows: readonly Flow[], flow: Flow): readonly Gap[] {
  if (!forwardsOnlyLocal({ flows }, flow)) return []
  return flows
    .filter((by) => mayReadWhatWasWritten(by, flow))
    .flatMap((by) =>
      [...originsCarried(flows, by)]
        .filter((origin) => origin !== flow.target && !isCarriedDirectly(flows, { origin, by }, flow))
        .map((origin) => ({ origin, by })),
    )
}

/** The regions whose records a flow brings to its target. */
function originsCarried(
  flows: readonly Flow[],
  flow: Flow,
  seen = new Set<Flow>(),
): ReadonlySet<RegionAlias> {
  seen.add(flow)
  const origins = new Set([flow.source])
  if (forwardsOnlyLocal({ flows }, flow)) return origins
  for (const before of flows) {
    if (seen.has(before) || !mayReadWhatWasWritten(before, flow)) continue
    for (const origin of originsCarried(flows, before, seen)) origins.add(origin)
  }
  return origins
}

function isCarriedDirectly(flows: readonly Flow[], { origin, by }: Gap, flow: Flow): boolean {
  if (by.naming.kind !== 'identity') return false
  return flows.some(
    (direct) =>
      direct.source === origin &&
      direct.target === flow.target &&
      direct.naming.kind === 'identity' &&
      takesWhatBothTake(direct, by, flow),
  )
}

/** Whether `direct` takes every topic that both others take: known for equal selections and for exact names only. */
function takesWhatBothTake(direct: Flow, by: Flow, flow: Flow): boolean {
  const isSame = (other: Flow) => JSON.stringify(direct.topics) === JSON.stringify(other.topics)
  if (isSame(by) || isSame(flow)) return true
  if (direct.topics.some(({ partitionRange }) => partitionRange !== undefined)) return false
  const exact = [by, flow].find(({ topics }) => topics.every(({ kind }) => kind === 'name'))
  if (exact === undefined) return false
  const [inDirect, inBoth] = [
    compileTopics(direct.topics),
    [by, flow].map(({ topics }) => compileTopics(topics)),
  ]
  return exact.topics.every(
    (selection) =>
      selection.kind === 'name' &&
      (inDirect.topic(selection.name) || !inBoth.every(({ topic }) => topic(selection.name))),
  )
}
