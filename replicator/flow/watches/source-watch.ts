import type { Clock } from '../../clock/clock.ts'
import type { Cluster, TopicPartition } from '../../kafka/cluster.ts'
import type { EpochMark, EpochTrail } from '../epoch-trail.ts'
import { judgeBounds, judgeEpoch, type SourceFinding } from '../judge-source.ts'
import { readBounds, type SeenBounds } from '../log-bounds.ts'
import { keepLooking } from './keep-looking.ts'
import type { Forecastable, OverrunWatch } from './overrun-watch.ts'
import { confirm } from './second-look.ts'

/** A source partition that is looked after. */
export interface SourceWatched extends Forecastable {
  /** Where it is on the source. */
  readonly sourceAt: TopicPartition & { readonly topicId: string | undefined }
  /** A log start above the position is no gap: the user accepts it, or nothing was promised yet. */
  readonly followsLogStart: boolean
  readonly epochs: EpochTrail
  readonly isStopped: boolean
}

export interface SourceWatchContext<P extends SourceWatched> {
  readonly source: Cluster
  readonly clock: Clock
  /** Pause between two looks, in milliseconds. */
  readonly intervalMs: number
  readonly partitions: () => Iterable<P>
  readonly onFinding: (partition: P, finding: SourceFinding) => void
  /** Hears of every look, stopped partitions included. */
  readonly overruns: OverrunWatch<P>
}

interface Epochs {
  /** The leader epoch under which the newest mark was verified. */
  leaderEpoch: number | undefined
}

/**
 * Looks every few seconds whether the source still holds what is to be copied, and what was: one ListOffsets for all
 * partitions, and a question about leader epochs where a leader changed. Finds what fetching alone would not: the
 * loss on a partition that is paused, and a log that was cut and has grown past the position since.
 */
export class SourceWatch<P extends SourceWatched> {
  readonly #context: SourceWatchContext<P>
  readonly #epochs = new WeakMap<P, Epochs>()

  #looks = 0

  constructor(context: SourceWatchContext<P>) {
    this.#context = context
  }

  /** Looks that were completed. */
  get looks(): number {
    return this.#looks
  }

  /** Looks until the signal aborts, then returns. A source that does not answer is asked again. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#context
    return keepLooking(clock, intervalMs, (until) => this.look(until), signal)
  }

  /**
   * One look at every partition.
   * @throws KafkaError when the source does not answer
   */
  async look(signal: AbortSignal): Promise<void> {
    const { partitions, clock, source, onFinding, overruns } = this.#context
    const watched = [...partitions()]
    const bounds = await this.#findings(watched, signal)
    const suspects = watched.filter((_, index) => bounds[index]?.finding !== undefined)
    if (suspects.length > 0) {
      const placeOf = (partition: P) => partition.sourceAt
      const look = (partitions: readonly P[], until: AbortSignal) => this.#findings(partitions, until)
      await confirm({ cluster: source, clock, placeOf, look, onFinding }, suspects, signal)
    }
    await overruns.look(
      watched.map((partition, index) => ({ partition, bounds: bounds[index]?.bounds })),
      signal,
    )
    this.#looks++
  }

  async #findings(watched: readonly P[], signal: AbortSignal): Promise<readonly Seen[]> {
    const { source } = this.#context
    const before = watched.map(({ position, followsLogStart, epochs }) => ({
      position,
      followsLogStart,
      latest: epochs.latest,
      boundaries: epochs.boundaries,
    }))
    const places = watched.map(({ sourceAt }) => sourceAt)
    const bounds = await readBounds(source, places, signal)
    const seen = bounds.map((bound, index): Seen => {
      const standing = before[index]
      const isLooked = bound !== undefined && standing !== undefined && watched[index]?.isStopped === false
      const finding = isLooked ? judgeBounds(standing.position, bound, standing.followsLogStart) : undefined
      return { bounds: bound, finding }
    })
    const questions = watched.flatMap((partition, index) => {
      const { latest, boundaries = [] } = before[index] ?? {}
      const leaderEpoch = seen[index]?.bounds?.leaderEpoch
      if (partition.isStopped || seen[index]?.finding !== undefined) return []
      const isNew = leaderEpoch !== undefined && leaderEpoch !== this.#epochsOf(partition).leaderEpoch
      const current = isNew && latest !== undefined ? [{ mark: latest, leaderEpoch }] : []
      const past = boundaries.map((mark) => ({ mark, leaderEpoch: undefined }))
      return [...past, ...current].map((question) => ({ ...question, partition, index }))
    })
    const verdicts = await this.#askEpochs(questions, signal)
    return seen.map((one, index) =>
      one.finding === undefined ? { ...one, finding: verdicts.get(index) } : one,
    )
  }

  /** Findings by the partition's index. What is found sound is not asked again. */
  async #askEpochs(
    questions: readonly Question<P>[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<number, SourceFinding>> {
    const found = new Map<number, SourceFinding>()
    // A request names each partition once.
    for (const round of rounds(questions)) {
      const answers = await this.#context.source.offsetsForLeaderEpochs(
        round.map(({ partition: { sourceAt }, mark: { leaderEpoch } }) => ({
          topic: sourceAt.topic,
          partition: sourceAt.partition,
          leaderEpoch,
        })),
        signal,
      )
      for (const [index, question] of round.entries()) {
        const result = answers[index]?.result
        if (result?.ok !== true) continue
        const finding = judgeEpoch(question.mark, result.value)
        if (finding !== undefined) found.set(question.index, found.get(question.index) ?? finding)
        else if (question.leaderEpoch === undefined) question.partition.epochs.verified(question.mark)
        else this.#epochsOf(question.partition).leaderEpoch = question.leaderEpoch
      }
    }
    return found
  }

  #epochsOf(partition: P): Epochs {
    const known = this.#epochs.get(partition)
    if (known !== undefined) return known
    const made: Epochs = { leaderEpoch: undefined }
    this.#epochs.set(partition, made)
    return made
  }
}

interface Seen {
  readonly bounds: SeenBounds | undefined
  readonly finding: SourceFinding | undefined
}

interface Question<P> {
  readonly partition: P
  readonly index: number
  readonly mark: EpochMark
  /** The leader's epoch when the mark is the newest one; `undefined` for boundaries. */
  readonly leaderEpoch: number | undefined
}

function rounds<Asked extends { readonly index: number }>(
  questions: readonly Asked[],
): readonly (readonly Asked[])[] {
  const made: Asked[][] = []
  const count = new Map<number, number>()
  for (const question of questions) {
    const round = count.get(question.index) ?? 0
    count.set(question.index, round + 1)
    made[round] = [...(made[round] ?? []), question]
  }
  return made
}
