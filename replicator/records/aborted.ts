import { isControl, isTransactional, lastOffset, producerId } from './batch-header.ts'
import { decodeBatch } from './decode.ts'
import type { RawBatch } from './record-batch.ts'

/** An entry of the aborted list of a Fetch with isolation read_committed. */
export interface AbortedTransaction {
  readonly producerId: bigint
  /** The offset of the transaction's first record in the partition. */
  readonly firstOffset: bigint
}

/**
 * What a control batch says. `other` are markers that do not end transactions, and batches whose marker
 * compaction removed.
 */
export type ControlMarker = 'abort' | 'commit' | 'other'

/**
 * Reads the marker of a control batch: the key of its record is a version and a type, two bytes each
 * (KIP-98). Throws `CorruptBatchError` for a batch that cannot be decoded.
 */
export const controlMarkerOf = (batch: RawBatch): ControlMarker => {
  const key = decodeBatch(batch).records[0]?.key
  if (key === undefined || key === null || key.length < 4) return 'other'
  const type = key.readInt16BE(2)
  if (type === 0) return 'abort'
  return type === 1 ? 'commit' : 'other'
}

/** What becomes of a batch under read_committed: only `deliver` carries records a reader may see. */
export type Verdict = 'deliver' | 'aborted' | 'control'

/**
 * Tells the batches of aborted transactions from the others, by header alone: a data batch belongs to one
 * producer and one transaction. One filter serves one Fetch answer and must see its batches in order.
 *
 * Invariant: `#aborting` holds the producers whose transaction at the current batch is one of the list, from
 * its first offset until the producer's abort marker. The broker lists every aborted transaction that
 * overlaps what it returned, so nothing needs to be remembered between answers.
 */
export class AbortedFilter {
  readonly #pending: AbortedTransaction[]
  readonly #aborting = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#pending = aborted.toSorted((a, b) => Number(b.firstOffset - a.firstOffset))
  }

  /** Judges the next batch. Throws `CorruptBatchError` for a control batch that cannot be decoded. */
  judge(batch: RawBatch): Verdict {
    const { buffer, at } = batch
    const control = isControl(buffer, at)
    if (this.#pending.length === 0 && this.#aborting.size === 0) return control ? 'control' : 'deliver'
    const last = lastOffset(buffer, at)
    for (let next = this.#pending.at(-1); next && next.firstOffset <= last; next = this.#pending.at(-1)) {
      this.#aborting.add(next.producerId)
      this.#pending.pop()
    }
    const producer = producerId(buffer, at)
    if (control) {
      if (controlMarkerOf(batch) === 'abort') this.#aborting.delete(producer)
      return 'control'
    }
    return isTransactional(buffer, at) && this.#aborting.has(producer) ? 'aborted' : 'deliver'
  }
}
