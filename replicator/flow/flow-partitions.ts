import type { TopicMetadata } from '../kafka/cluster.ts'
import { type SourceOffset, sourceOffset } from '../records/offsets.ts'
import type { Progress } from '../shards/progress-record.ts'
import { shardOf } from '../shards/shard-of.ts'
import type { ShardProducers } from '../shards/shard-producers.ts'
import type { TopicPair } from '../topics/topic-pair.ts'
import type { FlowOptions } from './flow-options.ts'
import { PartitionFlow, type PartitionSurroundings } from './partition-flow.ts'
import { PartitionWindow, type SettledCounts } from './partition-window.ts'
import { readTargetRules } from './target-rules.ts'

type Origin = 'progress' | 'earliest' | 'latest'

interface Start {
  readonly from: Origin
  readonly sourceNext: SourceOffset
  readonly targetNext: Progress['targetNext']
}

interface Newcomer {
  readonly pair: TopicPair
  readonly partition: number
}

/** The partitions that a flow forwards, kept in step with what discovery finds. */
export class FlowPartitions {
  readonly #options: FlowOptions
  readonly #producers: ShardProducers
  readonly #progress: ReadonlyMap<string, Progress>
  readonly #around: PartitionSurroundings
  readonly #counts: SettledCounts
  readonly #current = new Map<string, PartitionFlow>()
  /** Partitions that went and may come back, as they stood when they went. */
  readonly #gone = new Map<string, PartitionFlow>()

  constructor(
    options: FlowOptions,
    producers: ShardProducers,
    progress: ReadonlyMap<string, Progress>,
    around: PartitionSurroundings,
    counts: SettledCounts,
  ) {
    this.#options = options
    this.#producers = producers
    this.#progress = progress
    this.#around = around
    this.#counts = counts
  }

  get all(): readonly PartitionFlow[] {
    return [...this.#current.values()]
  }

  /** Makes the partitions of new pairs. What cannot be made now is tried again in the next round. */
  async start(pairs: readonly TopicPair[], signal: AbortSignal): Promise<void> {
    const newcomers = pairs.flatMap((pair) =>
      pair.partitions
        .filter((partition) => this.#mayStart(keyOf(pair.source.name, partition)))
        .map((partition) => ({ pair, partition })),
    )
    if (newcomers.length === 0) return
    const targets = [...new Set(newcomers.map(({ pair }) => pair.target.name))]
    const rules = await readTargetRules(this.#options.target, targets, signal)
    const starts = await this.#startsOf(newcomers, signal)
    for (const [index, newcomer] of newcomers.entries()) {
      const start = starts[index]
      const targetRules = rules.get(newcomer.pair.target.name)
      if (start === undefined || targetRules === undefined) continue
      const partition = await this.#make(newcomer, start, targetRules, signal)
      const key = keyOf(newcomer.pair.source.name, newcomer.partition)
      this.#current.set(key, partition)
      this.#gone.delete(key)
    }
  }

  /** One that comes back waits for what it had in flight, so that nothing overtakes it. */
  #mayStart(key: string): boolean {
    return !this.#current.has(key) && (this.#gone.get(key)?.window.inFlight ?? 0) === 0
  }

  /** Lets go of partitions that no pair names any more, and returns them. */
  drop(pairs: readonly TopicPair[]): readonly PartitionFlow[] {
    const wanted = new Set(
      pairs.flatMap((pair) => pair.partitions.map((index) => keyOf(pair.source.name, index))),
    )
    const dropped: PartitionFlow[] = []
    for (const [key, partition] of this.#current) {
      if (wanted.has(key)) continue
      this.#current.delete(key)
      this.#gone.set(key, partition)
      dropped.push(partition)
    }
    return dropped
  }

  /** Pauses and resumes, as the pairs and the operator say. */
  setPaused(pairs: readonly TopicPair[], pausedByOperator: (topic: string) => boolean): void {
    for (const pair of pairs) {
      const paused = new Set(pair.pausedPartitions)
      for (const index of pair.partitions) {
        const partition = this.#current.get(keyOf(pair.source.name, index))
        if (paused.has(index) || pausedByOperator(pair.source.name)) partition?.pause()
        else partition?.resume()
      }
    }
  }

  shardOf(partition: PartitionFlow): number {
    return shardOf(partition.place.sourceTopic, partition.partition, this.#options.flow.shards)
  }

  async #make(
    { pair, partition }: Newcomer,
    start: Start,
    rules: { readonly batchBytesMax: number; readonly stamps: boolean },
    signal: AbortSignal,
  ): Promise<PartitionFlow> {
    const { flow, announce } = this.#options
    const shard = shardOf(pair.source.name, partition, flow.shards)
    const earlier = this.#gone.get(keyOf(pair.source.name, partition))
    // Sequences start over, and the target still remembers the ones that the earlier life used.
    const producer =
      earlier === undefined
        ? await this.#producers.identityOf(shard, signal)
        : await this.#producers.renewed(shard, earlier.window.producer, signal)
    const window = new PartitionWindow(producer, start)
    const place = {
      sourceTopic: pair.source.name,
      sourceTopicId: pair.source.id,
      targetTopic: pair.target.name,
      partition,
    }
    const { from, sourceNext } = start
    announce({
      flow: flow.id,
      kind: 'partition-started',
      topic: pair.source.name,
      partition,
      from,
      sourceNext,
    })
    return new PartitionFlow(place, window, rules, this.#around, this.#counts, from === 'earliest')
  }

  /** Where each newcomer starts; `undefined` where the source did not say. */
  async #startsOf(
    newcomers: readonly Newcomer[],
    signal: AbortSignal,
  ): Promise<readonly (Start | undefined)[]> {
    const known = newcomers.map(({ pair, partition }) => this.#known(pair.source, partition))
    const open = newcomers.filter((_, index) => known[index] === undefined)
    const queries = open.map(({ pair, partition }) => ({
      topic: pair.source.name,
      partition,
      from: this.#originOf(pair, partition),
    }))
    const answers =
      queries.length === 0
        ? []
        : await this.#options.source.listOffsets(
            queries.map(({ topic, partition, from }) => ({
              topic,
              partition,
              at: from === 'latest' ? ('last-stable' as const) : ('earliest' as const),
            })),
            signal,
          )
    const listed = answers.map(({ result }, index): Start | undefined =>
      result.ok
        ? {
            from: queries[index]?.from ?? 'earliest',
            sourceNext: sourceOffset(result.value.offset),
            targetNext: undefined,
          }
        : undefined,
    )
    return known.map((start) => start ?? listed.shift())
  }

  #known(source: TopicMetadata, partition: number): Start | undefined {
    const key = keyOf(source.name, partition)
    const earlier = this.#gone.get(key)
    if (earlier !== undefined && earlier.place.sourceTopicId === source.id)
      return { from: 'progress', ...earlier.window.acknowledged }
    const progress = this.#progress.get(key)
    if (progress === undefined || progress.topicId !== source.id) return undefined
    return { from: 'progress', sourceNext: progress.sourceNext, targetNext: progress.targetNext }
  }

  /** `startAt` speaks of what is there when the flow first looks; what comes later is taken from its first record. */
  #originOf(pair: TopicPair, partition: number): Exclude<Origin, 'progress'> {
    const later = pair.appeared === 'later' || pair.laterPartitions.includes(partition)
    return later ? 'earliest' : this.#options.flow.startAt
  }
}

const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`
