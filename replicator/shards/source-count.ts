import type { VisitedBatch } from '../logs/log-walk.ts'
import { baseOffset, isDense, lastOffset, recordCount } from '../records/batch-header.ts'
import { type SourceOffset, sourceOffset } from '../records/offsets.ts'

/**
 * Where a number of forwarded records ends on the source.
 * `reached`: there. `gap`: offsets are missing at `at`, so that counting says nothing. `short`: the source ends before.
 */
export type SourceEnd =
  | { readonly kind: 'reached'; readonly sourceNext: SourceOffset }
  | { readonly kind: 'gap'; readonly at: bigint }
  | { readonly kind: 'short'; readonly missing: number; readonly end: bigint }

/**
 * Counts forwardable records from a source offset on. Counting is exact only while every offset is accounted for: by a
 * dense batch, a marker, or a batch that was not forwarded.
 */
export class SourceCount {
  #next: bigint
  #missing: number
  #result: SourceEnd | undefined

  /** @param records more than 0 */
  constructor(from: SourceOffset, records: number) {
    this.#next = from
    this.#missing = records
  }

  get result(): SourceEnd {
    return this.#result ?? { kind: 'short', missing: this.#missing, end: this.#next }
  }

  /** @param forwards whether the forwarding rule takes the batch */
  visit({ raw: { buffer, at }, verdict }: VisitedBatch, forwards: boolean): 'on' | 'enough' {
    const base = baseOffset(buffer, at)
    const last = lastOffset(buffer, at)
    if (base > this.#next) return this.#end({ kind: 'gap', at: this.#next })
    const first = this.#next
    this.#next = last + 1n
    if (verdict !== 'deliver' || !forwards) return 'on'
    // The cleaner may have taken records out of it, before or after it was forwarded.
    if (!isDense(buffer, at) || recordCount(buffer, at) === 0) return this.#end({ kind: 'gap', at: base })
    const records = Number(last - first) + 1
    if (records >= this.#missing)
      return this.#end({ kind: 'reached', sourceNext: sourceOffset(first + BigInt(this.#missing)) })
    this.#missing -= records
    return 'on'
  }

  #end(result: SourceEnd): 'enough' {
    this.#result = result
    return 'enough'
  }
}
