/** Which shards of a rolling restart nobody had to touch, and how long their records took. Pure. */

/** One record's way, as the reader of the target saw it. */
export interface Sample {
  readonly shard: number
  /** When the producer stamped it. */
  readonly sentAtMs: number
  readonly latencyMs: number
}

/** From the signal to one replica until all replicas have their shares again. */
export interface RestartWindow {
  readonly fromMs: number
  readonly toMs: number
  /** Shards that some replica started in the meantime, or that the restarted one had. */
  readonly touched: ReadonlySet<number>
}

export interface SplitSamples {
  readonly untouched: readonly Sample[]
  readonly moved: readonly Sample[]
}

/** Records that were sent while a replica restarted. Those sent between restarts are in neither list. */
export function splitSamples(samples: readonly Sample[], windows: readonly RestartWindow[]): SplitSamples {
  const untouched: Sample[] = []
  const moved: Sample[] = []
  for (const sample of samples) {
    const window = windows.find(({ fromMs, toMs }) => sample.sentAtMs >= fromMs && sample.sentAtMs <= toMs)
    if (window === undefined) continue
    if (window.touched.has(sample.shard)) moved.push(sample)
    else untouched.push(sample)
  }
  return { untouched, moved }
}
