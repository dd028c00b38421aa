import type { Lease } from '../cluster.ts'

/** Smallest frame; smaller answers share its size class. */
const FRAME_BYTES_MIN = 64 * 1024

/**
 * Receive memory, reused. A frame is leased while anything still points into it; released frames wait in free
 * lists by size class, so that at full speed no memory is allocated or collected at all.
 *
 * Classes are quarter steps between powers of two: an answer of 8 MiB and its header takes 10 MiB, not 16. Pages
 * that it did not reach stay untouched, hence unbacked.
 */
export class FramePool {
  readonly #free = new Map<number, Buffer[]>()
  readonly #idleBytesMax: number
  #idleBytes = 0

  /** `idleBytesMax`: free frames beyond this many bytes are given back to the engine. */
  constructor(idleBytesMax = 128 * 1024 * 1024) {
    this.#idleBytesMax = idleBytesMax
  }

  /** Bytes of free frames now kept for reuse. */
  get idleBytes(): number {
    return this.#idleBytes
  }

  /** A frame of at least `bytes`, with one reference. */
  lease(bytes: number): Frame {
    const size = sizeClass(bytes)
    const kept = this.#free.get(size)?.pop()
    if (kept !== undefined) this.#idleBytes -= size
    return new Frame(kept ?? Buffer.allocUnsafeSlow(size), bytes, (memory) => this.#giveBack(memory))
  }

  #giveBack(memory: Buffer): void {
    const size = memory.length
    if (size > this.#idleBytesMax) return
    const list = this.#free.get(size) ?? []
    // The size that came back last stands last: sizes that nobody asks for any more make room for it.
    this.#free.delete(size)
    this.#free.set(size, list)
    list.push(memory)
    this.#idleBytes += size
    for (const [oldSize, oldest] of this.#free) {
      if (this.#idleBytes <= this.#idleBytesMax) return
      while (this.#idleBytes > this.#idleBytesMax && oldest.pop() !== undefined) this.#idleBytes -= oldSize
    }
  }
}

function sizeClass(bytes: number): number {
  let size = FRAME_BYTES_MIN
  while (size * 2 < bytes) size *= 2
  if (size >= bytes) return size
  return size + Math.ceil((bytes - size) / (size / 4)) * (size / 4)
}

/** One leased piece of receive memory. */
export class Frame implements Lease {
  readonly memory: Buffer
  readonly bytes: number
  #references = 1
  readonly #giveBack: (memory: Buffer) => void

  constructor(memory: Buffer, bytes: number, giveBack: (memory: Buffer) => void) {
    this.memory = memory
    this.bytes = bytes
    this.#giveBack = giveBack
  }

  retain(): void {
    if (this.#references === 0) throw new Error('A released frame was retained')
    this.#references++
  }

  release(): void {
    if (this.#references === 0) throw new Error('A frame was released more often than it was retained')
    if (--this.#references === 0) this.#giveBack(this.memory)
  }
}
