import type { Retention } from '../retention.ts'

/** A look at a partition that lags. */
export interface RetentionSample {
  /** Monotonic time in milliseconds. */
  readonly atMs: number
  readonly logStart: bigint
  readonly logEnd: bigint
  /** The next source offset to copy. */
  readonly position: bigint
  /** When the next record to copy was stamped, in milliseconds since the epoch; `undefined` when not known. */
  readonly nextTimestampMs: number | undefined
}

/** Samples of one partition, oldest first: the newest, and others about a minute apart. */
export type RetentionHistory = readonly RetentionSample[]

/** When retention reaches what was not copied yet, at the present rate. */
export interface Overrun {
  readonly inMs: number
  /** `age`: by `retention.ms` and the next record's time; `log-start`: by how fast the log start was seen to move. */
  readonly by: 'age' | 'log-start'
}

/** How far back samples are kept, and how far apart: retention works in steps, every five minutes by default. */
const HISTORY_MS = 30 * 60_000
const SPACING_MS = 60_000
const SAMPLES_MAX = 120
/** How far back a rate of copying is measured: long enough for steps, short enough to be the present one. */
const RATE_MS = 60_000
/** Less is not a rate. */
const RATE_MIN_MS = 2000

/** Adds a sample and forgets what is too old or too close together. */
export function addSample(history: RetentionHistory, sample: RetentionSample): RetentionHistory {
  const kept = history.filter(({ atMs }) => sample.atMs - atMs <= HISTORY_MS).slice(1 - SAMPLES_MAX)
  const [last, before] = [kept.at(-1), kept.at(-2)]
  // Every jump of the log start is kept with the sample that first saw it.
  const isBetween =
    last !== undefined &&
    before !== undefined &&
    last.atMs - before.atMs < SPACING_MS &&
    last.logStart === before.logStart
  return [...(isBetween ? kept.slice(0, -1) : kept), sample]
}

/**
 * When retention will reach a partition's position, as far as it can be known; `undefined` when it will not at the
 * present rates, or nothing tells.
 *
 * Two ways, the earlier one counts:
 * - By age: a record stamped T may be deleted from T + retention.ms on. While copying moves on by `v` milliseconds of
 *   record time per millisecond, that moment comes in (T + retention.ms - now) / (1 - v); with v >= 1 never. It warns
 *   of what has not begun yet: the log start need not have moved at all.
 * - By the log start: whatever moves it (size, age, people), position and log start meet in
 *   (position - start) / (rate of start - rate of position).
 *
 * @param nowMs wall time in milliseconds
 */
export function forecastOverrun(
  history: RetentionHistory,
  retention: Retention | undefined,
  nowMs: number,
): Overrun | undefined {
  const now = history.at(-1)
  if (now === undefined || now.position >= now.logEnd) return undefined
  const earlier = referenceOf(history, now)
  if (earlier === undefined) return undefined
  const byAge = ageForecast(earlier, now, retention, nowMs)
  const byStart = startForecast(history, earlier, now)
  if (byAge === undefined || byStart === undefined) return byAge ?? byStart
  return byAge.inMs <= byStart.inMs ? byAge : byStart
}

/** The newest sample that is a minute old, or the oldest one. */
function referenceOf(history: RetentionHistory, now: RetentionSample): RetentionSample | undefined {
  const reference = history.findLast(({ atMs }) => now.atMs - atMs >= RATE_MS) ?? history[0]
  return reference !== undefined && now.atMs - reference.atMs >= RATE_MIN_MS ? reference : undefined
}

function ageForecast(
  earlier: RetentionSample,
  now: RetentionSample,
  retention: Retention | undefined,
  nowMs: number,
): Overrun | undefined {
  if (retention?.deletes !== true || retention.ms === undefined) return undefined
  if (now.nextTimestampMs === undefined || now.nextTimestampMs < 0) return undefined
  const leftMs = now.nextTimestampMs + retention.ms - nowMs
  // Nearer to the log's end than to its start by time: it is no hurry, however long copying pauses.
  if (leftMs > retention.ms / 2) return undefined
  if (leftMs <= 0) return { inMs: 0, by: 'age' }
  const movedMs = now.nextTimestampMs - (earlier.nextTimestampMs ?? now.nextTimestampMs)
  const pace = Math.max(0, movedMs / (now.atMs - earlier.atMs))
  return pace >= 1 ? undefined : { inMs: leftMs / (1 - pace), by: 'age' }
}

function startForecast(
  history: RetentionHistory,
  earlier: RetentionSample,
  now: RetentionSample,
): Overrun | undefined {
  const ahead = now.position - now.logStart
  if (ahead > (now.logEnd - now.logStart) / 2n) return undefined
  const startRate = logStartRate(history, now)
  if (startRate === undefined) return undefined
  const ownRate = Math.max(0, Number(now.position - earlier.position) / (now.atMs - earlier.atMs))
  if (startRate <= ownRate) return undefined
  return { inMs: Math.max(0, Number(ahead)) / (startRate - ownRate), by: 'log-start' }
}

/**
 * Offsets per millisecond that the log start moves by. It moves in jumps, so the rate is taken from jump to jump; when
 * the next one is overdue, the pause counts too.
 */
function logStartRate(history: RetentionHistory, now: RetentionSample): number | undefined {
  const jumps = history.filter((sample, index) => {
    const before = history[index - 1]
    return before !== undefined && sample.logStart > before.logStart
  })
  const [first, last] = [jumps[0], jumps.at(-1)]
  if (first === undefined || last === undefined || first === last) return undefined
  const usualMs = (last.atMs - first.atMs) / (jumps.length - 1)
  const elapsedMs = last.atMs - first.atMs + Math.max(0, now.atMs - last.atMs - usualMs)
  return Number(last.logStart - first.logStart) / elapsedMs
}
