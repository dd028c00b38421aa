/** How a copied partition differs from its source, record by record. Pure. */
export interface SequenceDifference {
  /** On the source, not on the target. */
  readonly lost: number
  /** On the target more often than on the source. */
  readonly duplicated: number
  /** On the target, never on the source. */
  readonly foreign: number
  /** On both, behind a record that follows it on the source. */
  readonly reordered: number
  /** Index on the source of the first place where the two part, or undefined when they are the same. */
  readonly firstAt: number | undefined
}

/**
 * Compares fingerprints in order. Equal fingerprints may occur more than once on the source (a client's retry); of a
 * record that is there too often on the target, the later copies are the duplicates.
 */
export function compareSequences(source: readonly string[], target: readonly string[]): SequenceDifference {
  let firstAt: number | undefined
  for (let i = 0; i < Math.max(source.length, target.length) && firstAt === undefined; i++) {
    if (source[i] !== target[i]) firstAt = i
  }
  if (firstAt === undefined) return { lost: 0, duplicated: 0, foreign: 0, reordered: 0, firstAt }
  const places = new Map<string, number[]>()
  for (const [index, print] of source.entries()) {
    const known = places.get(print)
    if (known === undefined) places.set(print, [index])
    else known.push(index)
  }
  const taken = new Map<string, number>()
  let [duplicated, foreign, reordered, matched, furthest] = [0, 0, 0, 0, -1]
  for (const print of target) {
    const at = places.get(print)
    const nth = taken.get(print) ?? 0
    taken.set(print, nth + 1)
    const index = at?.[nth]
    if (at === undefined) foreign++
    else if (index === undefined) duplicated++
    else {
      matched++
      if (index < furthest) reordered++
      else furthest = index
    }
  }
  return { lost: source.length - matched, duplicated, foreign, reordered, firstAt }
}
