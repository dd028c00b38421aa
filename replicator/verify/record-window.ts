import type { RecordFingerprint } from '../records/record-fingerprint.ts'

/** Records of one side that were read and not compared yet, in order, with a fast answer to "is it in there?". */
export class RecordWindow {
  #records: RecordFingerprint[] = []
  #head = 0
  readonly #counts = new Map<string, number>()
  #ended = false

  get length(): number {
    return this.#records.length - this.#head
  }

  /** Nothing will be added any more. */
  get ended(): boolean {
    return this.#ended
  }

  get first(): RecordFingerprint | undefined {
    return this.#records[this.#head]
  }

  end(): void {
    this.#ended = true
  }

  add(records: readonly RecordFingerprint[]): void {
    if (this.#ended) throw new Error('records were added after the end')
    for (const record of records) {
      this.#records.push(record)
      this.#counts.set(record.whole, (this.#counts.get(record.whole) ?? 0) + 1)
    }
  }

  has(record: RecordFingerprint): boolean {
    return this.#counts.has(record.whole)
  }

  /** How many records lie before the first equal one, or `undefined`. */
  distanceTo(record: RecordFingerprint): number | undefined {
    if (!this.has(record)) return undefined
    const index = this.#records.findIndex(({ whole }, i) => i >= this.#head && whole === record.whole)
    return index - this.#head
  }

  /** Takes the record at this distance out; the first one by default. */
  take(distance = 0): RecordFingerprint {
    const index = this.#head + distance
    const record = this.#records[index]
    if (record === undefined) throw new Error(`no record at distance ${distance}`)
    if (distance === 0) this.#head++
    else this.#records.splice(index, 1)
    const left = (this.#counts.get(record.whole) ?? 0) - 1
    if (left > 0) this.#counts.set(record.whole, left)
    else this.#counts.delete(record.whole)
    // Dropping the taken ones from the front now and then keeps taking cheap and the memory bounded.
    if (this.#head > 4096 && this.#head * 2 > this.#records.length) {
      this.#records = this.#records.slice(this.#head)
      this.#head = 0
    }
    return record
  }
}

/** The last records that the target showed, to know a repetition when it comes. */
export class RecentRecords {
  readonly #order: string[]
  readonly #counts = new Map<string, number>()
  readonly #capacity: number
  #next = 0

  constructor(capacity: number) {
    this.#capacity = capacity
    this.#order = []
  }

  add(record: RecordFingerprint): void {
    const forgotten = this.#order[this.#next]
    if (forgotten !== undefined) {
      const left = (this.#counts.get(forgotten) ?? 0) - 1
      if (left > 0) this.#counts.set(forgotten, left)
      else this.#counts.delete(forgotten)
    }
    this.#order[this.#next] = record.whole
    this.#next = (this.#next + 1) % this.#capacity
    this.#counts.set(record.whole, (this.#counts.get(record.whole) ?? 0) + 1)
  }

  has(record: RecordFingerprint): boolean {
    return this.#counts.has(record.whole)
  }
}
