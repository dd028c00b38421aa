/**
 * What a consumer that changes clusters misses, and what it gets twice. Records are told apart by a sequence number in
 * their value, so nothing here knows how offsets of the two clusters belong together. Pure.
 */

/** The records of one partition in the order of its log, as one reader saw them. */
export interface SequenceLog {
  /** Ascending, with gaps where the log has other things than records. */
  readonly offsets: readonly number[]
  /** Whole numbers from 0, of the record at the same place in `offsets`. */
  readonly sequences: readonly number[]
  /** One past the last offset of the log, records or not. */
  readonly end: number
}

export type Verdict =
  | {
      readonly kind: 'goes-on'
      /** Not read on the source, and below the target's position: the group never sees them. */
      readonly skipped: number
      /** Read on the source, or read twice on the target. */
      readonly reread: number
      /** Not read on the source, and nowhere on the target. */
      readonly missing: number
    }
  /** The target has no position for the group: where it goes on is up to its `auto.offset.reset`. */
  | { readonly kind: 'no-commit' }
  /** The target's position is above the end of its log: consumers reset, as without one. */
  | { readonly kind: 'out-of-range' }

/** The index of the first record at or above an offset; the number of records if there is none. */
export function indexAt({ offsets }: SequenceLog, offset: number): number {
  let [low, high] = [0, offsets.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (offsets[middle]! < offset) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Holds a group's position on the target against the one that it had on the source.
 *
 * @param positions committed offsets: the next one to read
 */
export function judge(
  logs: { readonly source: SequenceLog; readonly target: SequenceLog },
  positions: { readonly source: number; readonly target: number | undefined },
): Verdict {
  const { source, target } = logs
  if (positions.target === undefined) return { kind: 'no-commit' }
  if (positions.target > target.end) return { kind: 'out-of-range' }
  const unreadFrom = indexAt(source, positions.source)
  const goesOnAt = indexAt(target, positions.target)
  const numbers = source.sequences.length + target.sequences.length
  const largest = Math.max(largestOf(source), largestOf(target))
  if (largest > 64 * (numbers + 1)) throw new RangeError(`sequence number ${largest} among ${numbers}`)
  const seen = new Uint8Array(largest + 1)
  for (let index = 0; index < unreadFrom; index++) seen[source.sequences[index]!] = 1
  let reread = 0
  for (let index = goesOnAt; index < target.sequences.length; index++) {
    const sequence = target.sequences[index]!
    if (seen[sequence] === 1) reread++
    seen[sequence] = 1
  }
  const copied = new Uint8Array(largest + 1)
  for (const sequence of target.sequences) copied[sequence] = 1
  let [skipped, missing] = [0, 0]
  for (let index = unreadFrom; index < source.sequences.length; index++) {
    const sequence = source.sequences[index]!
    if (seen[sequence] === 1) continue
    if (copied[sequence] === 1) skipped++
    else missing++
  }
  return { kind: 'goes-on', skipped, reread, missing }
}

const largestOf = ({ sequences }: SequenceLog): number =>
  sequences.reduce((most, sequence) => Math.max(most, sequence), 0)
