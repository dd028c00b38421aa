import type { TestRecord } from '../record-batches.ts'
import { identityOf, type SourceLedger, type WrittenRecord } from './source-ledger.ts'
import { Violation } from './violation.ts'

/** `at-least-once` lets a copy go back and repeat itself, in order; it never lets it leave something out. */
export type Strictness = 'at-least-once' | 'exactly-once'

/** Where a record is on either side. */
export interface CopiedPair {
  readonly source: bigint
  readonly target: bigint
  readonly record: WrittenRecord
}

/**
 * Judges one target partition, record by record as its log grows: at every moment it is a prefix of what the source
 * committed, in the source's order. Only what the source's own cleaner removed may be missing.
 */
export class CopyChecker {
  readonly place: string
  readonly ledger: SourceLedger
  /** Logs whose cleaner took records of it that progress did not name yet. */
  readonly cleanedBeyondProgress = new Set<'source' | 'target'>()
  /** The target's cleaner took records of it. */
  isTargetCleaned = false
  readonly #strictness: Strictness
  /** Index of the record that must come next. */
  #next = 0
  /** Where in the target the first copy of each record is, by its index. */
  readonly #copiedAt: (bigint | undefined)[] = []
  /** What was copied, in order: with exactly one copy of each it ascends on both sides. */
  readonly pairs: CopiedPair[] = []

  constructor(place: string, ledger: SourceLedger, strictness: Strictness) {
    this.place = place
    this.ledger = ledger
    this.#strictness = strictness
  }

  /** One record that appeared in the target. @throws Violation */
  saw(offset: bigint, record: TestRecord): void {
    const identity = identityOf(record)
    const index = this.ledger.indexOf(identity)
    const where = `${this.place}, target offset ${offset}`
    if (index === undefined) throw new Violation('content', `${where}: nobody wrote ${shorten(identity)}`)
    const written = this.#at(index)
    if (written.state !== 'committed') {
      throw new Violation('uncommitted', `${where}: source offset ${written.offset} is ${written.state}`)
    }
    if (index < this.#next) {
      if (this.#strictness === 'at-least-once') return
      const first = this.#copiedAt[index]
      throw first === undefined
        ? new Violation('order', `${where}: source offset ${written.offset} came after its successors`)
        : new Violation('duplicate', `${where}: source offset ${written.offset} is at ${first} already`)
    }
    for (let skipped = this.#next; skipped < index; skipped++) {
      const left = this.#at(skipped)
      if (left.state === 'aborted' || mayBeMissing(left)) continue
      throw new Violation(
        'loss',
        `${where}: ${left.offset} (${left.state}) was left out before ${written.offset}`,
      )
    }
    this.#copiedAt[index] = offset
    this.pairs.push({ source: written.offset, target: offset, record: written })
    this.#next = index + 1
  }

  /** The first record that must still come. */
  get missing(): WrittenRecord | undefined {
    const { records } = this.ledger
    for (let index = this.#next; index < records.length; index++) {
      const record = this.#at(index)
      if (record.state === 'committed' && !mayBeMissing(record)) return record
    }
    return undefined
  }

  /** Nothing of it was removed from either log, so that both tell which record is which. */
  get isWhole(): boolean {
    return !this.isTargetCleaned && this.ledger.records.every(({ gone }) => gone === undefined)
  }

  /** The source offset behind the last copied record. */
  get copiedBelow(): bigint {
    return this.#next === 0 ? 0n : this.#at(this.#next - 1).offset + 1n
  }

  /**
   * A pair of positions that a process wrote down: the records below the one are those below the other.
   * @throws Violation
   */
  sawProgress(sourceNext: bigint, targetNext: bigint | undefined): void {
    const pair = `${this.place}: progress says ${sourceNext} -> ${targetNext ?? 'nothing yet'}`
    const missing = this.missing
    if (missing !== undefined && missing.gone === undefined && missing.offset < sourceNext) {
      throw new Violation('progress', `${pair}, but source offset ${missing.offset} is not in the target`)
    }
    if (targetNext === undefined) return
    for (let index = this.#next - 1; index >= 0; index--) {
      const { offset, gone } = this.#at(index)
      const copy = this.#copiedAt[index]
      if (copy === undefined) continue
      if (offset < sourceNext) {
        if (copy < targetNext) return
        throw new Violation('progress', `${pair}, but source offset ${offset} is at ${copy}`)
      }
      // What is no longer in the source cannot be copied again.
      if (copy < targetNext && gone === undefined && this.#strictness === 'exactly-once') {
        throw new Violation('progress', `${pair}, but source offset ${offset} is at ${copy} already`)
      }
    }
  }

  #at(index: number): WrittenRecord {
    return this.ledger.records[index]!
  }
}

const mayBeMissing = ({ gone }: WrittenRecord): boolean =>
  gone === 'cleaned' || gone === 'deleted-before-start'

const shorten = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}...` : text)
