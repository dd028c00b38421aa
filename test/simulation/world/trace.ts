import { createHash } from 'node:crypto'

/** What happened in a run, in order: its digest tells whether two runs were the same. */
export class Trace {
  readonly #hash = createHash('sha256')
  readonly #kept: string[] | undefined
  readonly #nowMs: () => number

  /** @param keep keeps the lines too, for reading */
  constructor(nowMs: () => number, keep = false) {
    this.#nowMs = nowMs
    this.#kept = keep ? [] : undefined
  }

  note(what: string): void {
    const line = `${this.#nowMs().toFixed(3)} ${what}\n`
    this.#hash.update(line)
    this.#kept?.push(line)
  }

  get lines(): readonly string[] {
    return this.#kept ?? []
  }

  /** Ends the trace. */
  digest(): string {
    return this.#hash.digest('hex').slice(0, 16)
  }
}
