/** Background work that must end with its owner: nothing floats, and a failure is heard. */
export class TaskSet {
  readonly #running = new Set<Promise<void>>()
  readonly #onFailure: (error: unknown) => void

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  run(task: () => Promise<void>): void {
    const promise = task().catch(this.#onFailure)
    this.#running.add(promise)
    void promise.then(() => this.#running.delete(promise))
  }

  /** Resolves when every task has ended, those started meanwhile included. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}
