/** The end of one leader epoch in a log: where the log goes on under a later one. */
export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: bigint
}

interface EpochStart {
  readonly leaderEpoch: number
  readonly startOffset: bigint
}

/** Where each leader epoch of a log began, as a broker remembers it (`LeaderEpochFileCache`). */
export class LeaderEpochHistory {
  #starts: EpochStart[] = []

  /** A leader takes over at the log's end. Epochs without records go. */
  begin(leaderEpoch: number, startOffset: bigint): void {
    this.#starts = this.#starts.filter(
      (start) => start.leaderEpoch < leaderEpoch && start.startOffset < startOffset,
    )
    this.#starts.push({ leaderEpoch, startOffset })
  }

  /** `undefined` when the epoch asked for is newer than all that are known. */
  endOf(leaderEpoch: number, logEnd: bigint): EpochEnd | undefined {
    if (leaderEpoch < 0) return undefined
    if (this.#starts.at(-1)?.leaderEpoch === leaderEpoch) return { leaderEpoch, endOffset: logEnd }
    const higher = this.#starts.find((start) => start.leaderEpoch > leaderEpoch)
    if (higher === undefined) return undefined
    const floor = this.#starts.findLast((start) => start.leaderEpoch <= leaderEpoch)
    return { leaderEpoch: floor?.leaderEpoch ?? leaderEpoch, endOffset: higher.startOffset }
  }

  /** The log's beginning was removed. */
  truncateStart(logStart: bigint): void {
    const later = this.#starts.filter((start) => start.startOffset > logStart)
    const first = this.#starts.findLast((start) => start.startOffset <= logStart)
    this.#starts =
      first === undefined ? later : [{ leaderEpoch: first.leaderEpoch, startOffset: logStart }, ...later]
  }

  /** The log's end was cut off. */
  truncateEnd(logEnd: bigint): void {
    this.#starts = this.#starts.filter((start) => start.startOffset < logEnd)
  }
}
