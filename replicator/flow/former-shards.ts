import { ShardLostError } from '../shards/fenced.ts'
import type { FencePlace, FenceRefusal } from '../shards/fencing.ts'
import type { Progress, ProgressKey } from '../shards/progress-record.ts'
import type { ProgressView } from '../shards/progress-view.ts'
import type { Shard } from '../shards/shard.ts'
import { shardOf } from '../shards/shard-of.ts'
import { partitionKey } from './partition-key.ts'
import { isOtherTopic } from './resume-plan.ts'

/** A shard that a partition is taken from. */
export interface BorrowedShard {
  readonly shard: Shard
  /** Whoever lends it needs it no longer, or has lost it. */
  readonly ended: AbortSignal | undefined
  /** It turned out that another process has it: whoever holds it may hear of it from nobody else. */
  readonly onLost: () => void
  readonly giveBack: () => void
}

export interface FormerShardsOptions {
  /** As many as the flow has now. */
  readonly shards: number
  /** What every partition of the progress topic said when the flow was opened. */
  readonly views: readonly ProgressView[]
  /** Reads them again. */
  readonly readViews: (signal: AbortSignal) => Promise<readonly ProgressView[]>
  /** The shard as this process holds it, or one made for the purpose: two owners in a process would fence each other. */
  readonly borrow: (index: number) => BorrowedShard
}

/**
 * Partitions of which progress stands with shards that are not theirs: the flow's number of shards was changed. Each is
 * adopted: all of those shards are fenced on it, the newest record counts, and when the partition's own shard has
 * written it the others are deleted. Whoever dies in between leaves records that name earlier places: these are found
 * again at the next start, since nothing but their deletion takes them out of the progress topic.
 */
export class FormerShards {
  readonly #options: FormerShardsOptions
  /** By index: adoptions for several of our shards that took one each would fence each other. */
  readonly #borrowed = new Map<number, Borrowed>()
  #elsewhere: Map<string, Set<number>>
  #looking: Promise<void> | undefined

  constructor(options: FormerShardsOptions) {
    this.#options = options
    this.#elsewhere = findElsewhere(options.views, options.shards)
  }

  /** Whether another shard has progress of the partition, as far as was seen. */
  has({ topic, partition }: Place): boolean {
    return this.#elsewhere.has(partitionKey(topic, partition))
  }

  /**
   * As {@link has}, after another look: a process with another number of shards may have copied since the flow was
   * opened. @throws KafkaError; the signal's reason
   */
  async hasNow(place: Place, signal: AbortSignal): Promise<boolean> {
    this.#looking ??= this.#look(signal).finally(() => {
      this.#looking = undefined
    })
    await this.#looking
    return this.has(place)
  }

  /**
   * Fences the other shards on these places, lets them be started, and deletes what those shards said of them.
   * @param start tells which of them have progress of their own now (`topic/partition`)
   * @throws KafkaError; ShardLostError, of whichever shard; the signal's reason
   */
  async adopt(
    places: readonly FencePlace[],
    start: (adopted: Adopted) => Promise<ReadonlySet<string>>,
    signal: AbortSignal,
  ): Promise<void> {
    const borrowed = [...this.#byShard(places)].map(
      ([index, inShard]) => [this.#borrow(index), inShard] as const,
    )
    try {
      const left = new Map<FencePlace, Progress[]>()
      const refused = new Map<FencePlace, FenceRefusal>()
      for (const [{ from }, inShard] of borrowed) {
        const fenced = await during(from, signal, (inner) => from.shard.fence(inShard, inner))
        for (const result of fenced.places) {
          const { place } = result
          if (result.kind === 'refused') refused.set(place, result)
          else if (result.progress !== undefined)
            left.set(place, [...(left.get(place) ?? []), result.progress])
        }
      }
      const written = await start({ left, refused })
      for (const [{ from }, inShard] of borrowed) {
        const keys = inShard.map(({ key }) => key).filter((key) => written.has(keyOf(key)))
        await during(from, signal, (inner) => from.shard.forget(keys, inner))
        for (const key of keys) this.#forgotten(key, from.shard.index)
      }
    } finally {
      for (const [each] of borrowed) this.#giveBack(each)
    }
  }

  #borrow(index: number): Borrowed {
    const known = this.#borrowed.get(index)
    if (known !== undefined && known.from.ended?.aborted !== true) {
      known.users += 1
      return known
    }
    const borrowed = { from: this.#options.borrow(index), users: 1 }
    this.#borrowed.set(index, borrowed)
    return borrowed
  }

  #giveBack(borrowed: Borrowed): void {
    borrowed.users -= 1
    if (borrowed.users > 0) return
    const { index } = borrowed.from.shard
    if (this.#borrowed.get(index) === borrowed) this.#borrowed.delete(index)
    borrowed.from.giveBack()
  }

  #byShard(places: readonly FencePlace[]): ReadonlyMap<number, readonly FencePlace[]> {
    const found = new Map<number, FencePlace[]>()
    for (const place of places) {
      for (const index of this.#elsewhere.get(keyOf(place.key)) ?? [])
        found.set(index, [...(found.get(index) ?? []), place])
    }
    return found
  }

  #forgotten(key: ProgressKey, index: number): void {
    const indexes = this.#elsewhere.get(keyOf(key))
    indexes?.delete(index)
    if (indexes?.size === 0) this.#elsewhere.delete(keyOf(key))
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { readViews, shards } = this.#options
    this.#elsewhere = findElsewhere(await readViews(signal), shards)
  }
}

interface Borrowed {
  readonly from: BorrowedShard
  users: number
}

/** What other shards say of places, and on which of these they could not be fenced. */
export interface Adopted {
  readonly left: ReadonlyMap<FencePlace, readonly Progress[]>
  readonly refused: ReadonlyMap<FencePlace, FenceRefusal>
}

/** @throws ShardLostError when the shard is given up meanwhile by whoever holds it */
async function during<Result>(
  { shard, ended, onLost }: BorrowedShard,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  try {
    return await work(ended === undefined ? signal : AbortSignal.any([signal, ended]))
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ShardLostError) onLost()
    throw ended?.aborted ? new ShardLostError(shard.index, error) : error
  }
}

/**
 * The progress that was written last, of several shards' records of one partition: each owner began behind everything
 * that was in the target before, so its records name later offsets there. Those of the topic that stands there now come
 * before those of one that is gone.
 */
export function newestProgress(
  records: readonly Progress[],
  targetTopicId: string | undefined,
): Progress | undefined {
  const isHere = ({ targetTopicId: id }: Progress): boolean => !isOtherTopic(id, targetTopicId)
  return records.reduce<Progress | undefined>((newest, next) => {
    if (newest === undefined) return next
    if (isHere(next) !== isHere(newest)) return isHere(next) ? next : newest
    return next.targetNext > newest.targetNext ? next : newest
  }, undefined)
}

type Place = Pick<ProgressKey, 'topic' | 'partition'>

const keyOf = ({ topic, partition }: Place): string => partitionKey(topic, partition)

function findElsewhere(views: readonly ProgressView[], shards: number): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>()
  for (const [index, view] of views.entries()) {
    for (const { key } of view.entries) {
      if (shardOf(key.topic, key.partition, shards) === index) continue
      const indexes = found.get(keyOf(key)) ?? new Set()
      found.set(keyOf(key), indexes.add(index))
    }
  }
  return found
}
