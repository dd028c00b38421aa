import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../../replicator/clock/clock.ts'

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

/** Time that stands still unless everything waits for it; then it jumps to the next sleeper. */
export class SteppedClock implements Clock {
  #nowMs = 0
  #sleepers: Sleeper[] = []
  /** Every sleep that ran to its end, in milliseconds. */
  readonly slept: number[] = []

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const forget = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
      }
      const onAbort = () => {
        forget()
        reject(signal?.reason)
      }
      const sleeper: Sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          forget()
          signal?.removeEventListener('abort', onAbort)
          this.slept.push(ms)
          resolve()
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.push(sleeper)
    })
  }

  /** Lets time pass until the work has ended. */
  async run<T>(work: Promise<T>): Promise<T> {
    let ended = false
    const end = () => {
      ended = true
    }
    work.then(end, end)
    for (;;) {
      await turn()
      if (ended) return await work
      const [next] = this.#sleepers.toSorted((a, b) => a.atMs - b.atMs)
      if (next === undefined) continue
      this.#nowMs = next.atMs
      next.wake()
    }
  }
}
