/** One waiter, many wakers; a wake-up that comes while nobody waits is kept for the next wait. */
export class Wakeup {
  #pending = false
  #resolve: (() => void) | undefined

  wake(): void {
    if (this.#resolve === undefined) {
      this.#pending = true
      return
    }
    this.#resolve()
    this.#resolve = undefined
  }

  /** @throws the signal's reason */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#pending) {
      this.#pending = false
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => reject(signal.reason)
    this.#resolve = resolve
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await promise
    } finally {
      this.#resolve = undefined
      signal.removeEventListener('abort', onAbort)
    }
  }
}
