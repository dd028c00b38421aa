import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CompanionScene, CopiedPartition, ShardCompanion } from '../flow/shard-companion.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import type { CoarseSpan } from '../offsets/offset-map.ts'
import { sourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import { LedgerRefusedError, ShardLedger } from '../shards/shard-ledger.ts'
import type { FlowId } from '../topology/model.ts'
import type { CommitFeed } from './commit-feed.ts'
import type { CommitChange } from './commit-source.ts'
import { FollowBoard, type WantedCommit } from './follow-board.ts'
import type { Followed, FollowOptions } from './follow-group.ts'
import {
  decodeFollowed,
  decodeFollowedKey,
  encodeFollowed,
  encodeFollowedKey,
  FollowedFormatError,
} from './followed-record.ts'
import type { GroupPartition } from './own-commits.ts'
import { lookAtTarget } from './target-looks.ts'
import { placeOnTarget, type TargetPlace } from './target-place.ts'

/** Takeovers, and the offset maps without which nothing can be placed, come first. In milliseconds. */
const FIRST_AFTER_MS = 2_500
/** How often commits are taken on, in milliseconds: a fifth of the second within which they are to be followed. */
const TURN_MS = 200
/** How often it is looked what time has made due, and where the target's logs begin, in milliseconds. */
const SLOW_TURN_MS = 10_000
/** After something failed, in milliseconds. Each attempt takes an epoch of the shard's. */
const RETRY_MS = 10_000
/** A commit that failed is tried again after this long, in milliseconds. */
const COMMIT_RETRY_MS = 1_000
/** Looks and commits lead to one another; whoever is not through by then is in the next turn. */
const STEPS_PER_TURN = 4
/** Groups that commit at the same time. */
const COMMITS_AT_ONCE = 256

export interface ShardGroupsOptions {
  readonly flow: FlowId
  readonly scene: CompanionScene
  readonly target: Cluster
  /** A compacted topic on the target with a partition for each shard; see {@link encodeFollowed}. */
  readonly ledgerTopic: string
  /** Makes it if it is not there yet. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
  readonly feed: CommitFeed
  readonly follow: FollowOptions
  /** How many offsets may be read again by a group whose position is from before the map. */
  readonly rereadMax: bigint
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  /** Makes a coarse span of the map exact, as far as the logs tell. */
  readonly refine: (copy: CopiedPartition, span: CoarseSpan, signal: AbortSignal) => Promise<void>
  /** Told what keeps groups from being followed, and `undefined` when nothing does any more. */
  readonly onTrouble: (reason: string | undefined) => void
}

/**
 * The consumer groups of the partitions that a shard copies, followed from the source to the target. Before a commit is
 * made it is written down in the shard's own partition of a topic, which is fenced with the shard: so whoever takes the
 * shard over knows every commit that this process may still make, however late.
 */
export class ShardGroups implements ShardCompanion {
  readonly #options: ShardGroupsOptions
  readonly #ledger: ShardLedger
  readonly #board: FollowBoard
  readonly #turns = new OneAtATime()
  readonly #following: { stop(): void }
  /** By `topic/partition`, on the source. */
  #copies: ReadonlyMap<string, CopiedPartition> = new Map()
  readonly #begun = new Set<string>()
  /** By `topic/partition`, on the source. */
  readonly #starts = new Map<string, TargetOffset>()
  #remembered = new Map<string, readonly Followed[]>()
  #isRead = false
  #news: CommitChange[] = []
  /** Groups that the target does not let us commit for, and why. */
  readonly #refused = new Map<string, string>()
  #slowTurnAtMs = 0

  constructor(options: ShardGroupsOptions) {
    this.#options = options
    const { target: cluster, ledgerTopic: topic, scene, follow } = options
    this.#ledger = new ShardLedger({ ...options, ...scene, cluster, topic, walks: scene.walks.target })
    this.#board = new FollowBoard({
      ...follow,
      placeOf: (at, position) => this.#placeOf(at, position),
      remembered: (at) => this.#remembered.get(keyOf(at)) ?? [],
    })
    this.#following = options.feed.follow((changes) => {
      for (const change of changes) if (this.#begun.has(partitionOf(change))) this.#news.push(change)
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, feed } = this.#options
    await clock.sleep(FIRST_AFTER_MS, signal)
    await Promise.race([this.#work(signal), this.#refineOn(signal), feed.failed])
  }

  async finish(signal: AbortSignal): Promise<void> {
    if (this.#isRead) await this.#attempt(signal)
  }

  close(): void {
    this.#following.stop()
    this.#ledger.close()
  }

  async #work(signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    for (;;) {
      const isDone = await this.#attempt(signal)
      await clock.sleep(isDone ? TURN_MS : RETRY_MS, signal)
    }
  }

  #attempt(signal: AbortSignal): Promise<boolean> {
    return this.#turns.run(async () => {
      const { onTrouble } = this.#options
      try {
        if (!this.#isRead) await this.#read(signal)
        await this.#turn(signal)
        return true
      } catch (error) {
        signal.throwIfAborted()
        const isExpected = [KafkaError, FollowedFormatError, LedgerRefusedError]
        if (!(error instanceof Error) || !isExpected.some((kind) => error instanceof kind)) throw error
        onTrouble(error.message)
        return false
      }
    })
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { flow } = this.#options
    const remembered = new Map<string, readonly Followed[]>()
    const isWhole = await this.#ledger.read(({ key, value }) => {
      if (key === null) return
      const at = decodeFollowedKey(key)
      if (at.flow !== flow) return
      if (value === null) remembered.delete(keyOf(at))
      else remembered.set(keyOf(at), decodeFollowed(value))
    }, signal)
    if (!isWhole) throw new LedgerRefusedError('the marker that fences it was not seen')
    this.#remembered = remembered
    this.#isRead = true
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { clock, scene, feed, onTrouble } = this.#options
    const nowMs = clock.wallMs()
    this.#copies = new Map(scene.copies().map((copy) => [partitionOf(copy), copy]))
    const isSlow =
      clock.monotonicMs() >= this.#slowTurnAtMs ||
      [...this.#copies.keys()].some((key) => !this.#starts.has(key))
    if (isSlow) {
      await this.#learnStarts(signal)
      this.#slowTurnAtMs = clock.monotonicMs() + SLOW_TURN_MS
    }
    const news = this.#news
    this.#news = []
    for (const change of news) this.#tell(change, nowMs)
    for (const [key, { topic, partition }] of this.#copies) {
      if (this.#begun.has(key)) continue
      this.#begun.add(key)
      for (const change of feed.of(topic, partition)) this.#tell(change, nowMs)
    }
    this.#board.placeAgain(nowMs, isSlow)
    if (isSlow) this.#board.passTime(nowMs)
    for (let step = 0; step < STEPS_PER_TURN; step++) {
      const looked = await this.#look(signal)
      const committed = await this.#commit(signal)
      if (!looked && !committed) break
    }
    onTrouble(firstOf(this.#refused))
  }

  #tell({ commit, ...at }: CommitChange, atMs: number): void {
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

  #placeOf(at: GroupPartition, position: ReturnType<typeof sourceOffset>): TargetPlace | undefined {
    const { rereadMax } = this.#options
    const map = this.#copies.get(partitionOf(at))?.map
    const targetStart = this.#starts.get(partitionOf(at))
    if (map === undefined || targetStart === undefined) return undefined
    return placeOnTarget({ translation: map.translate(position), targetStart, rereadMax })
  }

  /** Where the copies' logs begin: retention moves that. */
  async #learnStarts(signal: AbortSignal): Promise<void> {
    const copies = [...this.#copies.values()]
    const queries = copies.map(({ targetTopic, partition }) => ({
      topic: targetTopic,
      partition,
      at: 'earliest' as const,
    }))
    const answers = await this.#options.target.listOffsets(queries, signal)
    answers.forEach(({ result }, index) => {
      const copy = copies[index]
      if (copy !== undefined && result.ok)
        this.#starts.set(partitionOf(copy), targetOffset(result.value.offset))
    })
  }

  /** The partition by its name on the target. */
  #onTarget(at: GroupPartition): GroupPartition | undefined {
    const copy = this.#copies.get(partitionOf(at))
    return copy && { group: at.group, topic: copy.targetTopic, partition: at.partition }
  }

  async #look(signal: AbortSignal): Promise<boolean> {
    const wanted = new Map<GroupPartition, GroupPartition>()
    for (const at of this.#board.takeLooks()) {
      const onTarget = this.#onTarget(at)
      if (onTarget === undefined) this.#board.lookAgain(at)
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
        if (seen === undefined) this.#board.lookAgain(at)
        else this.#board.tell(at, { ...seen, atMs: clock.wallMs() })
      }
    }
    return looked.size > 0
  }

  async #commit(signal: AbortSignal): Promise<boolean> {
    const wanted = this.#board.takeCommits()
    if (wanted.length === 0) return false
    const { flow } = this.#options
    try {
      await this.#ledger.append(
        wanted.map(({ at, mayStand }) => ({
          key: encodeFollowedKey({ flow, ...at }),
          value: encodeFollowed(mayStand),
        })),
        signal,
      )
    } catch (error) {
      for (const { at } of wanted) this.#failed(at)
      throw error
    }
    const groups = [...Map.groupBy(wanted, ({ at }) => at.group)]
    for (let first = 0; first < groups.length; first += COMMITS_AT_ONCE) {
      const some = groups.slice(first, first + COMMITS_AT_ONCE)
      await Promise.all(some.map(([group, commits]) => this.#commitGroup(group, commits, signal)))
    }
    return true
  }

  async #commitGroup(group: string, commits: readonly WantedCommit[], signal: AbortSignal): Promise<void> {
    const { target, clock } = this.#options
    const known = commits.flatMap((wanted) => {
      const onTarget = this.#onTarget(wanted.at)
      if (onTarget === undefined) this.#failed(wanted.at)
      return onTarget === undefined ? [] : [{ wanted, onTarget }]
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

  /** Beside the turns: walking logs takes up to seconds. */
  async #refineOn(signal: AbortSignal): Promise<never> {
    const { clock, refine } = this.#options
    for (;;) {
      const wanted = this.#board.takeRefine()
      const copy = wanted && this.#copies.get(partitionOf(wanted))
      if (wanted !== undefined && copy !== undefined) {
        try {
          await refine(copy, wanted.span, signal)
          continue
        } catch (error) {
          signal.throwIfAborted()
          if (!(error instanceof KafkaError)) throw error
          this.#board.refineAgain(wanted)
        }
      }
      await clock.sleep(TURN_MS, signal)
    }
  }
}

const firstOf = (refused: ReadonlyMap<string, string>): string | undefined => refused.values().next().value

const keyOf = ({ group, topic, partition }: GroupPartition): string => `${topic}/${partition}/${group}`

const partitionOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}/${partition}`
