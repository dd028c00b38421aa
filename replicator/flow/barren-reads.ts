/** How long a partition may bring nothing, although its log goes on, until that counts as damage; in milliseconds. */
const BARREN_MS = 5000

/**
 * Tells when a log goes on behind a position and yet nothing comes back from there, again and again: a broker answers
 * so, without an error, where the length of a stored batch is damaged.
 */
export class BarrenReads<P extends object> {
  readonly #since = new WeakMap<P, number>()

  /** @returns whether it has been so for long */
  nothingCame(partition: P, nowMs: number): boolean {
    const since = this.#since.get(partition) ?? nowMs
    this.#since.set(partition, since)
    return nowMs - since >= BARREN_MS
  }

  somethingCame(partition: P): void {
    this.#since.delete(partition)
  }
}
