import type { Clock } from '../../clock/clock.ts'
import type { Cluster, TopicPartition } from '../../kafka/cluster.ts'
import { KafkaError } from '../../kafka/errors.ts'
import type { LogBounds } from '../../kafka/list-bounds.ts'
import type { WalkRequest } from '../../logs/log-walk.ts'
import type { LogWalks } from '../../logs/log-walks.ts'
import { maxTimestampMs } from '../../records/batch-header.ts'
import { type Retention, readRetention } from '../retention.ts'
import { timeLimited } from '../time-limit.ts'
import { addSample, forecastOverrun, type Overrun, type RetentionHistory } from './retention-forecast.ts'

/** A source partition that retention may reach before it is copied. */
export interface Forecastable {
  readonly sourceAt: TopicPartition
  /** The source offset that is fetched next. */
  readonly position: bigint
  /** Largest timestamp of the last batch that was read, in milliseconds since the epoch. */
  readonly lastTimestampMs: number | undefined
}

export interface OverrunWatchContext<P extends Forecastable> {
  readonly source: Cluster
  readonly clock: Clock
  readonly walks: Pick<LogWalks, 'walk'>
  /** A partition is overrun within the hour at the present rate; `undefined`: not any more. */
  readonly onNear: (partition: P, overrun: Overrun | undefined) => void
}

/** An overrun that is nearer than this is told, in milliseconds, until it is this much farther than that. */
const NEAR_MS = 60 * 60_000
const FARTHER = 1.5
const RETENTION_REFRESH_MS = 60_000
/** Next records that are looked up in one look, for their time. The others have their turn in the next. */
const PEEKS_MAX = 8
const PEEK_TIMEOUT_MS = 2000

interface Lagging {
  readonly history: RetentionHistory
  /** The time of the record at an offset, read from its batch. */
  readonly peeked: { readonly position: bigint; readonly timestampMs: number } | undefined
}

/** Forecasts, from looks at the source, when retention reaches what was not copied yet. */
export class OverrunWatch<P extends Forecastable> {
  readonly #context: OverrunWatchContext<P>
  #lagging = new Map<P, Lagging>()
  readonly #near = new Set<P>()
  #retention: ReadonlyMap<string, Retention | undefined> = new Map()
  #retentionReadAtMs: number | undefined
  #nearest: (Overrun & { readonly partition: P }) | undefined

  constructor(context: OverrunWatchContext<P>) {
    this.#context = context
  }

  /** The partition that retention reaches first, as of the last look. */
  get nearest(): (Overrun & { readonly partition: P }) | undefined {
    return this.#nearest
  }

  /** @throws KafkaError when the source does not answer */
  async look(
    seen: readonly { readonly partition: P; readonly bounds: LogBounds | undefined }[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.#context
    const atMs = clock.monotonicMs()
    const behind = seen.flatMap(({ partition, bounds }) =>
      bounds !== undefined && partition.position < bounds.end ? [{ partition, bounds }] : [],
    )
    await this.#refreshRetention(behind, signal)
    const peeked = await this.#peek(behind, signal)
    const lagging = new Map<P, Lagging>()
    let nearest: typeof this.nearest
    for (const { partition, bounds } of behind) {
      const { position } = partition
      const known = this.#lagging.get(partition)
      const peek = peeked.get(partition) ?? known?.peeked
      const exact = peek?.position === position ? peek.timestampMs : undefined
      const nextTimestampMs = exact ?? partition.lastTimestampMs
      const sample = { atMs, logStart: bounds.start, logEnd: bounds.end, position, nextTimestampMs }
      const history = addSample(known?.history ?? [], sample)
      lagging.set(partition, { history, peeked: peek })
      const overrun = forecastOverrun(history, this.#retentionOf(partition), clock.wallMs())
      if (overrun !== undefined && (nearest === undefined || overrun.inMs < nearest.inMs))
        nearest = { ...overrun, partition }
      this.#tell(partition, overrun)
    }
    this.#lagging = lagging
    this.#nearest = nearest
    for (const partition of [...this.#near]) if (!lagging.has(partition)) this.#tell(partition, undefined)
  }

  #tell(partition: P, overrun: Overrun | undefined): void {
    const isTold = this.#near.has(partition)
    const limitMs = isTold ? NEAR_MS * FARTHER : NEAR_MS
    const isNear = overrun !== undefined && overrun.inMs < limitMs
    if (isNear === isTold) return
    if (isNear) this.#near.add(partition)
    else this.#near.delete(partition)
    this.#context.onNear(partition, isNear ? overrun : undefined)
  }

  #retentionOf({ sourceAt }: P): Retention | undefined {
    return this.#retention.get(sourceAt.topic)
  }

  async #refreshRetention(behind: readonly { readonly partition: P }[], signal: AbortSignal): Promise<void> {
    const { clock, source } = this.#context
    const topics = [...new Set(behind.map(({ partition }) => partition.sourceAt.topic))]
    const isOld = clock.monotonicMs() - (this.#retentionReadAtMs ?? -Infinity) >= RETENTION_REFRESH_MS
    if (topics.length === 0 || (!isOld && topics.every((topic) => this.#retention.has(topic)))) return
    this.#retention = await readRetention(source, topics, signal)
    this.#retentionReadAtMs = clock.monotonicMs()
  }

  /**
   * Reads the time of the next record where copying stands still and the last record that was read could be old
   * enough to be in danger. What moves needs no look: the last one that was read is as good.
   */
  async #peek(
    behind: readonly { readonly partition: P }[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<P, NonNullable<Lagging['peeked']>>> {
    const nowMs = this.#context.clock.wallMs()
    const wanted = behind.filter(({ partition }) => {
      const retention = this.#retentionOf(partition)
      const known = this.#lagging.get(partition)
      const { position, lastTimestampMs } = partition
      if (retention?.deletes !== true || retention.ms === undefined) return false
      if (known === undefined || known.peeked?.position === position) return false
      const isMoving = known.history.at(-1)?.position !== position
      const isOld = lastTimestampMs === undefined || nowMs - lastTimestampMs > retention.ms / 2
      return isOld && (lastTimestampMs === undefined || !isMoving)
    })
    const found = new Map<P, NonNullable<Lagging['peeked']>>()
    await Promise.all(
      wanted.slice(0, PEEKS_MAX).map(async ({ partition }) => {
        const { position } = partition
        const timestampMs = await this.#timestampAt(partition.sourceAt, position, signal)
        if (timestampMs !== undefined) found.set(partition, { position, timestampMs })
      }),
    )
    return found
  }

  async #timestampAt(at: TopicPartition, from: bigint, signal: AbortSignal): Promise<number | undefined> {
    const { walks, clock } = this.#context
    let found: number | undefined
    const request: WalkRequest = {
      topic: at.topic,
      partition: at.partition,
      from,
      isolation: 'read_uncommitted',
      atEnd: 'stop',
      visit: ({ raw }) => {
        found = maxTimestampMs(raw.buffer, raw.at)
        return 'enough'
      },
    }
    try {
      await timeLimited(PEEK_TIMEOUT_MS, clock, signal, (limited) => walks.walk(request, limited))
    } catch (error) {
      signal.throwIfAborted()
      // Gone by now, or not readable: others say so.
      if (!(error instanceof KafkaError)) throw error
    }
    return found
  }
}
