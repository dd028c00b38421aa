import { backoffMs } from '../clock/backoff.ts'
import type { BrokerId, Cluster, TopicMetadata } from '../kafka/cluster.ts'
import { isRetriable, KafkaError, protocolError } from '../kafka/errors.ts'
import { boundsOfLog, type LogBounds } from '../kafka/list-bounds.ts'
import type { LogWalksOptions, Walk, WalkEnd, WalkRequest } from './log-walk.ts'
import { isOutOfPatience, WalkLane, type WalkPlace } from './walk-lane.ts'

const LEADER_NOT_AVAILABLE = 5

/**
 * Walks through many partitions' logs at once: one connection and one Fetch at a time for each broker, whatever the
 * number of partitions. A partition without a leader waits by itself.
 */
export class LogWalks {
  readonly #options: LogWalksOptions
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #lanes = new Map<BrokerId, WalkLane>()
  readonly #homeless = new Set<Walk>()
  readonly #settling = new Set<Promise<void>>()
  #locating: Promise<void> | undefined
  readonly #closed = new AbortController()

  constructor(options: LogWalksOptions) {
    this.#options = options
  }

  /**
   * Gives a partition's batches from an offset on to the request's `visit`.
   * @throws KafkaError when the log cannot be read (code 1: the offset is not in it); the signal's reason
   */
  walk(request: WalkRequest, signal: AbortSignal): Promise<WalkEnd> {
    signal.throwIfAborted()
    this.#closed.signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<WalkEnd>()
    const walk: Walk = {
      request,
      signal,
      position: request.from,
      idleSinceMs: this.#options.clock.monotonicMs(),
      attempt: 0,
      isOver: false,
      resolve,
      reject,
    }
    const onAbort = (): void => this.#drop(walk, signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#place(walk)
    return promise.finally(() => signal.removeEventListener('abort', onAbort))
  }

  /** @throws KafkaError when the cluster does not say */
  bounds(topic: string, partition: number, signal: AbortSignal): Promise<LogBounds> {
    return boundsOfLog(this.#options.cluster, { topic, partition }, signal)
  }

  /** Gives up every walk and disconnects. */
  async close(): Promise<void> {
    const reason = new Error('the walks were closed')
    this.#closed.abort(reason)
    for (const walk of [...this.#homeless]) this.#drop(walk, reason)
    for (const lane of this.#lanes.values()) lane.giveUp(reason)
    await this.#locating
    await Promise.all(this.#settling)
  }

  #drop(walk: Walk, reason: unknown): void {
    if (walk.isOver) return
    walk.isOver = true
    this.#homeless.delete(walk)
    walk.reject(reason)
    for (const lane of this.#lanes.values()) lane.remove(walk)
  }

  #place(walk: Walk): void {
    const { topic, partition } = walk.request
    const known = this.#topics.get(topic)
    const leader = known?.partitions[partition]?.leader
    if (known === undefined || leader === undefined) {
      this.#homeless.add(walk)
      this.#locating ??= this.#locate()
    } else this.#laneOf(leader).add(walk, placeOf(known, partition))
  }

  #laneOf(broker: BrokerId): WalkLane {
    const known = this.#lanes.get(broker)
    if (known !== undefined) return known
    const lane = new WalkLane(broker, this.#options, {
      onMisplaced: (walks) => this.#replace(walks),
      onIdle: () => this.#lanes.delete(broker),
    })
    this.#lanes.set(broker, lane)
    const running = lane.run(this.#closed.signal)
    this.#settling.add(running)
    void running.then(() => this.#settling.delete(running))
    return lane
  }

  /** The broker could not be reached, or does not lead these any more. */
  #replace(walks: readonly Walk[]): void {
    for (const walk of walks) {
      if (walk.isOver) continue
      walk.attempt++
      this.#topics.delete(walk.request.topic)
      this.#homeless.add(walk)
    }
    if (this.#homeless.size > 0) this.#locating ??= this.#locate()
  }

  /** Asks who leads until every walk has found its broker. */
  async #locate(): Promise<void> {
    const { cluster, clock, random, backoff } = this.#options
    const { signal } = this.#closed
    try {
      // Whoever asks in the same turn is answered by one question.
      await Promise.resolve()
      for (let attempt = 0; this.#homeless.size > 0; attempt++) {
        const tries = Math.max(attempt, ...[...this.#homeless].map((walk) => walk.attempt))
        if (tries > 0) await clock.sleep(backoffMs(backoff, tries - 1, random), signal)
        await this.#askOnce(cluster, signal)
      }
    } catch (error) {
      for (const walk of [...this.#homeless]) this.#drop(walk, error)
    } finally {
      this.#locating = undefined
      if (this.#homeless.size > 0 && !signal.aborted) this.#locating = this.#locate()
    }
  }

  async #askOnce(cluster: Cluster, signal: AbortSignal): Promise<void> {
    const asked = [...this.#homeless]
    const names = [...new Set(asked.map((walk) => walk.request.topic))]
    try {
      const answers = await cluster.describeTopics(names, signal)
      for (const [name, lookup] of answers) if (lookup.kind === 'found') this.#topics.set(name, lookup.topic)
    } catch (error) {
      if (!(error instanceof KafkaError) || !isRetriable(error)) throw error
      return
    }
    for (const walk of asked) {
      const { topic, partition } = walk.request
      const known = this.#topics.get(topic)
      const leader = known?.partitions[partition]?.leader
      if (walk.isOver) continue
      if (known !== undefined && leader !== undefined) {
        this.#homeless.delete(walk)
        this.#laneOf(leader).add(walk, placeOf(known, partition))
      } else if (isOutOfPatience(walk, this.#options.clock))
        this.#drop(walk, protocolError(LEADER_NOT_AVAILABLE, { cluster: cluster.alias, topic, partition }))
    }
  }
}

const placeOf = ({ id, partitions }: TopicMetadata, partition: number): WalkPlace => ({
  topicId: id,
  leaderEpoch: partitions[partition]?.leaderEpoch,
})
