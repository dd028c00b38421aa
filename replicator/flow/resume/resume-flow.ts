import type { TopicMetadata } from '../../kafka/cluster.ts'
import type { LogBounds } from '../../kafka/list-bounds.ts'
import { LogWalks } from '../../logs/log-walks.ts'
import { baseOffset, lastOffset, recordCount } from '../../records/batch-header.ts'
import type { Progress } from '../../shards/progress-record.ts'
import { readProgress } from '../../shards/progress-topic.ts'
import type { FlowOptions } from '../flow-options.ts'
import { readBounds } from '../log-bounds.ts'
import {
  effectOf,
  isOtherTopic,
  offsetProblem,
  offsetQueryOf,
  type ResumeEffect,
  type ResumeFrom,
} from '../resume-plan.ts'
import { timeLimited } from '../time-limit.ts'
import { type ResumeStand, ResumeTakeover } from './resume-takeover.ts'
import { createTargetTopic, lookUpTopics, ResumeRefusedError, type ResumeTopics } from './resume-topics.ts'

export interface ResumeRequest {
  /** The source topic. */
  readonly topic: string
  /** `undefined`: every partition that the flow takes. */
  readonly partition: number | undefined
  readonly from: ResumeFrom
  /** Only says what would be done. */
  readonly dryRun: boolean
}

export interface ResumeReport {
  readonly topic: string
  readonly targetTopic: string
  /** The copy does not exist, and was or would be created. */
  readonly createsTarget: boolean
  readonly partitions: readonly ResumedPartition[]
}

export type ResumedPartition =
  | {
      readonly kind: 'resumed'
      readonly partition: number
      /** The source offset that is copied next. */
      readonly sourceNext: bigint
      readonly effect: ResumeEffect
      /** Committed records in the effect's offsets; `undefined` when they took too long to count. */
      readonly records: number | undefined
    }
  | {
      readonly kind: 'refused'
      readonly partition: number
      readonly reason: string
    }

/** How long records are counted for, in milliseconds. */
const COUNT_TIMEOUT_MS = 10_000

/**
 * Decides, in a person's name, where partitions go on. Takes their shards over for a moment and writes new start pairs;
 * a process that replicates them notices, takes the shards again and goes on from there. Touches neither topic's
 * records.
 * @throws ResumeRefusedError when nothing of it can be done; KafkaError
 */
export async function resumeFlow(
  options: FlowOptions,
  request: ResumeRequest,
  signal: AbortSignal,
): Promise<ResumeReport> {
  const { source, target } = options
  const walks = { source: walksOf(source, options), target: walksOf(target, options) }
  try {
    return await new FlowResume(options, walks, signal).run(request)
  } finally {
    await Promise.all([walks.source.close(), walks.target.close()])
  }
}

const walksOf = (cluster: FlowOptions['source'], { clock, random, backoff }: FlowOptions): LogWalks =>
  new LogWalks({ cluster, clock, random, backoff })

/** Where a partition would go on, and where it was last said to stand. */
interface Choice {
  readonly partition: number
  readonly bounds: LogBounds
  readonly progress: Progress | undefined
  /** `undefined`: right behind what was copied. */
  readonly chosen: bigint | undefined
}

class FlowResume {
  readonly #options: FlowOptions
  readonly #walks: { readonly source: LogWalks; readonly target: LogWalks }
  readonly #signal: AbortSignal

  constructor(
    options: FlowOptions,
    walks: { readonly source: LogWalks; readonly target: LogWalks },
    signal: AbortSignal,
  ) {
    this.#options = options
    this.#walks = walks
    this.#signal = signal
  }

  async run(request: ResumeRequest): Promise<ResumeReport> {
    const topics = await lookUpTopics(this.#options, request.topic, request.partition, this.#signal)
    const progressTopic = await this.#progressTopic()
    const progress = await this.#progressOf(progressTopic, topics)
    this.#refuseHalves(topics, progress, request)
    const { choices, refused } = await this.#choose(topics, progress, request.from)
    const resumed = request.dryRun
      ? await Promise.all(choices.map((choice) => this.#foresee(choice, topics)))
      : await this.#carryOut(choices, topics, progressTopic)
    const partitions = [...refused, ...resumed].sort((a, b) => a.partition - b.partition)
    const { targetName: targetTopic, target } = topics
    return { topic: request.topic, targetTopic, createsTarget: target === undefined, partitions }
  }

  async #progressTopic(): Promise<TopicMetadata> {
    const { target, progressTopic, flow } = this.#options
    const lookup = (await target.describeTopics([progressTopic], this.#signal)).get(progressTopic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind === 'found') return lookup.topic
    throw new ResumeRefusedError(
      `${flow.target} has no topic "${progressTopic}": ${flow.id} has never run, so there is nothing to resume`,
    )
  }

  async #progressOf(
    progressTopic: TopicMetadata,
    { source, partitions }: ResumeTopics,
  ): Promise<ReadonlyMap<number, Progress>> {
    const views = await readProgress(progressTopic, this.#options.flow.id, this.#walks.target, this.#signal)
    const found = new Map<number, Progress>()
    for (const partition of partitions) {
      // A partition that changed its shard has records of several: the one that got furthest counts.
      for (const view of views) {
        const progress = view.of(source.name, partition)
        const known = found.get(partition)
        if (progress !== undefined && (known === undefined || progress.sourceNext > known.sourceNext))
          found.set(partition, progress)
      }
    }
    return found
  }

  /** A topic that was re-created can only go on as a whole: partitions of two topics must not mix. */
  #refuseHalves(topics: ResumeTopics, progress: ReadonlyMap<number, Progress>, request: ResumeRequest): void {
    if (request.partition === undefined) return
    for (const one of progress.values()) {
      const side = isOtherTopic(one.topicId, topics.source.id)
        ? 'source'
        : topics.target === undefined || isOtherTopic(one.targetTopicId, topics.target.id)
          ? 'target'
          : undefined
      if (side !== undefined)
        throw new ResumeRefusedError(
          `"${request.topic}" was re-created on the ${side}, so that all its partitions must go on together: name the topic without a partition`,
        )
    }
  }

  async #choose(
    { source, partitions }: ResumeTopics,
    progress: ReadonlyMap<number, Progress>,
    from: ResumeFrom,
  ): Promise<{ choices: readonly Choice[]; refused: readonly ResumedPartition[] }> {
    const places = partitions.map((partition) => ({ topic: source.name, partition }))
    const bounds = await readBounds(this.#options.source, places, this.#signal)
    const at = offsetQueryOf(from)
    const queries = at === undefined ? [] : places.map((place) => ({ ...place, at }))
    const answers = queries.length === 0 ? [] : await this.#options.source.listOffsets(queries, this.#signal)
    const choices: Choice[] = []
    const refused: ResumedPartition[] = []
    for (const [index, partition] of partitions.entries()) {
      const bound = bounds[index]
      const answer = answers[index]?.result
      const chosen = from.kind === 'offset' ? from.offset : answer?.ok ? answer.value.offset : undefined
      const reason =
        bound === undefined || (chosen === undefined && from.kind !== 'next')
          ? `the source does not say where it begins and ends: ${answer?.ok === false ? answer.error.message : 'it has no leader'}`
          : chosen === undefined
            ? undefined
            : offsetProblem(chosen, bound)
      if (bound === undefined || reason !== undefined)
        refused.push({ kind: 'refused', partition, reason: reason ?? 'the source does not answer for it' })
      else choices.push({ partition, bounds: bound, progress: progress.get(partition), chosen })
    }
    return { choices, refused }
  }

  async #foresee(choice: Choice, topics: ResumeTopics): Promise<ResumedPartition> {
    const { progress } = choice
    const stand: ResumeStand =
      progress === undefined
        ? { kind: 'unknown', why: 'nothing of it was ever copied' }
        : isOtherTopic(progress.topicId, topics.source.id)
          ? { kind: 'unknown', why: 'what was copied is of an earlier topic of that name' }
          : topics.target === undefined || isOtherTopic(progress.targetTopicId, topics.target.id)
            ? { kind: 'unknown', why: 'what was copied is gone from the target' }
            : { kind: 'known', sourceNext: progress.sourceNext }
    return await this.#resumed(choice, stand, topics)
  }

  async #carryOut(
    choices: readonly Choice[],
    topics: ResumeTopics,
    progressTopic: TopicMetadata,
  ): Promise<readonly ResumedPartition[]> {
    if (choices.length === 0) return []
    const target = topics.target ?? (await createTargetTopic(this.#options, topics, this.#signal))
    const takeover = new ResumeTakeover(this.#options, this.#walks, { ...topics, target }, progressTopic.id)
    const outcomes = await takeover.run(choices, this.#signal)
    return await Promise.all(
      choices.map(async (choice) => {
        const outcome = outcomes.get(choice.partition)
        if (outcome === undefined || outcome.kind === 'refused') {
          const reason = outcome?.reason ?? 'it was not reached'
          return { kind: 'refused', partition: choice.partition, reason } as const
        }
        return await this.#resumed({ ...choice, chosen: outcome.sourceNext }, outcome.stand, topics)
      }),
    )
  }

  async #resumed(choice: Choice, stand: ResumeStand, topics: ResumeTopics): Promise<ResumedPartition> {
    const { partition, bounds } = choice
    const sourceNext = choice.chosen ?? (stand.kind === 'known' ? stand.sourceNext : undefined)
    if (sourceNext === undefined)
      return { kind: 'refused', partition, reason: `it is not known where it stands: ${whyOf(stand)}` }
    const problem = offsetProblem(sourceNext, bounds)
    if (problem !== undefined) return { kind: 'refused', partition, reason: problem }
    const effect: ResumeEffect =
      stand.kind === 'known' ? effectOf(stand.sourceNext, sourceNext, bounds) : stand
    const records = await this.#count(effect, bounds, topics.source.name, partition)
    return { kind: 'resumed', partition, sourceNext, effect, records }
  }

  /** Committed records that the source still has in the effect's offsets. */
  async #count(
    effect: ResumeEffect,
    bounds: LogBounds,
    topic: string,
    partition: number,
  ): Promise<number | undefined> {
    if (effect.kind !== 'skips' && effect.kind !== 'repeats') return 0
    const { toOffset } = effect
    const from = effect.fromOffset > bounds.start ? effect.fromOffset : bounds.start
    if (from >= toOffset) return 0
    let records = 0
    const counted = await timeLimited(COUNT_TIMEOUT_MS, this.#options.clock, this.#signal, (limited) =>
      this.#walks.source.walk(
        {
          topic,
          partition,
          from,
          isolation: 'read_committed',
          atEnd: 'stop',
          visit: ({ raw: { buffer, at }, verdict }) => {
            const [first, last] = [baseOffset(buffer, at), lastOffset(buffer, at)]
            if (first >= toOffset) return 'enough'
            if (verdict === 'deliver') {
              // Of a batch that a boundary cuts, offsets stand for records.
              const outside = Number(maxOf(0n, from - first) + maxOf(0n, last + 1n - toOffset))
              records += Math.max(0, recordCount(buffer, at) - outside)
            }
            return last + 1n >= toOffset ? 'enough' : 'on'
          },
        },
        limited,
      ),
    )
    return counted === undefined ? undefined : records
  }
}

const whyOf = (stand: ResumeStand): string => (stand.kind === 'unknown' ? stand.why : '')
const maxOf = (a: bigint, b: bigint): bigint => (a > b ? a : b)
