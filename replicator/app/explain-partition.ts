import type { Followed, TargetCommit, TargetGroup } from '../groups/follow-group.ts'
import type { GroupVerdict } from '../groups/selected-groups.ts'
import { sourceOffset, targetOffset } from '../records/offsets.ts'
import type { Whereabouts } from './translated-offset.ts'

/** What could be learned, or why it could not. */
export type Learned<T> =
  | { readonly kind: 'known'; readonly value: T }
  | { readonly kind: 'unknown'; readonly reason: string }

/** A group on one cluster. */
export interface GroupStanding {
  readonly kind: TargetGroup
  readonly members: number
  /** The coordinator's words: what it is, such as `share` or `consumer`, and how it does, such as `Stable`. */
  readonly type: string
  readonly state: string
}

export interface CommitOnSource {
  readonly position: bigint
  readonly metadata: string
}

/** All that is known of one partition of a group. */
export interface ExplainFacts {
  /** What the flow's selection of groups says of it, and whether the flow follows any. */
  readonly selection: GroupVerdict | 'shared-topics'
  /** Whether the flow copies the partition. */
  readonly copied: 'yes' | 'not-the-topic' | 'not-the-partition'
  readonly source: Learned<{
    readonly group: GroupStanding
    readonly commit: CommitOnSource | undefined
  }>
  readonly target: {
    readonly group: GroupStanding
    readonly commit: TargetCommit | undefined
    /** Where the copy's log begins; `undefined` where there is none. */
    readonly start: bigint | undefined
  }
  /** What the flow has written down before it committed for the group, the newest last. */
  readonly remembered: Learned<readonly Followed[]>
  /**
   * As far as it was read: the same for what the flow commits on the source for positions in the copy. `position` is
   * the copy's here, `offset` the source's.
   */
  readonly carriedBack: readonly Followed[]
  /** Where the source's commit lies in the copy; `undefined` where there is none, or nobody asked. */
  readonly place: Whereabouts | undefined
}

/** Whose the commit on the target is. */
export type Whose =
  | { readonly kind: 'flow'; readonly followed: Followed }
  /** Of the target's own members or tools; `former` is the last one that the flow meant to make. */
  | { readonly kind: 'target'; readonly former: Followed | undefined }
  | { readonly kind: 'nobody'; readonly former: Followed | undefined }
  /** There is one, but what the flow has written down could not be read. */
  | { readonly kind: 'unknown'; readonly reason: string }

/** Why a flow leaves a whole group alone. */
export type GroupReason =
  /** Kafka keeps its positions elsewhere, and record by record. */
  | 'share-group'
  /** Not of consumers, such as Connect's workers. */
  | 'other-protocol'
  /** The flow follows no groups at all. */
  | 'no-groups'
  | 'not-selected'
  | 'usually-excluded'
  | 'own-group'
  /** Topics keep their names and are written in several regions: one flow's map does not tell where a group stands. */
  | 'shared-topics'

/** Why a group stands where it does on the target. Those that are in step say what that is worth. */
export type ExplainReason =
  | GroupReason
  /** At the very next record. */
  | 'in-step'
  /** What lies below was deleted on the target: as far back as there is something to read. */
  | 'in-step-at-start'
  /** Around a crash, at the lower end of what is known. */
  | 'in-step-between'
  /** The group works on the target; the source stands where the target's commit leads back to. */
  | 'in-step-back'
  /** As before, but the source has not been brought to it yet. */
  | 'behind-back'
  /** The source cannot be asked: it stands where the last commit that was followed leads. */
  | 'source-away'
  | 'topic-not-copied'
  | 'partition-not-copied'
  | 'members-on-target'
  | 'committed-on-target'
  | 'nothing-on-source'
  /** Followed once; it expired on the source or was deleted there. */
  | 'removed-on-source'
  | 'not-copied-yet'
  | 'before-the-map'
  | 'no-map'
  /** The source has moved on or back since. */
  | 'behind'
  /** The flow has never committed for it. */
  | 'not-followed-yet'
  /** What the flow committed is not there any more: it expired or was deleted. */
  | 'gone-on-target'
  /** Less is known now of the same position than when it was followed: what was right stays. */
  | 'would-go-back'
  /** It is not where the source's commit leads, and nobody can tell whose commit it is. */
  | 'memory-unknown'

export interface Explanation {
  readonly reason: ExplainReason
  /** Who goes on there reads what the group has not read, as far as that was copied, and no more again than `place` says. */
  readonly isInStep: boolean
  readonly whose: Whose
}

/** Why one partition of a group stands on the target where it does. The first reason that rules the others out. */
export function explainPartition(facts: ExplainFacts): Explanation {
  const whose = whoseIs(facts)
  const { selection, source, target } = facts
  const reason =
    leftAlone({
      selection,
      source: source.kind === 'known' ? source.value.group : undefined,
      target: target.group,
    }) ??
    notCopied(facts) ??
    ofTheTarget(facts, whose) ??
    ofTheSource(facts, whose)
  const isAway = reason === 'source-away' && whose.kind === 'flow'
  return { reason, whose, isInStep: isAway || reason.startsWith('in-step') }
}

function whoseIs({ remembered, target: { commit } }: ExplainFacts): Whose {
  const former = remembered.kind === 'known' ? remembered.value.at(-1) : undefined
  if (commit === undefined) return { kind: 'nobody', former }
  if (remembered.kind === 'unknown') return { kind: 'unknown', reason: remembered.reason }
  const followed = remembered.value.findLast(
    ({ offset, metadata }) => offset === commit.offset && metadata === commit.metadata,
  )
  return followed === undefined ? { kind: 'target', former } : { kind: 'flow', followed }
}

/** Why the flow leaves the whole group alone; `undefined` when it does not. */
export function leftAlone({
  selection,
  source,
  target,
}: {
  readonly selection: ExplainFacts['selection']
  readonly source: GroupStanding | undefined
  readonly target: GroupStanding
}): GroupReason | undefined {
  const foreign = [target, source].filter((group) => group?.kind === 'foreign')
  if (foreign.some((group) => group?.type === 'share')) return 'share-group'
  if (foreign.length > 0) return 'other-protocol'
  return selection === 'followed' ? undefined : selection
}

function notCopied({ copied }: ExplainFacts): ExplainReason | undefined {
  if (copied === 'not-the-topic') return 'topic-not-copied'
  return copied === 'not-the-partition' ? 'partition-not-copied' : undefined
}

/** The target's own groups are left to it, wherever they stand. */
function ofTheTarget(facts: ExplainFacts, whose: Whose): ExplainReason | undefined {
  const { group, commit } = facts.target
  const carried = carriedBack(facts)
  if (carried !== undefined && commit !== undefined && whose.kind === 'target')
    return targetOffset(carried.position) === commit.offset ? 'in-step-back' : 'behind-back'
  if (group.kind === 'has-members') return 'members-on-target'
  return whose.kind === 'target' ? 'committed-on-target' : undefined
}

/** The commit of the flow's that stands on the source. */
function carriedBack({ source, carriedBack: carried }: ExplainFacts): Followed | undefined {
  const commit = source.kind === 'known' ? source.value.commit : undefined
  return carried.findLast(
    ({ offset, metadata }) =>
      commit !== undefined && sourceOffset(offset) === commit.position && metadata === commit.metadata,
  )
}

function ofTheSource(facts: ExplainFacts, whose: Whose): ExplainReason {
  const { source, target, place } = facts
  if (source.kind === 'unknown') return 'source-away'
  if (source.value.commit === undefined) {
    const wasFollowed = whose.kind === 'flow' || (whose.kind === 'nobody' && whose.former !== undefined)
    return wasFollowed ? 'removed-on-source' : 'nothing-on-source'
  }
  if (place === undefined || place.kind === 'no-map') return 'no-map'
  const wanted = wantedOffset(place, target.start ?? 0n)
  if (target.commit !== undefined && target.commit.offset === wanted.offset) return wanted.because
  if (whose.kind === 'unknown') return 'memory-unknown'
  if (whose.kind === 'nobody') return whose.former === undefined ? 'not-followed-yet' : 'gone-on-target'
  if (whose.kind === 'flow') {
    const { offset, position } = whose.followed
    if (offset > wanted.offset && position <= source.value.commit.position) return 'would-go-back'
  }
  return place.kind === 'exact' || place.kind === 'between' ? 'behind' : place.kind
}

/** As the flow places a group; see groups/target-place.ts. */
function wantedOffset(
  place: Exclude<Whereabouts, { kind: 'no-map' }>,
  start: bigint,
): { readonly offset: bigint; readonly because: ExplainReason } {
  switch (place.kind) {
    case 'exact':
      return atOrAbove(start, place.offset, 'in-step')
    case 'between':
      return atOrAbove(start, place.from, 'in-step-between')
    case 'not-copied-yet': {
      const { offset } = atOrAbove(start, place.last.target, 'not-copied-yet')
      return { offset, because: 'not-copied-yet' }
    }
    case 'before-the-map':
      return { offset: start, because: 'before-the-map' }
  }
}

const atOrAbove = (start: bigint, offset: bigint, because: ExplainReason) =>
  offset >= start ? { offset, because } : { offset: start, because: 'in-step-at-start' as const }
