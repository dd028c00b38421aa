import type { Clock } from '../../../replicator/clock/clock.ts'
import type { SimulatedClock } from '../simulated-clock.ts'

/** Where in a request's life its process is struck. */
export type Moment = 'before-send' | 'after-send' | 'before-answer' | 'after-answer'

/** Waits for the `nth` request of this kind at this cluster, then springs once. */
export interface Trap {
  readonly cluster: 'source' | 'target'
  /** A method of the Cluster port or of a channel; `any` for all of them. */
  readonly request: string
  readonly moment: Moment
  nth: number
  readonly spring: () => void
}

type State = 'running' | 'stopped' | 'dead'

const never = <T>(): Promise<T> => new Promise<T>(() => {})

/**
 * One operating-system process as far as the outside can tell: what it asks of clusters and of the clock passes
 * through here, and so does every answer. Killed, it is never answered again, so nothing of it ever runs; what it had
 * sent is on its way. Stopped (SIGSTOP), its timers and answers wait and so does what it was about to send, while
 * time moves on; continued, they come all at once.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  readonly #world: SimulatedClock
  readonly #timers = new Set<() => void>()
  #traps: Trap[] = []
  #held: (() => void)[] = []
  #state: State = 'running'

  constructor(name: string, world: SimulatedClock) {
    this.name = name
    this.#world = world
    this.clock = {
      wallMs: () => world.wallMs(),
      monotonicMs: () => world.monotonicMs(),
      sleep: (ms, signal) => this.#sleep(ms, signal),
    }
  }

  get state(): State {
    return this.#state
  }

  arm(trap: Trap): void {
    this.#traps.push(trap)
  }

  /** Takes back what {@link arm} laid. */
  disarm(): void {
    this.#traps = []
  }

  /** SIGKILL. */
  kill(): void {
    this.#state = 'dead'
    for (const cancel of this.#timers) cancel()
    this.#timers.clear()
    this.#held = []
    this.#traps = []
  }

  /** SIGSTOP. */
  stop(): void {
    if (this.#state === 'running') this.#state = 'stopped'
  }

  /** SIGCONT. What became due meanwhile happens in the order in which it became due. */
  continue(): void {
    if (this.#state !== 'stopped') return
    this.#state = 'running'
    const held = this.#held
    this.#held = []
    for (const happen of held) this.#deliver(happen)
  }

  /** One request: `send` puts it on the wire. The answer comes if and when the process can take it. */
  request<T>(cluster: Trap['cluster'], kind: string, send: () => Promise<T>): Promise<T> {
    this.#reach(cluster, kind, 'before-send')
    if (this.#state === 'dead') return never()
    return new Promise<T>((resolve, reject) => {
      const go = (): void => {
        const settle = (happen: () => void): void =>
          this.#deliver(() => {
            this.#reach(cluster, kind, 'before-answer')
            this.#deliver(() => {
              happen()
              this.#reach(cluster, kind, 'after-answer')
            })
          })
        sent(send).then(
          (value) => settle(() => resolve(value)),
          (error) => settle(() => reject(error)),
        )
        this.#reach(cluster, kind, 'after-send')
      }
      if (this.#state === 'stopped') this.#held.push(go)
      else go()
    })
  }

  /** Something that the process hears of from outside, such as the end of a connection. */
  hears(event: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      void event.then(() => this.#deliver(resolve))
    })
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#state === 'dead') return never()
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const end = (): void => {
        this.#timers.delete(cancel)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        cancel()
        end()
        reject(signal?.reason)
      }
      const cancel = this.#world.after(ms, () => {
        this.#timers.delete(cancel)
        this.#deliver(() => {
          end()
          resolve()
        })
      })
      this.#timers.add(cancel)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  #deliver(happen: () => void): void {
    if (this.#state === 'dead') return
    if (this.#state === 'stopped') this.#held.push(happen)
    else happen()
  }

  #reach(cluster: Trap['cluster'], kind: string, moment: Moment): void {
    if (this.#traps.length === 0) return
    for (const trap of this.#traps) {
      if (trap.cluster !== cluster || trap.moment !== moment) continue
      if (trap.request !== 'any' && trap.request !== kind) continue
      trap.nth -= 1
      if (trap.nth > 0) continue
      this.#traps = this.#traps.filter((armed) => armed !== trap)
      trap.spring()
      return
    }
  }
}

/** What a request throws at once, such as misuse, reaches its caller as any other failure does. */
async function sent<T>(send: () => Promise<T>): Promise<T> {
  return send()
}
