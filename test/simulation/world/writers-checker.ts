import {
  baseSequence,
  isControl,
  producerEpoch,
  producerId,
} from '../../../replicator/records/batch-header.ts'
import type { StoredBatch } from '../partition-log.ts'
import { Violation } from './violation.ts'

/**
 * Judges who wrote to a partition, by the log alone: behind an end marker of an epoch nothing of an older one may
 * come, and a writer whose place another one took never comes back.
 */
export class WritersChecker {
  readonly #place: string
  /** The highest epoch that a marker of each producer id named. */
  readonly #fencedBelow = new Map<bigint, number>()
  readonly #replaced = new Set<string>()
  #current: string | undefined

  constructor(place: string) {
    this.#place = place
  }

  /** @throws Violation */
  saw({ bytes, baseOffset }: StoredBatch): void {
    const id = producerId(bytes, 0)
    if (id < 0n) return
    const epoch = producerEpoch(bytes, 0)
    const fencedBelow = this.#fencedBelow.get(id) ?? 0
    const writer = `${id}/${epoch}`
    if (isControl(bytes, 0)) {
      this.#fencedBelow.set(id, Math.max(fencedBelow, epoch))
      return
    }
    const where = `${this.#place}, offset ${baseOffset}, sequence ${baseSequence(bytes, 0)}`
    if (epoch < fencedBelow)
      throw new Violation('fenced', `${where}: ${writer} wrote behind epoch ${fencedBelow}`)
    if (this.#replaced.has(writer))
      throw new Violation('fenced', `${where}: ${writer} wrote after its successor`)
    if (this.#current !== undefined && this.#current !== writer) this.#replaced.add(this.#current)
    this.#current = writer
  }
}
