import type { ProgressEntry } from './progress-view.ts'

/** Bytes of records in one append, well below the brokers' default `max.message.bytes`. */
const APPEND_BYTES_MAX = 512 * 1024

/** What waits to be appended together, and who waits for it. */
export interface Waiting {
  readonly entries: readonly ProgressEntry[]
  readonly settled: PromiseWithResolvers<void>
  readonly signal: AbortSignal
}

/** Progress that waits for its append: what comes while one is under way shares the next. */
export class AppendQueue {
  readonly #waiting: Waiting[] = []

  /** @returns whether it is the first one, so that somebody must see to it */
  push(waiting: Waiting): boolean {
    return this.#waiting.push(waiting) === 1
  }

  /** The oldest that fit into one append; at least one as long as any waits. */
  take(): readonly Waiting[] {
    let bytes = 0
    let count = 0
    for (const { entries } of this.#waiting) {
      bytes += entries.reduce((sum, entry) => sum + bytesOf(entry), 0)
      if (count > 0 && bytes > APPEND_BYTES_MAX) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  /** They were taken, and come before whatever has come since. */
  putBack(waiting: readonly Waiting[]): void {
    this.#waiting.unshift(...waiting)
  }
}

/** Entries in pieces that fit into one append each. */
export function appendable(entries: readonly ProgressEntry[]): readonly (readonly ProgressEntry[])[] {
  const pieces: ProgressEntry[][] = []
  let left = 0
  for (const entry of entries) {
    const bytes = bytesOf(entry)
    if (bytes > left || pieces.length === 0) {
      pieces.push([])
      left = APPEND_BYTES_MAX
    }
    pieces.at(-1)?.push(entry)
    left -= bytes
  }
  return pieces
}

/** Generously: JSON around two names, two topic ids and some numbers. */
const bytesOf = ({ key }: ProgressEntry): number => 512 + 3 * (key.topic.length + key.flow.length)
