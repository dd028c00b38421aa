import { defaultBackoff } from '../clock/backoff.ts'
import { leftOutBy } from '../provenance/left-out.ts'
import { createProducerRegistry } from '../provenance/producer-registry.ts'
import { registrySettings } from '../provenance/registry-settings.ts'
import { createOrigins } from '../provenance/source-origins.ts'
import { forwardsOnlyLocal } from '../topology/forwards-only-local.ts'
import type { Flow, Topology } from '../topology/model.ts'
import { type CompareOptions, compareTopics, type TakenBatches } from './compare-topics.ts'
import type { FlowReport } from './report.ts'

export interface CompareFlowOptions extends Omit<CompareOptions, 'takes' | 'mayBeginLater'> {
  readonly topology: Pick<Topology, 'name' | 'flows'>
  readonly flow: Flow
}

/**
 * Compares what a flow should have copied with what it has, as {@link compareTopics} does. Where topics of one name
 * hold records of several regions, the source's batches that the flow forwards are compared with the target's batches
 * that the flow wrote, by the registries of both clusters.
 * @throws as compareTopics; LostRegistryError
 */
export async function compareFlow(options: CompareFlowOptions): Promise<FlowReport> {
  const { flow, topology } = options
  let scope: FlowReport['scope'] = 'everything'
  const report = await compareTopics({
    ...options,
    mayBeginLater: flow.startAt === 'latest',
    takes: async (signal) => {
      const taken = await batchesOf(topology, flow, options, signal)
      if (taken === undefined) return { source: () => true, target: () => true }
      scope = 'own'
      return taken
    },
  })
  return { flow: flow.id, naming: flow.naming, scope, ...report }
}

/** The batches that are the flow's own on either side; `undefined` when all are. */
async function batchesOf(
  topology: Pick<Topology, 'name' | 'flows'>,
  flow: Flow,
  { source, target, clock, random }: CompareFlowOptions,
  signal: AbortSignal,
): Promise<TakenBatches | undefined> {
  const isLeftOut = leftOutBy(topology, flow)
  if (isLeftOut === undefined) return undefined
  // Looking changes nothing.
  const reading = { clock, random, backoff: defaultBackoff, create: 'never' } as const
  const origins = createOrigins({
    cluster: source,
    ...registrySettings(topology, flow.source),
    ...reading,
    isLeftOut,
  })
  const registry = createProducerRegistry({
    cluster: target,
    ...registrySettings(topology, flow.target),
    ...reading,
  })
  try {
    await origins.refresh(signal)
    const wasTurnedRound = [...origins.writers.values()].some(isLeftOut)
    if (!wasTurnedRound && !forwardsOnlyLocal(topology, flow)) return undefined
    const own = new Set((await registry.formerly(flow.id, signal)).map(({ producerId }) => producerId))
    return { source: (id) => origins.isLocal(id), target: (id) => own.has(id) }
  } finally {
    await Promise.all([origins.close(), registry.close()])
  }
}
