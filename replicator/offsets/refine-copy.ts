import { type SourceOffset, sourceOffset, targetOffset } from '../records/offsets.ts'
import type { CoarseSpan, ExactRun, OffsetMap } from './offset-map.ts'
import { type CoarseReason, type RefineTools, refineSpan } from './refine-span.ts'

const PARTS_MAX = 1000

export interface RefineCopyTools extends RefineTools {
  /**
   * In how many parts the map takes a span, at least 3: where copies and others' records took turns there are as many
   * parts as turns, and the map's room is limited. Default 1000.
   */
  readonly partsMax?: number
  /** Which position is asked for: the parts around it are kept as they are. Default: the newest ones. */
  readonly around?: SourceOffset
}

/** What became of a coarse span in its map. */
export type RefinedCopy =
  /**
   * `parts`: what is in the map in its place now; `coarse`: what the logs left coarse, and why they do not tell more of
   * that.
   */
  | {
      readonly kind: 'refined'
      readonly parts: readonly (ExactRun | CoarseSpan)[]
      readonly coarse: readonly CoarseSpan[]
      readonly reason: CoarseReason | undefined
    }
  | { readonly kind: 'stays-coarse'; readonly reason: CoarseReason }
  /** Merged or forgotten meanwhile: ask the map again. */
  | { readonly kind: 'outdated' }

/**
 * Puts what the logs tell of a coarse span into the map.
 *
 * @throws KafkaError when a log cannot be read; the signal's reason
 */
export async function refineCopy(
  map: OffsetMap,
  span: CoarseSpan,
  tools: RefineCopyTools,
  signal: AbortSignal,
): Promise<RefinedCopy> {
  const told = await refineSpan(span, tools, signal)
  if (told.kind === 'stays-coarse') return told
  const parts = keptParts(told.parts, tools.partsMax ?? PARTS_MAX, tools.around)
  if (!map.refined(span, parts)) return { kind: 'outdated' }
  return {
    kind: 'refined',
    parts,
    coarse: told.parts.filter(isCoarse),
    reason: told.coarse,
  }
}

/** At most so many parts: those around the position, and what lies before and behind them as one coarse span each. */
export function keptParts(
  parts: readonly (ExactRun | CoarseSpan)[],
  max: number,
  around: SourceOffset | undefined,
): readonly (ExactRun | CoarseSpan)[] {
  if (parts.length <= max) return parts
  const kept = Math.max(1, max - 2)
  const above = around === undefined ? -1 : parts.findIndex((part) => sourceEnd(part) > around)
  const middle = above < 0 ? parts.length - 1 : above
  const from = Math.min(Math.max(0, middle - Math.floor(kept / 2)), parts.length - kept)
  return [
    ...asOne(parts.slice(0, from)),
    ...parts.slice(from, from + kept),
    ...asOne(parts.slice(from + kept)),
  ]
}

/** What lies between parts holds no copies, so they are one coarse span. */
function asOne(parts: readonly (ExactRun | CoarseSpan)[]): readonly (ExactRun | CoarseSpan)[] {
  const [first] = parts
  const last = parts.at(-1)
  if (first === undefined || last === undefined || first === last) return parts
  const from = endsOf(first)
  const to = endsOf(last)
  return [
    {
      sourceFrom: from.sourceFrom,
      sourceTo: to.sourceTo,
      targetFrom: from.targetFrom,
      targetTo: to.targetTo,
    },
  ]
}

function endsOf(part: ExactRun | CoarseSpan): CoarseSpan {
  if (isCoarse(part)) return part
  const { source, target, count } = part
  return {
    sourceFrom: source,
    sourceTo: sourceOffset(source + BigInt(count)),
    targetFrom: target,
    targetTo: targetOffset(target + BigInt(count)),
  }
}

const sourceEnd = (part: ExactRun | CoarseSpan): SourceOffset => endsOf(part).sourceTo

const isCoarse = (part: ExactRun | CoarseSpan): part is CoarseSpan => !('count' in part)
