/** A source record that is still there, and what stands for its content. */
export interface SourceRecord {
  readonly offset: bigint
  readonly content: string
}

/** What is known of a partition that MirrorMaker 2 copied. */
export interface CopiedTail {
  /** Where MirrorMaker 2 would go on by what it has stored: everything below was copied. */
  readonly from: bigint
  /** Committed records of the source in order, some from before `from` on. */
  readonly source: readonly SourceRecord[]
  /** Contents that stand on the source elsewhere too, before `source` or in an aborted transaction. */
  readonly elsewhere: ReadonlySet<string>
  /** Contents of the target's last records in order, since before the first of `source` was copied. */
  readonly target: readonly string[]
  /**
   * `everything`: of what was copied in that time. `its-end`: the beginning may be gone. `survivors`: a cleaner may
   * have taken any of it.
   */
  readonly holds: 'everything' | 'its-end' | 'survivors'
}

/**
 * `aligned`: exactly the source records below `sourceNext` are on the target, `found` of them from `from` on.
 * `ambiguous`: more than one position explains what both logs hold. `contradictory`: none does.
 */
export type TailAlignment =
  | { readonly kind: 'aligned'; readonly sourceNext: bigint; readonly found: number }
  | { readonly kind: 'ambiguous'; readonly reason: string }
  | { readonly kind: 'contradictory'; readonly reason: string }

/** Steps after which equal records count as too many to tell apart. */
const STEPS_MAX = 50_000_000

/**
 * Finds how far MirrorMaker 2 copied, which its stored offset trails.
 *
 *   source   a b c d e f g h ...        `from` is c: a and b were copied, says MirrorMaker 2
 *   target   a b c d e c d              it was killed behind e, started again at c, and killed behind d
 *                                       f is next: everything before it is there
 *
 * It copies in order, and begins again at what it had stored or repeats a request: so each record of the target is the
 * first one that was not copied yet, or one that was copied before. Records of the target that the source does not hold
 * (any more) say nothing. Where equal records leave several positions, that is said, and nothing is guessed.
 */
export function alignTail(tail: CopiedTail): TailAlignment {
  const known = tail.source.findIndex(({ offset }) => offset >= tail.from)
  const stored = known === -1 ? tail.source.length : known
  const places = new Map<string, number[]>()
  for (const [place, { content }] of tail.source.entries()) {
    const found = places.get(content)
    if (found === undefined) places.set(content, [place])
    else found.push(place)
  }
  return tail.holds === 'survivors' ? amongSurvivors(tail, places, stored) : followed(tail, places, stored)
}

/** Follows the target record by record: how many records of the source are copied by then, as far as that is known. */
function followed(
  { source, from, target, elsewhere, holds }: CopiedTail,
  places: ReadonlyMap<string, readonly number[]>,
  stored: number,
): TailAlignment {
  let covered: readonly number[] | undefined = holds === 'everything' ? [0] : undefined
  let steps = 0
  for (const content of target) {
    const at = places.get(content)
    const first = at?.[0]
    if (at === undefined || first === undefined) continue
    if (covered === undefined) {
      // What was copied before the first record that is left is not known, but that it was.
      if (elsewhere.has(content)) continue
      covered = at
    }
    const isRepeated = (count: number): boolean => elsewhere.has(content) || first < count
    const next: number[] = []
    for (const count of covered) {
      if (isRepeated(count) && next.at(-1) !== count) next.push(count)
      if (source[count]?.content === content) next.push(count + 1)
    }
    if (next.length === 0) {
      const [missing, there] = [source[covered.at(-1) ?? 0], source[first]]
      return {
        kind: 'contradictory',
        reason: `the record at source offset ${there?.offset} is on the target and the one at ${missing?.offset} before it is not`,
      }
    }
    steps += next.length
    if (steps > STEPS_MAX) return ambiguous(source, stored)
    covered = next
  }
  if (covered === undefined) return { kind: 'aligned', sourceNext: from, found: 0 }
  const last = covered.at(-1) ?? 0
  if (holds === 'everything' && last < stored)
    return {
      kind: 'contradictory',
      reason: `MirrorMaker 2 says that it copied the record at source offset ${source[last]?.offset}, and the target does not hold it`,
    }
  const possible =
    holds === 'everything'
      ? covered.filter((count) => count >= stored)
      : covered.map((count) => Math.max(count, stored))
  return verdict(source, from, stored, possible)
}

/** Whatever is left of a compacted copy: the last of the source's records that it holds was copied. */
function amongSurvivors(
  { source, from, target, elsewhere }: CopiedTail,
  places: ReadonlyMap<string, readonly number[]>,
  stored: number,
): TailAlignment {
  let [least, most] = [stored, stored]
  for (const content of target) {
    const at = places.get(content)
    const [first, last] = [at?.[0], at?.at(-1)]
    if (first === undefined || last === undefined) continue
    if (!elsewhere.has(content)) least = Math.max(least, first + 1)
    most = Math.max(most, last + 1)
  }
  return verdict(source, from, stored, [least, most])
}

function verdict(
  source: readonly SourceRecord[],
  from: bigint,
  stored: number,
  possible: readonly number[],
): TailAlignment {
  const [least, most] = [Math.min(...possible), Math.max(...possible)]
  if (least !== most) return ambiguous(source, least)
  const last = least > stored ? source[least - 1]?.offset : undefined
  return { kind: 'aligned', sourceNext: last === undefined ? from : last + 1n, found: least - stored }
}

const ambiguous = (source: readonly SourceRecord[], place: number): TailAlignment => ({
  kind: 'ambiguous',
  reason: `the record at source offset ${source[place]?.offset} is equal to others in key, value, headers and timestamp, so that the target does not tell whether it was copied`,
})
