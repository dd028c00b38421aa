import type {
  GroupMember,
  JoinedGroup,
  JoinGroupRequest,
  SyncGroupRequest,
} from '../../replicator/kafka/cluster.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'

export interface GroupSurroundings {
  /** Calls `fire` once, later; the returned function calls it off. */
  after(ms: number, fire: () => void): () => void
  /** While no broker is up no session ends: whoever coordinates next gives everybody a new one. */
  isUp(): boolean
  /** Counts members through all groups of the cluster: no two have one id. */
  nextMember(): number
}

type Reply<T> = (answer: Answer<T>) => void

interface Member {
  id: string
  request: JoinGroupRequest
  assignment: Buffer
  /** Waits for the rebalance to end. */
  joining: Reply<JoinedGroup> | undefined
  /** Waits for the leader's assignment. */
  syncing: Reply<Buffer> | undefined
  endSession: () => void
}

type State = 'empty' | 'preparing' | 'completing' | 'stable'

const stateNames: Readonly<Record<State, string>> = {
  empty: 'Empty',
  preparing: 'PreparingRebalance',
  completing: 'CompletingRebalance',
  stable: 'Stable',
}

export interface SimulatedGroupView {
  /** In Kafka's words. */
  readonly state: string
  readonly protocolType: string
  readonly members: readonly { readonly memberId: string; readonly instanceId: string | undefined }[]
}

const noTimer = () => {}

/** One group under the classic protocol: what the coordinator knows of it, and what it answers. */
export class SimulatedGroup {
  readonly #surroundings: GroupSurroundings
  readonly #initialDelayMs: number
  readonly #members = new Map<string, Member>()
  /** Got an id and are expected to come back with it. */
  readonly #pending = new Map<string, () => void>()
  #state: State = 'empty'
  #generation = 0
  #leader: string | undefined
  #protocol = ''
  #protocolType: string | undefined
  #endPhase = noTimer
  /** An empty group waits a while for others before the first rebalance ends. */
  #held = false

  constructor(surroundings: GroupSurroundings, initialDelayMs: number) {
    this.#surroundings = surroundings
    this.#initialDelayMs = initialDelayMs
  }

  get memberIds(): readonly string[] {
    return [...this.#members.keys()]
  }

  /** As DescribeGroups tells it. */
  get view(): SimulatedGroupView {
    const members = [...this.#members.values()].map(({ id, request }) => ({
      memberId: id,
      instanceId: request.instanceId,
    }))
    return { state: stateNames[this.#state], protocolType: this.#protocolType ?? '', members }
  }

  /** Gives a member id, and waits for its owner for a session's time. */
  admit(request: JoinGroupRequest): Answer<string> {
    if (!this.#fits(request)) return refused(errorCode.INCONSISTENT_GROUP_PROTOCOL)
    const id = `member-${this.#surroundings.nextMember()}`
    const forget = () => {
      this.#pending.delete(id)
      if (this.#state === 'preparing') this.#maybeComplete()
    }
    this.#pending.set(id, this.#surroundings.after(request.sessionTimeoutMs, forget))
    return answered(id)
  }

  joinStatic(request: JoinGroupRequest, instanceId: string): Promise<Answer<JoinedGroup>> {
    if (!this.#fits(request)) return Promise.resolve(refused(errorCode.INCONSISTENT_GROUP_PROTOCOL))
    const holder = this.#instance(instanceId)
    const id = `${instanceId}-${this.#surroundings.nextMember()}`
    if (holder === undefined) return this.#add(id, request)
    // The newcomer takes the place over; the former holder is fenced.
    this.#members.delete(holder.id)
    if (this.#leader === holder.id) this.#leader = id
    holder.joining?.(refused(errorCode.FENCED_INSTANCE_ID))
    holder.syncing?.(refused(errorCode.FENCED_INSTANCE_ID))
    const wasStable = this.#state === 'stable'
    const member: Member = { ...holder, id, request, joining: undefined, syncing: undefined }
    this.#members.set(id, member)
    this.#renew(member)
    if (wasStable && this.#selectProtocol() === this.#protocol)
      return Promise.resolve(answered(this.#viewOf(member)))
    return this.#await(member)
  }

  /** A member that has its id: after {@link admit}, or in the group already. */
  rejoin(request: JoinGroupRequest, id: string): Promise<Answer<JoinedGroup>> {
    const expected = this.#pending.get(id)
    if (expected !== undefined) {
      expected()
      this.#pending.delete(id)
      if (!this.#fits(request)) return Promise.resolve(refused(errorCode.INCONSISTENT_GROUP_PROTOCOL))
      return this.#add(id, request)
    }
    const found = this.#find({ memberId: id, instanceId: request.instanceId })
    if (!found.ok) return Promise.resolve(found)
    if (!this.#fits(request)) return Promise.resolve(refused(errorCode.INCONSISTENT_GROUP_PROTOCOL))
    const member = found.value
    const isSame = samePreferences(member.request, request)
    const isNews = this.#state === 'stable' ? id === this.#leader || !isSame : !isSame
    if (this.#state !== 'preparing' && !isNews) return Promise.resolve(answered(this.#viewOf(member)))
    member.request = request
    return this.#await(member)
  }

  sync(request: SyncGroupRequest): Promise<Answer<Buffer>> {
    const found = this.#findOfGeneration(request)
    if (!found.ok) return Promise.resolve(found)
    if (request.protocol !== this.#protocol || request.protocolType !== this.#protocolType)
      return Promise.resolve(refused(errorCode.INCONSISTENT_GROUP_PROTOCOL))
    const member = found.value
    this.#renew(member)
    if (this.#state === 'preparing') return Promise.resolve(refused(errorCode.REBALANCE_IN_PROGRESS))
    if (this.#state === 'stable') return Promise.resolve(answered(member.assignment))
    const { promise, resolve } = Promise.withResolvers<Answer<Buffer>>()
    member.syncing = resolve
    if (member.id === this.#leader) this.#assign(request)
    return promise
  }

  heartbeat(request: GroupMember): Answer<void> {
    const found = this.#findOfGeneration(request)
    if (!found.ok) return found
    this.#renew(found.value)
    return this.#state === 'preparing' ? refused(errorCode.REBALANCE_IN_PROGRESS) : answered(undefined)
  }

  leave(request: Pick<GroupMember, 'memberId' | 'instanceId'>): Answer<void> {
    const expected = this.#pending.get(request.memberId)
    if (expected !== undefined) {
      expected()
      this.#pending.delete(request.memberId)
      if (this.#state === 'preparing') this.#maybeComplete()
      return answered(undefined)
    }
    const found = this.#find(request)
    if (!found.ok) return found
    this.#remove(found.value)
    return answered(undefined)
  }

  // Rebalances

  #add(id: string, request: JoinGroupRequest): Promise<Answer<JoinedGroup>> {
    const member: Member = {
      id,
      request,
      assignment: Buffer.alloc(0),
      joining: undefined,
      syncing: undefined,
      endSession: noTimer,
    }
    this.#members.set(id, member)
    this.#protocolType = request.protocolType
    this.#leader ??= id
    return this.#await(member)
  }

  #await(member: Member): Promise<Answer<JoinedGroup>> {
    const { promise, resolve } = Promise.withResolvers<Answer<JoinedGroup>>()
    member.joining = resolve
    if (this.#state === 'preparing') this.#maybeComplete()
    else this.#prepare()
    return promise
  }

  #prepare(): void {
    for (const member of this.#members.values()) {
      const { syncing } = member
      member.syncing = undefined
      syncing?.(refused(errorCode.REBALANCE_IN_PROGRESS))
      if (syncing !== undefined) this.#renew(member)
    }
    this.#held = this.#state === 'empty' && this.#initialDelayMs > 0
    this.#state = 'preparing'
    const timeouts = [...this.#members.values()].map(({ request }) => request.rebalanceTimeoutMs)
    this.#phase(this.#held ? this.#initialDelayMs : Math.max(...timeouts), () => this.#complete())
    this.#maybeComplete()
  }

  #maybeComplete(): void {
    const everyone = [...this.#members.values()].every(({ joining }) => joining !== undefined)
    if (everyone && this.#pending.size === 0 && !this.#held) this.#complete()
  }

  #complete(): void {
    this.#held = false
    for (const member of [...this.#members.values()]) {
      // Those with an instance id keep their place for as long as their session.
      if (member.joining === undefined && member.request.instanceId === undefined) this.#drop(member)
    }
    this.#phase(undefined)
    this.#generation += 1
    if (this.#members.size === 0) {
      this.#state = 'empty'
      return
    }
    const joined = [...this.#members.values()].filter(({ joining }) => joining !== undefined)
    if (joined.length === 0) {
      this.#prepare()
      return
    }
    if (!joined.some(({ id }) => id === this.#leader)) this.#leader = joined[0]?.id
    this.#state = 'completing'
    this.#protocol = this.#selectProtocol()
    const timeouts = joined.map(({ request }) => request.rebalanceTimeoutMs)
    this.#phase(Math.max(...timeouts), () => this.#dropUnsynced())
    for (const member of joined) {
      const { joining } = member
      member.joining = undefined
      this.#renew(member)
      joining?.(answered(this.#viewOf(member)))
    }
  }

  #dropUnsynced(): void {
    for (const member of [...this.#members.values()]) if (member.syncing === undefined) this.#drop(member)
    if (this.#members.size > 0) this.#prepare()
    else this.#state = 'empty'
  }

  #assign({ assignments }: SyncGroupRequest): void {
    this.#state = 'stable'
    this.#phase(undefined)
    for (const member of this.#members.values()) {
      const own = assignments.find(({ memberId }) => memberId === member.id)
      member.assignment = own?.assignment ?? Buffer.alloc(0)
      const { syncing } = member
      member.syncing = undefined
      syncing?.(answered(member.assignment))
      if (syncing !== undefined) this.#renew(member)
    }
  }

  #viewOf(member: Member): JoinedGroup {
    const members =
      member.id === this.#leader
        ? [...this.#members.values()].map(({ id, request }) => ({
            memberId: id,
            instanceId: request.instanceId,
            metadata:
              request.protocols.find(({ name }) => name === this.#protocol)?.metadata ?? Buffer.alloc(0),
          }))
        : []
    return {
      memberId: member.id,
      generation: this.#generation,
      protocol: this.#protocol,
      leaderId: this.#leader ?? '',
      members,
    }
  }

  // Members

  #remove(member: Member): void {
    this.#drop(member)
    if (this.#state === 'preparing') this.#maybeComplete()
    else if (this.#state !== 'empty') this.#prepare()
  }

  #drop(member: Member): void {
    member.endSession()
    this.#members.delete(member.id)
    if (this.#leader === member.id) this.#leader = this.#members.keys().next().value
    member.joining?.(refused(errorCode.UNKNOWN_MEMBER_ID))
    member.syncing?.(refused(errorCode.UNKNOWN_MEMBER_ID))
    member.joining = undefined
    member.syncing = undefined
  }

  /** A session begins anew. Who waits for an answer is alive. */
  #renew(member: Member): void {
    member.endSession()
    member.endSession = this.#surroundings.after(member.request.sessionTimeoutMs, () => {
      if (this.#members.get(member.id) !== member) return
      if (!this.#surroundings.isUp()) this.#renew(member)
      else if (member.joining === undefined && member.syncing === undefined) this.#remove(member)
    })
  }

  #instance(instanceId: string): Member | undefined {
    return [...this.#members.values()].find(({ request }) => request.instanceId === instanceId)
  }

  #find({ memberId, instanceId }: Pick<GroupMember, 'memberId' | 'instanceId'>): Answer<Member> {
    if (instanceId !== undefined) {
      const holder = this.#instance(instanceId)
      if (holder === undefined) return refused(errorCode.UNKNOWN_MEMBER_ID)
      return holder.id === memberId ? answered(holder) : refused(errorCode.FENCED_INSTANCE_ID)
    }
    const member = this.#members.get(memberId)
    return member === undefined ? refused(errorCode.UNKNOWN_MEMBER_ID) : answered(member)
  }

  #findOfGeneration(request: GroupMember): Answer<Member> {
    const found = this.#find(request)
    if (!found.ok || request.generation === this.#generation) return found
    return refused(errorCode.ILLEGAL_GENERATION)
  }

  #fits({ protocolType, protocols }: JoinGroupRequest): boolean {
    if (protocols.length === 0) return false
    if (this.#members.size === 0) return true
    if (protocolType !== this.#protocolType) return false
    return protocols.some(({ name }) =>
      [...this.#members.values()].every(({ request }) => request.protocols.some((own) => own.name === name)),
    )
  }

  /** The first one of the first member that all have. */
  #selectProtocol(): string {
    const members = [...this.#members.values()]
    const common = members[0]?.request.protocols.find(({ name }) =>
      members.every(({ request }) => request.protocols.some((own) => own.name === name)),
    )
    return common?.name ?? ''
  }

  #phase(ms: number | undefined, end: () => void = noTimer): void {
    this.#endPhase()
    this.#endPhase = ms === undefined ? noTimer : this.#surroundings.after(ms, end)
  }
}

function samePreferences(a: JoinGroupRequest, b: JoinGroupRequest): boolean {
  return (
    a.protocols.length === b.protocols.length &&
    a.protocols.every(({ name, metadata }, at) => {
      const other = b.protocols[at]
      return other !== undefined && other.name === name && other.metadata.equals(metadata)
    })
  )
}
