import type { OffsetQuery } from '../kafka/cluster.ts'
import type { LogBounds } from '../kafka/list-bounds.ts'

/** Where a person wants a partition to go on: on the source. `next`: right behind what was copied. */
export type ResumeFrom =
  | { readonly kind: 'next' }
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: bigint }
  | { readonly kind: 'time'; readonly timestampMs: number }

/** Reads `next`, `earliest`, `latest`, an offset, or a time in ISO 8601; `undefined` when it is none of them. */
export function parseResumeFrom(text: string): ResumeFrom | undefined {
  if (text === 'next' || text === 'earliest' || text === 'latest') return { kind: text }
  if (/^\d{1,18}$/.test(text)) return { kind: 'offset', offset: BigInt(text) }
  // A date without a zone would mean another time on another machine.
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text)) return undefined
  const timestampMs = Date.parse(text)
  return Number.isNaN(timestampMs) ? undefined : { kind: 'time', timestampMs }
}

/** What to ask the source for; `undefined` when it need not be asked. */
export function offsetQueryOf(from: ResumeFrom): OffsetQuery['at'] | undefined {
  switch (from.kind) {
    case 'earliest':
      return 'earliest'
    case 'latest':
      return 'last-stable'
    case 'time':
      return { timestampMs: from.timestampMs }
    default:
      return undefined
  }
}

/**
 * What going on at an offset does to the copy, compared with where it stands. Offsets `fromOffset` up to below
 * `toOffset` are left out, or are copied once more behind what is there.
 */
export type ResumeEffect =
  | { readonly kind: 'exact' }
  | { readonly kind: 'skips' | 'repeats'; readonly fromOffset: bigint; readonly toOffset: bigint }
  /** Where the copy stands is not known, or it speaks of an earlier topic of that name. */
  | { readonly kind: 'unknown'; readonly why: string }

/** @param bounds of the source's log: what it no longer holds can be neither copied again nor left out by choice */
export function effectOf(stands: bigint, chosen: bigint, bounds: LogBounds): ResumeEffect {
  if (chosen > stands) return { kind: 'skips', fromOffset: stands, toOffset: chosen }
  const end = stands < bounds.end ? stands : bounds.end
  return chosen < end ? { kind: 'repeats', fromOffset: chosen, toOffset: end } : { kind: 'exact' }
}

/** Why a partition cannot go on at an offset; `undefined` when it can. */
export function offsetProblem(chosen: bigint, { start, end }: LogBounds): string | undefined {
  if (chosen >= start && chosen <= end) return undefined
  const holds = start === end ? `is empty at offset ${end}` : `holds offsets ${start} to ${end - 1n}`
  return `offset ${chosen} is not in the source's log, which ${holds}`
}

/** Whether two ids are known and differ. */
export const isOtherTopic = (then: string | undefined, now: string | undefined): boolean =>
  then !== undefined && now !== undefined && then !== now
