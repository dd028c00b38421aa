/**
 * Offsets inside the map are numbers, requireOffset to lie below 2^53 where they come in: a `Float64Array` is searched
 * without making a BigInt per comparison, and a partition that took a million records a second would need 285 years
 * to get there.
 */
export const OFFSET_MAX = Number.MAX_SAFE_INTEGER

/** A pair of offsets: exactly the copied records below `source` on the source lie below `target` on the target. */
export interface Point {
  readonly source: number
  readonly target: number
}

/**
 * A stretch of a partition's copy. Exact: the record at `sourceFrom + k` is the one at `targetFrom + k`. Otherwise
 * coarse: what was copied of the source's stretch lies in the target's, and nothing else does.
 */
export interface Span {
  readonly sourceFrom: number
  /** The offset behind the last one. */
  readonly sourceTo: number
  readonly targetFrom: number
  readonly targetTo: number
  readonly isExact: boolean
}

export const startOf = (span: Span): Point => ({ source: span.sourceFrom, target: span.targetFrom })

export const endOf = (span: Span): Point => ({ source: span.sourceTo, target: span.targetTo })

/** On neither side above the other. */
export const isUpTo = (point: Point, other: Point): boolean =>
  point.source <= other.source && point.target <= other.target

/** Both are true of the copy, so this is, too: no copied record lies between them on one side only. */
export const laterOf = (one: Point, other: Point): Point => ({
  source: Math.max(one.source, other.source),
  target: Math.max(one.target, other.target),
})

export const earlierOf = (one: Point, other: Point): Point => ({
  source: Math.min(one.source, other.source),
  target: Math.min(one.target, other.target),
})

/** Whether two exact runs are one: they touch on both sides. */
export const continues = (before: Span, span: Span): boolean =>
  before.isExact && span.isExact && before.sourceTo === span.sourceFrom && before.targetTo === span.targetFrom

/** Neighbours as one: what lies between them holds no copy, so the whole is coarse, unless they are one exact run. */
export const merged = (first: Span, last: Span): Span => ({
  sourceFrom: first.sourceFrom,
  sourceTo: last.sourceTo,
  targetFrom: first.targetFrom,
  targetTo: last.targetTo,
  isExact: continues(first, last),
})

/** @throws RangeError when it is no offset, or too large for the map */
export const offsetNumber = (offset: bigint): number =>
  // Rounding keeps the order: what lies above the largest becomes 2^53 at least.
  requireOffset(Number(offset), offset)

/** @throws RangeError when it is no offset, or too large for the map */
export function requireOffset(offset: number, told: number | bigint = offset): number {
  if (offset < 0 || offset > OFFSET_MAX) {
    throw new RangeError(`Offset ${told} is outside 0..2^53-1, which the offset map can hold`)
  }
  return offset
}
