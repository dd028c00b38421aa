import type { CoarseSpan } from '../offsets/offset-map.ts'
import type { SourceOffset } from '../records/offsets.ts'
import {
  dueAtMs,
  type Follow,
  type FollowEvent,
  type Followed,
  type FollowOptions,
  follow,
  newFollow,
  type TargetCommit,
} from './follow-group.ts'
import type { GroupPartition } from './own-commits.ts'
import type { TargetPlace } from './target-place.ts'

export interface FollowBoardOptions extends FollowOptions {
  /** Where a position of a partition lies on the target; `undefined` while that cannot be told. */
  readonly placeOf: (at: GroupPartition, position: SourceOffset) => TargetPlace | undefined
  /** Commits that an earlier process made or meant to make. */
  readonly remembered: (at: GroupPartition) => readonly Followed[]
}

/** A commit that is wanted, and all that may stand on the target once it was tried. */
export interface WantedCommit {
  readonly at: GroupPartition
  readonly commit: TargetCommit
  /** The last one is the commit itself. */
  readonly mayStand: readonly Followed[]
}

export interface WantedRefine {
  readonly topic: string
  readonly partition: number
  /** The position that is asked for. */
  readonly around: SourceOffset
  readonly span: CoarseSpan
}

interface Kept {
  readonly at: GroupPartition
  follow: Follow
  /** Wall time up to which a position that is not copied yet waits for the copy; none while it does not. */
  waitsUntilMs: number | undefined
}

/**
 * How long a position that is not copied yet waits for its copy, in milliseconds, before the group is moved to where
 * copying got; and again each time. Far behind, groups would be moved with every batch otherwise.
 */
const COPY_WAIT_MS = 2_000

/** Every partition of every group that is followed, and what they wait for. */
export class FollowBoard {
  readonly #options: FollowBoardOptions
  readonly #kept = new Map<string, Kept>()
  /** Those whose place may become another one. */
  readonly #unsettled = new Set<Kept>()
  #looks = new Set<Kept>()
  #commits = new Map<Kept, TargetCommit>()
  readonly #refines = new Map<string, WantedRefine>()

  constructor(options: FollowBoardOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#kept.size
  }

  tell(at: GroupPartition, event: FollowEvent): void {
    const key = keyOf(at)
    let kept = this.#kept.get(key)
    if (kept === undefined) {
      kept = { at, follow: newFollow(this.#options.remembered(at)), waitsUntilMs: undefined }
      this.#kept.set(key, kept)
    }
    this.#tell(kept, event)
  }

  /**
   * Asks for the places again that were not known for good.
   * @param which `every`: those that were, too, for logs may begin elsewhere by now; `last`: all, and nothing is waited
   *   for any more
   */
  placeAgain(nowMs: number, which: 'unsettled' | 'every' | 'last'): void {
    const again = which === 'unsettled' ? [...this.#unsettled] : [...this.#kept.values()]
    for (const kept of again) {
      const { source } = kept.follow
      if (source !== undefined && source !== 'removed')
        this.#place(kept, source.position, nowMs, which === 'last')
    }
  }

  /** Lets time do what it is due to do. */
  passTime(nowMs: number): void {
    for (const kept of this.#kept.values()) {
      const due = dueAtMs(kept.follow, this.#options)
      if (due !== undefined && due <= nowMs) this.#tell(kept, { kind: 'time', atMs: nowMs })
    }
  }

  /** Whose target is to be looked at; each is asked for once. */
  takeLooks(): readonly GroupPartition[] {
    const looks = [...this.#looks].map(({ at }) => at)
    this.#looks = new Set()
    return looks
  }

  /** It could not be looked at. */
  lookAgain(at: GroupPartition): void {
    const kept = this.#kept.get(keyOf(at))
    if (kept !== undefined) this.#looks.add(kept)
  }

  /** What is to be committed; each is asked for once and must be answered. */
  takeCommits(): readonly WantedCommit[] {
    const commits = [...this.#commits].map(
      ([
        {
          at,
          follow: { followed, doubtful, sending },
        },
        commit,
      ]) => ({
        at,
        commit,
        mayStand: [followed, ...doubtful, sending].filter((one) => one !== undefined),
      }),
    )
    this.#commits = new Map()
    return commits
  }

  /** What is to be refined from the logs; each is asked for once. */
  takeRefine(): WantedRefine | undefined {
    for (const [key, wanted] of this.#refines) {
      this.#refines.delete(key)
      return wanted
    }
    return undefined
  }

  /** It could not be refined now. */
  refineAgain(wanted: WantedRefine): void {
    this.#refines.set(refineKey(wanted), wanted)
  }

  #tell(kept: Kept, event: FollowEvent): void {
    const { state, actions } = follow(kept.follow, event, this.#options)
    kept.follow = state
    for (const action of actions) {
      if (action.kind === 'place') this.#place(kept, action.position, event.atMs)
      else if (action.kind === 'look') this.#looks.add(kept)
      else if (action.kind === 'commit') this.#commits.set(kept, action.commit)
      else if (action.kind === 'refine') {
        const { topic, partition } = kept.at
        const { source } = kept.follow
        if (source === undefined || source === 'removed') continue
        this.refineAgain({ topic, partition, span: action.span, around: source.position })
      }
    }
  }

  #place(kept: Kept, position: SourceOffset, atMs: number, isLast = false): void {
    const place = this.#options.placeOf(kept.at, position)
    if (place === undefined || place.kind === 'nowhere' || place.because !== 'exact')
      this.#unsettled.add(kept)
    else this.#unsettled.delete(kept)
    if (place === undefined || isSame(place, kept.follow.place)) return
    if (place.kind === 'at' && place.because === 'not-copied-yet') {
      kept.waitsUntilMs ??= atMs + COPY_WAIT_MS
      if (atMs < kept.waitsUntilMs && !isLast) return
      kept.waitsUntilMs = atMs + COPY_WAIT_MS
    } else kept.waitsUntilMs = undefined
    this.#tell(kept, { kind: 'placed', position, place, atMs })
  }
}

const keyOf = ({ group, topic, partition }: GroupPartition): string => `${topic}/${partition}/${group}`

const refineKey = ({ topic, partition, span }: WantedRefine): string =>
  `${topic}/${partition}/${span.sourceFrom}`

function isSame(one: TargetPlace, other: TargetPlace | undefined): boolean {
  if (other === undefined || one.kind !== other.kind || one.rereadMax !== other.rereadMax) return false
  if (one.kind === 'nowhere' || other.kind === 'nowhere') return true
  return (
    one.offset === other.offset &&
    one.because === other.because &&
    one.coarse?.sourceFrom === other.coarse?.sourceFrom &&
    one.coarse?.sourceTo === other.coarse?.sourceTo
  )
}
