/** From samples of a running copy to the figures of one run. Pure. */
import type { Run } from './results.ts'
import { spreadOf } from './statistics.ts'

/** What was seen at one moment of a copy. */
export interface Sample {
  /** Since the process started. */
  readonly seconds: number
  /** On the target so far. */
  readonly records: number
  readonly cpuSeconds: number
  readonly rssBytes: number
  readonly rssPeakBytes: number
}

/**
 * The steady window: from the first sample that saw records on the target to the first that saw all of them. Records
 * that had arrived by the first sample are not counted, so starting up (JVM, discovery, topic creation) is held
 * against nobody, neither in time nor in CPU. A copy so fast that one sample saw everything is measured from the
 * sample before. A takeover leaves a marker in each partition, which no reader sees: the first `partitions` offsets are
 * taken for markers, of every system alike.
 *
 * @throws RangeError if the samples do not reach `recordsTotal`
 */
export function measureWindow(
  samples: readonly Sample[],
  options: {
    readonly round: number
    readonly recordsTotal: number
    readonly recordBytes: number
    readonly partitions: number
  },
): Run {
  const last = samples.findIndex((sample) => sample.records >= options.recordsTotal)
  if (last < 0) throw new RangeError('the copy did not reach the last record')
  const seen = samples.findIndex((sample) => sample.records > options.partitions)
  const first = seen < last ? seen : Math.max(0, last - 1)
  const from = samples[first]!
  const to = samples[last]!
  const seconds = to.seconds - from.seconds
  const records = Math.min(to.records, options.recordsTotal) - from.records
  const bytes = records * options.recordBytes
  return {
    round: options.round,
    seconds,
    recordsPerSecond: records / seconds,
    bytesPerSecond: bytes / seconds,
    cpuSecondsPerGB: ((to.cpuSeconds - from.cpuSeconds) / bytes) * 1e9,
    cpuSecondsTotal: to.cpuSeconds,
    startSeconds: samples[seen]!.seconds,
    rssPeakBytes: Math.max(...samples.map((sample) => sample.rssPeakBytes)),
    rssGrowthBytes: rssGrowth(samples.slice(first, last + 1)),
    recordsExtra: samples.at(-1)!.records - options.recordsTotal,
  }
}

/** Last quarter against second quarter: the first quarter is warming up. 0 for windows too short to have quarters. */
export function rssGrowth(window: readonly { readonly rssBytes: number }[]): number {
  const quarter = Math.floor(window.length / 4)
  if (quarter === 0) return 0
  const medianOf = (part: readonly { readonly rssBytes: number }[]) =>
    spreadOf(part.map((sample) => sample.rssBytes)).median
  return medianOf(window.slice(-quarter)) - medianOf(window.slice(quarter, 2 * quarter))
}
