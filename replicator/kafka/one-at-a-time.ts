/** Runs tasks one after the other, in the order in which they came. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(task: () => Promise<T>): Promise<T> {
    const running = this.#last.then(task)
    this.#last = running.catch(() => {})
    return running
  }

  /** Settles when everything that was begun so far has ended. */
  async settled(): Promise<void> {
    await this.#last
  }
}
