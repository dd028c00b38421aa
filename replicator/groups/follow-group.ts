import type { CoarseSpan } from '../offsets/offset-map.ts'
import { type SourceOffset, sourceOffset, type TargetOffset } from '../records/offsets.ts'
import type { TargetPlace } from './target-place.ts'

/** Where a group stands on the source, as it committed it. Its leader epoch means nothing on another cluster. */
export interface SourceCommit {
  readonly position: SourceOffset
  readonly metadata: string
}

/** A commit on the target. `leaderEpoch` is never given: consumers would wait for an epoch of the source's. */
export interface TargetCommit {
  readonly offset: TargetOffset
  readonly metadata: string
}

/** A commit of ours, and the source position that it stands for. */
export interface Followed extends TargetCommit {
  readonly position: SourceOffset
  /** Wall time, in milliseconds. */
  readonly atMs: number
}

/** `foreign`: a share group, or one of another protocol than consumers'. `absent`: the first commit makes it. */
export type TargetGroup = 'absent' | 'empty' | 'has-members' | 'foreign'

/** What happens to one partition of one group. Times are wall time, in milliseconds. */
export type FollowEvent =
  /** The newest commit on the source, in the order of the source; never one that a flow wrote there (OwnCommits). */
  | { readonly kind: 'source-committed'; readonly commit: SourceCommit; readonly atMs: number }
  /** It expired there, or was deleted. */
  | { readonly kind: 'source-removed'; readonly atMs: number }
  /** Asked for by `place`, and again whenever the map, or where the target's log begins, may change the answer. */
  | {
      readonly kind: 'placed'
      readonly position: SourceOffset
      readonly place: TargetPlace
      readonly atMs: number
    }
  /** The answer to `look`: the group on the target, and what it has committed for the partition. */
  | {
      readonly kind: 'looked'
      readonly group: TargetGroup
      readonly commit: TargetCommit | undefined
      readonly atMs: number
    }
  /** The answers to `commit`. */
  | { readonly kind: 'committed'; readonly atMs: number }
  | { readonly kind: 'group-is-used'; readonly atMs: number }
  /** It may have been committed all the same. Not tried again before `retryAtMs`. */
  | { readonly kind: 'commit-failed'; readonly retryAtMs: number; readonly atMs: number }
  /** Somebody who may say so lets the source's positions rule again. */
  | { readonly kind: 'given-back'; readonly atMs: number }
  | { readonly kind: 'time'; readonly atMs: number }

export type FollowAction =
  /** Where does this position lie? Until `exact` is told, every change of the answer is wanted. */
  | { readonly kind: 'place'; readonly position: SourceOffset }
  | { readonly kind: 'refine'; readonly span: CoarseSpan }
  /** How does the group on the target stand? */
  | { readonly kind: 'look' }
  | { readonly kind: 'commit'; readonly commit: TargetCommit; readonly isRefresh: boolean }
  | { readonly kind: 'nothing'; readonly reason: IdleReason }

export type IdleReason =
  | 'nothing-committed-on-source'
  /** The target's commit is not refreshed any more, and expires in its own time. */
  | 'removed-on-source'
  | 'waiting'
  | 'up-to-date'
  /** What is known now of the position is less exact than what was followed already. */
  | 'would-go-back'
  /** Members have been seen on the target: it is theirs until the group is gone there, or given back. */
  | 'used-on-target'
  /** A commit on the target that is not ours: as above. */
  | 'committed-on-target'
  | 'foreign-group'
  | 'before-the-map'

export interface FollowOptions {
  /** A quarter of the target's `offsets.retention.minutes`: how old our commit gets before it is made again. */
  readonly refreshMs: number
  /** How often it is looked whether a group that is the target's own is gone there, in milliseconds. */
  readonly watchMs: number
  /** How long a look at the target is good for, in milliseconds. A member that comes and goes within is not noticed. */
  readonly lookLastsMs: number
}

/** All that is known. Made by {@link newFollow}, changed by {@link follow}. */
export interface Follow {
  readonly source: SourceCommit | 'removed' | undefined
  /** Of the source's position. */
  readonly place: TargetPlace | undefined
  /** The newest commit of ours that is known to have been made. */
  readonly followed: Followed | undefined
  /**
   * Commits of ours whose outcome nobody knows. A later one does not settle them: what a killed or stopped process had
   * sent, or what was not answered, may arrive behind it.
   */
  readonly doubtful: readonly Followed[]
  readonly sending: Followed | undefined
  readonly seen: { readonly group: TargetGroup; readonly atMs: number } | undefined
  readonly theirs: 'used-on-target' | 'committed-on-target' | undefined
  /** What stands on the target at the next look may be replaced; not what members commit later. */
  readonly isGivenBack: boolean
  /** Asked for, not answered yet. */
  readonly asked: { readonly place: boolean; readonly look: boolean }
  readonly refining: CoarseSpan | undefined
  readonly retryAtMs: number
}

/**
 * @param remembered what an earlier process wrote or meant to write: a commit on the target that is none of these is
 *   the target's own
 */
export function newFollow(remembered: readonly Followed[] = []): Follow {
  return {
    source: undefined,
    place: undefined,
    followed: undefined,
    doubtful: remembered.slice(-doubtfulMax),
    sending: undefined,
    seen: undefined,
    theirs: undefined,
    isGivenBack: false,
    asked: { place: false, look: false },
    refining: undefined,
    retryAtMs: 0,
  }
}

export interface FollowStep {
  readonly state: Follow
  /** In this order; `nothing` stands alone, or behind a question. */
  readonly actions: readonly FollowAction[]
}

/**
 * One partition of one group, followed from the source to the target.
 *
 * Invariants, as far as what it was told is true:
 *   A. What it commits lies at or below the place of the newest source position: nothing unread is skipped.
 *   B. It goes below a commit of its own only for a source position below the one which that stands for.
 *   C. It commits over nothing but commits of its own.
 *   D. One commit is under way at a time.
 */
export function follow(state: Follow, event: FollowEvent, options: FollowOptions): FollowStep {
  return decide(learn(state, event), event.atMs, options)
}

/** When `time` may bring something new, or `undefined`. */
export function dueAtMs(state: Follow, { refreshMs, watchMs }: FollowOptions): number | undefined {
  const { source, sending, seen, followed, asked, theirs } = state
  if (source === undefined || source === 'removed' || sending !== undefined) return undefined
  if (asked.look || asked.place) return undefined
  if (theirs !== undefined) return seen === undefined ? undefined : seen.atMs + watchMs
  if (state.retryAtMs > 0) return state.retryAtMs
  if (followed === undefined) return undefined
  const refreshAtMs = followed.atMs + refreshMs
  return state.doubtful.length === 0 || seen === undefined
    ? refreshAtMs
    : Math.min(refreshAtMs, seen.atMs + watchMs)
}

function learn(state: Follow, event: FollowEvent): Follow {
  switch (event.kind) {
    case 'source-committed': {
      const stays =
        state.source !== undefined &&
        state.source !== 'removed' &&
        state.source.position === event.commit.position
      if (stays) return { ...state, source: event.commit }
      return { ...moved(state), source: event.commit }
    }
    case 'source-removed':
      return { ...moved(state), source: 'removed' }
    case 'placed':
      if (positionOf(state) !== event.position) return state
      return {
        ...state,
        place: event.place,
        refining: coarseOf(event.place) === undefined ? undefined : state.refining,
        asked: { ...state.asked, place: false },
      }
    case 'looked':
      return lookedAt(state, event.group, event.commit, event.atMs)
    case 'committed':
      if (state.sending === undefined) return state
      return {
        ...state,
        followed: state.sending,
        // Those before it may be on their way still, and come after it.
        doubtful: stillDoubtful(state, event.atMs),
        sending: undefined,
        retryAtMs: 0,
      }
    case 'group-is-used':
      return { ...state, sending: undefined, theirs: 'used-on-target', seen: undefined }
    case 'commit-failed':
      if (state.sending === undefined) return state
      return {
        ...state,
        sending: undefined,
        doubtful: [...state.doubtful, state.sending].slice(-doubtfulMax),
        seen: undefined,
        retryAtMs: event.retryAtMs,
      }
    case 'given-back':
      // A commit under way is made because the group is not theirs.
      if (state.sending !== undefined) return state
      return { ...state, theirs: undefined, followed: undefined, seen: undefined, isGivenBack: true }
    case 'time':
      return state
  }
}

const positionOf = ({ source }: Follow): SourceOffset | undefined =>
  source === undefined || source === 'removed' ? undefined : source.position

/** What is known of the former position says nothing of the new one. */
const moved = (state: Follow): Follow => ({
  ...state,
  place: undefined,
  refining: undefined,
  asked: { ...state.asked, place: false },
})

/** As many commits as may be in doubt before the oldest counts as lost. */
const doubtfulMax = 16
/** A commit that has not arrived by then never will: systems retransmit for a quarter of an hour. In milliseconds. */
const doubtLastsMs = 15 * 60_000

/** One that was made once more, and was seen to have arrived, may arrive a second time. */
const stillDoubtful = ({ doubtful }: Follow, nowMs: number): readonly Followed[] =>
  doubtful.filter(({ atMs }) => nowMs - atMs < doubtLastsMs)

function lookedAt(state: Follow, group: TargetGroup, commit: TargetCommit | undefined, atMs: number): Follow {
  const asked = { ...state.asked, look: false }
  // With a commit under way nobody knows whether this was before it or after it.
  if (state.sending !== undefined) return { ...state, asked }
  const seen = { group, atMs }
  const next = { ...state, asked, seen, isGivenBack: false }
  if (group === 'foreign') return next
  if (group === 'has-members') return { ...next, theirs: 'used-on-target' }
  // A group that is gone has taken what its members did with it.
  if (group === 'absent') return { ...next, theirs: undefined, followed: undefined }
  if (commit === undefined) return { ...next, followed: undefined }
  if (state.isGivenBack) return { ...next, followed: { ...commit, position: anyPosition, atMs: 0 } }
  const ours = [state.followed, ...state.doubtful].find(
    (known) => known !== undefined && isSame(known, commit),
  )
  if (ours === undefined) return { ...next, theirs: next.theirs ?? 'committed-on-target' }
  return { ...next, followed: ours, doubtful: stillDoubtful(state, atMs) }
}

/** A commit that stands for it may be replaced by any other. */
const anyPosition = sourceOffset(2n ** 63n - 1n)

const isSame = (one: TargetCommit, other: TargetCommit): boolean =>
  one.offset === other.offset && one.metadata === other.metadata

function decide(state: Follow, nowMs: number, options: FollowOptions): FollowStep {
  const { source, place, sending, seen } = state
  // At once, and be there nothing to follow yet: a permission that lingers would cover what members do later.
  if (state.isGivenBack) return askLook(state)
  if (source === undefined) return idle(state, 'nothing-committed-on-source')
  if (source === 'removed') return idle(state, 'removed-on-source')
  if (sending !== undefined) return idle(state, 'waiting')
  if (state.theirs !== undefined) return watchTheirs(state, state.theirs, nowMs, options)
  if (place === undefined) return askPlace(state, source.position)
  if (place.kind === 'nowhere') return idle(state, place.reason)
  if (place.coarse !== undefined && !isSameSpan(place.coarse, state.refining)) {
    const next = decide({ ...state, refining: place.coarse }, nowMs, options)
    return { ...next, actions: [{ kind: 'refine', span: place.coarse }, ...next.actions] }
  }
  const wanted: Followed = {
    position: source.position,
    offset: place.offset,
    metadata: source.metadata,
    atMs: nowMs,
  }
  const { need, commit } = needOf(state.followed, wanted, nowMs, options)
  if (need === 'up-to-date' || need === 'would-go-back') {
    const isLookDue =
      state.doubtful.length > 0 && (seen === undefined || nowMs - seen.atMs >= options.watchMs)
    return isLookDue ? askLook(state) : idle(state, need)
  }
  if (nowMs < state.retryAtMs) return idle(state, 'waiting')
  if (seen === undefined || nowMs - seen.atMs > options.lookLastsMs) return askLook(state)
  if (seen.group === 'foreign') return idle(state, 'foreign-group')
  const { offset, metadata } = commit
  return {
    state: { ...state, sending: commit },
    actions: [{ kind: 'commit', commit: { offset, metadata }, isRefresh: need === 'refresh' }],
  }
}

interface Need {
  readonly need: 'commit' | 'refresh' | 'up-to-date' | 'would-go-back'
  readonly commit: Followed
}

function needOf(
  followed: Followed | undefined,
  wanted: Followed,
  nowMs: number,
  { refreshMs }: FollowOptions,
): Need {
  if (followed === undefined) return { need: 'commit', commit: wanted }
  const wouldGoBack = wanted.offset < followed.offset && wanted.position >= followed.position
  // Less is known now than when it was followed. What was right for a lower position is right for this one.
  const commit = wouldGoBack ? { ...followed, metadata: wanted.metadata, atMs: nowMs } : wanted
  if (!isSame(followed, commit)) return { need: 'commit', commit }
  if (nowMs - followed.atMs >= refreshMs) {
    // The same offset, for whichever position allows less: see invariant B.
    const position = wanted.position < followed.position ? wanted.position : followed.position
    return { need: 'refresh', commit: { ...commit, position } }
  }
  return { need: wouldGoBack ? 'would-go-back' : 'up-to-date', commit }
}

const idle = (state: Follow, reason: IdleReason): FollowStep => ({
  state,
  actions: [{ kind: 'nothing', reason }],
})

function askPlace(state: Follow, position: SourceOffset): FollowStep {
  if (state.asked.place) return idle(state, 'waiting')
  const asked = { ...state.asked, place: true }
  return { state: { ...state, asked }, actions: [{ kind: 'place', position }] }
}

function askLook(state: Follow): FollowStep {
  if (state.asked.look) return idle(state, 'waiting')
  const asked = { ...state.asked, look: true }
  return { state: { ...state, asked }, actions: [{ kind: 'look' }] }
}

/** Now and then: the group may be gone. */
function watchTheirs(
  state: Follow,
  reason: 'used-on-target' | 'committed-on-target',
  nowMs: number,
  { watchMs }: FollowOptions,
): FollowStep {
  const isFresh = state.seen !== undefined && nowMs - state.seen.atMs < watchMs
  return isFresh || state.asked.look ? idle(state, reason) : askLook(state)
}

const coarseOf = (place: TargetPlace): CoarseSpan | undefined =>
  place.kind === 'at' ? place.coarse : undefined

const isSameSpan = (one: CoarseSpan, other: CoarseSpan | undefined): boolean =>
  other !== undefined &&
  one.sourceFrom === other.sourceFrom &&
  one.sourceTo === other.sourceTo &&
  one.targetFrom === other.targetFrom &&
  one.targetTo === other.targetTo
