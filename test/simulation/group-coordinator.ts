import type {
  GroupMember,
  JoinedGroup,
  JoinGroupRequest,
  SyncGroupRequest,
} from '../../replicator/kafka/cluster.ts'
import { type Answer, errorCode, refused } from './broker-answer.ts'
import { type GroupSurroundings, SimulatedGroup, type SimulatedGroupView } from './simulated-group.ts'

/** `group.min.session.timeout.ms` and `group.max.session.timeout.ms` as brokers ship. */
const sessionMsMin = 6_000
const sessionMsMax = 1_800_000

export interface GroupCoordinatorOptions extends Omit<GroupSurroundings, 'nextMember'> {
  /** `group.initial.rebalance.delay.ms`. Default 0; brokers ship with 3000. */
  readonly initialRebalanceDelayMs?: number
}

/**
 * The groups of one simulated cluster, under the classic protocol. One method per request of the protocol. Groups
 * outlive the broker that coordinates them, as they do when another loads their log.
 */
export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions
  readonly #groups = new Map<string, SimulatedGroup>()
  #members = 0

  constructor(options: GroupCoordinatorOptions) {
    this.#options = options
  }

  /** Asks again with the id that it gives to a member without one, as every client does (KIP-394). */
  join(request: JoinGroupRequest): Promise<Answer<JoinedGroup>> {
    const { group: name, sessionTimeoutMs } = request
    if (name === '') return Promise.resolve(refused(errorCode.INVALID_GROUP_ID))
    if (sessionTimeoutMs < sessionMsMin || sessionTimeoutMs > sessionMsMax)
      return Promise.resolve(refused(errorCode.INVALID_SESSION_TIMEOUT))
    const known = this.#groups.get(name)
    if (known === undefined && request.memberId !== undefined)
      return Promise.resolve(refused(errorCode.UNKNOWN_MEMBER_ID))
    const group = known ?? this.#newGroup()
    this.#groups.set(name, group)
    if (request.memberId !== undefined) return group.rejoin(request, request.memberId)
    if (request.instanceId !== undefined) return group.joinStatic(request, request.instanceId)
    const pending = group.admit(request)
    return pending.ok ? group.rejoin(request, pending.value) : Promise.resolve(pending)
  }

  sync(request: SyncGroupRequest): Promise<Answer<Buffer>> {
    const group = this.#groups.get(request.group)
    return group?.sync(request) ?? Promise.resolve(refused(errorCode.UNKNOWN_MEMBER_ID))
  }

  heartbeat(member: GroupMember): Answer<void> {
    return this.#groups.get(member.group)?.heartbeat(member) ?? refused(errorCode.UNKNOWN_MEMBER_ID)
  }

  leave(member: Omit<GroupMember, 'generation'>): Answer<void> {
    return this.#groups.get(member.group)?.leave(member) ?? refused(errorCode.UNKNOWN_MEMBER_ID)
  }

  /** Ids of the group's members, for tests to look at. */
  membersOf(group: string): readonly string[] {
    return this.#groups.get(group)?.memberIds ?? []
  }

  /** Groups that have ever had members. */
  get names(): readonly string[] {
    return [...this.#groups.keys()]
  }

  viewOf(group: string): SimulatedGroupView | undefined {
    return this.#groups.get(group)?.view
  }

  #newGroup(): SimulatedGroup {
    const { after, isUp, initialRebalanceDelayMs = 0 } = this.#options
    return new SimulatedGroup({ after, isUp, nextMember: () => this.#members++ }, initialRebalanceDelayMs)
  }
}
