import { internalTopics } from '../topology/internal-names.ts'
import type { RegionAlias, Topology } from '../topology/model.ts'
import type { RegistryOptions } from './registry-log.ts'

/** The registry of one of a topology's clusters: its name, who makes it, and what losing it would mean. */
export function registrySettings(
  topology: Pick<Topology, 'name' | 'flows'>,
  cluster: RegionAlias,
): Pick<RegistryOptions, 'topic' | 'progressTopic' | 'create' | 'isVital'> {
  const { producers, progress } = internalTopics(topology)
  const into = topology.flows.find(({ target }) => target === cluster)
  return {
    topic: producers,
    progressTopic: progress,
    create: into === undefined ? 'never' : { replicationFactor: into.replicationFactor },
    isVital: topology.flows.some(({ source, naming }) => source === cluster && naming.kind === 'identity'),
  }
}
