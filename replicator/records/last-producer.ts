import { batchLayout } from './batch-layout.ts'

/**
 * Recognises batches of the producer that was seen last, which neighbours mostly are, without making a bigint of every
 * id. At first that is -1, of producers that are not idempotent.
 */
export class LastProducer {
  #high = -1
  #low = -1

  /** Whether the batch at `at` is of the same producer id as the one before; its id is remembered. */
  isSame(buffer: Buffer, at: number): boolean {
    const high = buffer.readInt32BE(at + batchLayout.producerId)
    const low = buffer.readInt32BE(at + batchLayout.producerId + 4)
    if (high === this.#high && low === this.#low) return true
    this.#high = high
    this.#low = low
    return false
  }
}
