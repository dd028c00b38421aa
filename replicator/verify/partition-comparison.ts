import { createHash } from 'node:crypto'
import { differingFields, type RecordFingerprint } from '../records/record-fingerprint.ts'
import { RecentRecords, RecordWindow } from './record-window.ts'
import type { Difference, DifferenceCounts, DifferenceKind, PartitionSide } from './report.ts'

/**
 * How many records each side is read ahead to tell kinds of differences apart. A gap or a repetition that is longer
 * is still found, but partly named by its looks only: as missing and extra.
 */
export const lookAheadDefault = 16_384

/** What the comparison waits for. */
export type Need = 'source' | 'target' | 'nothing'

export interface ComparisonResult {
  readonly source: PartitionSide
  readonly target: PartitionSide
  readonly differences: DifferenceCounts
  readonly first: Difference | undefined
}

/**
 * Compares two sequences of records that arrive in pieces, in order and in bounded memory.
 *
 * Invariant: everything taken out of a window has been matched or counted as a difference, and the digest of a side
 * covers what was offered, so equal sides have equal digests and no differences, and other sides have neither.
 */
export class PartitionComparison {
  readonly #source = new Side()
  readonly #target = new Side()
  readonly #recent: RecentRecords
  readonly #lookAhead: number
  readonly #counts: Record<DifferenceKind, number> = {
    missing: 0,
    extra: 0,
    duplicated: 0,
    reordered: 0,
    altered: 0,
  }
  #first: Difference | undefined

  constructor(lookAhead = lookAheadDefault) {
    this.#lookAhead = lookAhead
    this.#recent = new RecentRecords(lookAhead)
  }

  offer(side: 'source' | 'target', records: readonly RecordFingerprint[]): void {
    this.#side(side).offer(records)
  }

  /** There are no more records on this side. */
  end(side: 'source' | 'target'): void {
    this.#side(side).window.end()
  }

  /** Every record of the source has come and was matched or counted as a difference. */
  get sourceIsSettled(): boolean {
    const { ended, first } = this.#source.window
    return ended && first === undefined
  }

  /** Compares as far as it can; call again with what it needs, until it needs nothing. */
  advance(): Need {
    const source = this.#source.window
    const target = this.#target.window
    while (true) {
      if (source.first === undefined && !source.ended) return 'source'
      if (target.first === undefined && !target.ended) return 'target'
      if (source.first === undefined && target.first === undefined) return 'nothing'
      if (source.first?.whole === target.first?.whole) {
        source.take()
        this.#recent.add(target.take())
        continue
      }
      if (!source.ended && source.length < this.#lookAhead) return 'source'
      if (!target.ended && target.length < this.#lookAhead) return 'target'
      this.#settleDifference()
    }
  }

  /** What was found so far; final when {@link advance} needs nothing. */
  result(): ComparisonResult {
    return {
      source: this.#source.summary(),
      target: this.#target.summary(),
      differences: { ...this.#counts },
      first: this.#first,
    }
  }

  #side(side: 'source' | 'target'): Side {
    return side === 'source' ? this.#source : this.#target
  }

  /** Explains why the first records differ, and takes at least one of them out. */
  #settleDifference(): void {
    const source = this.#source.window
    const target = this.#target.window
    const expected = source.first
    const actual = target.first
    const aheadOnTarget = expected === undefined ? undefined : target.distanceTo(expected)
    const aheadOnSource = actual === undefined ? undefined : source.distanceTo(actual)

    if (aheadOnTarget !== undefined && aheadOnSource !== undefined) {
      // Both are on both sides: the one with the longer way to its place is the one that moved.
      if (aheadOnTarget >= aheadOnSource) this.#reordered(source.take(), target.take(aheadOnTarget))
      else this.#reordered(source.take(aheadOnSource), target.take())
    } else if (actual !== undefined && aheadOnSource === undefined && this.#recent.has(actual)) {
      this.#duplicated(target.take())
    } else if (expected === undefined || aheadOnTarget !== undefined) {
      this.#extra(target.take())
    } else if (actual === undefined || aheadOnSource !== undefined) {
      this.#missing(source.take())
    } else if (looksAltered(expected, actual)) {
      this.#altered(source.take(), target.take())
    } else {
      this.#missing(source.take())
      this.#extra(target.take())
    }
  }

  #missing(record: RecordFingerprint): void {
    const detail = `${described(record)} is not on the target`
    this.#note({ kind: 'missing', sourceOffset: `${record.offset}`, detail })
  }

  #extra(record: RecordFingerprint): void {
    this.#recent.add(record)
    const detail = `${described(record)} is not on the source`
    this.#note({ kind: 'extra', targetOffset: `${record.offset}`, detail })
  }

  #duplicated(record: RecordFingerprint): void {
    this.#recent.add(record)
    const detail = `${described(record)} is on the target once more than on the source`
    this.#note({ kind: 'duplicated', targetOffset: `${record.offset}`, detail })
  }

  #reordered(expected: RecordFingerprint, actual: RecordFingerprint): void {
    this.#recent.add(actual)
    const detail = `${described(expected)} is at another place on the target`
    this.#note({
      kind: 'reordered',
      sourceOffset: `${expected.offset}`,
      targetOffset: `${actual.offset}`,
      detail,
    })
  }

  #altered(expected: RecordFingerprint, actual: RecordFingerprint): void {
    this.#recent.add(actual)
    const fields = differingFields(expected, actual)
    this.#note({
      kind: 'altered',
      sourceOffset: `${expected.offset}`,
      targetOffset: `${actual.offset}`,
      fields,
      detail: `${fields.join(', ')} differ${fields.length === 1 ? 's' : ''}: ${described(expected)} on the source, ${described(actual)} on the target`,
    })
  }

  #note(difference: Difference): void {
    this.#counts[difference.kind]++
    this.#first ??= difference
  }
}

class Side {
  readonly window = new RecordWindow()
  readonly #digest = createHash('sha256')
  #records = 0

  offer(records: readonly RecordFingerprint[]): void {
    this.window.add(records)
    // One update for the piece: one per record would cost more than the records' own hashes.
    this.#digest.update(records.map(({ whole }) => `${whole.length} ${whole}`).join(''), 'utf8')
    this.#records += records.length
  }

  summary(): PartitionSide {
    return { records: this.#records, digest: this.#digest.copy().digest('hex') }
  }
}

/** Whether two records that are at the same place, and nowhere else, are versions of one record. */
function looksAltered(a: RecordFingerprint, b: RecordFingerprint): boolean {
  const differing = differingFields(a, b)
  if (differing.length === 1) return true
  const same = (field: 'key' | 'value' | 'timestamp') => !differing.includes(field)
  return (same('key') && same('value')) || (same('timestamp') && (same('value') || same('key')))
}

/** Sizes and time only: content belongs to the user. */
function described(record: RecordFingerprint): string {
  const bytes = (count: number | undefined) => (count === undefined ? 'null' : `${count} B`)
  return `a record (key ${bytes(record.keyBytes)}, value ${bytes(record.valueBytes)}, timestamp ${record.timestamp})`
}
