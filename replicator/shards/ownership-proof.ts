import type { Clock } from '../clock/clock.ts'

/** An instant on both clocks. */
export interface Instant {
  readonly monotonicMs: number
  readonly wallMs: number
}

/**
 * How long ago we last knew that nobody else owned the shard. A machine that is suspended may stop its monotonic clock,
 * and a wall clock may jump: the larger of the two ages counts, so that a doubt is never missed.
 */
export class OwnershipProof {
  readonly #clock: Clock
  #given: Instant | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): Instant {
    return { monotonicMs: this.#clock.monotonicMs(), wallMs: this.#clock.wallMs() }
  }

  /** The shard was ours at this instant: that of asking, not of the answer. */
  given(at: Instant): void {
    if (this.#given === undefined || at.monotonicMs > this.#given.monotonicMs) this.#given = at
  }

  /** In milliseconds, by default as of now; infinite as long as nothing is proven. */
  ageMs(at: Instant = this.now()): number {
    if (this.#given === undefined) return Number.POSITIVE_INFINITY
    return Math.max(at.monotonicMs - this.#given.monotonicMs, at.wallMs - this.#given.wallMs)
  }
}
