import { BLOCK_SPANS_MAX, RunBlock, type Side } from './run-block.ts'
import { continues, endOf, isUpTo, laterOf, merged, type Point, type Span, startOf } from './span.ts'

/** A block with the point up to which it speaks. */
export interface CoveredBlock {
  readonly block: RunBlock
  readonly end: Point
}

/**
 * Spans in order, in blocks of a few hundred: appending copies no more than a block, and a block is what is written as
 * one record. 33 bytes a span, plus the room left in the last block.
 *
 * Invariants: spans and blocks ascend on both sides; a block's spans lie between its start and the next one's, or
 * {@link end}; each start and {@link end} is a true {@link Point} of the copy.
 */
export class RunStore {
  readonly #blocks: RunBlock[]
  readonly #blockSpansMax: number
  /** Two numbers, not a {@link Point}: they change with every batch. */
  #endSource: number
  #endTarget: number
  /** While there is no block. */
  #emptyFrom: Point
  #size = 0
  #nextId: number
  #revision = 0

  /** @param blocks as they were written, in order, each beginning where the one before ended; numbers below `nextId` */
  constructor(end: Point, blocks: readonly RunBlock[] = [], nextId = 0, blockSpansMax = BLOCK_SPANS_MAX) {
    this.#blockSpansMax = blockSpansMax
    this.#endSource = end.source
    this.#endTarget = end.target
    this.#emptyFrom = end
    this.#blocks = [...blocks]
    this.#nextId = nextId
    for (const block of blocks) {
      this.#size += block.size
      this.#revision = Math.max(this.#revision, block.revision)
    }
  }

  /** Nothing is known below. */
  get start(): Point {
    return this.#blocks[0]?.start ?? this.#emptyFrom
  }

  /** Nothing is known from here on. */
  get end(): Point {
    return { source: this.#endSource, target: this.#endTarget }
  }

  /** Spans. */
  get size(): number {
    return this.#size
  }

  /** Bytes of its arrays. */
  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.bytes, 0)
  }

  *spans(): Generator<Span, void, void> {
    for (const block of this.#blocks) yield* block.spans()
  }

  *blocks(): Generator<CoveredBlock, void, void> {
    for (const [index, block] of this.#blocks.entries()) {
      yield { block, end: this.#blocks[index + 1]?.start ?? this.end }
    }
  }

  /** Appends a span at or behind {@link end} on both sides; a run that follows the last one lengthens it. */
  append(span: Span): void {
    if (this.extend(span)) return
    if (!isUpTo(this.end, startOf(span))) throw new RangeError('A span must lie behind the end of the store')
    let last = this.#blocks.at(-1)
    if (last === undefined || last.isFull) last = this.#openBlock(last)
    last.push(span)
    this.#size += 1
    last.revision = this.#nextRevision()
    this.#endAt(endOf(span))
  }

  /**
   * Lengthens the last run by one that follows it, and {@link end}, at once on both sides; `false`, with nothing
   * changed, if it does not. That is what nearly every batch does: it allocates nothing.
   */
  extend(span: Span): boolean {
    if (span.sourceFrom !== this.#endSource || span.targetFrom !== this.#endTarget) return false
    const last = this.#blocks.at(-1)
    if (last?.extend(span) !== true) return false
    last.revision = this.#nextRevision()
    this.#endSource = span.sourceTo
    this.#endTarget = span.targetTo
    return true
  }

  /** Nothing was copied between the last span and this point. */
  reach(point: Point): void {
    const before = this.end
    const end = laterOf(before, point)
    if (end.source === before.source && end.target === before.target) return
    this.#endAt(end)
    const last = this.#blocks.at(-1)
    if (last !== undefined) last.revision = this.#nextRevision()
  }

  #endAt({ source, target }: Point): void {
    this.#endSource = source
    this.#endTarget = target
  }

  /** The first span that ends above a position: it holds the position, or is the next one behind it. */
  firstEndingAbove(side: Side, position: number): Span | undefined {
    for (let at = this.#blockAt(side, position); at < this.#blocks.length; at++) {
      const block = this.#blocks[at]!
      const index = block.firstEndingAbove(side, position)
      if (index < block.size) return block.at(index)
    }
    return undefined
  }

  /**
   * Forgets what lies below a position of one side. A run is cut; a coarse span stays until all of it lies below,
   * because nobody knows which part of the other side goes with what is gone.
   */
  forgetBelow(side: Side, position: number): void {
    while (this.#blocks.length > 0) {
      const block = this.#blocks[0]!
      const gone = block.firstEndingAbove(side, position)
      if (gone < block.size) {
        block.dropFirst(gone)
        this.#size -= gone
        const first = block.at(0)
        const from = startOf(first)[side]
        if (first.isExact && from < position) block.cutFirst(side, position)
        return
      }
      if ((this.#blocks[1]?.start ?? this.end)[side] > position && gone === 0) return
      this.#blocks.shift()
      this.#size -= gone
      this.#emptyFrom = this.end
    }
  }

  /** Puts spans, in order, in the place of one that holds them all; `false` if there is no such span (any more). */
  replace(span: Span, parts: readonly Span[]): boolean {
    const at = this.#blockAt('source', span.sourceFrom)
    const block = this.#blocks[at]
    if (block === undefined) return false
    const index = block.firstEndingAbove('source', span.sourceFrom)
    if (index === block.size || !isSame(block.at(index), span)) return false
    const spans = joined([...block.spans(0, index), ...parts, ...block.spans(index + 1)])
    this.#blocks.splice(at, 1, ...this.#packed(block, spans))
    this.#size += spans.length - block.size
    return true
  }

  /**
   * Merges neighbours, from the oldest span on.
   *
   * @param groups how many spans become one, group after group; what follows the last group stays as it is
   * @throws RangeError when that is more than there are
   */
  mergeOldest(groups: readonly number[]): void {
    const spans = groups.reduce((sum, group) => sum + group, 0)
    if (spans > this.#size) throw new RangeError(`${spans} spans to merge, of ${this.#size}`)
    const firstMerge = groups.findIndex((group) => group > 1)
    if (firstMerge < 0) return
    // Blocks in front of the first merge stay as they are, and as they were written.
    let at = 0
    let before = 0
    for (; before + this.#blocks[at]!.size <= firstMerge; at++) before += this.#blocks[at]!.size
    this.#mergeFrom(at, groups.slice(before))
  }

  /** @param groups beginning at the first span of the block at `first` */
  #mergeFrom(first: number, groups: readonly number[]): void {
    const target: RunBlock[] = []
    let at = first
    let pending: Span | undefined
    let missing = 0
    let group = 0
    for (; at < this.#blocks.length && (group < groups.length || missing > 0); at++) {
      const block = this.#blocks[at]!
      for (const span of block.spans()) {
        pending = pending === undefined ? span : merged(pending, span)
        if (missing === 0) missing = groups[group++] ?? 1
        missing -= 1
        if (missing > 0) {
          this.#size -= 1
          continue
        }
        this.#pushPacked(target, this.#blocks[first + target.length]!, pending)
        pending = undefined
      }
    }
    this.#blocks.splice(first, at - first, ...target)
  }

  /** Appends to blocks that take the place, and the numbers, of older ones. */
  #pushPacked(target: RunBlock[], successor: RunBlock, span: Span): void {
    let last = target.at(-1)
    if (last === undefined || last.isFull) {
      const before = last?.last()
      const start = before === undefined ? successor.start : endOf(before)
      last = new RunBlock(successor.id, start, this.#nextRevision(), this.#blockSpansMax)
      target.push(last)
    }
    last.push(span)
  }

  /** The spans of a block in as many as they need, equally filled; the first keeps its number. */
  #packed(block: RunBlock, spans: readonly Span[]): readonly RunBlock[] {
    const count = Math.max(1, Math.ceil(spans.length / this.#blockSpansMax))
    return Array.from({ length: count }, (_, index) => {
      const from = Math.ceil((spans.length * index) / count)
      const to = Math.ceil((spans.length * (index + 1)) / count)
      const before = spans[from - 1]
      return RunBlock.of(
        before === undefined ? block.id : this.#nextId++,
        before === undefined ? block.start : endOf(before),
        this.#nextRevision(),
        spans.slice(from, to),
        this.#blockSpansMax,
      )
    })
  }

  /** @param last the block that is closed by it, and must be written once more, because now its end is known */
  #openBlock(last: RunBlock | undefined): RunBlock {
    if (last !== undefined) last.revision = this.#nextRevision()
    const start = last === undefined ? this.#emptyFrom : this.end
    const block = new RunBlock(this.#nextId++, start, this.#nextRevision(), this.#blockSpansMax)
    this.#blocks.push(block)
    return block
  }

  #nextRevision(): number {
    this.#revision += 1
    return this.#revision
  }

  /** Index of the last block that starts at or below a position, or 0. */
  #blockAt(side: Side, position: number): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#blocks[middle]!.start[side] <= position) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }
}

function isSame(one: Span, other: Span): boolean {
  return (
    one.sourceFrom === other.sourceFrom &&
    one.sourceTo === other.sourceTo &&
    one.targetFrom === other.targetFrom &&
    one.targetTo === other.targetTo &&
    one.isExact === other.isExact
  )
}

/** Spans in order, with runs that follow each other as one. */
function joined(spans: readonly Span[]): readonly Span[] {
  const result: Span[] = []
  for (const span of spans) {
    const last = result.at(-1)
    if (last !== undefined && continues(last, span)) result[result.length - 1] = merged(last, span)
    else result.push(span)
  }
  return result
}
