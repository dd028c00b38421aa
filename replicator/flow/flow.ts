import { KafkaError } from '../kafka/errors.ts'
import { ShardProducers } from '../shards/shard-producers.ts'
import type { DiscoveryRound } from '../topics/topic-pair.ts'
import { createTopicSync } from '../topics/topic-sync.ts'
import { ByteBudget } from './byte-budget.ts'
import type { FlowOptions } from './flow-options.ts'
import { FlowPartitions } from './flow-partitions.ts'
import { LeaderBook } from './leader-book.ts'
import type { PartitionFlow, PartitionSurroundings } from './partition-flow.ts'
import { ProgressKeeper } from './progress-keeper.ts'
import { Recovery } from './recovery.ts'
import type { FlowSnapshot } from './snapshot.ts'
import { snapshotOf } from './snapshot-of.ts'
import { SourceReader } from './source-reader.ts'
import { readTargetRules } from './target-rules.ts'
import { TargetWriter } from './target-writer.ts'
import { TaskSet } from './task-set.ts'
import { Troubles } from './troubles.ts'

/** How often a drain looks whether everything has been acknowledged, in milliseconds. */
const DRAIN_POLL_MS = 20

/** A flow at work. */
export interface RunningFlow {
  readonly snapshot: () => FlowSnapshot
  /** Holds a topic's partitions back; positions are kept. Batches already fetched still go out. */
  readonly pause: (topic: string) => void
  readonly resume: (topic: string) => void
  /** Settles when the flow has ended. Rejects if it failed by a fault of its own, not a cluster's. */
  readonly ended: Promise<void>
  /**
   * Fetches nothing more, waits until everything fetched is acknowledged, writes progress and ends. What cannot be
   * acknowledged within `timeoutMs` is left for the next start; so is, without waiting, what gets nowhere anyway.
   */
  drain(timeoutMs: number): Promise<void>
  /** Ends at once; what was in flight is copied again by the next start. */
  destroy(): Promise<void>
}

/** Starts a flow. It runs until it is drained or destroyed: clusters that are away are waited for. */
export function startFlow(options: FlowOptions): RunningFlow {
  const engine = new FlowEngine(options)
  return {
    snapshot: () => engine.snapshot(),
    pause: (topic) => engine.setPaused(topic, true),
    resume: (topic) => engine.setPaused(topic, false),
    ended: engine.ended,
    drain: (timeoutMs) => engine.drain(timeoutMs),
    destroy: () => engine.destroy(),
  }
}

class FlowEngine {
  readonly #options: FlowOptions
  readonly #counts = { records: 0, bytes: 0, batches: 0 }
  readonly #reencoded: Record<string, number> = {}
  readonly #budget: ByteBudget
  readonly #producers: ShardProducers
  readonly #progress: ProgressKeeper
  readonly #sourceLeaders: LeaderBook
  readonly #targetLeaders: LeaderBook
  readonly #reader: SourceReader
  readonly #writer: TargetWriter
  readonly #recovery: Recovery
  readonly #tasks: TaskSet
  /** Ends discovery and fetching; everything else ends with `#stop`. */
  readonly #reading = new AbortController()
  readonly #stop = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  readonly #pausedTopics = new Set<string>()
  readonly #troubles: Troubles
  #partitions: FlowPartitions | undefined
  #round: DiscoveryRound = { completed: 0, pairs: [], problems: [], trouble: undefined }
  #state: FlowSnapshot['state'] = 'starting'
  #ending: Promise<void> | undefined

  constructor(options: FlowOptions) {
    this.#options = options
    const { source, target, clock, random, backoff, limits, flow, announce } = options
    this.#tasks = new TaskSet((error) => this.#fail(error))
    this.#troubles = new Troubles(flow, announce)
    this.#budget = new ByteBudget(limits.bufferBytesMax)
    this.#producers = new ShardProducers(target)
    this.#progress = new ProgressKeeper(options)
    this.#sourceLeaders = new LeaderBook(source, clock, () => this.#reader.follow())
    this.#targetLeaders = new LeaderBook(target, clock, () => this.#writer.follow())
    const shared = { clock, random, backoff, limits }
    this.#reader = new SourceReader(
      {
        ...shared,
        cluster: source,
        budget: this.#budget,
        onTrouble: (broker, error) => this.#troubles.set('source', error, broker),
        refreshLeaders: () => this.#background((signal) => this.#sourceLeaders.refresh(signal)),
        onPartitionError: (partition, error) =>
          this.#background((signal) => this.#recovery.afterFetchError(partition, error, signal)),
      },
      this.#sourceLeaders,
      this.#tasks,
      this.#reading.signal,
    )
    this.#writer = new TargetWriter(
      {
        ...shared,
        cluster: target,
        onTrouble: (broker, error) => this.#troubles.set('target', error, broker),
        refreshLeaders: () => this.#background((signal) => this.#targetLeaders.refresh(signal)),
      },
      this.#targetLeaders,
    )
    this.#recovery = new Recovery({
      options,
      producers: this.#producers,
      shardOf: (partition) => this.#partitions?.shardOf(partition) ?? 0,
      sourceLeaders: this.#sourceLeaders,
      targetLeaders: this.#targetLeaders,
      offer: (partition) => this.#writer.offer(partition),
      onTrouble: (error) => this.#troubles.set('start', error),
    })
    this.#tasks.run(() => this.#run())
  }

  get ended(): Promise<void> {
    return this.#ended.promise
  }

  snapshot(): FlowSnapshot {
    return snapshotOf({
      flow: this.#options.flow,
      state: this.#state,
      round: this.#round,
      trouble: this.#troubles.current ?? this.#round.trouble,
      partitions: this.#partitions?.all ?? [],
      counts: this.#counts,
      reencoded: this.#reencoded,
      bufferedBytes: this.#budget.usedBytes,
      nowMs: this.#options.clock.wallMs(),
    })
  }

  setPaused(topic: string, paused: boolean): void {
    if (paused) this.#pausedTopics.add(topic)
    else this.#pausedTopics.delete(topic)
    this.#partitions?.setPaused(this.#round.pairs, (name) => this.#pausedTopics.has(name))
  }

  drain(timeoutMs: number): Promise<void> {
    this.#ending ??= this.#drain(timeoutMs).catch((error) => this.#fail(error))
    return this.#ending
  }

  async destroy(): Promise<void> {
    this.#reading.abort(new Error('the flow ends'))
    this.#stop.abort(new Error('the flow ends'))
    await this.#writer.destroy()
    await this.#tasks.settled()
    for (const partition of this.#partitions?.all ?? []) partition.giveUp()
    await this.#progress.close()
    this.#state = 'closed'
    this.#ended.resolve()
  }

  async #run(): Promise<void> {
    const signal = this.#reading.signal
    try {
      const known = await this.#progress.open((error) => this.#troubles.set('target', error), signal)
      const partitions = new FlowPartitions(
        this.#options,
        this.#producers,
        known,
        this.#surroundings(),
        this.#counts,
      )
      this.#partitions = partitions
      this.#tasks.run(() => this.#progress.run(() => partitions.all, this.#stop.signal))
      const knownIds = new Map<string, string>()
      for (const [key, { topicId }] of known) {
        if (topicId !== undefined) knownIds.set(key.slice(0, key.lastIndexOf('/')), topicId)
      }
      const { flow, rules, source, target, clock, announce, discoveryIntervalMs } = this.#options
      const sync = createTopicSync({
        flow,
        rules,
        source,
        target,
        clock,
        announce: (event) => {
          announce(event)
          if (event.kind === 'configs-changed') this.#learnTargetRules(event.targetTopic)
        },
        discoveryIntervalMs,
        knownIds,
      })
      await sync.run((round) => this.#follow(partitions, round, signal), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #learnTargetRules(topic: string): void {
    this.#background(async (signal) => {
      const rules = (await readTargetRules(this.#options.target, [topic], signal)).get(topic)
      for (const partition of this.#partitions?.all ?? []) {
        if (rules !== undefined && partition.targetTopic === topic) partition.learnTargetRules(rules)
      }
    })
  }

  /** One look of discovery: leaders, then partitions that come and go. */
  async #follow(partitions: FlowPartitions, round: DiscoveryRound, signal: AbortSignal): Promise<void> {
    this.#round = round
    if (round.trouble !== undefined || round.completed === 0) return
    this.#sourceLeaders.replace(round.pairs.map(({ source }) => source))
    this.#targetLeaders.replace(round.pairs.map(({ target }) => target))
    for (const partition of partitions.drop(round.pairs)) {
      this.#reader.remove(partition)
      this.#writer.remove(partition)
      partition.giveUp()
    }
    try {
      await partitions.start(round.pairs, signal)
      const unread = partitions.all.filter((partition) => !this.#reader.has(partition))
      // The start pair is on the target before the first batch is: nothing is ever "never started" by mistake.
      if (unread.length > 0) await this.#progress.write(unread, signal)
      partitions.setPaused(round.pairs, (topic) => this.#pausedTopics.has(topic))
      for (const partition of unread) this.#reader.add(partition)
      if (this.#state === 'starting') this.#state = 'running'
      this.#troubles.set('start', undefined)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      this.#troubles.set('start', error)
    }
  }

  #surroundings(): PartitionSurroundings {
    const { announce, flow } = this.#options
    const place = (partition: PartitionFlow): { flow: typeof flow.id; topic: string; partition: number } => ({
      flow: flow.id,
      topic: partition.place.sourceTopic,
      partition: partition.partition,
    })
    const saidReencoding = new Set<string>()
    return {
      ownMemory: (bytes) => this.#budget.leaseOwn(bytes),
      onSendable: (partition) => this.#writer.offer(partition),
      onRoom: (partition) => this.#reader.wake(partition),
      onRefused: (partition, error) =>
        this.#background((signal) => this.#recovery.afterRefusal(partition, error, signal)),
      onReencoded: (partition, reason) => {
        this.#reencoded[reason] = (this.#reencoded[reason] ?? 0) + 1
        const key = `${partition.place.sourceTopic}/${partition.partition}/${reason}`
        if (saidReencoding.has(key)) return
        saidReencoding.add(key)
        announce({ ...place(partition), kind: 'partition-reencodes', reason })
      },
      onWaiting: (partition, reason, wayOut) =>
        announce({ ...place(partition), kind: 'partition-waiting', reason, wayOut }),
      onRecovered: (partition) => announce({ ...place(partition), kind: 'partition-recovered' }),
      onStopped: (partition, reason, wayOut) =>
        announce({ ...place(partition), kind: 'partition-stopped', reason, wayOut }),
    }
  }

  async #drain(timeoutMs: number): Promise<void> {
    const { clock, limits } = this.#options
    this.#state = 'draining'
    this.#reading.abort(new Error('the flow drains'))
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const isSettling = (): boolean => (this.#partitions?.all ?? []).some((partition) => partition.isSettling)
    while (isSettling() && clock.monotonicMs() < deadlineMs) await clock.sleep(DRAIN_POLL_MS)
    if (this.#partitions !== undefined) {
      const remainingMs = Math.max(limits.progressIntervalMs, deadlineMs - clock.monotonicMs())
      await this.#writeLast(this.#partitions.all, remainingMs, this.#stop.signal)
    }
    await this.destroy()
  }

  async #writeLast(
    partitions: readonly PartitionFlow[],
    timeoutMs: number,
    stop: AbortSignal,
  ): Promise<void> {
    const { clock, announce, flow } = this.#options
    const limit = new AbortController()
    const timer = clock.sleep(timeoutMs, limit.signal).then(
      () => limit.abort(new Error('no time left to write progress')),
      () => {},
    )
    try {
      await this.#progress.write(partitions, AbortSignal.any([stop, limit.signal]))
    } catch (error) {
      announce({ flow: flow.id, kind: 'progress-not-written', reason: String(error) })
    } finally {
      limit.abort()
      await timer
    }
  }

  #background(task: (signal: AbortSignal) => Promise<void>): void {
    const signal = this.#stop.signal
    if (signal.aborted) return
    this.#tasks.run(async () => {
      try {
        await task(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof KafkaError)) throw error
        this.#troubles.set('start', error)
      }
    })
  }

  #fail(error: unknown): void {
    this.#ended.reject(error)
    this.#reading.abort(error)
    this.#stop.abort(error)
    // Errors of the way down are of no interest any more: the first one is what `ended` tells.
    this.#writer.destroy().catch(() => {})
    this.#state = 'closed'
  }
}
