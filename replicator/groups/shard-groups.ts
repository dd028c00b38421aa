import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Random } from '../clock/random.ts'
import type { CompanionScene, ShardCompanion } from '../flow/shard-companion.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import { LedgerRefusedError, ownRecords, ShardLedger } from '../shards/shard-ledger.ts'
import type { CommitFeed } from './commit-feed.ts'
import type { FollowOptions } from './follow-group.ts'
import { FollowedGroups, type FollowedGroupsOptions } from './followed-groups.ts'
import { encodeFollowedKey, FollowedFormatError } from './followed-record.ts'
import { LedgerMemory } from './ledger-memory.ts'
import { OwnCommits } from './own-commits.ts'

/** Takeovers, and the offset maps without which nothing can be placed, come first. In milliseconds. */
const FIRST_AFTER_MS = 2_500
/** How often commits are taken on, in milliseconds: a fifth of the second within which they are to be followed. */
const TURN_MS = 200
/** Two retentions of commits: what was not made again for so long has expired. */
const OUTDATED_REFRESHES = 8
/** After something failed, in milliseconds. Each attempt may take an epoch of the shard's. */
const RETRY_MS = 10_000

/** One way in which groups are followed. */
export interface FollowWay extends Pick<FollowedGroupsOptions, 'direction' | 'target' | 'commits'> {
  readonly feed: CommitFeed
  readonly followOptions: (signal: AbortSignal) => Promise<FollowOptions>
}

export interface ShardGroupsOptions
  extends Pick<FollowedGroupsOptions, 'flow' | 'clock' | 'rereadMax' | 'refine'> {
  readonly scene: CompanionScene
  /** `forth`, and `back` where both regions' records are read in either. */
  readonly ways: readonly FollowWay[]
  /** The flow's target, where the ledger is. */
  readonly cluster: Cluster
  /** A compacted topic on it with a partition for each shard; see followed-record.ts. */
  readonly ledgerTopic: string
  /** As many as the flow has now. */
  readonly shards: number
  /** Makes it if it is not there yet. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
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
  #groups: readonly FollowedGroups[] = []
  #following: readonly { stop(): void }[] = []

  constructor(options: ShardGroupsOptions) {
    this.#options = options
    const { ledgerTopic: topic, scene } = options
    this.#ledger = new ShardLedger({ ...options, topic, shard: scene.shard, walks: scene.walks.target })
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, ways } = this.#options
    await clock.sleep(FIRST_AFTER_MS, signal)
    while (!(await this.#attempt(signal, () => this.#read(signal)))) await clock.sleep(RETRY_MS, signal)
    await Promise.race([
      this.#work(signal),
      ...this.#groups.map((groups) => groups.refine(signal)),
      ...ways.map(({ feed }) => feed.failed),
    ])
  }

  async finish(signal: AbortSignal): Promise<void> {
    if (this.#groups.length > 0) await this.#attempt(signal, () => this.#turn(signal, true))
  }

  close(): void {
    for (const following of this.#following) following.stop()
    this.#ledger.close()
  }

  async #work(signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    for (;;) {
      const isDone = await this.#attempt(signal, () => this.#turn(signal))
      // All shards' turns fall together, so that what they commit for a group goes in one request.
      await clock.sleep(isDone ? TURN_MS - (clock.monotonicMs() % TURN_MS) : RETRY_MS, signal)
    }
  }

  /** One at a time: two appends under way would have the same sequence number. */
  #attempt(signal: AbortSignal, task: () => Promise<void>): Promise<boolean> {
    return this.#turns.run(async () => {
      const { onTrouble } = this.#options
      try {
        await task()
        onTrouble(this.#groups.map(({ trouble }) => trouble).find((trouble) => trouble !== undefined))
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

  async #turn(signal: AbortSignal, isLast = false): Promise<void> {
    const copies = this.#options.scene.copies()
    for (const groups of this.#groups) groups.see(copies)
    for (const groups of this.#groups) await groups.turn(signal, isLast)
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { ways } = this.#options
    const follow = await Promise.all(ways.map(({ followOptions }) => followOptions(signal)))
    const memory = await this.#readLedger(signal)
    const refreshMs = Math.max(...follow.map((options) => options.refreshMs))
    await this.#forgetOutdated(memory, OUTDATED_REFRESHES * refreshMs, signal)
    const remember = this.#ledger.append.bind(this.#ledger)
    const own = new Map(ways.map(({ direction }) => [direction.name, new OwnCommits()]))
    const nobody = new OwnCommits()
    this.#groups = ways.map((way, index) => {
      const { name } = way.direction
      return new FollowedGroups(
        { ...this.#options, ...way },
        {
          follow: follow[index]!,
          remembered: memory.remembered(name),
          remember,
          own: own.get(name) ?? nobody,
          echoes: own.get(name === 'forth' ? 'back' : 'forth') ?? nobody,
        },
      )
    })
    this.#following = ways.map(({ feed }, index) =>
      feed.follow((changes) => this.#groups[index]?.take(changes)),
    )
  }

  async #forgetOutdated(memory: LedgerMemory, afterMs: number, signal: AbortSignal): Promise<void> {
    const outdated = memory.takeOutdated(this.#options.clock.wallMs() - afterMs)
    const tombstones = outdated.map((key) => ({ key: encodeFollowedKey(key), value: null }))
    if (tombstones.length > 0) await this.#ledger.append(tombstones, signal)
  }

  /** Its own partition of the ledger first, which is fenced by it; then what former shards left in the others. */
  async #readLedger(signal: AbortSignal): Promise<LedgerMemory> {
    const { flow, shards, scene, cluster, ledgerTopic: topic } = this.#options
    const { index } = scene.shard
    const memory = new LedgerMemory({ flow, shards, shard: index })
    const isWhole = await this.#ledger.read((record) => memory.add(index, record), signal)
    if (!isWhole) throw new LedgerRefusedError('the marker that fences it was not seen')
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    const partitions = lookup?.kind === 'found' ? lookup.topic.partitions : []
    for (const { partition } of partitions) {
      if (partition !== index) await this.#readOther(partition, memory, signal)
    }
    return memory
  }

  async #readOther(partition: number, memory: LedgerMemory, signal: AbortSignal): Promise<void> {
    const { scene, ledgerTopic: topic } = this.#options
    const walks = scene.walks.target
    await walks.walk(
      {
        topic,
        partition,
        from: (await walks.bounds(topic, partition, signal)).start,
        isolation: 'read_uncommitted',
        atEnd: 'stop',
        visit({ raw, verdict }) {
          if (verdict === 'control') return 'on'
          for (const record of ownRecords(raw)) memory.add(partition, record)
          return 'on'
        },
      },
      signal,
    )
  }
}
