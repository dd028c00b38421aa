import type { GroupListing, GroupView } from '../../replicator/kafka/consumer-groups.ts'
import type { SimulatedBrokers } from './simulated-brokers.ts'
import type { SimulatedGroupView } from './simulated-group.ts'

/** A group that nobody ever joined: it has only committed. */
const simple: SimulatedGroupView = { state: 'Empty', protocolType: '', members: [] }

/** ListGroups, of all brokers. */
export function listOf({ groups, offsets }: SimulatedBrokers): GroupListing {
  const names = new Set([...groups.names, ...offsets.groups])
  const listed = [...names].map((group) => {
    const { state, protocolType } = groups.viewOf(group) ?? simple
    return { group, protocolType, state, type: 'classic' }
  })
  return { groups: listed, silent: [] }
}

/** DescribeGroups, of one group. */
export function describeGroup({ groups, offsets }: SimulatedBrokers, group: string): GroupView {
  const view = groups.viewOf(group) ?? (offsets.groups.includes(group) ? simple : undefined)
  if (view === undefined) return { kind: 'missing' }
  const members = view.members.map((member) => ({ ...member, clientId: 'simulated', host: '/127.0.0.1' }))
  return { kind: 'classic', state: view.state, protocolType: view.protocolType, members }
}
