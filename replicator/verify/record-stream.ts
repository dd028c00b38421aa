import type { RecordFingerprint } from '../records/record-fingerprint.ts'

/** Records of one side in pieces, with a look ahead. */
export class RecordStream {
  readonly #pieces: AsyncIterator<readonly RecordFingerprint[]>
  #held: RecordFingerprint[] = []

  constructor(pieces: AsyncIterable<readonly RecordFingerprint[]>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** The next piece, never empty; `undefined` at the end. */
  async next(): Promise<readonly RecordFingerprint[] | undefined> {
    if (this.#held.length > 0) {
      const piece = this.#held
      this.#held = []
      return piece
    }
    const next = await this.#pieces.next()
    return next.done ? undefined : next.value
  }

  /** The first `count` records, or fewer where there are no more, without taking them. */
  async peek(count: number): Promise<readonly RecordFingerprint[]> {
    while (this.#held.length < count) {
      const next = await this.#pieces.next()
      if (next.done) break
      this.#held.push(...next.value)
    }
    return this.#held.slice(0, count)
  }

  /**
   * Takes records out until one equals an anchor or does not count as older.
   * @returns how many
   */
  async passOver(
    anchors: readonly RecordFingerprint[],
    isOlder: (timestamp: bigint) => boolean,
  ): Promise<number> {
    const known = new Set(anchors.map(({ whole }) => whole))
    let passed = 0
    for (let piece = await this.next(); piece !== undefined; piece = await this.next()) {
      const stop = piece.findIndex(({ whole, timestamp }) => known.has(whole) || !isOlder(timestamp))
      if (stop >= 0) {
        this.#held = piece.slice(stop)
        return passed + stop
      }
      passed += piece.length
    }
    return passed
  }
}
