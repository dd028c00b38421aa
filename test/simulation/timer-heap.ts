interface Timer {
  readonly dueMs: number
  readonly order: number
  fire: (() => void) | undefined
}

/** Timers by due time, then by the order of their making: a binary heap. Those called off go when they come up. */
export class TimerHeap {
  #heap: Timer[] = []
  #order = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The returned function calls the timer off. */
  add(dueMs: number, fire: () => void): () => void {
    const timer: Timer = { dueMs, order: this.#order++, fire }
    this.#heap.push(timer)
    this.#up(this.#heap.length - 1)
    this.#size += 1
    return () => {
      if (timer.fire === undefined) return
      timer.fire = undefined
      this.#size -= 1
      if (this.#heap.length > 64 && this.#heap.length > 2 * this.#size) this.#sweep()
    }
  }

  get nextDueMs(): number | undefined {
    while (this.#heap.length > 0 && this.#heap[0]!.fire === undefined) this.#pop()
    return this.#heap[0]?.dueMs
  }

  /** Takes the first timer out. @throws Error when there is none */
  take(): { readonly dueMs: number; readonly fire: () => void } {
    if (this.nextDueMs === undefined) throw new Error('no timer is left')
    const { dueMs, fire } = this.#heap[0]!
    this.#heap[0]!.fire = undefined
    this.#pop()
    this.#size -= 1
    return { dueMs, fire: fire! }
  }

  #pop(): void {
    const last = this.#heap.pop()!
    if (this.#heap.length === 0) return
    this.#heap[0] = last
    this.#down(0)
  }

  /** Most timers are called off before they fall due: what is left of them must not pile up. */
  #sweep(): void {
    this.#heap = this.#heap.filter((timer) => timer.fire !== undefined).sort(compare)
  }

  #up(index: number): void {
    const heap = this.#heap
    const timer = heap[index]!
    for (let at = index; ; ) {
      const parent = (at - 1) >> 1
      if (at === 0 || compare(heap[parent]!, timer) < 0) {
        heap[at] = timer
        return
      }
      heap[at] = heap[parent]!
      at = parent
    }
  }

  #down(index: number): void {
    const heap = this.#heap
    const timer = heap[index]!
    for (let at = index; ; ) {
      let child = 2 * at + 1
      if (child + 1 < heap.length && compare(heap[child + 1]!, heap[child]!) < 0) child += 1
      if (child >= heap.length || compare(timer, heap[child]!) < 0) {
        heap[at] = timer
        return
      }
      heap[at] = heap[child]!
      at = child
    }
  }
}

const compare = (a: Timer, b: Timer): number => a.dueMs - b.dueMs || a.order - b.order
