import { type SourceOffset, sourceOffset, type TargetOffset } from '../records/offsets.ts'
import type { LogWalks } from '../shards/log-walks.ts'
import type { Progress } from '../shards/progress-record.ts'
import { type Recovered, recoverPartition } from '../shards/recover-partition.ts'
import type { Fenced, FencedPlace, ProgressEntry, Shard } from '../shards/shard.ts'
import type { TopicPair } from '../topics/topic-pair.ts'
import { resumeCommand } from '../topology/resume-command.ts'
import type { FlowOptions } from './flow-options.ts'
import type { TargetTopicRules } from './partition-place.ts'
import type { PartitionWindow } from './partition-window.ts'
import { readTargetRules } from './target-rules.ts'

/** A partition that is to be started. */
export interface Newcomer {
  readonly pair: TopicPair
  readonly partition: number
}

/** Where a partition starts, once its start pair is on the target. */
export interface Started {
  readonly newcomer: Newcomer
  readonly from: 'progress' | 'earliest' | 'latest'
  readonly producer: PartitionWindow['producer']
  readonly sourceNext: SourceOffset
  readonly targetNext: TargetOffset
  /** Records that were copied since progress was last written, as the logs say. */
  readonly recovered: number
  readonly rules: TargetTopicRules
}

/** Why a partition cannot start. `retriable`: it is tried again with the next discovery. */
export interface NotStarted {
  readonly newcomer: Newcomer
  readonly reason: string
  readonly wayOut: string
  readonly retriable: boolean
}

export interface StarterCalls {
  readonly onStarted: (started: Started) => void
  readonly onNotStarted: (refused: NotStarted) => void
}

interface Origin {
  readonly from: 'earliest' | 'latest'
  readonly offset: SourceOffset
}

/** Fences partitions, finds out from the logs where they stand, and puts their start pairs on the target. */
export class PartitionStarter {
  readonly #options: FlowOptions
  readonly #source: LogWalks
  readonly #target: LogWalks

  constructor(options: FlowOptions, source: LogWalks, target: LogWalks) {
    this.#options = options
    this.#source = source
    this.#target = target
  }

  /**
   * Starts partitions of a shard. Each is told as soon as it is known: one whose log cannot be read holds up none of the
   * others.
   * @throws KafkaError, ShardLostError when nothing can be said about any of them; the signal's reason
   */
  async start(
    shard: Shard,
    newcomers: readonly Newcomer[],
    calls: StarterCalls,
    signal: AbortSignal,
  ): Promise<void> {
    const { target, flow } = this.#options
    const topics = [...new Set(newcomers.map(({ pair }) => pair.target.name))]
    const rules = await readTargetRules(target, topics, signal)
    const places = new Map(
      newcomers.map((newcomer) => {
        const { pair, partition } = newcomer
        const key = { flow: flow.id, topic: pair.source.name, partition }
        return [{ key, target: { topic: pair.target.name, partition } }, newcomer]
      }),
    )
    const fenced = await shard.fence([...places.keys()], signal)
    const origins = await this.#originsOf(fenced, places, signal)
    const begun = fenced.places.map(async (result) => {
      const newcomer = places.get(result.place)
      if (newcomer === undefined) throw new Error('A place came back that was not fenced')
      if (result.kind === 'refused') {
        const { reason, wayOut, retriable } = result
        calls.onNotStarted({ newcomer, reason, wayOut, retriable })
        return
      }
      const topicRules = rules.get(newcomer.pair.target.name)
      const origin = origins.get(newcomer)
      if (topicRules === undefined || (result.progress === undefined && origin === undefined)) {
        calls.onNotStarted({ newcomer, reason: 'a cluster did not answer', wayOut: '', retriable: true })
        return
      }
      await this.#startOne(shard, fenced, result, newcomer, topicRules, origin, calls, signal)
    })
    await Promise.all(begun)
  }

  async #startOne(
    shard: Shard,
    { marker, formerIds, progressLost }: Fenced,
    { progress, before, place }: Extract<FencedPlace, { kind: 'fenced' }>,
    newcomer: Newcomer,
    rules: TargetTopicRules,
    origin: Origin | undefined,
    calls: StarterCalls,
    signal: AbortSignal,
  ): Promise<void> {
    const { pair, partition } = newcomer
    if (progress?.stop !== undefined) {
      calls.onNotStarted({ newcomer, retriable: false, ...progress.stop })
      return
    }
    const recovered = await recoverPartition(
      {
        place: {
          sourceTopic: pair.source.name,
          sourceTopicId: pair.source.id,
          targetTopic: pair.target.name,
          targetTopicId: pair.target.id,
          partition,
          targetStamps: rules.stamps,
        },
        progress,
        before,
        marker,
        formerIds,
        progressLost,
      },
      { source: this.#source, target: this.#target, origins: this.#options.origins },
      signal,
    )
    const start = startOf(recovered, origin)
    if (start.kind === 'refused') {
      calls.onNotStarted({ newcomer, retriable: false, reason: start.reason, wayOut: this.#wayOut(newcomer) })
      return
    }
    const started = {
      newcomer,
      from: start.from,
      producer: marker,
      sourceNext: start.sourceNext,
      targetNext: start.targetNext,
      recovered: start.recovered,
      rules,
    }
    await shard.write([this.#entryOf(place.key, started)], signal)
    calls.onStarted(started)
  }

  #entryOf(key: ProgressEntry['key'], { newcomer: { pair }, sourceNext, targetNext, producer }: Started) {
    const progress: Progress = {
      topicId: pair.source.id,
      targetTopicId: pair.target.id,
      sourceNext,
      targetNext,
      producer,
      sequence: 0,
      rule: this.#options.rule,
    }
    return { key, progress }
  }

  #wayOut({ pair, partition }: Newcomer): string {
    const { flow } = this.#options
    return `Compare both sides (causeway verify), then choose where to go on: ${resumeCommand({ flow: flow.id, topic: pair.source.name, partition }, 'earliest')} (or latest, or an offset)`
  }

  /** Where those without progress would start, asked for all at once. */
  async #originsOf(
    fenced: Fenced,
    places: ReadonlyMap<FencedPlace['place'], Newcomer>,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Newcomer, Origin>> {
    const open = fenced.places.flatMap((result) => {
      const newcomer = places.get(result.place)
      return result.kind === 'fenced' && result.progress === undefined && newcomer !== undefined
        ? [{ newcomer, from: this.#originOf(newcomer) }]
        : []
    })
    if (open.length === 0) return new Map()
    const answers = await this.#options.source.listOffsets(
      open.map(({ newcomer: { pair, partition }, from }) => ({
        topic: pair.source.name,
        partition,
        at: from === 'latest' ? ('last-stable' as const) : ('earliest' as const),
      })),
      signal,
    )
    return new Map(
      open.flatMap(({ newcomer, from }, index) => {
        const result = answers[index]?.result
        return result?.ok ? [[newcomer, { from, offset: sourceOffset(result.value.offset) }]] : []
      }),
    )
  }

  /** `startAt` speaks of what is there when the flow first looks; what comes later is taken from its first record. */
  #originOf({ pair, partition }: Newcomer): Origin['from'] {
    const later = pair.appeared === 'later' || pair.laterPartitions.includes(partition)
    return later ? 'earliest' : this.#options.flow.startAt
  }
}

type Start =
  | { readonly kind: 'refused'; readonly reason: string }
  | ({ readonly kind: 'start' } & Pick<Started, 'from' | 'sourceNext' | 'targetNext' | 'recovered'>)

function startOf(recovered: Recovered, origin: Origin | undefined): Start {
  switch (recovered.kind) {
    case 'refused':
      return recovered
    case 'resume': {
      const { sourceNext, targetNext, records } = recovered
      return { kind: 'start', from: 'progress', sourceNext, targetNext, recovered: records }
    }
    case 'never-started': {
      if (origin === undefined) throw new Error('Nobody asked where the source begins')
      const { targetNext } = recovered
      return { kind: 'start', from: origin.from, sourceNext: origin.offset, targetNext, recovered: 0 }
    }
  }
}
