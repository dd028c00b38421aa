import { type Piece, Stretch } from './stretch.ts'

/** What counting needs of a source batch: offsets `base` to `next` (exclusive). */
export interface SourceBatch {
  readonly base: number
  readonly next: number
  /**
   * Which of its offsets hold a record that the flow forwards: none (a marker, aborted, left out), all, or these. What
   * is missing of a batch that is forwarded was a record once: nobody knows whether it was still there to be copied.
   */
  readonly forwarded: 'none' | 'all' | readonly number[]
}

/** Which records of a source stretch were forwarded. Every record that is still there was; of others nobody knows. */
export class SourceStretch {
  readonly #stretch = new Stretch()
  readonly #to: number
  #next: number

  constructor(from: number, to: number) {
    this.#next = from
    this.#to = to
  }

  /** Up to where batches were added. */
  get reached(): number {
    return Math.min(this.#next, this.#to)
  }

  /** In order; what lies outside the stretch counts for nothing. */
  add({ base, next, forwarded }: SourceBatch): 'on' | 'enough' {
    const to = Math.min(next, this.#to)
    const from = Math.min(Math.max(base, this.#next), to)
    this.#stretch.addUnknown(this.#next, Math.min(base, this.#to))
    if (forwarded === 'all') this.#stretch.addCopied(from, to)
    else if (forwarded !== 'none') this.#addSurvivors(from, to, forwarded)
    this.#next = Math.max(this.#next, next)
    return this.#next >= this.#to ? 'enough' : 'on'
  }

  /** As many records were copied as there are offsets: so all of them were, whatever is there now. */
  addAll(): void {
    this.add({ base: this.#next, next: this.#to, forwarded: 'all' })
  }

  /** What was not reached is unknown. */
  pieces(): readonly Piece[] {
    this.#stretch.addUnknown(this.#next, this.#to)
    this.#next = Math.max(this.#next, this.#to)
    return this.#stretch.pieces
  }

  get size(): number {
    return this.#stretch.pieces.length
  }

  #addSurvivors(from: number, to: number, offsets: readonly number[]): void {
    let next = from
    for (const offset of offsets) {
      if (offset < from) continue
      if (offset >= to) break
      this.#stretch.addUnknown(next, offset)
      this.#stretch.addCopied(offset, offset + 1)
      next = offset + 1
    }
    this.#stretch.addUnknown(next, to)
  }
}
