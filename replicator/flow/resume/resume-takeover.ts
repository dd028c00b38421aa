import { backoffMs } from '../../clock/backoff.ts'
import type { ProducerIdentity, TopicMetadata } from '../../kafka/cluster.ts'
import type { LogBounds } from '../../kafka/list-bounds.ts'
import type { LogWalks } from '../../logs/log-walks.ts'
import { sourceOffset, type TargetOffset } from '../../records/offsets.ts'
import { walkBehindMarker } from '../../shards/behind-marker.ts'
import { ShardLostError } from '../../shards/fenced.ts'
import { readOwnershipLimits } from '../../shards/ownership-limits.ts'
import { recoverPartition } from '../../shards/recover-partition.ts'
import type { Fenced, FencedPlace, Shard } from '../../shards/shard.ts'
import { shardOf } from '../../shards/shard-of.ts'
import type { FlowOptions } from '../flow-options.ts'
import { shardMaker } from '../open-flow.ts'
import { isOtherTopic, offsetProblem } from '../resume-plan.ts'
import { readTargetRules } from '../target-rules.ts'
import { timeLimited } from '../time-limit.ts'
import { ResumeRefusedError, type ResumeTopics } from './resume-topics.ts'

/** How far copying got, on the source. */
export type ResumeStand =
  | { readonly kind: 'known'; readonly sourceNext: bigint }
  | { readonly kind: 'unknown'; readonly why: string }

export type TakeoverOutcome =
  | { readonly kind: 'taken'; readonly sourceNext: bigint; readonly stand: ResumeStand }
  | { readonly kind: 'refused'; readonly reason: string }

/** A partition and the source offset to go on at; `undefined`: right behind what was copied. */
export interface Chosen {
  readonly partition: number
  readonly chosen: bigint | undefined
  /** Of the source's log. */
  readonly bounds: LogBounds
}

/** The process that replicates takes its shards back at once: sometimes before we are done. */
const ATTEMPTS_MAX = 5
/** How long a log is waited for, in milliseconds. */
const RECOVERY_TIMEOUT_MS = 30_000

type Topics = ResumeTopics & { readonly target: TopicMetadata }

/** Takes shards over for as long as it takes to write new start pairs. */
export class ResumeTakeover {
  readonly #options: FlowOptions
  readonly #walks: { readonly source: LogWalks; readonly target: LogWalks }
  readonly #topics: Topics
  readonly #progressTopicId: string | undefined

  constructor(
    options: FlowOptions,
    walks: { readonly source: LogWalks; readonly target: LogWalks },
    topics: Topics,
    progressTopicId: string | undefined,
  ) {
    this.#options = options
    this.#walks = walks
    this.#topics = topics
    this.#progressTopicId = progressTopicId
  }

  /**
   * By partition, what became of it.
   * @throws ResumeRefusedError when a shard is taken back again and again; KafkaError
   */
  async run(choices: readonly Chosen[], signal: AbortSignal): Promise<ReadonlyMap<number, TakeoverOutcome>> {
    const { flow, target, clock, random, backoff } = this.#options
    const limits = await readOwnershipLimits(target, signal)
    const memory = { progressTopicId: this.#progressTopicId, limits }
    const makeShard = shardMaker(this.#options, memory, this.#walks.target)
    const outcomes = new Map<number, TakeoverOutcome>()
    const shards = Map.groupBy(choices, ({ partition }) =>
      shardOf(this.#topics.source.name, partition, flow.shards),
    )
    for (const [index, chosen] of shards) {
      for (let attempt = 0; ; attempt++) {
        try {
          for (const [partition, outcome] of await this.#take(makeShard(index), chosen, signal))
            outcomes.set(partition, outcome)
          break
        } catch (error) {
          if (!(error instanceof ShardLostError)) throw error
          if (attempt + 1 >= ATTEMPTS_MAX)
            throw new ResumeRefusedError(
              `the process that replicates ${flow.id} took shard ${index} back ${ATTEMPTS_MAX} times before this was done; try again, or stop it first`,
              { cause: error },
            )
          await clock.sleep(backoffMs(backoff, attempt, random), signal)
        }
      }
    }
    return outcomes
  }

  async #take(
    shard: Shard,
    choices: readonly Chosen[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, TakeoverOutcome>> {
    const { flow } = this.#options
    try {
      const places = choices.map(({ partition }) => ({
        key: { flow: flow.id, topic: this.#topics.source.name, partition },
        target: { topic: this.#topics.target.name, partition },
      }))
      // Markers are looked for from here on.
      const ends = await Promise.all(
        places.map(({ target: at }) => this.#walks.target.bounds(at.topic, at.partition, signal)),
      )
      const fenced = await shard.fence(places, signal)
      const outcomes = fenced.places.map(async (place, at): Promise<[number, TakeoverOutcome]> => {
        const choice = choices[at]
        const before = ends[at]
        if (choice === undefined || before === undefined)
          throw new Error('A place came back that was not fenced')
        return [choice.partition, await this.#decide(shard, fenced, place, choice, before.end, signal)]
      })
      return new Map(await Promise.all(outcomes))
    } finally {
      shard.close()
    }
  }

  async #decide(
    shard: Shard,
    fenced: Fenced,
    place: FencedPlace,
    { chosen, partition, bounds }: Chosen,
    endBefore: bigint,
    signal: AbortSignal,
  ): Promise<TakeoverOutcome> {
    if (place.kind === 'refused') return { kind: 'refused', reason: place.reason }
    const targetNext = await this.#behindMarker(partition, endBefore, fenced.marker, signal)
    if (targetNext === undefined) return { kind: 'refused', reason: 'its target partition cannot be read' }
    const stand = await this.#standOf(place, fenced, partition, signal)
    const sourceNext = chosen ?? (stand.kind === 'known' ? stand.sourceNext : undefined)
    if (sourceNext === undefined) {
      const why = stand.kind === 'unknown' ? stand.why : ''
      return { kind: 'refused', reason: `it is not known where it stands: ${why}` }
    }
    const problem = offsetProblem(sourceNext, bounds)
    if (problem !== undefined) return { kind: 'refused', reason: problem }
    const progress = {
      topicId: this.#topics.source.id,
      targetTopicId: this.#topics.target.id,
      sourceNext: sourceOffset(sourceNext),
      targetNext,
      producer: fenced.marker,
      sequence: 0,
      rule: this.#options.rule,
    }
    await shard.write([{ key: place.place.key, progress }], signal)
    return { kind: 'taken', sourceNext, stand }
  }

  /** The target offset behind our marker: whatever lies before it is none of ours from now on. */
  async #behindMarker(
    partition: number,
    from: bigint,
    marker: ProducerIdentity,
    signal: AbortSignal,
  ): Promise<TargetOffset | undefined> {
    const at = { topic: this.#topics.target.name, partition, from }
    const behind = await timeLimited(RECOVERY_TIMEOUT_MS, this.#options.clock, signal, (limited) =>
      walkBehindMarker(this.#walks.target, at, marker, limited),
    )
    return behind?.targetNext
  }

  async #standOf(
    { progress, before }: Extract<FencedPlace, { kind: 'fenced' }>,
    { marker, formerIds, progressLost }: Fenced,
    partition: number,
    signal: AbortSignal,
  ): Promise<ResumeStand> {
    const { source, target } = this.#topics
    if (progress === undefined) return { kind: 'unknown', why: 'nothing of it was ever copied' }
    if (isOtherTopic(progress.topicId, source.id))
      return { kind: 'unknown', why: 'what was copied is of an earlier topic of that name' }
    if (isOtherTopic(progress.targetTopicId, target.id))
      return { kind: 'unknown', why: 'what was copied is gone from the target' }
    const rules = (await readTargetRules(this.#options.target, [target.name], signal)).get(target.name)
    const place = {
      sourceTopic: source.name,
      sourceTopicId: source.id,
      targetTopic: target.name,
      targetTopicId: target.id,
      partition,
      targetStamps: rules?.stamps ?? false,
    }
    const found = await timeLimited(RECOVERY_TIMEOUT_MS, this.#options.clock, signal, (limited) =>
      recoverPartition(
        { place, progress, before, marker, formerIds, progressLost },
        { ...this.#walks, origins: this.#options.origins },
        limited,
      ),
    )
    if (found === undefined) return { kind: 'unknown', why: 'the logs could not be read in time' }
    if (found.kind === 'resume') return { kind: 'known', sourceNext: found.sourceNext }
    return { kind: 'unknown', why: found.kind === 'refused' ? found.reason : 'nothing of it was ever copied' }
  }
}
