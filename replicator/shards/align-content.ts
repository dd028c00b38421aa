import { type SourceOffset, sourceOffset } from '../records/offsets.ts'

/** A source record that is still there: its offset, and what stands for its content. */
export interface SourceSurvivor {
  readonly offset: bigint
  readonly content: string
}

/**
 * `aligned`: source records below `sourceNext` were forwarded, those from it on were not.
 * `ambiguous`: more than one position explains what both logs hold.
 */
export type Alignment =
  | { readonly kind: 'aligned'; readonly sourceNext: SourceOffset }
  | { readonly kind: 'ambiguous'; readonly reason: string }

/**
 * Finds where forwarding stopped when the source has gaps, by content.
 *
 *   forwarded   x0  x1  x2  x3  x4        `target`: what is left of them, by their place; undefined is unknown
 *   source      x0  --  x2  --  --  y  z  `source`: what is left of it from the same start, in order
 *                            ^ sourceNext: behind the last survivor that was forwarded
 *
 * The survivors that were forwarded are a prefix of `source`, and a subsequence of what was forwarded. A record that
 * stands twice among the candidates could be either, so it decides nothing; neither does an unknown place at which a
 * survivor might have been.
 * @param target the contents forwarded since, in order
 * @param source survivors from the start on; no more than `target.length + 1` are looked at
 */
export function alignByContent(
  from: SourceOffset,
  target: readonly (string | undefined)[],
  source: readonly SourceSurvivor[],
): Alignment {
  const candidates = source.slice(0, target.length + 1)
  let place = 0
  let matched = 0
  for (const { content } of candidates) {
    const found = target.indexOf(content, place)
    if (found === -1) break
    place = found + 1
    matched++
  }
  const last = candidates[matched - 1]
  const beyond = candidates[matched]
  // Whether what follows the last match was forwarded can only be denied where every later place is known.
  const rest = target.slice(place)
  if (beyond !== undefined && rest.includes(undefined))
    return ambiguous('the target no longer holds everything that was forwarded last')
  if (last === undefined) {
    if (target.includes(undefined)) return ambiguous('nothing of what was forwarded last is left to compare')
    return { kind: 'aligned', sourceNext: from }
  }
  if (candidates.filter(({ content }) => content === last.content).length > 1)
    return ambiguous(`the record at source offset ${last.offset} stands there more than once`)
  if (target.filter((content) => content === last.content).length > 1)
    return ambiguous(
      `the record at source offset ${last.offset} was forwarded more than once with equal content`,
    )
  return { kind: 'aligned', sourceNext: sourceOffset(last.offset + 1n) }
}

const ambiguous = (reason: string): Alignment => ({ kind: 'ambiguous', reason })
