import type { ProducerIdentity } from '../kafka/cluster.ts'
import type { VisitedBatch } from '../logs/log-walk.ts'
import {
  baseOffset,
  baseSequence,
  isProducedBy,
  lastOffset,
  lastOffsetDelta,
  producerEpoch,
  producerId,
  sequenceAfter,
  sequenceDistance,
} from '../records/batch-header.ts'
import { type TargetOffset, targetOffset } from '../records/offsets.ts'
import type { Progress } from './progress-record.ts'

/**
 * What the target log holds from progress's `targetNext` up to our own marker.
 * `written`: that many records were forwarded since; `complete` when every offset between is accounted for.
 * `uncertain`: offsets are missing behind the last batch of ours, and what was there might have been ours.
 * `stranger`: a batch of this flow's by another producer than the one progress names.
 * `disorder`: our sequence numbers do not follow each other, although no offset is missing: a broker that had
 * forgotten them let something pass that it should not have.
 */
export type TargetTail =
  | {
      readonly kind: 'written'
      readonly records: number
      readonly complete: boolean
      readonly targetNext: TargetOffset
    }
  | { readonly kind: 'uncertain'; readonly at: bigint; readonly targetNext: TargetOffset }
  | { readonly kind: 'disorder'; readonly at: bigint; readonly sequence: number; readonly expected: number }
  | { readonly kind: 'stranger'; readonly at: bigint; readonly producer: ProducerIdentity }

/**
 * Follows the target log to our marker. How much was forwarded follows from sequence numbers, which the cleaner
 * keeps, not from counting records.
 */
export class TargetTailReader {
  readonly #progress: Progress
  readonly #marker: ProducerIdentity
  readonly #formerIds: ReadonlySet<bigint>
  #next: bigint
  #records = 0
  #complete = true
  #gapSinceOurs: bigint | undefined
  #result: TargetTail | undefined

  /** @param formerIds producer ids that the flow ever wrote with on the target */
  constructor(progress: Progress, marker: ProducerIdentity, formerIds: ReadonlySet<bigint>) {
    this.#progress = progress
    this.#marker = marker
    this.#formerIds = formerIds
    this.#next = progress.targetNext
  }

  /** @throws Error before the walk has ended with `enough` */
  get result(): TargetTail {
    if (this.#result === undefined) throw new Error('The walk has not reached our marker')
    return this.#result
  }

  visit({ raw: { buffer, at }, verdict }: VisitedBatch): 'on' | 'enough' {
    const base = baseOffset(buffer, at)
    if (base > this.#next) {
      this.#complete = false
      this.#gapSinceOurs ??= this.#next
    }
    this.#next = lastOffset(buffer, at) + 1n
    if (verdict === 'control') return isProducedBy(buffer, at, this.#marker) ? this.#end() : 'on'
    if (isProducedBy(buffer, at, this.#progress.producer)) {
      const sequence = baseSequence(buffer, at)
      const expected = sequenceAfter(this.#progress.sequence, this.#records)
      if (sequence !== expected && this.#gapSinceOurs === undefined) {
        this.#result = { kind: 'disorder', at: base, sequence, expected }
        return 'enough'
      }
      const after = sequenceAfter(sequence, lastOffsetDelta(buffer, at) + 1)
      this.#records = sequenceDistance(this.#progress.sequence, after)
      this.#gapSinceOurs = undefined
      return 'on'
    }
    const id = producerId(buffer, at)
    if (!this.#formerIds.has(id)) return 'on'
    const producer = { producerId: id, producerEpoch: producerEpoch(buffer, at) }
    this.#result = { kind: 'stranger', at: base, producer }
    return 'enough'
  }

  #end(): 'enough' {
    const targetNext = targetOffset(this.#next)
    this.#result =
      this.#gapSinceOurs === undefined
        ? { kind: 'written', records: this.#records, complete: this.#complete, targetNext }
        : { kind: 'uncertain', at: this.#gapSinceOurs, targetNext }
    return 'enough'
  }
}
