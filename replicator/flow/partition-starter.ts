import { KafkaError } from '../kafka/errors.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { type SourceOffset, sourceOffset, type TargetOffset } from '../records/offsets.ts'
import { ShardLostError } from '../shards/fenced.ts'
import type { FencePlace } from '../shards/fencing.ts'
import type { Progress } from '../shards/progress-record.ts'
import type { ProgressEntry } from '../shards/progress-view.ts'
import { type Recovered, recoverPartition } from '../shards/recover-partition.ts'
import type { Fenced, FencedPlace, Shard } from '../shards/shard.ts'
import type { TopicPair } from '../topics/topic-pair.ts'
import { resumeCommand } from '../topology/resume-command.ts'
import type { FlowOptions } from './flow-options.ts'
import { type Adopted, type FormerShards, newestProgress } from './former-shards.ts'
import { recreatedSource, type StopText } from './judge-source.ts'
import { recreatedTarget } from './judge-target.ts'
import { partitionKey } from './partition-key.ts'
import type { TargetTopicRules } from './partition-place.ts'
import type { PartitionWindow } from './partition-window.ts'
import { isOtherTopic } from './resume-plan.ts'
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
  /** How it stood when progress was written last; `undefined` when it never was. */
  readonly earlier: EarlierStand | undefined
}

/** What a partition's watches look at once it has started: what may have happened while nobody looked. */
export interface EarlierStand {
  readonly sourceNext: SourceOffset
  readonly targetNext: TargetOffset
  /** The source's leader epoch in which reading stood. */
  readonly sourceEpoch: number | undefined
  /** Producer ids that this flow ever wrote with on the target. */
  readonly formerIds: ReadonlySet<bigint>
}

/** Why a partition cannot start. `retriable`: it is tried again with the next discovery. */
export interface NotStarted {
  readonly newcomer: Newcomer
  readonly reason: string
  readonly wayOut: string
  readonly retriable: boolean
  /** What a cluster said, where that is why. */
  readonly error?: KafkaError
}

export interface StarterCalls {
  readonly onStarted: (started: Started) => void
  readonly onNotStarted: (refused: NotStarted) => void
}

interface Candidate {
  readonly newcomer: Newcomer
  readonly place: FencePlace
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
  readonly #former: FormerShards

  constructor(options: FlowOptions, source: LogWalks, target: LogWalks, former: FormerShards) {
    this.#options = options
    this.#source = source
    this.#target = target
    this.#former = former
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
    const isElsewhere = ({ pair: { source }, partition }: Newcomer): boolean =>
      this.#former.has({ topic: source.name, partition })
    const groups = [newcomers.filter((each) => !isElsewhere(each)), newcomers.filter(isElsewhere)]
    const [ours = [], adopted = []] = groups.map((group) => group.map((each) => this.#candidate(each)))
    const both = await Promise.allSettled([
      this.#startAll(shard, ours, undefined, calls, signal),
      this.#adopt(shard, adopted, calls, signal),
    ])
    // Whoever failed waits for the others: none may be begun again while it still runs.
    for (const outcome of both) if (outcome.status === 'rejected') throw outcome.reason
  }

  /** As {@link #startAll}, for partitions of which other shards have progress. */
  async #adopt(
    shard: Shard,
    candidates: readonly Candidate[],
    calls: StarterCalls,
    signal: AbortSignal,
  ): Promise<void> {
    if (candidates.length === 0) return
    await shard.fence(
      candidates.map(({ place }) => place),
      signal,
    )
    const start = async ({ left, refused }: Adopted): Promise<ReadonlySet<string>> => {
      for (const { place, newcomer } of candidates) {
        const refusal = refused.get(place)
        if (refusal !== undefined) calls.onNotStarted({ newcomer, ...refusal })
      }
      const adopted = new Map<FencePlace, Progress>()
      for (const { place, newcomer } of candidates) {
        const own = shard.progressOf(place.key.topic, place.key.partition)
        const all = [...(own === undefined ? [] : [own]), ...(left.get(place) ?? [])]
        const newest = newestProgress(all, newcomer.pair.target.id)
        if (newest !== undefined) adopted.set(place, newest)
      }
      const started = new Set<string>()
      const onStarted = (it: Started): void => {
        started.add(partitionKey(it.newcomer.pair.source.name, it.newcomer.partition))
        calls.onStarted(it)
      }
      // Our first marker stands before the former owner's last batch: what follows is fenced behind both.
      const open = candidates.filter(({ place }) => !refused.has(place))
      await this.#startAll(shard, open, adopted, { ...calls, onStarted }, signal)
      return started
    }
    try {
      await this.#former.adopt(
        candidates.map(({ place }) => place),
        start,
        signal,
      )
    } catch (error) {
      // The process that has the former shard takes it back before it gives it up: the next discovery tries again.
      if (!(error instanceof ShardLostError) || error.shard === shard.index) throw error
    }
  }

  #candidate(newcomer: Newcomer): Candidate {
    const { pair, partition } = newcomer
    const key = { flow: this.#options.flow.id, topic: pair.source.name, partition }
    return { newcomer, place: { key, target: { topic: pair.target.name, partition } } }
  }

  async #startAll(
    shard: Shard,
    candidates: readonly Candidate[],
    adopted: ReadonlyMap<FencePlace, Progress> | undefined,
    calls: StarterCalls,
    signal: AbortSignal,
  ): Promise<void> {
    if (candidates.length === 0) return
    const topics = [...new Set(candidates.map(({ place }) => place.target.topic))]
    const rules = await readTargetRules(this.#options.target, topics, signal)
    const newcomers = new Map(candidates.map(({ place, newcomer }) => [place, newcomer]))
    const fenced = await shard.fence([...newcomers.keys()], signal)
    const origins = await this.#originsOf(fenced, newcomers, signal)
    const begun = fenced.places.map(async (result) => {
      const newcomer = newcomers.get(result.place)
      if (newcomer === undefined) throw new Error('A place came back that was not fenced')
      if (result.kind === 'refused') {
        const { reason, wayOut, retriable } = result
        calls.onNotStarted({ newcomer, reason, wayOut, retriable })
        return
      }
      const progress = adopted?.get(result.place) ?? result.progress
      const topicRules = rules.get(newcomer.pair.target.name)
      const origin = origins.get(newcomer)
      if (topicRules === undefined || (progress === undefined && origin === undefined)) {
        calls.onNotStarted({ newcomer, reason: 'a cluster did not answer', wayOut: '', retriable: true })
        return
      }
      const known = { ...result, progress, isAdopted: adopted !== undefined }
      try {
        await this.#startOne(shard, fenced, known, newcomer, topicRules, origin, calls, signal)
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        const { message: reason, wayOut = '' } = error
        calls.onNotStarted({ newcomer, reason, wayOut, retriable: true, error })
      }
    })
    // All of them have ended before any is begun again.
    for (const outcome of await Promise.allSettled(begun)) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
  }

  async #startOne(
    shard: Shard,
    { marker, formerIds, progressLost }: Fenced,
    { progress, before, place, isAdopted }: Extract<FencedPlace, { kind: 'fenced' }> & { isAdopted: boolean },
    newcomer: Newcomer,
    rules: TargetTopicRules,
    origin: Origin | undefined,
    calls: StarterCalls,
    signal: AbortSignal,
  ): Promise<void> {
    const { pair, partition } = newcomer
    const stop = progress === undefined ? undefined : this.#standingStop(progress, newcomer)
    if (stop !== undefined) {
      calls.onNotStarted({ newcomer, retriable: false, ...stop })
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
    if (recovered.kind === 'unmarked') {
      const reason = 'the target has not written the marker that fences it'
      calls.onNotStarted({ newcomer, retriable: true, reason, wayOut: 'None needed: it is fenced again.' })
      return
    }
    const start = startOf(recovered, origin)
    if (start.kind === 'refused') {
      // What was to be adopted and is not there any more has gone to another shard meanwhile.
      const mayBeElsewhere = !isAdopted || progress === undefined
      const isElsewhere = mayBeElsewhere && (await this.#former.hasNow(place.key, signal))
      const why = isElsewhere
        ? {
            retriable: true,
            reason: 'another shard copied it meanwhile',
            wayOut: 'None needed: it is adopted.',
          }
        : { retriable: false, reason: start.reason, wayOut: this.#wayOut(newcomer) }
      calls.onNotStarted({ newcomer, ...why })
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
      earlier: progress === undefined ? undefined : earlierStand(progress, formerIds),
    }
    await shard.write([this.#entryOf(place.key, started)], signal)
    calls.onStarted(started)
  }

  #entryOf(
    key: ProgressEntry['key'],
    { newcomer: { pair }, sourceNext, targetNext, producer, earlier }: Started,
  ) {
    const sourceEpoch = earlier?.sourceNext === sourceNext ? earlier.sourceEpoch : undefined
    const progress: Progress = {
      topicId: pair.source.id,
      targetTopicId: pair.target.id,
      sourceNext,
      targetNext,
      producer,
      sequence: 0,
      rule: this.#options.rule,
      ...(sourceEpoch === undefined ? {} : { sourceEpoch }),
    }
    return { key, progress }
  }

  /** What only a person lifts: a stop for good, or topics that are not those that were copied between. */
  #standingStop(progress: Progress, { pair, partition }: Newcomer): StopText | undefined {
    if (progress.stop !== undefined) return progress.stop
    const place = { flow: this.#options.flow.id, topic: pair.source.name, partition }
    if (isOtherTopic(progress.topicId, pair.source.id)) return recreatedSource(place)
    if (isOtherTopic(progress.targetTopicId, pair.target.id)) return recreatedTarget(place, pair.target.name)
    return undefined
  }

  #wayOut({ pair, partition }: Newcomer): string {
    const { flow } = this.#options
    return `Compare both sides (causeway verify), then choose where to go on: ${resumeCommand({ flow: flow.id, topic: pair.source.name, partition }, 'earliest')} (or latest, or an offset)`
  }

  /** Where those without progress would start, asked for all at once. */
  async #originsOf(
    fenced: Fenced,
    places: ReadonlyMap<FencePlace, Newcomer>,
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

function earlierStand(
  { sourceNext, targetNext, sourceEpoch, producer }: Progress,
  formerIds: ReadonlySet<bigint>,
): EarlierStand {
  return { sourceNext, targetNext, sourceEpoch, formerIds: new Set([...formerIds, producer.producerId]) }
}

type Start =
  | { readonly kind: 'refused'; readonly reason: string }
  | ({ readonly kind: 'start' } & Pick<Started, 'from' | 'sourceNext' | 'targetNext' | 'recovered'>)

function startOf(recovered: Exclude<Recovered, { kind: 'unmarked' }>, origin: Origin | undefined): Start {
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
