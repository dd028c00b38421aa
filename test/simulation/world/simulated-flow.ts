import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { flowGroupId, internalTopics, transactionalId } from '../../../replicator/topology/internal-names.ts'
import type { Flow, Topology } from '../../../replicator/topology/model.ts'
import type { Setup } from './plan.ts'

const usEast = regionAlias('us-east')
const euWest = regionAlias('eu-west')
const name = 'simulation'

/** The product's own topics. */
export const ownTopics = internalTopics({ name })
/** In front of the names of copies. */
export const targetPrefix = 'us-east.'

export const transactionalIdOf = (flow: Flow, shard: number): string => transactionalId({ name }, flow, shard)
export const groupOf = (flow: Flow): string => flowGroupId({ name }, flow)

export const flowOf = ({ brokers, shards, groups }: Setup): Flow => ({
  id: flowId(usEast, euWest),
  source: usEast,
  target: euWest,
  topics: [{ kind: 'match', match: '.*' }],
  paused: [],
  groups: groups > 0 ? [{ kind: 'match', match: '.*' }] : [],
  naming: { kind: 'prefixed', separator: '.' },
  placement: 'target',
  replicationFactor: brokers,
  // A copy that brokers stamp themselves could not keep the source's times.
  configSync: { mode: 'follow', exclude: ['message.timestamp.type'], defaultsFrom: 'target' },
  aclSync: { mode: 'off', principals: [] },
  startAt: 'earliest',
  shards,
})

export const topologyOf = (flow: Flow): Topology => ({
  name,
  pattern: 'active-passive',
  regions: [
    { alias: usEast, role: 'active' },
    { alias: euWest, role: 'passive' },
  ],
  flows: [flow],
  objectives: {},
  failover: { mode: 'off' },
})
