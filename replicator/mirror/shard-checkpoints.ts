import type { Clock } from '../clock/clock.ts'
import type { CompanionScene, CopiedPartition } from '../flow/shard-companion.ts'
import type { CommitFeed } from '../groups/commit-feed.ts'
import type { CommitChange } from '../groups/commit-source.ts'
import { forth } from '../groups/follow-direction.ts'
import { ShardPlaces } from '../groups/shard-places.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Checkpoint } from '../offsets/mm2/checkpoint.ts'
import type { CoarseSpan } from '../offsets/offset-map.ts'
import { type SourceOffset, sourceOffset } from '../records/offsets.ts'
import type { CheckpointBook } from './checkpoint-book.ts'
import type { MirrorPart } from './mirror-part.ts'

/** A checkpoint of a partition of a group is written at most this often, in milliseconds. */
const TURN_MS = 1_000
/** How often it is looked whether there is something to refine, in milliseconds. */
const REFINE_LOOK_MS = 200

export interface ShardCheckpointsOptions {
  readonly scene: {
    readonly copies: CompanionScene['copies']
    readonly shard: Pick<CompanionScene['shard'], 'isProven'>
  }
  readonly target: Pick<Cluster, 'listOffsets'>
  /** The commits on the source of all groups that checkpoints are written for. */
  readonly feed: Pick<CommitFeed, 'follow' | 'of'>
  readonly book: CheckpointBook
  readonly clock: Clock
  /** How many offsets may be read again by a group whose position is from before the map. */
  readonly rereadMax: bigint
  /** Makes a coarse span of the map exact. `undefined` where somebody else does so for the same groups. */
  readonly refine:
    | ((
        copy: CopiedPartition,
        span: CoarseSpan,
        signal: AbortSignal,
        around: SourceOffset,
      ) => Promise<unknown>)
    | undefined
}

interface Kept {
  readonly change: CommitChange
  readonly position: SourceOffset
  readonly metadata: string
}

interface Coarse {
  readonly copy: CopiedPartition
  readonly span: CoarseSpan
  readonly around: SourceOffset
}

interface Found {
  readonly checkpoint: Checkpoint
  readonly isWanted: boolean
  /** Time and refinement change nothing about it. */
  readonly isSettled: boolean
}

/**
 * The checkpoints of a shard's partitions: where each group stood on the source and where it goes on on the target, used
 * there or not. Written within a second of the commit, or of what makes its place a better one.
 */
export class ShardCheckpoints implements MirrorPart {
  readonly everyMs = TURN_MS
  readonly #options: ShardCheckpointsOptions
  readonly #places: ShardPlaces
  readonly #kept = new Map<string, Kept>()
  /** Keys of those whose checkpoint may not be the last word. */
  readonly #unsettled = new Set<string>()
  /** By `topic/partition`, on the source. */
  readonly #begun = new Set<string>()
  readonly #coarse = new Map<string, Coarse>()
  #following: { stop(): void } | undefined

  constructor(options: ShardCheckpointsOptions) {
    this.#options = options
    this.#places = new ShardPlaces({ ...options, direction: forth })
  }

  async turn(signal: AbortSignal): Promise<void> {
    const { clock, scene, book, feed } = this.#options
    if (this.#following === undefined) {
      await book.learn(signal)
      this.#following = feed.follow((changes) => this.#take(changes))
    }
    const copies = scene.copies()
    this.#places.see(copies)
    const isEvery = await this.#places.look(clock.monotonicMs(), signal)
    for (const { topic, partition } of copies) this.#begin(topic, partition)
    // Who owns the shard by now says it better.
    if (!scene.shard.isProven()) return
    const looked = (isEvery ? [...this.#kept.keys()] : [...this.#unsettled]).flatMap((key) => {
      const kept = this.#kept.get(key)
      const found = kept && this.#checkpointOf(kept)
      return found === undefined ? [] : [{ key, kept, found }]
    })
    const wanted = looked.filter(({ found }) => found.isWanted).map(({ found }) => found.checkpoint)
    await book.write(wanted, signal)
    for (const { key, kept, found } of looked) {
      // It may have been committed anew meanwhile.
      if (found.isSettled && this.#kept.get(key) === kept) this.#unsettled.delete(key)
      else this.#unsettled.add(key)
    }
  }

  async finish(signal: AbortSignal): Promise<void> {
    if (this.#following !== undefined) await this.turn(signal)
  }

  close(): void {
    this.#following?.stop()
  }

  /** Walking logs takes up to seconds. */
  async beside(signal: AbortSignal): Promise<never> {
    const { clock, refine } = this.#options
    for (;;) {
      const [next] = this.#coarse
      if (next !== undefined && refine !== undefined) {
        const [key, { copy, span, around }] = next
        this.#coarse.delete(key)
        try {
          await refine(copy, span, signal, around)
          continue
        } catch (error) {
          signal.throwIfAborted()
          if (!(error instanceof KafkaError)) throw error
        }
      }
      await clock.sleep(REFINE_LOOK_MS, signal)
    }
  }

  #begin(topic: string, partition: number): void {
    const partitionKey = `${topic}/${partition}`
    if (this.#begun.has(partitionKey)) return
    this.#begun.add(partitionKey)
    for (const change of this.#options.feed.of(topic, partition)) this.#keep(change)
  }

  #take(changes: readonly CommitChange[]): void {
    for (const change of changes)
      if (this.#begun.has(`${change.topic}/${change.partition}`)) this.#keep(change)
  }

  #keep(change: CommitChange): void {
    const { topic, partition, group, commit } = change
    const key = `${topic}/${partition}/${group}`
    if (commit === 'removed') {
      // What was said stays: Java's client fails on tombstones.
      this.#kept.delete(key)
      this.#unsettled.delete(key)
      return
    }
    const { offset, metadata } = commit
    this.#kept.set(key, { change, position: sourceOffset(offset), metadata })
    this.#unsettled.add(key)
  }

  /** `undefined` while the place is not known, or where there is none. */
  #checkpointOf({ change, position, metadata }: Kept): Found | undefined {
    const { group, partition } = change
    const copy = this.#places.copyOf(change)
    const place = this.#places.placeOf(change, position)
    if (copy?.map === undefined || place === undefined || place.kind === 'nowhere') return undefined
    if (place.coarse !== undefined && this.#options.refine !== undefined) {
      const { coarse: span } = place
      this.#coarse.set(`${change.topic}/${partition}/${span.sourceFrom}`, { copy, span, around: position })
    }
    const checkpoint: Checkpoint = {
      ...{ group, topic: copy.targetTopic, partition, metadata },
      ...{ upstreamOffset: position, downstreamOffset: place.offset },
    }
    const isWanted = this.#options.book.wants(checkpoint, copy.map.end.target)
    return { checkpoint, isWanted, isSettled: place.because === 'exact' }
  }
}
