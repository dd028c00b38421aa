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

/** Places that are tried for survivors before more than one explanation counts as possible. */
const TRIES_MAX = 50_000_000

/**
 * Finds where forwarding stopped when the source has gaps.
 *
 *   forwarded   x0  x1  x2  x3  x4        `target`: what is left of them, by their place; undefined is unknown
 *   source      x0  --  x2  --  --  y  z  `source`: what is left of it from the same start, by offset
 *                            ^ sourceNext: behind the last survivor that was forwarded
 *
 * The survivors that were forwarded are a prefix of `source`, and a subsequence of what was forwarded: each stands at
 * a place that holds its content, or whose content is unknown. What was forwarded between two of them, or behind the
 * last, came from offsets that are missing there. Where that leaves one number of survivors, it is right. Where it
 * leaves more, contents are trusted: a survivor that the target holds was forwarded, unless it stands twice among the
 * candidates, or twice in the target, and could be either.
 * @param target the contents forwarded since, in order
 * @param source survivors from the start on; no more than `target.length + 1` are looked at
 */
export function alignByContent(
  from: SourceOffset,
  target: readonly (string | undefined)[],
  source: readonly SourceSurvivor[],
): Alignment {
  const candidates = source.slice(0, target.length + 1)
  const nextAfter = (count: number): SourceOffset =>
    sourceOffset((candidates[count - 1]?.offset ?? from - 1n) + 1n)
  const [only, another] = explanations(from, target, candidates, { count: 0, place: -1 })
  if (only !== undefined && another === undefined) return { kind: 'aligned', sourceNext: nextAfter(only) }

  const held = heldByTarget(target, candidates)
  const last = candidates[held.count - 1]
  if (last !== undefined) {
    if (candidates.filter(({ content }) => content === last.content).length > 1)
      return ambiguous(`the record at source offset ${last.offset} stands there more than once`)
    if (target.filter((content) => content === last.content).length > 1)
      return ambiguous(
        `the record at source offset ${last.offset} was forwarded more than once with equal content`,
      )
  }
  const [first, more] = explanations(from, target, candidates, held)
  if (first !== held.count || more !== undefined)
    return ambiguous('the target no longer holds everything that was forwarded last')
  return { kind: 'aligned', sourceNext: nextAfter(held.count) }
}

/** Survivors that are known to have been forwarded: how many, and the place of the last of them. */
interface Known {
  readonly count: number
  readonly place: number
}

/** The first survivors, as far as the target holds them in their order. */
function heldByTarget(target: readonly (string | undefined)[], candidates: readonly SourceSurvivor[]): Known {
  let place = -1
  for (const [count, { content }] of candidates.entries()) {
    const found = target.indexOf(content, place + 1)
    if (found === -1) return { count, place }
    place = found
  }
  return { count: candidates.length, place }
}

/** How many survivors may have been forwarded, beginning with those that are known: the first two possible numbers. */
function explanations(
  from: SourceOffset,
  target: readonly (string | undefined)[],
  candidates: readonly SourceSurvivor[],
  known: Known,
): readonly number[] {
  const found: number[] = []
  let places: readonly number[] = [known.place]
  for (let count = known.count, tries = 0; found.length < 2; count++) {
    const [first, last] = [places[0], places.at(-1)]
    if (first === undefined || last === undefined) return found
    const next = candidates[count]
    const before = candidates[count - 1]?.offset ?? from - 1n
    // Behind the last survivor anything may be missing.
    const step = next === undefined ? target.length + 1 : Number(next.offset - before)
    if (target.length - 1 - last < step) found.push(count)
    if (next === undefined) return found
    tries += Math.min(target.length, last - first + step)
    if (tries > TRIES_MAX) return []
    places = placesBehind(places, step, target, next.content)
  }
  return found
}

/** The places at which a record may stand, at most `step` behind one of `places`. Both ascending. */
function placesBehind(
  places: readonly number[],
  step: number,
  target: readonly (string | undefined)[],
  content: string,
): readonly number[] {
  const behind: number[] = []
  const end = Math.min(target.length, (places.at(-1) ?? 0) + step + 1)
  let nearest = 0
  for (let place = (places[0] ?? end) + 1; place < end; place++) {
    while ((places[nearest + 1] ?? place) < place) nearest++
    if (place - (places[nearest] ?? place) > step) continue
    if (target[place] === undefined || target[place] === content) behind.push(place)
  }
  return behind
}

const ambiguous = (reason: string): Alignment => ({ kind: 'ambiguous', reason })
