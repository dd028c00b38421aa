import type { Clock } from '../clock/clock.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { offsetsTopic } from '../kafka/offsets-topic-records.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { type CommitChange, type CommitSource, KnownCommits } from './commit-source.ts'
import { OffsetsLogFold } from './offsets-log-fold.ts'

const OFFSET_OUT_OF_RANGE = 1
/** A walk that saw nothing for so long is begun again where it ended, in milliseconds. */
const WALK_WAIT_MS = 60_000
/** How often a cluster is asked whether anybody has committed anything yet, in milliseconds. */
const LOOK_EVERY_MS = 1_000

export interface OffsetsTopicCommitsOptions {
  readonly cluster: Pick<Cluster, 'describeTopics'>
  /** Through logs of the same cluster. Stay open. */
  readonly walks: Pick<LogWalks, 'walk' | 'bounds'>
  readonly clock: Clock
  /** Which groups are wanted. */
  readonly selects: (group: string) => boolean
}

/**
 * Reads commits from where coordinators keep them: READ and DESCRIBE on `__consumer_offsets`. What changes while
 * `take` is busy is kept once for each partition of a group, however often it changes.
 */
export class OffsetsTopicCommits implements CommitSource {
  readonly #options: OffsetsTopicCommitsOptions
  readonly #known = new KnownCommits()
  #waiting = new Map<string, CommitChange>()
  #wakeUp: (() => void) | undefined

  constructor(options: OffsetsTopicCommitsOptions) {
    this.#options = options
  }

  /** @throws KafkaError with code 29 when the topic may not be read: poll then */
  async run(take: (changes: readonly CommitChange[]) => Promise<void>, signal: AbortSignal): Promise<never> {
    const partitions = await this.#partitions(signal)
    const ended = new AbortController()
    const both = AbortSignal.any([signal, ended.signal])
    const work = [
      this.#deliver(take, both),
      ...partitions.map((partition) => this.#readPartition(partition, both)),
    ]
    try {
      return await Promise.race(work)
    } finally {
      ended.abort(new Error('the offsets topic is not read any more'))
      this.#wakeUp?.()
      await Promise.allSettled(work)
    }
  }

  async #partitions(signal: AbortSignal): Promise<readonly number[]> {
    const { cluster, clock } = this.#options
    for (;;) {
      const lookup = (await cluster.describeTopics([offsetsTopic], signal)).get(offsetsTopic)
      if (lookup?.kind === 'found') return lookup.topic.partitions.map(({ partition }) => partition)
      if (lookup?.kind === 'failed') throw lookup.error
      // Brokers make it when the first group commits.
      await clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  /** Read whole, then on and on; whole again when the log was cut. */
  async #readPartition(partition: number, signal: AbortSignal): Promise<never> {
    const before = new Map<string, CommitChange>()
    for (;;) {
      try {
        await this.#readOn(partition, before, signal)
      } catch (error) {
        if (!(error instanceof KafkaError) || error.code !== OFFSET_OUT_OF_RANGE) throw error
      }
    }
  }

  async #readOn(partition: number, before: Map<string, CommitChange>, signal: AbortSignal): Promise<never> {
    const { walks, selects } = this.#options
    const loaded = new Map<string, CommitChange>()
    let isLoaded = false
    const fold = new OffsetsLogFold(selects, (change) => {
      const key = keyOf(change)
      if (isLoaded) this.#put(change)
      else loaded.set(key, change)
      if (isLoaded) before.set(key, change)
    })
    const read = (from: bigint, atEnd: 'stop' | { readonly waitMs: number }) =>
      walks.walk(
        {
          topic: offsetsTopic,
          partition,
          from,
          isolation: 'read_uncommitted',
          atEnd,
          visit: ({ raw }) => {
            fold.take(raw)
            return 'on'
          },
        },
        signal,
      )
    const { start } = await walks.bounds(offsetsTopic, partition, signal)
    let { next } = await read(start, 'stop')
    // Only now: on the way here the log told of commits from long ago.
    isLoaded = true
    for (const [key, change] of before) if (!loaded.has(key)) this.#put({ ...change, commit: 'removed' })
    before.clear()
    for (const [key, change] of loaded) {
      this.#put(change)
      before.set(key, change)
    }
    loaded.clear()
    for (;;) ({ next } = await read(next, { waitMs: WALK_WAIT_MS }))
  }

  #put(change: CommitChange): void {
    this.#waiting.set(keyOf(change), change)
    this.#wakeUp?.()
  }

  async #deliver(
    take: (changes: readonly CommitChange[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<never> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#waiting.size === 0) {
        const { promise, resolve } = Promise.withResolvers<void>()
        this.#wakeUp = resolve
        await promise
      }
      const changes = [...this.#waiting.values()].filter((change) => this.#known.isNews(change))
      this.#waiting = new Map()
      if (changes.length > 0) await take(changes)
    }
  }
}

const keyOf = ({ group, topic, partition }: CommitChange): string => `${topic}/${partition}/${group}`
