import type { Span } from './span.ts'

/** How many spans a partition may keep. */
export interface CoarseningLimits {
  /** Above it, the oldest are merged until an eighth is free. At least 2. */
  readonly spansMax: number
  /** So many of the newest are never merged. Default: half of `spansMax`. */
  readonly newestKept?: number
  /**
   * Offsets, on either side, that a merged span stretches over while it can be helped: what must be walked to make it
   * exact again. It doubles when everything old is that coarse already. Default 16 384.
   */
  readonly stretchMin?: number
}

const STRETCH_MIN = 16_384

/**
 * Which of the oldest spans become one. Deterministic; the oldest go first, and all of them become a little coarser
 * before any becomes much coarser.
 *
 * @param spans from the oldest on; may be asked for several times
 * @param size how many they are
 * @returns how many spans become one, group after group; what follows the last group stays as it is. Empty when the
 *   limits hold.
 */
export function planCoarsening(
  spans: () => Iterable<Span>,
  size: number,
  { spansMax, newestKept = Math.floor(spansMax / 2), stretchMin = STRETCH_MIN }: CoarseningLimits,
): readonly number[] {
  if (size <= spansMax) return []
  const wanted = Math.max(1, spansMax - Math.ceil(spansMax / 8))
  const old = Math.max(0, size - newestKept)
  const surplus = Math.min(size - wanted, old - 1)
  if (surplus <= 0) return []
  for (let stretch = Math.max(1, stretchMin); ; stretch *= 2) {
    const { groups, saved } = group(spans(), old, stretch, surplus)
    if (saved >= surplus) return groups
  }
}

interface Grouping {
  readonly groups: readonly number[]
  /** Spans less. */
  readonly saved: number
}

function group(spans: Iterable<Span>, old: number, stretch: number, surplus: number): Grouping {
  const groups: number[] = []
  let first: Span | undefined
  let inGroup = 0
  let saved = 0
  let seen = 0
  for (const span of spans) {
    if (seen === old || saved === surplus) break
    seen += 1
    if (first !== undefined && reaches(first, span) <= stretch) {
      inGroup += 1
      saved += 1
      continue
    }
    if (inGroup > 0) groups.push(inGroup)
    first = span
    inGroup = 1
  }
  groups.push(inGroup)
  return { groups, saved }
}

const reaches = (first: Span, last: Span): number =>
  Math.max(last.sourceTo - first.sourceFrom, last.targetTo - first.targetFrom)
