import { abortable } from '../kafka/abortable.ts'
import { KafkaError } from '../kafka/errors.ts'
import { LogWalks } from '../logs/log-walks.ts'
import { ShardLostError } from '../shards/fenced.ts'
import type { DiscoveryRound } from '../topics/topic-pair.ts'
import { createTopicSync } from '../topics/topic-sync.ts'
import { ByteBudget } from './byte-budget.ts'
import type { FlowOptions } from './flow-options.ts'
import { FlowShards } from './flow-shards.ts'
import { FlowWatches } from './flow-watches.ts'
import { FormerShards } from './former-shards.ts'
import { LeaderBook } from './leader-book.ts'
import { shardMapsMaker } from './maps/shard-maps-maker.ts'
import { type FlowMemory, openFlow, readViews, shardMaker } from './open-flow.ts'
import type { PartitionFlow, PartitionSurroundings } from './partition-flow.ts'
import { PartitionStarter } from './partition-starter.ts'
import { batchVerdict } from './producer-verdicts.ts'
import { readCopiedIds } from './read-copied-ids.ts'
import { Recovery } from './recovery.ts'
import type { FlowSnapshot } from './snapshot.ts'
import { snapshotOf } from './snapshot-of.ts'
import { SourceReader } from './source-reader.ts'
import { readTargetRules } from './target-rules.ts'
import { TargetWriter } from './target-writer.ts'
import { TaskSet } from './task-set.ts'
import { Troubles } from './troubles.ts'
import { TurnClock } from './turn-clock.ts'

/** How often a drain looks whether everything has been acknowledged, in milliseconds. */
const DRAIN_POLL_MS = 20
/** A flow without any shard counts as running after this long, in milliseconds. */
const SPARE_AFTER_MS = 10_000

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
  /** Ends at once; what became of what was in flight is for the next owner to find out. */
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
  readonly #sourceWalks: LogWalks
  readonly #targetWalks: LogWalks
  readonly #sourceLeaders: LeaderBook
  readonly #targetLeaders: LeaderBook
  readonly #reader: SourceReader
  readonly #writer: TargetWriter
  readonly #recovery: Recovery
  readonly #tasks: TaskSet
  readonly #turn: TurnClock
  /** Ends discovery and fetching; everything else ends with `#stop`. */
  readonly #reading = new AbortController()
  /** Gives the shards back to whoever shares them. */
  readonly #claiming = new AbortController()
  readonly #stop = new AbortController()
  readonly #ended = Promise.withResolvers<void>()
  readonly #pausedTopics = new Set<string>()
  readonly #troubles: Troubles
  readonly #watches: FlowWatches
  #shards: FlowShards | undefined
  #sharing: Promise<void> = Promise.resolve()
  #round: DiscoveryRound = { completed: 0, pairs: [], problems: [], trouble: undefined }
  #state: FlowSnapshot['state'] = 'starting'
  #ending: Promise<void> | undefined
  /** How it stood when its partitions were given up. */
  #left: FlowSnapshot | undefined
  /** When discovery had first ended. */
  #followedMs: number | undefined

  constructor(options: FlowOptions) {
    this.#options = options
    const { source, target, clock, random, backoff, limits, flow, announce } = options
    this.#turn = new TurnClock(clock)
    this.#tasks = new TaskSet((error) => this.#fail(error))
    this.#troubles = new Troubles(flow, announce)
    this.#budget = new ByteBudget(limits.bufferBytesMax)
    this.#sourceWalks = new LogWalks({ cluster: source, clock, random, backoff })
    this.#targetWalks = new LogWalks({ cluster: target, clock, random, backoff })
    this.#sourceLeaders = new LeaderBook(source, clock, () => this.#reader.follow())
    this.#targetLeaders = new LeaderBook(target, clock, () => this.#writer.follow())
    const shared = { clock, random, backoff, limits }
    this.#reader = new SourceReader(
      {
        ...shared,
        cluster: source,
        budget: this.#budget,
        learnOrigins: (records, signal) =>
          options.rule !== 'everything' ? options.origins?.learn(records, signal) : undefined,
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
        beginTurn: () => this.#turn.begin(),
        onTrouble: (broker, error) => this.#troubles.set('target', error, broker),
        refreshLeaders: () => this.#background((signal) => this.#targetLeaders.refresh(signal)),
      },
      this.#targetLeaders,
    )
    this.#recovery = new Recovery({
      options,
      onFenced: (partition) => this.#shards?.fenced(partition),
      sourceLeaders: this.#sourceLeaders,
      targetLeaders: this.#targetLeaders,
      offer: (partition) => this.#writer.offer(partition),
      onTrouble: (error) => this.#troubles.set('start', error),
    })
    this.#watches = new FlowWatches({
      options,
      sourceWalks: this.#sourceWalks,
      targetWalks: this.#targetWalks,
      partitions: () => this.#shards?.all ?? [],
      shards: () => this.#shards?.shards ?? [],
      onDoubt: (shard) => this.#shards?.doubt(shard),
    })
    this.#tasks.run(() => this.#run())
    this.#tasks.run(() => this.#watches.run(this.#reading.signal))
  }

  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** Of a flow that has ended: what it last did, and left. */
  snapshot(): FlowSnapshot {
    if (this.#left === undefined) return this.#snapshot()
    const { bufferedBytes, state } = this.#snapshot()
    return { ...this.#left, ...this.#counts, bufferedBytes, state }
  }

  #snapshot(): FlowSnapshot {
    return snapshotOf({
      flow: this.#options.flow,
      state: this.#state,
      round: this.#round,
      trouble: this.#troubles.current ?? this.#options.claims.trouble ?? this.#round.trouble,
      partitions: this.#shards?.all ?? [],
      refused: this.#shards?.refused ?? [],
      shards: this.#shards?.indexes ?? [],
      counts: this.#counts,
      reencoded: this.#reencoded,
      bufferedBytes: this.#budget.usedBytes,
      looks: this.#watches.looks,
      overrun: this.#watches.overrun,
      nowMs: this.#options.clock.wallMs(),
    })
  }

  setPaused(topic: string, paused: boolean): void {
    if (paused) this.#pausedTopics.add(topic)
    else this.#pausedTopics.delete(topic)
    this.#shards?.applyPauses()
  }

  drain(timeoutMs: number): Promise<void> {
    this.#ending ??= this.#drain(timeoutMs).catch((error) => this.#fail(error))
    return this.#ending
  }

  async destroy(): Promise<void> {
    this.#left ??= this.#snapshot()
    const reason = new Error('the flow ends')
    this.#reading.abort(reason)
    this.#stop.abort(reason)
    this.#claiming.abort(reason)
    this.#shards?.abandonAll()
    await this.#writer.destroy()
    await Promise.all([this.#sourceWalks.close(), this.#targetWalks.close()])
    await this.#tasks.settled()
    this.#state = 'closed'
    this.#ended.resolve()
  }

  async #run(): Promise<void> {
    const signal = this.#reading.signal
    try {
      const memory = await openFlow(
        this.#options,
        this.#targetWalks,
        (error) => this.#troubles.set('target', error),
        signal,
      )
      const shards = this.#makeShards(memory)
      this.#shards = shards
      this.#sharing = this.#options.claims.run(shards, this.#claiming.signal)
      this.#tasks.run(() => this.#sharing)
      const { flow, rules, source, target, clock, announce, discoveryIntervalMs, acls } = this.#options
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
        ...(acls === undefined ? {} : { acls: { ...acls, isOurTurn: () => shards.indexes.includes(0) } }),
        knownIds: memory.knownIds,
        readIds: (inner) => readCopiedIds(this.#options, this.#targetWalks, inner),
      })
      await sync.run((round) => this.#follow(shards, round), signal)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #makeShards(memory: FlowMemory): FlowShards {
    const makeShard = shardMaker(this.#options, memory, this.#targetWalks)
    const former = new FormerShards({
      shards: this.#options.flow.shards,
      views: memory.views,
      readViews: (signal) => readViews(this.#options, this.#targetWalks, signal),
      borrow: (index) => shards.lend(index),
    })
    const shards: FlowShards = new FlowShards({
      options: this.#options,
      makeShard,
      makeMaps: shardMapsMaker(this.#options, this.#targetWalks),
      makeCompanions: (shard, copies) => {
        const walks = { source: this.#sourceWalks, target: this.#targetWalks }
        return (this.#options.companions ?? []).map((make) => make({ shard, copies, walks }))
      },
      memoryMs: memory.limits.memoryMs,
      starter: new PartitionStarter(this.#options, this.#sourceWalks, this.#targetWalks, former),
      reader: this.#reader,
      writer: this.#writer,
      around: this.#surroundings(),
      counts: this.#counts,
      tasks: this.#tasks,
      turn: this.#turn,
      onTrouble: (error) => this.#troubles.set('start', error),
      onProgressed: () => this.#settle(shards),
      isPaused: (topic) => this.#pausedTopics.has(topic),
      cut: this.#stop.signal,
    })
    return shards
  }

  #learnTargetRules(topic: string): void {
    this.#background(async (signal) => {
      const rules = (await readTargetRules(this.#options.target, [topic], signal)).get(topic)
      for (const partition of this.#shards?.all ?? []) {
        if (rules !== undefined && partition.targetTopic === topic) partition.learnTargetRules(rules)
      }
    })
  }

  /** One look of discovery: leaders, then partitions that come and go. */
  #follow(shards: FlowShards, round: DiscoveryRound): void {
    this.#round = round
    if (round.trouble !== undefined || round.completed === 0) return
    this.#sourceLeaders.replace(round.pairs.map(({ source }) => source))
    this.#targetLeaders.replace(round.pairs.map(({ target }) => target))
    this.#followedMs ??= this.#options.clock.monotonicMs()
    shards.follow(round.pairs)
    this.#settle(shards)
  }

  /** A replica that gets no shard for a while is one to spare: it is as ready as it will be. */
  #settle(shards: FlowShards): void {
    if (this.#state !== 'starting' || this.#followedMs === undefined) return
    const waitedMs = this.#options.clock.monotonicMs() - this.#followedMs
    if (shards.isSettled || (shards.indexes.length === 0 && waitedMs >= SPARE_AFTER_MS))
      this.#state = 'running'
  }

  #surroundings(): Omit<PartitionSurroundings, 'mayWrite'> {
    const { announce, flow, rule, origins } = this.#options
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
      onUnproven: (partition) => this.#shards?.prove(partition),
      onStale: (partition) => this.#shards?.takeAnew(partition),
      onTargetGap: (...gap) => this.#watches.targetGap(...gap),
      forwards: rule === 'everything' ? undefined : batchVerdict((id) => origins?.isLocal(id) === true),
    }
  }

  async #drain(timeoutMs: number): Promise<void> {
    const { clock, limits } = this.#options
    this.#state = 'draining'
    this.#reading.abort(new Error('the flow drains'))
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const isSettling = (): boolean => (this.#shards?.all ?? []).some((partition) => partition.isSettling)
    while (isSettling() && clock.monotonicMs() < deadlineMs) await clock.sleep(DRAIN_POLL_MS)
    this.#left = this.#snapshot()
    const remainingMs = Math.max(limits.progressIntervalMs, deadlineMs - clock.monotonicMs())
    await this.#within(remainingMs, async (signal) => {
      await this.#shards?.writeProgress(signal)
      // Whoever shares the flow gets the shards as soon as they are free.
      this.#claiming.abort(new Error('the flow drains'))
      await abortable(this.#sharing, signal)
    })
    await this.destroy()
  }

  /** Does what a drain does last, for as long as there is time. */
  async #within(timeoutMs: number, task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, announce, flow } = this.#options
    const limit = new AbortController()
    const timer = clock.sleep(timeoutMs, limit.signal).then(
      () => limit.abort(new Error('no time left to write progress')),
      () => {},
    )
    try {
      await task(AbortSignal.any([this.#stop.signal, limit.signal]))
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
        if (signal.aborted || error instanceof ShardLostError) return
        if (!(error instanceof KafkaError)) throw error
        this.#troubles.set('start', error)
      }
    })
  }

  #fail(error: unknown): void {
    this.#ended.reject(error)
    this.#reading.abort(error)
    this.#claiming.abort(error)
    this.#stop.abort(error)
    // Errors of the way down are of no interest any more: the first one is what `ended` tells.
    this.#shards?.abandonAll()
    this.#writer.destroy().catch(() => {})
    this.#state = 'closed'
  }
}
