import { lastOffset, partitionLeaderEpoch } from '../records/batch-header.ts'

/** A leader epoch, and where what was read of it ended. The log of a sound source reaches at least that far in it. */
export interface EpochMark {
  readonly leaderEpoch: number
  readonly next: bigint
}

/** Boundaries that nobody verifies are forgotten beyond this many, the oldest first. */
const BOUNDARIES_MAX = 64

/**
 * What a partition has read of which leader's epoch. Between two fetches the source's log can be cut and grow again
 * (an unclean leader election), so a fetch that begins in another epoch than the one before ended in leaves a
 * boundary, to be verified against the source (KIP-320). Within one answer a log is one log.
 */
export class EpochTrail {
  #epoch: number | undefined
  #next = 0n
  #boundaries: EpochMark[] = []
  #isNewAnswer = true

  /** Where reading stands; `undefined` before the first batch, and where batches have no epoch. */
  get latest(): EpochMark | undefined {
    return this.#epoch === undefined ? undefined : { leaderEpoch: this.#epoch, next: this.#next }
  }

  /** Ends of earlier epochs that were not verified yet. */
  get boundaries(): readonly EpochMark[] {
    return this.#boundaries
  }

  /** What is taken next comes from another look at the log than what was taken before. */
  beginAnswer(): void {
    this.#isNewAnswer = true
  }

  /**
   * The batches from that at `first` to that at `last` of one answer were read. Within it a log is one log: only where it
   * begins and ends can tell of another leader.
   */
  tookAnswer(records: Buffer, first: number, last: number): void {
    this.beginAnswer()
    this.took(partitionLeaderEpoch(records, first), lastOffset(records, first) + 1n)
    if (last !== first) this.took(partitionLeaderEpoch(records, last), lastOffset(records, last) + 1n)
  }

  /** A batch of an epoch was read, up to below `next`. Epochs below 0 (batches from before 0.11) say nothing. */
  took(leaderEpoch: number, next: bigint): void {
    if (leaderEpoch < 0) return
    if (this.#isNewAnswer && this.#epoch !== undefined && leaderEpoch !== this.#epoch) {
      this.#boundaries.push({ leaderEpoch: this.#epoch, next: this.#next })
      if (this.#boundaries.length > BOUNDARIES_MAX) this.#boundaries.shift()
    }
    this.#isNewAnswer = false
    this.#epoch = leaderEpoch
    this.#next = next
  }

  /** The source still holds everything below this mark. */
  verified(mark: EpochMark): void {
    this.#boundaries = this.#boundaries.filter((boundary) => boundary !== mark)
  }
}
