import type { Lease } from '../kafka/cluster.ts'

/** A bound on bytes, shared by whoever reserves from it; those who must wait are served in order. */
export class ByteBudget {
  readonly bytesMax: number
  #used = 0
  readonly #waiting: { readonly bytes: number; readonly admit: () => void }[] = []

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get usedBytes(): number {
    return this.#used
  }

  /**
   * Reserves `bytes`, when they fit. More than the whole budget is admitted once nothing else is reserved: a batch
   * larger than the budget must still pass.
   * @throws the signal's reason
   */
  async reserve(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#waiting.length === 0 && this.#fits(bytes)) {
      this.#used += bytes
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const entry = { bytes, admit: resolve }
    const onAbort = (): void => {
      const at = this.#waiting.indexOf(entry)
      if (at === -1) return
      this.#waiting.splice(at, 1)
      this.#admitWaiting()
      reject(signal.reason)
    }
    this.#waiting.push(entry)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Accounts for bytes that are already there, fitting or not. */
  take(bytes: number): void {
    this.#used += bytes
  }

  /** As {@link take}, released with the lease. */
  leaseOwn(bytes: number): Lease {
    this.take(bytes)
    return new BudgetedLease({ bytes, retain: () => {}, release: () => {} }, this)
  }

  release(bytes: number): void {
    if (bytes > this.#used) throw new Error(`${bytes} bytes were released of ${this.#used} reserved`)
    this.#used -= bytes
    this.#admitWaiting()
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.bytesMax
  }

  #admitWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#used += next.bytes
      next.admit()
    }
  }
}

/** A frame whose bytes count against a budget until its last reference is given back. */
export class BudgetedLease implements Lease {
  readonly #frame: Lease
  readonly #budget: ByteBudget
  #references = 1

  /** The caller has already accounted for `frame.bytes`. */
  constructor(frame: Lease, budget: ByteBudget) {
    this.#frame = frame
    this.#budget = budget
  }

  get bytes(): number {
    return this.#frame.bytes
  }

  retain(): void {
    if (this.#references === 0) throw new Error('A released lease was retained')
    this.#references++
  }

  release(): void {
    if (this.#references === 0) throw new Error('A lease was released more often than it was retained')
    if (--this.#references > 0) return
    this.#frame.release()
    this.#budget.release(this.#frame.bytes)
  }
}
