import { endOf, type Point, type Span } from './span.ts'

/** A block is also what is written as one record: about 2 KiB. */
export const BLOCK_SPANS_MAX = 512
/** Most partitions have few runs, and there may be thousands of partitions. */
const SPANS_AT_FIRST = 16

/** Columns of a span. */
const FIELDS = 4
const TO = 2

/** By which log a block is searched. */
export type Side = 'source' | 'target'

const columnOf = (side: Side): 0 | 1 => (side === 'source' ? 0 : 1)

/**
 * A few hundred spans in typed arrays, 33 bytes each, in order on both sides. It covers the stretch from its start to
 * the start of the next block: what lies there beside its spans holds no copies. It may be empty.
 */
export class RunBlock {
  /** Its number among the partition's blocks, for ever. */
  readonly id: number
  /** Changes whenever what must be written of it changes. */
  revision: number
  start: Point
  readonly #spansMax: number
  /** `sourceFrom, targetFrom, sourceTo, targetTo` of one span after the other. */
  #bounds: Float64Array
  /** 1 for a coarse span. */
  #coarse: Uint8Array
  #from = 0
  #to = 0

  /** @param capacity spans it has room for at first; it grows up to `spansMax` */
  constructor(id: number, start: Point, revision: number, spansMax: number, capacity = SPANS_AT_FIRST) {
    this.id = id
    this.start = start
    this.revision = revision
    this.#spansMax = spansMax
    this.#bounds = new Float64Array(capacity * FIELDS)
    this.#coarse = new Uint8Array(capacity)
  }

  /** A block that has room for these spans and no more. */
  static of(
    id: number,
    start: Point,
    revision: number,
    spans: readonly Span[],
    spansMax = BLOCK_SPANS_MAX,
  ): RunBlock {
    const block = new RunBlock(id, start, revision, Math.max(spansMax, spans.length), spans.length)
    for (const span of spans) block.push(span)
    return block
  }

  get size(): number {
    return this.#to - this.#from
  }

  get isFull(): boolean {
    return this.#to >= this.#spansMax
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return this.#bounds.byteLength + this.#coarse.byteLength
  }

  /** @throws RangeError when there is no such span */
  at(index: number): Span {
    const slot = this.#from + index
    if (index < 0 || slot >= this.#to) throw new RangeError(`Span ${index} of ${this.size}`)
    const at = slot * FIELDS
    return {
      sourceFrom: this.#bounds[at]!,
      sourceTo: this.#bounds[at + TO]!,
      targetFrom: this.#bounds[at + 1]!,
      targetTo: this.#bounds[at + 1 + TO]!,
      isExact: this.#coarse[slot] === 0,
    }
  }

  last(): Span | undefined {
    return this.size === 0 ? undefined : this.at(this.size - 1)
  }

  *spans(from = 0, to = this.size): Generator<Span, void, void> {
    for (let index = from; index < to; index++) yield this.at(index)
  }

  /** Appends a span that lies behind the last one. @throws RangeError when the block is full */
  push(span: Span): void {
    if (this.isFull) throw new RangeError(`Block ${this.id} is full`)
    if (this.#to === this.#coarse.length) this.#grow()
    this.#write(this.#to, span)
    this.#to += 1
  }

  /** Lengthens the last run by one that follows it on both sides; `false` if it does not. Allocates nothing. */
  extend({ sourceFrom, sourceTo, targetFrom, targetTo, isExact }: Span): boolean {
    const slot = this.#to - 1
    const at = slot * FIELDS + TO
    if (!isExact || slot < this.#from || this.#coarse[slot] !== 0) return false
    if (this.#bounds[at] !== sourceFrom || this.#bounds[at + 1] !== targetFrom) return false
    this.#bounds[at] = sourceTo
    this.#bounds[at + 1] = targetTo
    return true
  }

  /** Forgets the oldest spans; the block starts behind them. */
  dropFirst(count: number): void {
    if (count === 0) return
    this.start = endOf(this.at(count - 1))
    this.#from += count
  }

  /** Forgets what lies below an offset of its first run, which must be exact. */
  cutFirst(side: Side, position: number): void {
    const first = this.at(0)
    const dropped = position - (side === 'source' ? first.sourceFrom : first.targetFrom)
    this.start = { source: first.sourceFrom + dropped, target: first.targetFrom + dropped }
    this.#write(this.#from, { ...first, sourceFrom: this.start.source, targetFrom: this.start.target })
  }

  /** Index of the first span that ends above a position, or {@link size}. */
  firstEndingAbove(side: Side, position: number): number {
    const column = columnOf(side) + TO
    let low = this.#from
    let high = this.#to
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#bounds[middle * FIELDS + column]! > position) high = middle
      else low = middle + 1
    }
    return low - this.#from
  }

  #write(slot: number, span: Span): void {
    const at = slot * FIELDS
    this.#bounds[at] = span.sourceFrom
    this.#bounds[at + 1] = span.targetFrom
    this.#bounds[at + TO] = span.sourceTo
    this.#bounds[at + 1 + TO] = span.targetTo
    this.#coarse[slot] = span.isExact ? 0 : 1
  }

  #grow(): void {
    const capacity = Math.min(this.#spansMax, Math.max(SPANS_AT_FIRST, this.#coarse.length * 2))
    const bounds = new Float64Array(capacity * FIELDS)
    bounds.set(this.#bounds)
    const coarse = new Uint8Array(capacity)
    coarse.set(this.#coarse)
    this.#bounds = bounds
    this.#coarse = coarse
  }
}
