import type { Clock } from '../../clock/clock.ts'
import type { Cluster, TopicPartition } from '../../kafka/cluster.ts'
import { KafkaError } from '../../kafka/errors.ts'
import type { WalkRequest } from '../../logs/log-walk.ts'
import type { LogWalks } from '../../logs/log-walks.ts'
import { baseOffset, isControl, lastOffset, producerId, recordCount } from '../../records/batch-header.ts'
import {
  addForeign,
  type ForeignWrites,
  judgeDeletion,
  judgeEnd,
  type TargetFinding,
  type YoungRecord,
} from '../judge-target.ts'
import { readBounds, type SeenBounds } from '../log-bounds.ts'
import { type Retention, readRetention } from '../retention.ts'
import { timeLimited } from '../time-limit.ts'
import { keepLooking } from './keep-looking.ts'
import { confirm } from './second-look.ts'

/** A target partition that is looked after. */
export interface TargetWatched {
  readonly targetAt: TopicPartition & { readonly topicId: string | undefined }
  /** The offset behind the last acknowledged record, or behind our own marker when none is. */
  readonly targetNext: bigint
  /** Nothing was sent that is not acknowledged: the log should end at {@link targetNext}. */
  readonly isIdle: boolean
  readonly isStopped: boolean
  /** Whether a producer id is, or was, one of those that this partition is written with. */
  readonly isOurs: (producerId: bigint) => boolean
}

export interface TargetWatchContext<P extends TargetWatched> {
  readonly target: Cluster
  readonly clock: Clock
  /** Walks through the target's logs. */
  readonly walks: Pick<LogWalks, 'walk'>
  /** Pause between two looks, in milliseconds. */
  readonly intervalMs: number
  /** Nobody else has business in the target topics: what others write there is a finding. */
  readonly exclusive: boolean
  readonly partitions: () => Iterable<P>
  readonly onFinding: (partition: P, finding: TargetFinding) => void
}

const WALK_TIMEOUT_MS = 5000
/** How often proofs of youth are renewed, and how long one is good for at most; in milliseconds. */
const YOUNG_REFRESH_MS = 60_000
const YOUNG_SLACK_MS = 180_000
/** Ranges kept to be read in the next look; beyond that they are joined. */
const GAPS_MAX = 16

interface OffsetRange {
  readonly from: bigint
  readonly to: bigint
}

/** What is known of a target partition's log, whoever writes it: it outlives takeovers. */
interface KnownLog {
  logStart: bigint | undefined
  young: YoungRecord | undefined
}

interface Known {
  /** Everything below was read and holds nothing foreign. */
  cleanTo: bigint
  /** Ranges between our own batches that were not read yet. */
  gaps: OffsetRange[]
}

/**
 * Looks every few seconds whether the copies are still as they were left: their ends reach what was acknowledged,
 * nothing was deleted that retention does not explain, and nobody else has written into them.
 */
export class TargetWatch<P extends TargetWatched> {
  readonly #context: TargetWatchContext<P>
  readonly #known = new WeakMap<P, Known>()
  readonly #logs = new Map<string, KnownLog>()
  #retention: ReadonlyMap<string, Retention | undefined> = new Map()
  #retentionReadAtMs = -Infinity

  #looks = 0

  constructor(context: TargetWatchContext<P>) {
    this.#context = context
  }

  /**
   * An acknowledged batch did not begin where the one before ended. What lies between is read in the next look: a
   * transaction's marker is nothing, somebody's records are.
   */
  gap(partition: P, from: bigint, to: bigint): void {
    if (!this.#context.exclusive || to <= from) return
    const known = this.#knownOf(partition)
    known.gaps.push({ from, to })
    const first = known.gaps[0]
    if (known.gaps.length > GAPS_MAX && first !== undefined) known.gaps = [{ from: first.from, to }]
  }

  /** Looks that were completed. */
  get looks(): number {
    return this.#looks
  }

  /** Looks until the signal aborts, then returns. A target that does not answer is asked again. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#context
    return keepLooking(clock, intervalMs, (until) => this.look(until), signal)
  }

  /**
   * One look at every partition.
   * @throws KafkaError when the target does not answer
   */
  async look(signal: AbortSignal): Promise<void> {
    const { partitions, clock, target, onFinding } = this.#context
    const watched = [...partitions()].filter(({ isStopped }) => !isStopped)
    const seen = await this.#see(watched, signal)
    const suspects = watched.filter((_, index) => seen[index]?.finding !== undefined)
    if (suspects.length > 0) {
      const placeOf = (partition: P) => partition.targetAt
      const look = (partitions: readonly P[], until: AbortSignal) => this.#see(partitions, until)
      await confirm({ cluster: target, clock, placeOf, look, onFinding }, suspects, signal)
    }
    // A start that was judged is the one to compare with next time.
    for (const [index, partition] of watched.entries()) {
      const bounds = seen[index]?.bounds
      if (bounds !== undefined) this.#logOf(partition).logStart = bounds.start
    }
    if (this.#context.exclusive) await this.#lookForForeign(watched, seen, signal)
    await this.#renew(watched, seen, signal)
    this.#looks++
  }

  async #see(watched: readonly P[], signal: AbortSignal): Promise<readonly Seen[]> {
    const { clock, target } = this.#context
    const before = watched.map(({ targetNext, isIdle }) => ({ targetNext, isIdle }))
    const places = watched.map(({ targetAt }) => targetAt)
    const bounds = await readBounds(target, places, signal)
    const seen = watched.map((partition, index): Seen => {
      const [bound, standing] = [bounds[index], before[index]]
      if (bound === undefined || standing === undefined)
        return { bounds: undefined, finding: undefined, idleFrom: undefined }
      const { logStart, young } = this.#logOf(partition)
      const retention = this.#retention.get(partition.targetAt.topic)
      const finding =
        judgeEnd(standing.targetNext, bound) ??
        (logStart === undefined
          ? undefined
          : judgeDeletion({ from: logStart, bounds: bound, retention, young, nowMs: clock.wallMs() }))
      const isIdle = standing.isIdle && partition.isIdle && partition.targetNext === standing.targetNext
      return { bounds: bound, finding, idleFrom: isIdle ? standing.targetNext : undefined }
    })
    return this.#withFreshRetention(watched, seen, signal)
  }

  /** A retention that was shortened a moment ago explains what the one that is known does not. */
  async #withFreshRetention(
    watched: readonly P[],
    seen: readonly Seen[],
    signal: AbortSignal,
  ): Promise<readonly Seen[]> {
    const doubted = watched.filter((_, index) => seen[index]?.finding?.kind === 'deleted')
    if (doubted.length === 0) return seen
    const topics = [...new Set(doubted.map(({ targetAt }) => targetAt.topic))]
    const fresh = await readRetention(this.#context.target, topics, signal)
    return seen.map((one, index) => {
      const partition = watched[index]
      const { bounds, finding } = one
      if (partition === undefined || bounds === undefined || finding?.kind !== 'deleted') return one
      const { young } = this.#logOf(partition)
      const retention = fresh.get(partition.targetAt.topic)
      const nowMs = this.#context.clock.wallMs()
      return { ...one, finding: judgeDeletion({ from: finding.fromOffset, bounds, retention, young, nowMs }) }
    })
  }

  async #lookForForeign(watched: readonly P[], seen: readonly Seen[], signal: AbortSignal): Promise<void> {
    const ranges = watched.flatMap((partition, index) => {
      const known = this.#knownOf(partition)
      const gaps = known.gaps.splice(0)
      const { bounds, idleFrom } = seen[index] ?? {}
      const end = bounds?.end
      const from = idleFrom === undefined || idleFrom > known.cleanTo ? idleFrom : known.cleanTo
      const tail = from !== undefined && end !== undefined && end > from ? [{ from, to: end }] : []
      return [...gaps, ...tail].map((range) => ({ partition, range }))
    })
    await Promise.all(
      ranges.map(async ({ partition, range }) => {
        const outcome = await this.#foreignIn(partition, range, signal)
        if (outcome === 'unknown') this.gap(partition, range.from, range.to)
        else if (outcome === undefined) this.#clean(partition, range.to)
        else if (!partition.isStopped) this.#context.onFinding(partition, { kind: 'foreign', ...outcome })
      }),
    )
  }

  #clean(partition: P, to: bigint): void {
    const known = this.#knownOf(partition)
    if (to > known.cleanTo) known.cleanTo = to
  }

  async #foreignIn(
    partition: P,
    range: OffsetRange,
    signal: AbortSignal,
  ): Promise<ForeignWrites | undefined | 'unknown'> {
    const { walks, clock } = this.#context
    const { topic, partition: index } = partition.targetAt
    let foreign: ForeignWrites | undefined
    const request: WalkRequest = {
      topic,
      partition: index,
      from: range.from,
      isolation: 'read_uncommitted',
      atEnd: 'stop',
      visit: ({ raw: { buffer, at } }) => {
        const batch = {
          baseOffset: baseOffset(buffer, at),
          lastOffset: lastOffset(buffer, at),
          records: recordCount(buffer, at),
          producerId: producerId(buffer, at),
          isControl: isControl(buffer, at),
        }
        if (batch.baseOffset >= range.to) return 'enough'
        foreign = addForeign(foreign, batch, partition.isOurs)
        return batch.lastOffset + 1n >= range.to ? 'enough' : 'on'
      },
    }
    try {
      const end = await timeLimited(WALK_TIMEOUT_MS, clock, signal, (limited) => walks.walk(request, limited))
      return end === undefined ? 'unknown' : foreign
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      return error.retriable ? 'unknown' : foreign
    }
  }

  /**
   * Reads the topics' retention and asks where the records begin that have some time left to live: again after a
   * while, and at once where nothing is known yet although there are records.
   */
  async #renew(watched: readonly P[], seen: readonly Seen[], signal: AbortSignal): Promise<void> {
    const { target, clock } = this.#context
    const isOld = clock.monotonicMs() - this.#retentionReadAtMs >= YOUNG_REFRESH_MS
    const unknown = watched.filter((partition, index) => {
      const { bounds } = seen[index] ?? {}
      return bounds !== undefined && bounds.end > bounds.start && this.#logOf(partition).young === undefined
    })
    const due = isOld ? watched : unknown
    const topics = new Set(due.map(({ targetAt }) => targetAt.topic))
    if (isOld || [...topics].some((topic) => !this.#retention.has(topic))) {
      this.#retention = await readRetention(
        target,
        [...new Set(watched.map(({ targetAt }) => targetAt.topic))],
        signal,
      )
      this.#retentionReadAtMs = clock.monotonicMs()
    }
    await this.#proveYouth(due, signal)
  }

  async #proveYouth(due: readonly P[], signal: AbortSignal): Promise<void> {
    const { target, clock } = this.#context
    const askedAtMs = clock.wallMs()
    const questions = due.flatMap((partition) => {
      const { topic, partition: index } = partition.targetAt
      const { deletes = false, ms: retentionMs } = this.#retention.get(topic) ?? {}
      if (!deletes || retentionMs === undefined) return []
      const slackMs = Math.min(YOUNG_SLACK_MS, retentionMs / 2)
      const timestampMs = Math.max(0, Math.ceil(askedAtMs - retentionMs + slackMs))
      return [{ partition, retentionMs, slackMs, at: { topic, partition: index, at: { timestampMs } } }]
    })
    if (questions.length === 0) return
    const asked = questions.map(({ at }) => at)
    // Where no record is that young the answer is the log's end, which proves nothing: so that is asked for before.
    const ends = await readBounds(target, asked, signal)
    const answers = await target.listOffsets(asked, signal)
    for (const [index, { partition, retentionMs, slackMs }] of questions.entries()) {
      const [answer, end] = [answers[index]?.result, ends[index]?.end]
      const isRecord = answer?.ok === true && end !== undefined && answer.value.offset < end
      const young = isRecord ? { offset: answer.value.offset, askedAtMs, slackMs, retentionMs } : undefined
      this.#logOf(partition).young = young
    }
  }

  #logOf({ targetAt: { topic, partition, topicId } }: P): KnownLog {
    const key = `${topic}/${partition}/${topicId}`
    const known = this.#logs.get(key)
    if (known !== undefined) return known
    const made: KnownLog = { logStart: undefined, young: undefined }
    this.#logs.set(key, made)
    return made
  }

  #knownOf(partition: P): Known {
    const known = this.#known.get(partition)
    if (known !== undefined) return known
    const made: Known = { cleanTo: 0n, gaps: [] }
    this.#known.set(partition, made)
    return made
  }
}

interface Seen {
  readonly bounds: SeenBounds | undefined
  readonly finding: TargetFinding | undefined
  /** Where the log should end while nothing is on its way; `undefined` when something is. */
  readonly idleFrom: bigint | undefined
}
