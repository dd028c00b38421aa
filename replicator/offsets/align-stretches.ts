import { sourceOffset, targetOffset } from '../records/offsets.ts'
import type { CoarseSpan, ExactRun } from './offset-map.ts'
import type { Piece } from './stretch.ts'

/** The two logs cannot both be what was copied: one holds more copies than the other can have had. */
export type Alignment =
  | { readonly kind: 'aligned'; readonly parts: readonly (ExactRun | CoarseSpan)[] }
  | { readonly kind: 'contradiction' }

/** Copies number `index` to `end` (exclusive) are at these offsets; at each of them where `isExact`. */
interface Segment {
  readonly index: number
  readonly end: number
  readonly from: number
  readonly to: number
  readonly isExact: boolean
}

/** The number of the copies behind the last one, where it is not known. */
const END = Number.MAX_SAFE_INTEGER

/**
 * The k-th copied record of the source's stretch is the k-th of the target's. How many lie before an offset follows from
 * counting from either end: what one log does not tell of its gaps, the other one may, by how many there are in all.
 * Where neither does, the parts stay coarse between offsets that are known to be of the same record.
 */
export function alignStretches(source: readonly Piece[], target: readonly Piece[]): Alignment {
  const ofSource = sumOf(source)
  const ofTarget = sumOf(target)
  const total = { min: Math.max(ofSource.min, ofTarget.min), max: Math.min(ofSource.max, ofTarget.max) }
  if (total.min > total.max) return { kind: 'contradiction' }
  const parts = new Parts()
  zip(segmentsOf(source, ofSource, total), segmentsOf(target, ofTarget, total), parts)
  return { kind: 'aligned', parts: parts.list }
}

interface Bounds {
  readonly min: number
  readonly max: number
}

function sumOf(pieces: readonly Piece[]): Bounds {
  let [min, max] = [0, 0]
  for (const piece of pieces) {
    min += piece.min
    max += piece.max
  }
  return { min, max }
}

/** Cuts a log's pieces wherever the number of copies below is known exactly. */
function* segmentsOf(pieces: readonly Piece[], sum: Bounds, total: Bounds): Generator<Segment> {
  let index = 0
  let from: number | undefined
  let [min, max] = [0, 0]
  for (const [at, piece] of pieces.entries()) {
    from ??= piece.from
    min += piece.min
    max += piece.max
    const isLast = at === pieces.length - 1
    const fewest = Math.max(min, total.min - (sum.max - max))
    const most = Math.min(max, total.max - (sum.min - min))
    if (fewest !== most && !isLast) continue
    const end = fewest === most ? fewest : END
    if (end > index) yield { index, end, from, to: piece.to, isExact: end - index === piece.to - from }
    index = end
    from = undefined
  }
}

function zip(source: Generator<Segment>, target: Generator<Segment>, parts: Parts): void {
  const s = new Cursor(source)
  const t = new Cursor(target)
  for (let at = 0; s.segment !== undefined && t.segment !== undefined; ) {
    if (s.segment.isExact && t.segment.isExact) {
      const end = Math.min(s.segment.end, t.segment.end)
      parts.addRun(s.startOf(at), t.startOf(at), end - at)
      at = end
    } else {
      const sourceFrom = s.startOf(at)
      const targetFrom = t.startOf(at)
      // Unclear stretches of both logs that overlap are one; where both begin anew, a copy's two offsets are known.
      let end = at
      for (let next = unclearEnd(s, t, at); next > end; next = unclearEnd(s, t, end)) {
        end = next
        s.goBefore(end)
        t.goBefore(end)
      }
      parts.addCoarse({
        sourceFrom: sourceOffset(BigInt(sourceFrom)),
        sourceTo: sourceOffset(BigInt(s.endOf(end))),
        targetFrom: targetOffset(BigInt(targetFrom)),
        targetTo: targetOffset(BigInt(t.endOf(end))),
      })
      at = end
    }
    s.goTo(at)
    t.goTo(at)
  }
}

/** Where the farther of the unclear segments that the cursors are at ends. */
function unclearEnd(s: Cursor, t: Cursor, otherwise: number): number {
  const ends = [s, t].map(({ segment }) => (segment?.isExact === false ? segment.end : otherwise))
  return Math.max(otherwise, ...ends)
}

/** Goes through a log's segments by the copies' numbers. */
class Cursor {
  readonly #segments: Generator<Segment>
  segment: Segment | undefined

  constructor(segments: Generator<Segment>) {
    this.#segments = segments
    this.#next()
  }

  /** To the segment that holds copy `index`. */
  goTo(index: number): void {
    while (this.segment !== undefined && this.segment.end <= index) this.#next()
  }

  /** To the segment that holds the copy before `index`. */
  goBefore(index: number): void {
    while (this.segment !== undefined && this.segment.end < index) this.#next()
  }

  /** The first offset where copy `index` may be, which the current segment holds. */
  startOf(index: number): number {
    const { from, index: first } = this.#present
    return from + (index - first)
  }

  /** Behind the last offset where the copy before `index` may be. */
  endOf(index: number): number {
    const { isExact, from, index: first, to } = this.#present
    return isExact ? from + (index - first) : to
  }

  get #present(): Segment {
    if (this.segment === undefined) throw new Error('One log has fewer copies than the other')
    return this.segment
  }

  #next(): void {
    const { value, done } = this.#segments.next()
    this.segment = done === true ? undefined : value
  }
}

/** The result under way; runs that follow each other on both sides are one. */
class Parts {
  readonly list: (ExactRun | CoarseSpan)[] = []
  #source = 0
  #target = 0
  #count = 0

  addRun(source: number, target: number, count: number): void {
    const last = this.list.at(-1)
    if (
      last !== undefined &&
      'count' in last &&
      this.#source + this.#count === source &&
      this.#target + this.#count === target
    ) {
      this.list.pop()
      this.#count += count
    } else {
      this.#source = source
      this.#target = target
      this.#count = count
    }
    this.list.push({
      source: sourceOffset(BigInt(this.#source)),
      target: targetOffset(BigInt(this.#target)),
      count: this.#count,
    })
  }

  addCoarse(span: CoarseSpan): void {
    this.list.push(span)
  }
}
