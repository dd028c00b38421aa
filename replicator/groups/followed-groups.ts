import type { Clock } from '../clock/clock.ts'
import type { CopiedPartition } from '../flow/shard-companion.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { CoarseSpan } from '../offsets/offset-map.ts'
import { type SourceOffset, sourceOffset } from '../records/offsets.ts'
import type { FlowId } from '../topology/model.ts'
import type { CommitFeed } from './commit-feed.ts'
import type { CommitChange } from './commit-source.ts'
import { FollowBoard, type WantedCommit } from './follow-board.ts'
import type { FollowDirection } from './follow-direction.ts'
import type { Followed, FollowOptions } from './follow-group.ts'
import { encodeFollowed, encodeFollowedKey } from './followed-record.ts'
import type { GroupPartition, OwnCommits } from './own-commits.ts'
import { partitionOf, ShardPlaces } from './shard-places.ts'
import { lookAtTarget } from './target-looks.ts'

/** How often it is looked what time has made due, in milliseconds. */
const TIME_EVERY_MS = 1_000
/** A commit that failed is tried again after this long, in milliseconds. */
const COMMIT_RETRY_MS = 1_000
/** Looks and commits lead to one another; whoever is not through by then is in the next turn. */
const STEPS_PER_TURN = 4
/** How often it is looked whether there is something to refine, in milliseconds. */
const REFINE_LOOK_MS = 200

/** @throws KafkaError when a log cannot be read; the signal's reason */
export type RefineSpan = (
  copy: CopiedPartition,
  span: CoarseSpan,
  signal: AbortSignal,
  around: SourceOffset | undefined,
) => Promise<unknown>

export interface FollowedGroupsOptions {
  readonly flow: FlowId
  readonly direction: FollowDirection
  /** Where commits are made. */
  readonly target: Pick<Cluster, 'listOffsets' | 'describeGroups' | 'groupOffsets'>
  readonly commits: Pick<Cluster, 'commitGroupOffsets'>
  readonly feed: Pick<CommitFeed, 'of'>
  readonly clock: Clock
  /** How many offsets may be read again by a group whose position is from before the map. */
  readonly rereadMax: bigint
  /** Makes a coarse span of the map exact, as far as the logs tell. */
  readonly refine: RefineSpan
}

/** By `topic/partition` of where commits are followed, then by group. */
export type Remembered = ReadonlyMap<string, ReadonlyMap<string, readonly Followed[]>>

export interface FollowedGroupsParts {
  readonly follow: FollowOptions
  /** What earlier processes wrote down. */
  readonly remembered: Remembered
  /** Writes down what is about to be committed. */
  readonly remember: (
    records: readonly { key: Buffer; value: Buffer }[],
    signal: AbortSignal,
  ) => Promise<void>
  /** What the other direction commits where this one follows commits: members did not make those. */
  readonly echoes: OwnCommits
  /** To be told of what is committed here. */
  readonly own: OwnCommits
}

/** The groups of a shard's partitions while the shard is ours: whoever asks for a turn gets everything on that is due. */
export class FollowedGroups {
  readonly #options: FollowedGroupsOptions
  readonly #parts: FollowedGroupsParts
  readonly #board: FollowBoard
  readonly #places: ShardPlaces
  /** By `topic/partition`, as their places are. */
  readonly #begun = new Set<string>()
  #news: CommitChange[] = []
  /** Groups that the target does not let us commit for, and why. */
  readonly #refused = new Map<string, string>()
  /** Those whose look failed. */
  readonly #lookLater: GroupPartition[] = []
  #timeAtMs = 0

  constructor(options: FollowedGroupsOptions, parts: FollowedGroupsParts) {
    this.#options = options
    this.#parts = parts
    this.#places = new ShardPlaces(options)
    this.#board = new FollowBoard({
      ...parts.follow,
      placeOf: (at, position) => this.#places.placeOf(at, position),
      remembered: (at) => parts.remembered.get(partitionOf(at))?.get(at.group) ?? [],
    })
  }

  /** What keeps one of the groups from being followed. */
  get trouble(): string | undefined {
    return this.#refused.values().next().value
  }

  /** What the feed tells. */
  take(changes: readonly CommitChange[]): void {
    for (const change of changes) if (this.#begun.has(partitionOf(change))) this.#news.push(change)
  }

  /** What the shard copies now. Before any direction's turn: each must know what the other one wrote. */
  see(copies: readonly CopiedPartition[]): void {
    const { direction } = this.#options
    const { remembered, own } = this.#parts
    this.#places.see(copies)
    for (const [key, copy] of this.#places.copies) {
      if (this.#begun.has(key)) continue
      for (const [group, commits] of remembered.get(key) ?? []) {
        const at = { group, topic: direction.to(copy), partition: copy.partition }
        for (const commit of commits) own.willWrite(at, { ...commit })
      }
    }
  }

  /** One turn at a time; the last one waits for no copy. @throws KafkaError; LedgerRefusedError; ShardLostError; the signal's reason */
  async turn(signal: AbortSignal, isLast = false): Promise<void> {
    const { clock, feed, direction } = this.#options
    const nowMs = clock.wallMs()
    const mayAllMove = await this.#places.look(clock.monotonicMs(), signal)
    const news = this.#news
    this.#news = []
    for (const change of news) this.#tell(change, nowMs)
    for (const [key, copy] of this.#places.copies) {
      if (this.#begun.has(key)) continue
      this.#begun.add(key)
      for (const change of feed.of(direction.from(copy), copy.partition)) this.#tell(change, nowMs)
    }
    this.#board.placeAgain(nowMs, isLast ? 'last' : mayAllMove ? 'every' : 'unsettled')
    if (clock.monotonicMs() >= this.#timeAtMs) {
      this.#board.passTime(nowMs)
      for (const at of this.#lookLater.splice(0)) this.#board.lookAgain(at)
      this.#timeAtMs = clock.monotonicMs() + TIME_EVERY_MS
    }
    for (let step = 0; step < STEPS_PER_TURN; step++) {
      const looked = await this.#look(signal)
      const committed = await this.#commit(signal)
      if (!looked && !committed) break
    }
  }

  #tell({ commit, ...at }: CommitChange, atMs: number): void {
    const { echoes } = this.#parts
    if (commit !== 'removed' && echoes.isOwn(at, commit)) return
    // From now on the same position is a member's too.
    echoes.forget(at)
    this.#board.tell(
      at,
      commit === 'removed'
        ? { kind: 'source-removed', atMs }
        : {
            kind: 'source-committed',
            commit: { position: sourceOffset(commit.offset), metadata: commit.metadata },
            atMs,
          },
    )
  }

  /** The partition by its name on the target. */
  #onTarget(at: GroupPartition): GroupPartition | undefined {
    const copy = this.#places.copyOf(at)
    return copy && { ...at, topic: this.#options.direction.to(copy) }
  }

  async #look(signal: AbortSignal): Promise<boolean> {
    const wanted = new Map<GroupPartition, GroupPartition>()
    for (const at of this.#board.takeLooks()) {
      const onTarget = this.#onTarget(at)
      if (onTarget === undefined) this.#lookLater.push(at)
      else wanted.set(onTarget, at)
    }
    if (wanted.size === 0) return false
    const { target, clock } = this.#options
    let looked: Awaited<ReturnType<typeof lookAtTarget>> = new Map()
    try {
      looked = await lookAtTarget(target, [...wanted.keys()], signal)
    } finally {
      for (const [onTarget, at] of wanted) {
        const seen = looked.get(onTarget)
        if (seen?.kind === 'looked') {
          this.#refused.delete(at.group)
          this.#board.tell(at, { ...seen, atMs: clock.wallMs() })
          continue
        }
        this.#lookLater.push(at)
        if (seen?.kind === 'refused' && !seen.error.retriable) this.#refused.set(at.group, seen.error.message)
      }
    }
    return [...looked.values()].some(({ kind }) => kind === 'looked')
  }

  async #commit(signal: AbortSignal): Promise<boolean> {
    const wanted = this.#board.takeCommits()
    if (wanted.length === 0) return false
    const { flow, direction } = this.#options
    try {
      await this.#parts.remember(
        wanted.map(({ at, mayStand }) => ({
          key: encodeFollowedKey({ flow, direction: direction.name, ...at }),
          value: encodeFollowed(mayStand),
        })),
        signal,
      )
    } catch (error) {
      for (const { at } of wanted) this.#failed(at)
      throw error
    }
    const groups = [...Map.groupBy(wanted, ({ at }) => at.group)]
    await Promise.all(groups.map(([group, commits]) => this.#commitGroup(group, commits, signal)))
    return true
  }

  async #commitGroup(group: string, commits: readonly WantedCommit[], signal: AbortSignal): Promise<void> {
    const { commits: target, clock } = this.#options
    const known = commits.flatMap((wanted) => {
      const onTarget = this.#onTarget(wanted.at)
      if (onTarget === undefined) this.#failed(wanted.at)
      if (onTarget === undefined) return []
      this.#parts.own.willWrite(onTarget, wanted.commit)
      return [{ wanted, onTarget }]
    })
    if (known.length === 0) return
    try {
      const outcome = await target.commitGroupOffsets(
        group,
        known.map(({ wanted: { commit }, onTarget: { topic, partition } }) => ({
          topic,
          partition,
          ...commit,
          leaderEpoch: undefined,
        })),
        signal,
      )
      this.#refused.delete(group)
      const atMs = clock.wallMs()
      known.forEach(({ wanted: { at } }, index) => {
        if (outcome.kind === 'group-is-used') this.#board.tell(at, { kind: 'group-is-used', atMs })
        else if (outcome.partitions[index]?.result.ok === true)
          this.#board.tell(at, { kind: 'committed', atMs })
        else this.#failed(at)
      })
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      for (const { wanted } of known) this.#failed(wanted.at)
      if (!error.retriable) this.#refused.set(group, error.message)
    }
  }

  #failed(at: GroupPartition): void {
    const atMs = this.#options.clock.wallMs()
    this.#board.tell(at, { kind: 'commit-failed', retryAtMs: atMs + COMMIT_RETRY_MS, atMs })
  }

  /** Refines what turns ask for; beside them, for walking logs takes up to seconds. @throws the signal's reason */
  async refine(signal: AbortSignal): Promise<never> {
    const { clock, refine, direction } = this.#options
    for (;;) {
      const wanted = this.#board.takeRefine()
      const copy = wanted && this.#places.copyOf(wanted)
      if (wanted !== undefined && copy !== undefined) {
        try {
          const around = direction.name === 'forth' ? wanted.around : undefined
          await refine(copy, wanted.span, signal, around)
          continue
        } catch (error) {
          signal.throwIfAborted()
          if (!(error instanceof KafkaError)) throw error
          this.#board.refineAgain(wanted)
        }
      }
      await clock.sleep(REFINE_LOOK_MS, signal)
    }
  }
}
