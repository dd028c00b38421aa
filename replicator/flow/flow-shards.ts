import { backoffMs } from '../clock/backoff.ts'
import { KafkaError } from '../kafka/errors.ts'
import { ShardLostError } from '../shards/fenced.ts'
import type { Shard } from '../shards/shard.ts'
import type { ShardHolder } from '../shards/shard-claims.ts'
import { shardOf } from '../shards/shard-of.ts'
import type { TopicPair } from '../topics/topic-pair.ts'
import type { FlowShardsContext } from './flow-shards-context.ts'
import type { BorrowedShard } from './former-shards.ts'
import { type HeldShard, heldShard } from './held-shard.ts'
import { newPartition } from './new-partition.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { partitionKey } from './partition-key.ts'
import type { Newcomer, NotStarted, Started } from './partition-starter.ts'

import { keepProgress, writeAll } from './shard-upkeep.ts'
import type { StoppedPartition } from './snapshot.ts'

/** How often a shard that goes to another process looks whether everything has been acknowledged, in milliseconds. */
const RELEASE_POLL_MS = 20
/** A shard that was lost, and is still claimed, is taken again after this long and as much again by chance. */
const RETAKE_MS = 1000
/** Partitions that must be taken anew gather for this long, to share a fence. */
const GATHER_MS = 25

/** The shards that this process owns, with the partitions that it forwards for them. */
export class FlowShards implements ShardHolder {
  readonly #context: FlowShardsContext
  readonly #claimed = new Set<number>()
  readonly #held = new Map<number, HeldShard>()
  readonly #owners = new WeakMap<PartitionFlow, HeldShard>()
  #pairs: readonly TopicPair[] = []
  #byShard: ReadonlyMap<number, readonly Newcomer[]> = new Map()

  constructor(context: FlowShardsContext) {
    this.#context = context
  }

  get all(): readonly PartitionFlow[] {
    return [...this.#held.values()].flatMap(({ partitions }) => [...partitions.values()])
  }

  get refused(): readonly StoppedPartition[] {
    return [...this.#held.values()].flatMap(({ refused }) => [...refused.values()])
  }

  get shards(): readonly Shard[] {
    return [...this.#held.values()].map(({ shard }) => shard)
  }

  /** Shards that this process owns or is about to. */
  get indexes(): readonly number[] {
    return [...this.#held.keys()].sort((a, b) => a - b)
  }

  /** Shards were claimed, and everything of them that is there to be started runs or was tried. */
  get isSettled(): boolean {
    const isTried = (held: HeldShard): boolean =>
      [...held.starting].every((key) => held.tried.has(key)) &&
      this.#missing(held).every(({ pair, partition }) =>
        held.tried.has(partitionKey(pair.source.name, partition)),
      )
    return this.#held.size > 0 && [...this.#held.values()].every(isTried)
  }

  claim(shards: readonly number[]): void {
    for (const index of shards) {
      this.#claimed.add(index)
      if (!this.#held.has(index)) this.#hold(index)
    }
  }

  async release(shards: readonly number[]): Promise<void> {
    for (const index of shards) this.#claimed.delete(index)
    await Promise.all(
      shards.map(async (index) => {
        const held = this.#held.get(index)
        if (held !== undefined) await this.#release(held)
      }),
    )
  }

  lose(shards: readonly number[]): void {
    for (const index of shards) {
      this.#claimed.delete(index)
      const held = this.#held.get(index)
      if (held !== undefined) this.#abandon(held)
    }
  }

  /** What discovery has found: partitions come and go. */
  follow(pairs: readonly TopicPair[]): void {
    this.#pairs = pairs
    const { shards } = this.#context.options.flow
    this.#byShard = Map.groupBy(
      pairs.flatMap((pair) => pair.partitions.map((partition) => ({ pair, partition }))),
      ({ pair, partition }) => shardOf(pair.source.name, partition, shards),
    )
    const wanted = new Set(
      pairs.flatMap((pair) => pair.partitions.map((index) => partitionKey(pair.source.name, index))),
    )
    for (const held of this.#held.values()) {
      for (const [key, partition] of held.partitions) if (!wanted.has(key)) this.#drop(held, key, partition)
      for (const key of held.refused.keys()) if (!wanted.has(key)) held.refused.delete(key)
      this.#startMissing(held)
    }
    this.applyPauses()
  }

  /** Pauses and resumes, as the pairs and the operator say. */
  applyPauses(): void {
    for (const pair of this.#pairs) {
      const paused = new Set(pair.pausedPartitions)
      for (const index of pair.partitions) {
        const partition = this.#find(pair.source.name, index)
        if (paused.has(index) || this.#context.isPaused(pair.source.name)) partition?.pause()
        else partition?.resume()
      }
    }
  }

  /** Asks whether the partition's shard is still ours, and lets its partitions send if so. */
  prove(partition: PartitionFlow): void {
    const held = this.#owners.get(partition)
    if (held === undefined || held.isProving) return
    held.isProving = true
    this.#run(held, async (signal) => {
      try {
        await held.shard.prove(signal)
      } finally {
        held.isProving = false
      }
      for (const each of held.partitions.values()) if (!each.window.isEmpty) this.#context.writer.offer(each)
    })
  }

  /** Asks whether a shard is still ours, however sure that seemed. */
  doubt(index: number): void {
    const held = this.#held.get(index)
    if (held !== undefined) this.#run(held, (signal) => held.shard.prove(signal, true))
  }

  /** Another process has fenced the partition's shard. */
  fenced(partition: PartitionFlow): void {
    const held = this.#owners.get(partition)
    if (held !== undefined) this.#lost(held)
  }

  /** Fences the partition once more and asks the logs where it stands. */
  takeAnew(partition: PartitionFlow): void {
    const held = this.#owners.get(partition)
    if (held === undefined) return
    const key = partitionKey(partition.place.sourceTopic, partition.partition)
    if (held.partitions.get(key) !== partition) return
    this.#drop(held, key, partition)
    held.starting.add(key)
    const { clock, random, backoff } = this.#context.options
    // What helps at once costs a moment; what does not must not burn an epoch at every turn.
    const isFirst = partition.window.acknowledged.sequence > 0
    const attempt = isFirst ? 0 : (held.takenAnew.get(key) ?? 0)
    held.takenAnew.set(key, attempt + 1)
    this.#run(held, async (signal) => {
      await clock.sleep(attempt === 0 ? GATHER_MS : backoffMs(backoff, attempt, random), signal)
      held.starting.delete(key)
      this.#startMissing(held)
    })
  }

  /** Writes for every shard what the next owner goes by. @throws KafkaError, ShardLostError; the signal's reason */
  async writeProgress(signal: AbortSignal): Promise<void> {
    const { options } = this.#context
    await Promise.all([...this.#held.values()].map((held) => writeAll(held, options, signal)))
  }

  /** A shard for what is done about partitions that are no longer its own. */
  lend(index: number): BorrowedShard {
    const held = this.#held.get(index)
    if (held !== undefined) {
      const { shard, stop } = held
      return { shard, ended: stop.signal, onLost: () => this.#lost(held), giveBack() {} }
    }
    const shard = this.#context.makeShard(index)
    return { shard, ended: undefined, onLost() {}, giveBack: () => shard.close() }
  }

  /** Gives everything up at once. */
  abandonAll(): void {
    this.#claimed.clear()
    for (const held of this.#held.values()) this.#abandon(held)
  }

  #find(topic: string, partition: number): PartitionFlow | undefined {
    const index = shardOf(topic, partition, this.#context.options.flow.shards)
    return this.#held.get(index)?.partitions.get(partitionKey(topic, partition))
  }

  #hold(index: number): void {
    const shard = this.#context.makeShard(index)
    const { makeMaps, makeCompanions } = this.#context
    const held = heldShard(shard, makeMaps(shard), makeCompanions)
    this.#held.set(index, held)
    for (const companion of held.companions) this.#run(held, async (signal) => companion.hold?.(signal))
    this.#startMissing(held)
  }

  /** Partitions of the shard that neither run nor are refused nor are being started. */
  #missing(held: HeldShard): readonly Newcomer[] {
    return (this.#byShard.get(held.shard.index) ?? []).filter(({ pair, partition }) => {
      const key = partitionKey(pair.source.name, partition)
      return (
        // Without a leader its marker would be dropped.
        pair.target.partitions[partition]?.leader !== undefined &&
        !held.partitions.has(key) &&
        !held.starting.has(key) &&
        !held.refused.has(key)
      )
    })
  }

  #startMissing(held: HeldShard): void {
    if (held.isLeaving || held.stop.signal.aborted) return
    const newcomers = this.#missing(held)
    if (newcomers.length === 0) return
    const keys = newcomers.map(({ pair, partition }) => partitionKey(pair.source.name, partition))
    for (const key of keys) held.starting.add(key)
    // Whoever is told of meanwhile may be started again by another task, whose it is then.
    const untold = new Set(keys)
    const told = ({ newcomer: { pair, partition } }: { readonly newcomer: Newcomer }): void => {
      untold.delete(partitionKey(pair.source.name, partition))
    }
    this.#run(held, async (signal) => {
      let trouble: KafkaError | undefined
      try {
        await this.#context.starter.start(
          held.shard,
          newcomers,
          {
            onStarted: (started) => {
              told(started)
              this.#started(held, started)
            },
            onNotStarted: (refused) => {
              told(refused)
              trouble ??= refused.error
              this.#notStarted(held, refused)
            },
          },
          signal,
        )
        this.#context.onTrouble(trouble)
      } finally {
        for (const key of untold) held.starting.delete(key)
      }
    })
  }

  #started(held: HeldShard, started: Started): void {
    const { pair, partition: index } = started.newcomer
    const key = partitionKey(pair.source.name, index)
    held.starting.delete(key)
    if (held.stop.signal.aborted || held.isLeaving) return
    this.#keep(held)
    const { options, turn, memoryMs, around, counts, reader } = this.#context
    const map = held.maps?.start(started)
    const partition = newPartition(started, {
      turn,
      memoryMs,
      around: { ...around, mayWrite: () => held.shard.isProven(turn) },
      counts,
      map,
    })
    const { from, sourceNext, recovered } = started
    const topic = pair.source.name
    const at = { flow: options.flow.id, topic, partition: index }
    options.announce({ ...at, kind: 'partition-started', from, sourceNext, recovered })
    held.partitions.set(key, partition)
    held.tried.add(key)
    this.#owners.set(partition, held)
    if (pair.pausedPartitions.includes(index) || this.#context.isPaused(topic)) partition.pause()
    reader.add(partition)
    this.#context.onProgressed()
  }

  #notStarted(held: HeldShard, { newcomer: { pair, partition }, ...why }: NotStarted): void {
    const topic = pair.source.name
    const key = partitionKey(topic, partition)
    held.starting.delete(key)
    this.#keep(held)
    held.tried.add(key)
    this.#context.onProgressed()
    if (why.retriable || held.stop.signal.aborted) return
    const { reason, wayOut } = why
    held.refused.set(key, { topic, partition, reason, wayOut })
    const { announce, flow } = this.#context.options
    announce({ flow: flow.id, topic, partition, kind: 'partition-stopped', reason, wayOut })
  }

  /** From the first fence on: progress is written, and ownership is kept. */
  #keep(held: HeldShard): void {
    if (held.isKept) return
    held.isKept = true
    const { options, onTrouble } = this.#context
    this.#run(held, (signal) =>
      held.shard.keep((error) => {
        if (error instanceof KafkaError) onTrouble(error)
      }, signal),
    )
    this.#run(held, (signal) => keepProgress(held, options, signal))
    const { maps, companions } = held
    if (maps !== undefined) this.#run(held, (signal) => maps.run(signal))
    for (const companion of companions) this.#run(held, (signal) => companion.run(signal))
  }

  async #release(held: HeldShard): Promise<void> {
    const { cut, reader, options } = this.#context
    held.isLeaving = true
    for (const partition of held.partitions.values()) reader.remove(partition)
    const isSettling = (): boolean => [...held.partitions.values()].some((partition) => partition.isSettling)
    const { signal } = held.stop
    const until = AbortSignal.any([signal, cut])
    try {
      while (isSettling()) await options.clock.sleep(RELEASE_POLL_MS, until)
      if (held.isKept) await writeAll(held, options, until)
    } catch (error) {
      if (!until.aborted && !(error instanceof KafkaError) && !(error instanceof ShardLostError)) throw error
    }
    this.#abandon(held)
    await Promise.all(held.tasks)
    // The agreement may have changed meanwhile, and nobody claims twice.
    const { index } = held.shard
    if (this.#claimed.has(index) && !this.#held.has(index) && !cut.aborted) this.#hold(index)
  }

  #drop(held: HeldShard, key: string, partition: PartitionFlow): void {
    held.partitions.delete(key)
    held.written.delete(key)
    this.#context.reader.remove(partition)
    this.#context.writer.remove(partition)
    partition.giveUp()
  }

  #abandon(held: HeldShard): void {
    held.stop.abort(new Error('the shard is given up'))
    for (const [key, partition] of held.partitions) this.#drop(held, key, partition)
    held.shard.close()
    held.maps?.close()
    for (const companion of held.companions) companion.close()
    if (this.#held.get(held.shard.index) === held) this.#held.delete(held.shard.index)
  }

  #lost(held: HeldShard): void {
    if (held.stop.signal.aborted) return
    const { options, cut, tasks } = this.#context
    const { index } = held.shard
    options.announce({ flow: options.flow.id, kind: 'shard-lost', shard: index })
    this.#abandon(held)
    tasks.run(async () => {
      try {
        await options.clock.sleep(RETAKE_MS * (1 + options.random.next()), cut)
      } catch {
        return
      }
      if (this.#claimed.has(index) && !this.#held.has(index)) this.#hold(index)
    })
  }

  /** Work for a shard, until it is given up. What a cluster refuses is told and tried again with the next discovery. */
  #run(held: HeldShard, task: (signal: AbortSignal) => Promise<void>): void {
    const { signal } = held.stop
    if (signal.aborted) return
    this.#context.tasks.run(async () => {
      const running = task(signal)
      const settled = running.catch(() => {})
      held.tasks.add(settled)
      try {
        await running
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof ShardLostError) this.#lost(held)
        else if (error instanceof KafkaError) this.#context.onTrouble(error)
        else throw error
      } finally {
        held.tasks.delete(settled)
      }
    })
  }
}
