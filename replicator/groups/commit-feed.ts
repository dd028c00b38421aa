import { type BackoffPolicy, backoffMs } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { CommitChange, CommitSource } from './commit-source.ts'

export interface CommitFeedOptions {
  readonly source: CommitSource
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  /** Told what keeps commits from being read, and `undefined` when nothing does any more. */
  readonly onTrouble: (reason: string | undefined) => void
}

export type TakeCommits = (changes: readonly CommitChange[]) => void

/** The newest commits of a cluster, for all shards of a flow that this process owns. */
export class CommitFeed {
  readonly #options: CommitFeedOptions
  /** By `topic/partition`, then by group. */
  readonly #newest = new Map<string, Map<string, CommitChange>>()
  readonly #takers = new Set<TakeCommits>()
  readonly #stop = new AbortController()
  readonly #failed = Promise.withResolvers<never>()
  #running: Promise<void> | undefined

  constructor(options: CommitFeedOptions) {
    this.#options = options
    this.#failed.promise.catch(() => {})
  }

  /** Rejects when reading failed by a fault of its own, not the cluster's. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** From now on `take` is told of every change; of what was committed before, {@link of} tells. */
  follow(take: TakeCommits): { stop(): void } {
    this.#takers.add(take)
    this.#running ??= this.#run(this.#stop.signal).catch((error) => this.#failed.reject(error))
    return { stop: () => this.#takers.delete(take) }
  }

  /** The newest commits of a partition, one for each group. */
  of(topic: string, partition: number): readonly CommitChange[] {
    return [...(this.#newest.get(`${topic}/${partition}`)?.values() ?? [])]
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('commits are not followed any more'))
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { source, clock, random, backoff, onTrouble } = this.#options
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await source.run(async (changes) => {
          attempt = 0
          onTrouble(undefined)
          for (const change of changes) this.#keep(change)
          for (const take of this.#takers) take(changes)
        }, signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof KafkaError)) throw error
        onTrouble(error.message)
        await clock.sleep(backoffMs(backoff, attempt, random), signal).catch(() => {})
      }
    }
  }

  #keep(change: CommitChange): void {
    const key = `${change.topic}/${change.partition}`
    const ofPartition = this.#newest.get(key) ?? new Map<string, CommitChange>()
    this.#newest.set(key, ofPartition)
    if (change.commit === 'removed') ofPartition.delete(change.group)
    else ofPartition.set(change.group, change)
  }
}
