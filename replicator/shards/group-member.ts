import type { JoinedGroup } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import type { GroupMetadata, GroupShare } from './group-metadata.ts'

/**
 * One replica's part in its flow's group, as a pure function: (state, event) -> (state, actions). Cooperative as
 * KIP-429: shards that stay are not touched by a rebalance; one that moves is released first, and the group asked to
 * rebalance again, before anybody else is given it.
 */
export interface MemberState {
  readonly phase: MemberPhase
  readonly memberId: string | undefined
  /** Of the last join that was answered. */
  readonly generation: number | undefined
  /** What the holder was given and has neither released nor lost. */
  readonly owned: readonly number[]
  /** Those of them that it was asked to release. */
  readonly releasing: readonly number[]
  /** When the last request was sent that the coordinator answered as to a member, on the monotonic clock. */
  readonly provenAtMs: number
  /** When the last request was sent that the coordinator answered as to a member that has nothing to do. */
  readonly calmAtMs: number
  /** In a row, since the last share was had. */
  readonly failures: number
  /** A trouble was told and is not over. */
  readonly isTroubled: boolean
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Keeps its place in the group when it ends. */
  readonly isStatic: boolean
}

/**
 * `joining`, `syncing`: that request is under way; `waiting`: the next join is due after a while; `stable`: has a share;
 * `releasing`: gives back what is not in it, then joins again; `closing`: gives back everything; `leaving`; `ended`.
 */
export type MemberPhase =
  | 'joining'
  | 'syncing'
  | 'waiting'
  | 'stable'
  | 'releasing'
  | 'closing'
  | 'leaving'
  | 'ended'

export type MemberEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'joined'; readonly joined: JoinedGroup }
  | { readonly kind: 'shared'; readonly share: GroupShare; readonly sentAtMs: number }
  | { readonly kind: 'failed'; readonly error: KafkaError }
  | { readonly kind: 'heard'; readonly memberId: string; readonly sentAtMs: number }
  | ({ readonly kind: 'heartbeat-refused'; readonly error: KafkaError } & Heartbeat)
  | { readonly kind: 'released' }
  | { readonly kind: 'release-late' }
  | { readonly kind: 'waited' }
  | { readonly kind: 'time' }
  | { readonly kind: 'close' }
  | { readonly kind: 'left' }

/** Of which membership a heartbeat spoke; its answer may come when that is over. */
interface Heartbeat {
  readonly memberId: string
  readonly generation: number
  readonly sentAtMs: number
}

export type MemberAction =
  | { readonly kind: 'join'; readonly memberId: string | undefined; readonly says: GroupMetadata }
  | { readonly kind: 'sync'; readonly joined: JoinedGroup }
  /** Join after a pause that grows with the failures. */
  | { readonly kind: 'wait'; readonly failures: number }
  | { readonly kind: 'claim'; readonly shards: readonly number[] }
  | { readonly kind: 'release'; readonly shards: readonly number[]; readonly isLast: boolean }
  | { readonly kind: 'lose'; readonly shards: readonly number[] }
  | { readonly kind: 'leave'; readonly memberId: string }
  | { readonly kind: 'trouble'; readonly error: KafkaError | undefined }
  | { readonly kind: 'end'; readonly error: KafkaError | undefined }

export interface MemberStep {
  readonly state: MemberState
  readonly actions: readonly MemberAction[]
}

const ILLEGAL_GENERATION = 22
const UNKNOWN_MEMBER_ID = 25
const REBALANCE_IN_PROGRESS = 27
const FENCED_INSTANCE_ID = 82

export function newMember(
  options: Pick<MemberState, 'sessionTimeoutMs' | 'rebalanceTimeoutMs' | 'isStatic'>,
): MemberState {
  return {
    phase: 'waiting',
    memberId: undefined,
    generation: undefined,
    owned: [],
    releasing: [],
    provenAtMs: Number.NEGATIVE_INFINITY,
    calmAtMs: Number.NEGATIVE_INFINITY,
    failures: 0,
    isTroubled: false,
    ...options,
  }
}

/**
 * The next state, and what is to be done, in this order.
 * @param nowMs monotonic
 */
export function memberStep(before: MemberState, event: MemberEvent, nowMs: number): MemberStep {
  if (before.phase === 'ended') return stay(before)
  const state = withProof(before, event)
  const isOver = nowMs >= trustedUntilMs(state)
  // An answer that was long in coming, or slept over, names shards that others may have been given since.
  if (isOver && event.kind === 'shared') return then(lose(state), joinAgain)
  if (!isOver || state.owned.length === 0) return afterEvent(state, event)
  // Whatever has happened: the session may be over by now, so others may own everything.
  const lost = afterExpiry(state)
  // What a phase was waiting for is of no interest once it is over.
  if (lost.state.phase !== state.phase && event.kind !== 'close') return lost
  return then(lost, (rest) => afterEvent(rest, event))
}

/** When what is owned is lost unless the coordinator is heard of; on the monotonic clock. */
export function sessionEndsAtMs(state: MemberState): number | undefined {
  return state.owned.length === 0 ? undefined : trustedUntilMs(state)
}

/** Clocks do not all run alike, and shards must be lost here before they are given there. */
const TRUST = 0.95

/**
 * A coordinator forgets a member that was not heard of for a session, and one that lets the others wait in a rebalance
 * for too long, however alive it is: a join or a sync may have been lost on its way.
 */
function trustedUntilMs(state: MemberState): number {
  const { provenAtMs, calmAtMs, sessionTimeoutMs, rebalanceTimeoutMs } = state
  return Math.min(provenAtMs + sessionTimeoutMs * TRUST, calmAtMs + rebalanceTimeoutMs * TRUST)
}

function afterEvent(state: MemberState, event: MemberEvent): MemberStep {
  switch (event.kind) {
    case 'start':
    case 'waited':
      return join(state)
    case 'joined': {
      const { joined } = event
      const { memberId, generation } = joined
      return stay({ ...state, memberId, generation, phase: 'syncing' }, { kind: 'sync', joined })
    }
    case 'shared':
      return afterShare(state, event.share)
    case 'failed':
      return afterFailure(state, event.error)
    case 'heard':
      return state.isTroubled && state.failures === 0 ? calm(state) : stay(state)
    case 'heartbeat-refused':
      return afterHeartbeat(state, event)
    case 'released':
      return state.phase === 'closing' ? leave({ ...state, owned: [] }) : join(withoutReleased(state))
    case 'release-late':
      return then(stay(withoutReleased(state), { kind: 'lose', shards: state.releasing }), join)
    case 'close':
      return close(state)
    case 'left':
      return end(state)
    case 'time':
      return stay(state)
  }
}

function afterShare(state: MemberState, share: GroupShare): MemberStep {
  const claimed = share.shards.filter((shard) => !state.owned.includes(shard))
  const releasing = state.owned.filter((shard) => !share.shards.includes(shard))
  const owned = [...state.owned, ...claimed].sort((a, b) => a - b)
  const shared = calm({ ...state, phase: 'stable', owned, failures: 0 })
  const given = claimed.length === 0 ? shared : and(shared, { kind: 'claim', shards: claimed })
  if (releasing.length > 0) {
    const release: MemberAction = { kind: 'release', shards: releasing, isLast: false }
    return and({ ...given, state: { ...given.state, phase: 'releasing', releasing } }, release)
  }
  // Somebody who held our place before us had something to give back, and has gone.
  return share.revoked.length > 0 ? then(given, join) : given
}

/** A join or a sync that was not answered well. */
function afterFailure(state: MemberState, error: KafkaError): MemberStep {
  switch (error.code) {
    case UNKNOWN_MEMBER_ID:
      return then(lose({ ...state, memberId: undefined, generation: undefined }), joinAgain)
    case ILLEGAL_GENERATION:
      return then(lose(state), joinAgain)
    case FENCED_INSTANCE_ID:
      return then(lose(state), (rest) => end(rest, error))
    case REBALANCE_IN_PROGRESS:
      if (state.phase === 'syncing') return join(state)
      break
  }
  return then(trouble(state, error), joinLater)
}

function afterHeartbeat(state: MemberState, refusal: Heartbeat & { readonly error: KafkaError }): MemberStep {
  const { error, memberId, generation } = refusal
  if (memberId !== state.memberId || state.phase === 'leaving') return stay(state)
  const rejoin = state.phase === 'closing' ? leave : joinAgain
  switch (error.code) {
    case REBALANCE_IN_PROGRESS:
      return state.phase === 'stable' ? join(state) : stay(state)
    case UNKNOWN_MEMBER_ID:
      return then(lose({ ...state, memberId: undefined, generation: undefined }), rejoin)
    case ILLEGAL_GENERATION: {
      // While a join is under way the group may be ahead of what we were told; its answer says where we stand.
      const isBehind = state.phase === 'joining' || state.phase === 'waiting'
      return isBehind || generation !== state.generation ? stay(state) : then(lose(state), rejoin)
    }
    case FENCED_INSTANCE_ID:
      return then(lose(state), (rest) => end(rest, error))
    default:
      return trouble(state, error)
  }
}

function afterExpiry(state: MemberState): MemberStep {
  switch (state.phase) {
    case 'stable':
    case 'releasing':
      return then(lose(state), join)
    case 'closing':
      return then(lose(state), leave)
    default:
      return lose(state)
  }
}

/** Answers to a member prove that the coordinator counted it as one when they were asked for. */
function withProof(state: MemberState, event: MemberEvent): MemberState {
  const { phase, memberId, provenAtMs, calmAtMs } = state
  if (event.kind === 'shared') {
    const { sentAtMs } = event
    return { ...state, provenAtMs: Math.max(provenAtMs, sentAtMs), calmAtMs: sentAtMs }
  }
  if (event.kind === 'heard' && event.memberId === memberId) {
    const proven = { ...state, provenAtMs: Math.max(provenAtMs, event.sentAtMs) }
    // While we join or sync, a coordinator that waits for just that answers as if nothing were the matter.
    const isCalm = phase === 'stable' || phase === 'releasing' || phase === 'closing'
    return isCalm ? { ...proven, calmAtMs: Math.max(calmAtMs, event.sentAtMs) } : proven
  }
  const isKnown =
    event.kind === 'heartbeat-refused' &&
    event.memberId === memberId &&
    event.error.code === REBALANCE_IN_PROGRESS
  return isKnown ? { ...state, provenAtMs: Math.max(provenAtMs, event.sentAtMs) } : state
}

function join(state: MemberState): MemberStep {
  const { memberId, owned, generation } = state
  return stay({ ...state, phase: 'joining' }, { kind: 'join', memberId, says: { owned, generation } })
}

/** At once, unless that has failed before. */
function joinAgain(state: MemberState): MemberStep {
  return state.failures === 0 ? join({ ...state, failures: 1 }) : joinLater(state)
}

function joinLater(state: MemberState): MemberStep {
  const { failures } = state
  return stay({ ...state, phase: 'waiting', failures: failures + 1 }, { kind: 'wait', failures })
}

function lose(state: MemberState): MemberStep {
  if (state.owned.length === 0) return stay(state)
  return stay({ ...state, owned: [], releasing: [] }, { kind: 'lose', shards: state.owned })
}

function withoutReleased(state: MemberState): MemberState {
  return {
    ...state,
    owned: state.owned.filter((shard) => !state.releasing.includes(shard)),
    releasing: [],
  }
}

function close(state: MemberState): MemberStep {
  if (state.phase === 'closing' || state.phase === 'leaving') return stay(state)
  if (state.owned.length === 0) return leave(state)
  return stay({ ...state, phase: 'closing' }, { kind: 'release', shards: state.owned, isLast: true })
}

function leave(state: MemberState): MemberStep {
  const { memberId } = state
  if (memberId === undefined || state.isStatic) return end(state)
  return stay({ ...state, phase: 'leaving' }, { kind: 'leave', memberId })
}

function end(state: MemberState, error?: KafkaError): MemberStep {
  return stay({ ...state, phase: 'ended' }, { kind: 'end', error })
}

function trouble(state: MemberState, error: KafkaError): MemberStep {
  return stay({ ...state, isTroubled: true }, { kind: 'trouble', error })
}

function calm(state: MemberState): MemberStep {
  if (!state.isTroubled) return stay(state)
  return stay({ ...state, isTroubled: false }, { kind: 'trouble', error: undefined })
}

const stay = (state: MemberState, ...actions: readonly MemberAction[]): MemberStep => ({ state, actions })

const and = (step: MemberStep, action: MemberAction): MemberStep => ({
  state: step.state,
  actions: [...step.actions, action],
})

function then(step: MemberStep, next: (state: MemberState) => MemberStep): MemberStep {
  const rest = next(step.state)
  return { state: rest.state, actions: [...step.actions, ...rest.actions] }
}
