import type { Lease } from '../../replicator/kafka/cluster.ts'

/** What released memory is overwritten with. */
export const garbage = 0xaa

/** Counts the leases that are still held, so that a test can end by checking that none is. */
export class LeaseLedger {
  #held = 0
  #bytes = 0

  get held(): number {
    return this.#held
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Leases `memory`, which nobody else may use from now on. */
  lease(memory: Buffer): Lease {
    this.#held += 1
    this.#bytes += memory.length
    return new CountedLease(memory, () => {
      this.#held -= 1
      this.#bytes -= memory.length
    })
  }
}

/** A lease that makes use after release visible: the memory turns to garbage when the last reference goes. */
class CountedLease implements Lease {
  #references = 1
  readonly bytes: number
  readonly #memory: Buffer
  readonly #returned: () => void

  constructor(memory: Buffer, returned: () => void) {
    this.bytes = memory.length
    this.#memory = memory
    this.#returned = returned
  }

  retain(): void {
    if (this.#references === 0) throw new Error('a lease was retained after its last release')
    this.#references += 1
  }

  release(): void {
    if (this.#references === 0) throw new Error('a lease was released more often than it was retained')
    this.#references -= 1
    if (this.#references > 0) return
    this.#memory.fill(garbage)
    this.#returned()
  }
}
