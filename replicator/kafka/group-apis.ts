import {
  heartbeatV3,
  heartbeatV4,
  joinGroupV5,
  joinGroupV6,
  joinGroupV7,
  joinGroupV8,
  joinGroupV9,
  leaveGroupV3,
  leaveGroupV4,
  leaveGroupV5,
  syncGroupV3,
  syncGroupV4,
  syncGroupV5,
} from '@platformatic/kafka'
import { versioned } from './api-versions.ts'
import type { GroupMember, JoinGroupRequest, SyncGroupRequest } from './cluster.ts'

/** From the first version that knows `group.instance.id` (KIP-345) on. Shown as the reason of a rebalance. */
const reason = 'Causeway shares out shards'

const membership = ({ group, generation, memberId, instanceId }: GroupMember) =>
  [group, generation, memberId, instanceId ?? null] as const

const joinFields = (request: JoinGroupRequest): joinGroupV9.JoinGroupRequest => [
  request.group,
  request.sessionTimeoutMs,
  request.rebalanceTimeoutMs,
  request.memberId ?? '',
  request.instanceId ?? null,
  request.protocolType,
  request.protocols.map(({ name, metadata }) => ({ name, metadata })),
  reason,
]

export const joinGroupApi = versioned<JoinGroupRequest, joinGroupV9.JoinGroupResponse>('JoinGroup', 11, {
  5: (connection, request) => joinGroupV5.api.async(connection, ...joinFields(request)),
  6: (connection, request) => joinGroupV6.api.async(connection, ...joinFields(request)),
  7: (connection, request) => joinGroupV7.api.async(connection, ...joinFields(request)),
  8: (connection, request) => joinGroupV8.api.async(connection, ...joinFields(request)),
  9: (connection, request) => joinGroupV9.api.async(connection, ...joinFields(request)),
})

const syncFields = (request: SyncGroupRequest): syncGroupV5.SyncGroupRequest => [
  ...membership(request),
  request.protocolType,
  request.protocol,
  request.assignments.map(({ memberId, assignment }) => ({ memberId, assignment })),
]

export const syncGroupApi = versioned<SyncGroupRequest, syncGroupV5.SyncGroupResponse>('SyncGroup', 14, {
  3: (connection, request) => syncGroupV3.api.async(connection, ...syncFields(request)),
  4: (connection, request) => syncGroupV4.api.async(connection, ...syncFields(request)),
  5: (connection, request) => syncGroupV5.api.async(connection, ...syncFields(request)),
})

export const heartbeatApi = versioned<GroupMember, heartbeatV4.HeartbeatResponse>('Heartbeat', 12, {
  3: (connection, request) => heartbeatV3.api.async(connection, ...membership(request)),
  4: (connection, request) => heartbeatV4.api.async(connection, ...membership(request)),
})

type Leaver = Omit<GroupMember, 'generation'>

const leaveFields = ({ group, memberId, instanceId }: Leaver): leaveGroupV5.LeaveGroupRequest => [
  group,
  [{ memberId, groupInstanceId: instanceId ?? null, reason: 'Causeway ends' }],
]

export const leaveGroupApi = versioned<Leaver, leaveGroupV5.LeaveGroupResponse>('LeaveGroup', 13, {
  3: (connection, request) => leaveGroupV3.api.async(connection, ...leaveFields(request)),
  4: (connection, request) => leaveGroupV4.api.async(connection, ...leaveFields(request)),
  5: (connection, request) => leaveGroupV5.api.async(connection, ...leaveFields(request)),
})
