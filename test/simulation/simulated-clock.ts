import type { Clock } from '../../replicator/clock/clock.ts'
import { TimerHeap } from './timer-heap.ts'

/**
 * A clock that moves only when it is told to. Timers fire one at a time, in the order of their due time and then of
 * their making, and everything that one of them set going runs to its next wait before the next one fires. So a run
 * on this clock is a function of its inputs, as long as the code waits for nothing but promises and this clock.
 */
export class SimulatedClock implements Clock {
  #nowMs = 0
  #wallOffsetMs: number
  readonly #timers = new TimerHeap()
  #beforeTimer: (() => void) | undefined

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
    return this.#timers.add(this.#nowMs + Math.max(0, ms), fire)
  }

  /** How many sleepers wait. */
  get waiting(): number {
    return this.#timers.size
  }

  /** Moves the wall clock alone, as a correction by NTP does. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** Calls `look` whenever nothing can run before the next timer fires: the moments an observer sees. */
  watch(look: () => void): void {
    this.#beforeTimer = look
  }

  /** Moves time on by `ms`, firing what falls due on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await steps(() => {
      this.#beforeTimer?.()
      const dueMs = this.#timers.nextDueMs
      if (dueMs === undefined || dueMs > untilMs) return false
      this.#fire()
      return true
    })
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
    await steps(() => {
      this.#beforeTimer?.()
      if (settled) return false
      const dueMs = this.#timers.nextDueMs
      if (dueMs === undefined) throw new Error('stuck: the work waits for something that no timer will bring')
      if (dueMs > untilMs) throw new Error(`stuck: not done after ${limitMs} ms of simulated time`)
      this.#fire()
      return true
    })
    return work
  }

  #fire(): void {
    const timer = this.#timers.take()
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
    timer.fire()
  }
}

/** Immediates queued at once; what is left of them when the steps end does nothing. */
const stepsPerTurnMax = 64

/**
 * Takes steps until one returns false. Each begins when every promise job of the one before has run: Node empties
 * the queue of promise jobs after each immediate, also between those of one turn of its event loop, which are far
 * cheaper than a turn each.
 */
function steps(step: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let over = false
    const take = (): void => {
      if (over) return
      try {
        over = !step()
        if (over) resolve()
      } catch (error) {
        over = true
        reject(error)
      }
    }
    const turn = (count: number): void => {
      for (let i = 0; i < count; i++) setImmediate(take)
      setImmediate(() => {
        if (!over) turn(Math.min(stepsPerTurnMax, count * 2))
      })
    }
    turn(1)
  })
}
