import { type BackoffPolicy, backoffMs } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { abortable } from '../kafka/abortable.ts'
import type { Cluster, JoinedGroup } from '../kafka/cluster.ts'
import { KafkaError, transportError } from '../kafka/errors.ts'
import { shareOut } from './group-assignment.ts'
import { explainedGroupError } from './group-errors.ts'
import {
  type MemberAction,
  type MemberEvent,
  type MemberState,
  memberStep,
  newMember,
  sessionEndsAtMs,
} from './group-member.ts'
import {
  decodeMetadata,
  decodeShare,
  encodeMetadata,
  encodeShare,
  type GroupMetadata,
  groupProtocolName,
  groupProtocolType,
} from './group-metadata.ts'
import type { ShardClaims, ShardHolder } from './shard-claims.ts'

export interface GroupClaimsOptions {
  /** The flow's target: where its replicas meet. */
  readonly cluster: Cluster
  readonly group: string
  /** As many for every replica of the flow: those with another number are not let in. */
  readonly shards: number
  /** `group.instance.id`: the replica keeps its shards while it restarts within the session. Unique among replicas. */
  readonly instanceId: string | undefined
  /** After so long without a heartbeat a replica's shards go to others. In milliseconds. */
  readonly sessionTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
  /** Told what keeps this replica from its share, and `undefined` when that is over. */
  readonly onTrouble: (error: KafkaError | undefined) => void
}

/** How long the group waits for members to come to a rebalance, in milliseconds. */
const REBALANCE_MS_MAX = 30_000
/** A member that releases has to be back before that: longer, and what it should release is lost instead. */
const RELEASE_MS_MAX = 20_000
/** Others learn of a rebalance by their next heartbeat, so a third of the session is the most, not the rule. */
const HEARTBEAT_MS_MAX = 1000

const backoff: BackoffPolicy = { baseMs: 200, maxMs: 5000 }

/**
 * Shares a flow's shards with its other replicas through Kafka's own group protocol. What it decides is in
 * {@link memberStep}; how shards are shared out in {@link shareOut}.
 *
 * `run` rejects with a KafkaError when another process took this one's `instanceId` (82): to go on would take it back.
 */
export function groupClaims(options: GroupClaimsOptions): ShardClaims {
  let trouble: string | undefined
  const onTrouble = (error: KafkaError | undefined): void => {
    trouble = error?.message
    options.onTrouble(error)
  }
  return {
    async run(holder, signal) {
      await new GroupMembership({ ...options, onTrouble }, holder).run(signal)
    },
    get trouble() {
      return trouble
    },
  }
}

/** What takes time. */
type MemberWork = Extract<MemberAction, { readonly kind: 'join' | 'sync' | 'wait' | 'release' | 'leave' }>

class GroupMembership {
  readonly #options: GroupClaimsOptions
  readonly #holder: ShardHolder
  readonly #ended = Promise.withResolvers<void>()
  readonly #life = new AbortController()
  readonly #tasks = new Set<Promise<void>>()
  /** The one request, release or pause whose end the state waits for. */
  #turn = new AbortController()
  #state: MemberState
  readonly #events: MemberEvent[] = []

  constructor(options: GroupClaimsOptions, holder: ShardHolder) {
    this.#options = options
    this.#holder = holder
    const { sessionTimeoutMs, instanceId } = options
    const rebalanceTimeoutMs = Math.max(REBALANCE_MS_MAX, sessionTimeoutMs)
    const isStatic = instanceId !== undefined
    this.#state = newMember({ sessionTimeoutMs, rebalanceTimeoutMs, isStatic })
  }

  async run(signal: AbortSignal): Promise<void> {
    const close = () => this.#tell({ kind: 'close' })
    signal.addEventListener('abort', close, { once: true })
    try {
      this.#tell({ kind: signal.aborted ? 'close' : 'start' })
      this.#spawn(() => this.#sendHeartbeats())
      this.#spawn(() => this.#watchSession())
      await this.#ended.promise
    } finally {
      signal.removeEventListener('abort', close)
      this.#life.abort(new Error('the membership ended'))
      this.#turn.abort(new Error('the membership ended'))
      await Promise.all(this.#tasks)
    }
  }

  #tell(event: MemberEvent): void {
    this.#events.push(event)
    // What the holder does in answer to an action may tell something itself: that comes after the other actions.
    if (this.#events.length > 1) return
    for (let next = this.#events[0]; next !== undefined; next = this.#events[0]) {
      const { state, actions } = memberStep(this.#state, next, this.#options.clock.monotonicMs())
      this.#state = state
      for (const action of actions) this.#do(action)
      this.#events.shift()
    }
  }

  #do(action: MemberAction): void {
    switch (action.kind) {
      case 'claim':
        this.#holder.claim(action.shards)
        break
      case 'lose':
        this.#holder.lose(action.shards)
        break
      case 'trouble':
        this.#options.onTrouble(action.error && explainedGroupError(action.error, this.#options))
        break
      case 'end':
        if (action.error === undefined) this.#ended.resolve()
        else this.#ended.reject(explainedGroupError(action.error, this.#options))
        break
      default:
        this.#take((signal) => this.#work(action, signal))
    }
  }

  #work(action: MemberWork, signal: AbortSignal): Promise<MemberEvent> {
    switch (action.kind) {
      case 'join':
        return this.#join(action.memberId, action.says, signal)
      case 'sync':
        return this.#sync(action.joined, signal)
      case 'wait':
        return this.#wait(action.failures, signal)
      case 'release':
        return this.#release(action.shards, action.isLast, signal)
      case 'leave':
        return this.#leave(action.memberId, signal)
    }
  }

  /** Begins what the state waits for next; what it waited for before is called off. */
  #take(work: (signal: AbortSignal) => Promise<MemberEvent>): void {
    this.#turn.abort(new Error('something else came first'))
    const turn = new AbortController()
    this.#turn = turn
    this.#spawn(async () => {
      try {
        const event = await work(turn.signal)
        if (!turn.signal.aborted) this.#tell(event)
      } catch (error) {
        if (turn.signal.aborted) return
        if (!(error instanceof KafkaError)) throw error
        // Leaving is a courtesy: the session ends by itself.
        this.#tell(this.#state.phase === 'leaving' ? { kind: 'left' } : { kind: 'failed', error })
      }
    })
  }

  async #join(memberId: string | undefined, says: GroupMetadata, signal: AbortSignal): Promise<MemberEvent> {
    const { cluster, group, shards, instanceId, sessionTimeoutMs } = this.#options
    const joined = await cluster.joinGroup(
      {
        group,
        memberId,
        instanceId,
        protocolType: groupProtocolType,
        protocols: [{ name: groupProtocolName(shards), metadata: encodeMetadata(says) }],
        sessionTimeoutMs,
        rebalanceTimeoutMs: this.#state.rebalanceTimeoutMs,
      },
      signal,
    )
    return { kind: 'joined', joined }
  }

  async #sync(joined: JoinedGroup, signal: AbortSignal): Promise<MemberEvent> {
    const { cluster, group, shards, instanceId, clock } = this.#options
    const { memberId, generation, protocol } = joined
    const sentAtMs = clock.monotonicMs()
    const bytes = await cluster.syncGroup(
      {
        group,
        memberId,
        instanceId,
        generation,
        protocolType: groupProtocolType,
        protocol,
        assignments: assignmentsOf(shards, joined),
      },
      signal,
    )
    return { kind: 'shared', share: decodeShare(bytes), sentAtMs }
  }

  async #wait(failures: number, signal: AbortSignal): Promise<MemberEvent> {
    const { clock, random } = this.#options
    await clock.sleep(backoffMs(backoff, failures, random), signal)
    return { kind: 'waited' }
  }

  async #release(shards: readonly number[], isLast: boolean, signal: AbortSignal): Promise<MemberEvent> {
    const released = this.#holder.release(shards).then((): MemberEvent => ({ kind: 'released' }))
    // Whoever ends decides for itself how long it takes over the last release.
    if (isLast) return await abortable(released, signal)
    const timer = new AbortController()
    const late = this.#options.clock
      .sleep(RELEASE_MS_MAX, AbortSignal.any([signal, timer.signal]))
      .then((): MemberEvent => ({ kind: 'release-late' }))
    late.catch(() => {})
    try {
      return await Promise.race([released, late])
    } finally {
      timer.abort()
    }
  }

  async #leave(memberId: string, signal: AbortSignal): Promise<MemberEvent> {
    const { cluster, group, instanceId } = this.#options
    await this.#within(this.#heartbeatMsMax, signal, (inner) =>
      cluster.leaveGroup({ group, memberId, instanceId }, inner),
    )
    return { kind: 'left' }
  }

  get #heartbeatMsMax(): number {
    return this.#options.sessionTimeoutMs / 3
  }

  /** Whatever else goes on: joining and releasing take their time, and a session must outlast both. */
  async #sendHeartbeats(): Promise<void> {
    const { cluster, group, instanceId, clock, sessionTimeoutMs } = this.#options
    const { signal } = this.#life
    while (!signal.aborted) {
      await clock.sleep(Math.min(this.#heartbeatMsMax, HEARTBEAT_MS_MAX), signal)
      const { memberId, generation } = this.#state
      if (memberId === undefined || generation === undefined) continue
      const sentAtMs = clock.monotonicMs()
      try {
        const member = { group, memberId, instanceId, generation }
        // Long enough for a slow coordinator, short enough to try another connection before the session ends.
        await this.#within(sessionTimeoutMs / 2, signal, (inner) => cluster.heartbeatGroup(member, inner))
        this.#tell({ kind: 'heard', memberId, sentAtMs })
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof KafkaError)) throw error
        this.#tell({ kind: 'heartbeat-refused', error, memberId, generation, sentAtMs })
      }
    }
  }

  async #watchSession(): Promise<void> {
    const { clock, sessionTimeoutMs } = this.#options
    const { signal } = this.#life
    while (!signal.aborted) {
      const endsAtMs = sessionEndsAtMs(this.#state) ?? clock.monotonicMs() + sessionTimeoutMs
      await clock.sleep(Math.max(1, endsAtMs - clock.monotonicMs()), signal)
      this.#tell({ kind: 'time' })
    }
  }

  /** @throws KafkaError of kind `timeout`, or whatever the work throws */
  async #within(
    ms: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const deadline = new AbortController()
    const timer = new AbortController()
    const { clock, cluster } = this.#options
    clock.sleep(ms, timer.signal).then(
      () =>
        deadline.abort(transportError('timeout', `no answer within ${ms} ms`, { cluster: cluster.alias })),
      () => {},
    )
    try {
      await work(AbortSignal.any([signal, deadline.signal]))
    } finally {
      timer.abort()
    }
  }

  #spawn(work: () => Promise<void>): void {
    const task = work().catch((error) => {
      if (!this.#life.signal.aborted) this.#ended.reject(error)
    })
    this.#tasks.add(task)
    void task.then(() => this.#tasks.delete(task))
  }
}

/** The leader's part; nothing for members that do not lead. */
function assignmentsOf(
  shards: number,
  { members }: JoinedGroup,
): readonly { readonly memberId: string; readonly assignment: Buffer }[] {
  const states = members.map(({ memberId, instanceId, metadata }) => ({
    memberId,
    // Whoever restarts in its place comes out the same way again.
    name: instanceId ?? memberId,
    owned: decodeMetadata(metadata).owned,
  }))
  const shares = shareOut(shards, states)
  return states.map(({ memberId, name, owned }) => {
    const own = shares.get(name) ?? []
    const revoked = owned.filter((shard) => !own.includes(shard))
    return { memberId, assignment: encodeShare({ shards: own, revoked }) }
  })
}
