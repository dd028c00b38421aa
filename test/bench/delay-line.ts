/** One direction of a long link: holds what it is given for a fixed time, keeps order, bounded in bytes. */

/** What a line holds: bytes to deliver, or the end of the stream. */
interface Held<Item> {
  readonly dueMs: number
  readonly item: Item
  readonly bytes: number
}

/**
 * Delivers each item no earlier than `delayMs` after it was pushed, in order, and only while `deliver` takes them.
 * Does not look inside items, so bytes cannot change on the way.
 */
export class DelayLine<Item> {
  readonly #delayMs: number
  readonly #bytesMax: number
  readonly #deliver: (item: Item) => boolean
  readonly #onRoom: () => void
  #held: Held<Item>[] = []
  #head = 0
  #bytes = 0
  #blocked = false
  #full = false
  #timer: NodeJS.Timeout | undefined

  /**
   * @param options.deliver takes an item; answers false to get nothing more until {@link resume}
   * @param options.onRoom called when a full line has room again
   */
  constructor(options: {
    readonly delayMs: number
    readonly bytesMax: number
    readonly deliver: (item: Item) => boolean
    readonly onRoom: () => void
  }) {
    this.#delayMs = options.delayMs
    this.#bytesMax = options.bytesMax
    this.#deliver = options.deliver
    this.#onRoom = options.onRoom
  }

  /** Takes an item in. False: the line is full, push nothing more until `onRoom`. */
  push(item: Item, bytes: number): boolean {
    this.#held.push({ dueMs: performance.now() + this.#delayMs, item, bytes })
    this.#bytes += bytes
    this.#full = this.#bytes >= this.#bytesMax
    if (!this.#timer && !this.#blocked) this.#wait()
    return !this.#full
  }

  /** The receiver takes items again. */
  resume(): void {
    if (!this.#blocked) return
    this.#blocked = false
    this.#flush()
  }

  /** Drops everything held. */
  destroy(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#held = []
    this.#head = 0
    this.#blocked = true
  }

  #wait(): void {
    const next = this.#held[this.#head]
    if (!next) return
    this.#timer = setTimeout(() => this.#flush(), Math.max(1, next.dueMs - performance.now()))
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const now = performance.now()
    for (let next = this.#held[this.#head]; next && next.dueMs <= now; next = this.#held[this.#head]) {
      this.#head++
      this.#bytes -= next.bytes
      if (!this.#deliver(next.item)) {
        this.#blocked = true
        break
      }
    }
    this.#held.splice(0, this.#head)
    this.#head = 0
    if (this.#full && this.#bytes < this.#bytesMax / 2) {
      this.#full = false
      this.#onRoom()
    }
    if (!this.#blocked) this.#wait()
  }
}
