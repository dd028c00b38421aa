import type { Clock } from '../clock/clock.ts'

/**
 * Time as of the beginning of a piece of synchronous work, a turn: what is asked for every batch is read once. Whoever
 * sends, or takes an answer, begins a turn; within it no time passes that a check right before sending would have seen.
 */
export class TurnClock {
  readonly #clock: Clock
  #number = 0
  #wallMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#wallMs = clock.wallMs()
  }

  /** Tells turns apart. */
  get number(): number {
    return this.#number
  }

  /** Wall time at the beginning of the turn, in milliseconds. */
  get wallMs(): number {
    return this.#wallMs
  }

  begin(): void {
    this.#number++
    this.#wallMs = this.#clock.wallMs()
  }
}
