import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import { type CoarseningLimits, planCoarsening } from './coarsen.ts'
import type { Side } from './run-block.ts'
import { type CoveredBlock, RunStore } from './run-store.ts'
import {
  endOf,
  isUpTo,
  laterOf,
  OFFSET_MAX,
  offsetNumber,
  type Point,
  requireOffset,
  type Span,
  startOf,
} from './span.ts'

/**
 * A true statement about a partition's copy: exactly the copied records below `source` on the source lie below
 * `target` on the target. Both are positions as groups commit them: the next offset to read.
 */
export interface OffsetPair {
  readonly source: SourceOffset
  readonly target: TargetOffset
}

/** `count` records that follow each other without a gap on either side. */
export interface ExactRun extends OffsetPair {
  readonly count: number
}

/** What was copied of the source's stretch lies in the target's, and nothing else of ours does. Ends are exclusive. */
export interface CoarseSpan {
  readonly sourceFrom: SourceOffset
  readonly sourceTo: SourceOffset
  readonly targetFrom: TargetOffset
  readonly targetTo: TargetOffset
}

/** Where a position of one side stands on the other; `Offset` is the other side's. */
export type Translation<Offset> =
  | {
      /** Exactly the copied records below the position lie below the offset. */
      readonly kind: 'exact'
      readonly offset: Offset
      /**
       * The next copied record is known to be the one at `offset`: no larger offset would do. Otherwise that is
       * unknown, and in front of it there may lie records of others: behind the last copy, or where a coarse span begins.
       */
      readonly isNextRecord: boolean
    }
  | {
      /**
       * Inside a coarse span. Reading on from `from` skips nothing and reads at most the span again; reading on from
       * `to` reads nothing again. The logs' stretches tell exactly: see {@link OffsetMap.refined}.
       */
      readonly kind: 'between'
      readonly from: Offset
      readonly to: Offset
      readonly span: CoarseSpan
    }
  /** Above `last`, where the map ends. Time may help; on the target others may have written since. */
  | { readonly kind: 'not-copied-yet'; readonly last: OffsetPair }
  /** Below `first`, where the map begins: copied before there was a map, or gone from either log. */
  | { readonly kind: 'before-the-map'; readonly first: OffsetPair }

/**
 * Which offsets of a source partition are which of its target partition.
 *
 *      source   |AAAAAA| m |BBB|       CCCCCCC       |DDD|            m: a marker, or what was not forwarded
 *      target   |AAAAAA|BBB|  ff  |    CCCCCCC     |DDD|              f: somebody else's records
 *              start                   (coarse)        end
 *
 * Invariants:
 *   A. Spans ascend on both sides and do not overlap: a record that was copied later lies later on the target.
 *   B. An exact run holds copies only, without a gap on either side.
 *   C. What was copied of a coarse span's source stretch lies in its target stretch, and the other way round.
 *   D. Between {@link start} and {@link end}, what lies beside the spans holds no copies on either side.
 *   E. {@link start} and {@link end} are true pairs ({@link OffsetPair}); `end` never falls.
 *   F. Whatever merges, coarsens, refines or forgets keeps A to E: an answer may become less exact, or exact, or
 *      none, but it never becomes false.
 *
 * Translation is the same both ways: the answer to position p is the offset of the next copied record at or above p.
 * So everything copied that lies below p lies below the answer, and nothing else does, whoever writes in between.
 */
export class OffsetMap {
  readonly #runs: RunStore

  /**
   * @param start where copying begins: a partition's start pair. After a restart give the runs that were read
   *   (map-chunks.ts), and append what lies between their end and the present as a coarse span.
   */
  constructor(start: OffsetPair | RunStore) {
    this.#runs = start instanceof RunStore ? start : new RunStore(pointOf(start))
  }

  get start(): OffsetPair {
    return pairOf(this.#runs.start)
  }

  get end(): OffsetPair {
    return pairOf(this.#runs.end)
  }

  /** Runs and coarse spans. */
  get size(): number {
    return this.#runs.size
  }

  /** Bytes of its arrays; some 4 % come on top for the objects around them. */
  get bytes(): number {
    return this.#runs.bytes
  }

  /** What was acknowledged. @throws Error when it does not lie behind everything before it, on both sides */
  append(run: ExactRun): void {
    const span = runSpan(run)
    if (!this.#runs.extend(span)) this.#append(span)
  }

  /** @throws Error when it does not lie behind everything before it, on both sides */
  appendCoarse(span: CoarseSpan): void {
    const from = pointOf({ source: span.sourceFrom, target: span.targetFrom })
    const to = pointOf({ source: span.sourceTo, target: span.targetTo })
    if (!isUpTo(from, to)) throw new Error(`Coarse span ${told(from)} to ${told(to)} runs backwards`)
    if (from.source === to.source || from.target === to.target) {
      // No copy fits in: all it says is how far copying got.
      this.#expectBehindEnd(from)
      this.#runs.reach(to)
    } else this.#append(coarse(from, to))
  }

  /**
   * Nothing was copied between {@link end} and these offsets, nor will be: markers and records that are left out on the
   * source, markers and records of others on the target. Falls back on neither side.
   */
  reach(pair: OffsetPair): void {
    this.#runs.reach(laterOf(this.#runs.end, pointOf(pair)))
  }

  /** Where reading goes on in the target for whoever stands at a source position. */
  translate(position: SourceOffset): Translation<TargetOffset> {
    return this.#translate(position, 'source', 'target', targetOffset)
  }

  /**
   * Where reading goes on in the source for whoever stands at a target position: every copy below it is of a source
   * record below the answer, and no other is, whoever else writes to the target.
   */
  translateBack(position: TargetOffset): Translation<SourceOffset> {
    return this.#translate(position, 'target', 'source', sourceOffset)
  }

  /**
   * Forgets what lies below the start of either log. Runs are cut. A coarse span that reaches above stays, although
   * less of it can be walked: nobody knows which part of its other side is gone with it. What was forgotten may come
   * back when the map is read again (map-chunks.ts): forget again.
   */
  forgetBelow({ source, target }: Partial<OffsetPair>): void {
    if (source !== undefined) this.#runs.forgetBelow('source', clamped(source))
    if (target !== undefined) this.#runs.forgetBelow('target', clamped(target))
  }

  /**
   * Puts what the logs told in the place of a coarse span; parts of it may stay coarse.
   *
   * @returns `false` when the span is not in the map any more (merged or forgotten meanwhile); nothing changed then
   * @throws Error when the parts do not ascend within the span: then somebody counted wrong
   */
  refined(span: CoarseSpan, parts: readonly (ExactRun | CoarseSpan)[]): boolean {
    const whole = coarseOf(span)
    const spans = parts.map((part) => ('count' in part ? runSpan(part) : coarseOf(part)))
    let at = startOf(whole)
    for (const part of spans) {
      if (!isUpTo(at, startOf(part)))
        throw new Error(`A refined part lies at ${told(startOf(part))}, below ${told(at)}`)
      at = endOf(part)
    }
    if (!isUpTo(at, endOf(whole)))
      throw new Error(`Refined parts reach ${told(at)}, above ${told(endOf(whole))}`)
    return this.#runs.replace(whole, spans)
  }

  /** Merges the oldest spans when there are more than the limits allow. @returns by how many spans it got smaller */
  coarsen(limits: CoarseningLimits): number {
    const before = this.size
    this.#runs.mergeOldest(planCoarsening(() => this.#runs.spans(), before, limits))
    return before - this.size
  }

  /** From the oldest to the newest. */
  *spans(): Generator<ExactRun | CoarseSpan, void, void> {
    for (const span of this.#runs.spans()) yield span.isExact ? runOf(span) : coarseSpanOf(span)
  }

  /** Those that hold something at or above a source position, from the oldest on; runs that begin below it are cut. */
  *spansFrom(position: SourceOffset): Generator<ExactRun | CoarseSpan, void, void> {
    for (let at = clamped(position); ; ) {
      const span = this.#runs.firstEndingAbove('source', at)
      if (span === undefined) return
      const below = span.isExact ? Math.max(0, at - span.sourceFrom) : 0
      const { sourceFrom, targetFrom } = span
      const cut = { ...span, sourceFrom: sourceFrom + below, targetFrom: targetFrom + below }
      yield span.isExact ? runOf(cut) : coarseSpanOf(cut)
      at = span.sourceTo
    }
  }

  /** For writing them down. */
  blocks(): Iterable<CoveredBlock> {
    return this.#runs.blocks()
  }

  #append(span: Span): void {
    this.#expectBehindEnd(startOf(span))
    this.#runs.append(span)
  }

  #expectBehindEnd(from: Point): void {
    const { end } = this.#runs
    if (!isUpTo(end, from))
      throw new Error(`Copied at ${told(from)}, although copying got to ${told(end)} already`)
  }

  #translate<Offset>(
    position: bigint,
    side: Side,
    other: Side,
    brand: (value: bigint) => Offset,
  ): Translation<Offset> {
    const { start, end } = this.#runs
    if (position < start[side]) return { kind: 'before-the-map', first: pairOf(start) }
    if (position > end[side]) return { kind: 'not-copied-yet', last: pairOf(end) }
    const at = Number(position)
    const exact = (offset: number, isNextRecord: boolean): Translation<Offset> => ({
      kind: 'exact',
      offset: brand(BigInt(offset)),
      isNextRecord,
    })
    const span = this.#runs.firstEndingAbove(side, at)
    if (span === undefined) return exact(end[other], false)
    const from = startOf(span)
    if (at <= from[side]) return exact(from[other], span.isExact)
    if (span.isExact) return exact(from[other] + (at - from[side]), true)
    return {
      kind: 'between',
      from: brand(BigInt(from[other])),
      to: brand(BigInt(endOf(span)[other])),
      span: coarseSpanOf(span),
    }
  }
}

const told = ({ source, target }: Point): string => `source offset ${source}, target offset ${target}`

const pointOf = ({ source, target }: OffsetPair): Point => ({
  source: offsetNumber(source),
  target: offsetNumber(target),
})

const pairOf = ({ source, target }: Point): OffsetPair => ({
  source: sourceOffset(BigInt(source)),
  target: targetOffset(BigInt(target)),
})

/** A log start may be anything; below 0 nothing is forgotten. */
const clamped = (offset: bigint): number => Math.min(OFFSET_MAX, Math.max(0, Number(offset)))

/** Of every batch that is copied: it makes no BigInt. */
function runSpan({ source, target, count }: ExactRun): Span {
  if (!Number.isSafeInteger(count) || count < 1) throw new RangeError(`A run of ${count} records`)
  const [sourceFrom, targetFrom] = [offsetNumber(source), offsetNumber(target)]
  const [sourceTo, targetTo] = [requireOffset(sourceFrom + count), requireOffset(targetFrom + count)]
  return { sourceFrom, sourceTo, targetFrom, targetTo, isExact: true }
}

const coarse = (from: Point, to: Point): Span => ({
  sourceFrom: from.source,
  sourceTo: to.source,
  targetFrom: from.target,
  targetTo: to.target,
  isExact: false,
})

function coarseOf(span: CoarseSpan): Span {
  const from = pointOf({ source: span.sourceFrom, target: span.targetFrom })
  const to = pointOf({ source: span.sourceTo, target: span.targetTo })
  if (from.source >= to.source || from.target >= to.target) {
    throw new RangeError(`Coarse span ${told(from)} to ${told(to)} holds nothing`)
  }
  return coarse(from, to)
}

function runOf(span: Span): ExactRun {
  return { ...pairOf(startOf(span)), count: span.sourceTo - span.sourceFrom }
}

function coarseSpanOf(span: Span): CoarseSpan {
  const from = pairOf(startOf(span))
  const to = pairOf(endOf(span))
  return { sourceFrom: from.source, sourceTo: to.source, targetFrom: from.target, targetTo: to.target }
}
