import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Random } from '../clock/random.ts'
import type { CompanionScene, ShardCompanion } from '../flow/shard-companion.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import { LedgerRefusedError, ShardLedger } from '../shards/shard-ledger.ts'
import type { CommitFeed } from './commit-feed.ts'
import type { Followed, FollowOptions } from './follow-group.ts'
import { FollowedGroups, type FollowedGroupsOptions, followedKeyOf } from './followed-groups.ts'
import { decodeFollowed, decodeFollowedKey, FollowedFormatError } from './followed-record.ts'

/** Takeovers, and the offset maps without which nothing can be placed, come first. In milliseconds. */
const FIRST_AFTER_MS = 2_500
/** How often commits are taken on, in milliseconds: a fifth of the second within which they are to be followed. */
const TURN_MS = 200
/** After something failed, in milliseconds. Each attempt may take an epoch of the shard's. */
const RETRY_MS = 10_000

export interface ShardGroupsOptions extends FollowedGroupsOptions {
  readonly scene: CompanionScene
  readonly target: Cluster
  readonly feed: CommitFeed
  /** A compacted topic on the target with a partition for each shard; see followed-record.ts. */
  readonly ledgerTopic: string
  /** Makes it if it is not there yet. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
  readonly followOptions: (signal: AbortSignal) => Promise<FollowOptions>
  readonly random: Random
  readonly backoff: BackoffPolicy
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
  readonly #turns = new OneAtATime()
  #groups: FollowedGroups | undefined
  #following: { stop(): void } | undefined

  constructor(options: ShardGroupsOptions) {
    this.#options = options
    const { target: cluster, ledgerTopic: topic, scene } = options
    this.#ledger = new ShardLedger({ ...options, ...scene, cluster, topic, walks: scene.walks.target })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, feed } = this.#options
    await clock.sleep(FIRST_AFTER_MS, signal)
    while (!(await this.#attempt(signal, () => this.#read(signal)))) await clock.sleep(RETRY_MS, signal)
    await Promise.race([this.#work(signal), this.#groups?.refine(signal), feed.failed])
  }

  async finish(signal: AbortSignal): Promise<void> {
    const groups = this.#groups
    if (groups !== undefined) await this.#attempt(signal, () => groups.turn(signal))
  }

  close(): void {
    this.#following?.stop()
    this.#ledger.close()
  }

  async #work(signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    for (;;) {
      const isDone = await this.#attempt(signal, async () => await this.#groups?.turn(signal))
      await clock.sleep(isDone ? TURN_MS : RETRY_MS, signal)
    }
  }

  /** One at a time: two appends under way would have the same sequence number. */
  #attempt(signal: AbortSignal, task: () => Promise<void>): Promise<boolean> {
    return this.#turns.run(async () => {
      const { onTrouble } = this.#options
      try {
        await task()
        onTrouble(this.#groups?.trouble)
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
    const { flow, feed, followOptions } = this.#options
    const follow = await followOptions(signal)
    const remembered = new Map<string, readonly Followed[]>()
    const isWhole = await this.#ledger.read(({ key, value }) => {
      if (key === null) return
      const at = decodeFollowedKey(key)
      if (at.flow !== flow) return
      if (value === null) remembered.delete(followedKeyOf(at))
      else remembered.set(followedKeyOf(at), decodeFollowed(value))
    }, signal)
    if (!isWhole) throw new LedgerRefusedError('the marker that fences it was not seen')
    const remember = this.#ledger.append.bind(this.#ledger)
    const groups = new FollowedGroups(this.#options, { follow, remembered, remember })
    this.#groups = groups
    this.#following = feed.follow((changes) => groups.take(changes))
  }
}
