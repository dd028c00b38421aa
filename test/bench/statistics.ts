/** Order statistics of a benchmark's samples. Pure. */

/** Lowest, middle and highest of several runs of the same measurement. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

/** End-to-end latency in milliseconds, by nearest rank. */
export interface LatencyMs {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/**
 * The smallest sample that at least `fraction` of all samples do not exceed (nearest rank): always a value that was measured.
 *
 * @param sorted ascending
 * @param fraction above 0, up to 1
 * @throws RangeError if there is no sample, or the fraction is out of range
 */
export function percentile(sorted: ArrayLike<number>, fraction: number): number {
  if (sorted.length === 0) throw new RangeError('percentile of no samples')
  if (!(fraction > 0 && fraction <= 1)) throw new RangeError(`percentile ${fraction} is outside (0, 1]`)
  return sorted[Math.ceil(fraction * sorted.length) - 1]!
}

/** The percentiles that the benchmark reports. Does not keep or reorder its input. */
export function latencyOf(samplesMs: ArrayLike<number>): LatencyMs {
  const sorted = Float64Array.from(samplesMs).sort()
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), p999: percentile(sorted, 0.999) }
}

/** Lowest, median and highest; the median of an even count is the mean of the middle two. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError('spread of no values')
  const sorted = Float64Array.from(values).sort()
  const half = sorted.length >> 1
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
  return { min: sorted[0]!, median, max: sorted[sorted.length - 1]! }
}
