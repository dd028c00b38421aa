import type { Clock } from '../../replicator/clock/clock.ts'

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly fire: () => void
}

/**
 * A clock that moves only when it is told to. Timers fire one at a time, in the order of their due time and then of
 * their making, and everything that one of them set going runs to its next wait before the next one fires. So a run
 * on this clock is a function of its inputs, as long as the code waits for nothing but promises and this clock.
 */
export class SimulatedClock implements Clock {
  #nowMs = 0
  #wallOffsetMs: number
  #order = 0
  readonly #timers = new Set<Timer>()

  /** @param startWallMs what {@link wallMs} says at first; default 2026-01-01T00:00:00Z */
  constructor(startWallMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = startWallMs
  }

  wallMs(): number {
    // As Date.now(): whole milliseconds, although sleepers may wake in between.
    return Math.floor(this.#wallOffsetMs + this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const cancel = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      const onAbort = () => {
        cancel()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Calls `fire` once, `ms` from now; the returned function calls it off. */
  after(ms: number, fire: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fire }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** How many sleepers wait. */
  get waiting(): number {
    return this.#timers.size
  }

  /** Moves the wall clock alone, as a correction by NTP does. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** Moves time on by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await idle()
    for (let timer = this.#next(); timer !== undefined && timer.dueMs <= untilMs; timer = this.#next()) {
      this.#fire(timer)
      await idle()
    }
    this.#nowMs = untilMs
  }

  /**
   * Moves time on, from timer to timer whenever nothing else can run, until `work` settles.
   * @param limitMs simulated time after which the work counts as stuck; default one day
   * @throws Error when nothing waits on the clock and the work is still pending, or the limit passes
   */
  async run<T>(work: Promise<T>, limitMs = 86_400_000): Promise<T> {
    let settled = false
    const done = () => {
      settled = true
    }
    work.then(done, done)
    const untilMs = this.#nowMs + limitMs
    for (;;) {
      await idle()
      if (settled) return work
      const timer = this.#next()
      if (timer === undefined) throw new Error('stuck: the work waits for something that no timer will bring')
      if (timer.dueMs > untilMs) throw new Error(`stuck: not done after ${limitMs} ms of simulated time`)
      this.#fire(timer)
    }
  }

  #next(): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.#timers) {
      if (first === undefined || timer.dueMs < first.dueMs) first = timer
    }
    return first
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
    timer.fire()
  }
}

/** Resolves when every promise job has run. Two turns, because code may itself yield with setImmediate. */
async function idle(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
