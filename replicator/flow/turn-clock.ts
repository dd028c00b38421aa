import type { Clock } from '../clock/clock.ts'

/**
 * Time as of a piece of synchronous work, a turn: what is asked for every batch is read once, when somebody first asks.
 * Whoever sends, or takes an answer, begins a turn; within it no time passes that a check right before sending would
 * have seen.
 */
export class TurnClock {
  readonly #clock: Clock
  #wallMs: number | undefined
  #monotonicMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** In milliseconds since the epoch. */
  get wallMs(): number {
    this.#wallMs ??= this.#clock.wallMs()
    return this.#wallMs
  }

  get monotonicMs(): number {
    this.#monotonicMs ??= this.#clock.monotonicMs()
    return this.#monotonicMs
  }

  begin(): void {
    this.#wallMs = undefined
    this.#monotonicMs = undefined
  }
}
