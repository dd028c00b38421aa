import {
  baseSequence,
  isControl,
  producerEpoch,
  producerId,
} from '../../../replicator/records/batch-header.ts'
import type { StoredBatch } from '../partition-log.ts'
import { Violation } from './violation.ts'

/** What brokers know of a partition's writers beyond its log. */
export interface WritersKnown {
  readonly isClientMarker: (offset: bigint) => boolean
  /** Whether a transactional id leads to this producer id now. */
  readonly isCurrent: (producerId: bigint) => boolean
}

/**
 * Judges who wrote to a partition: behind an end marker of an epoch nothing of an older one may come, and a writer
 * whose place another one took never comes back.
 *
 * One marker says nothing: a client's own (WriteTxnMarkers) about a producer id that a transactional id still leads
 * to. Whoever wrote it had been replaced itself, while it was stopped in the middle of a takeover; its successor finds
 * out by a refusal, or goes on when brokers have forgotten the marker, and is the only owner all the time.
 */
export class WritersChecker {
  readonly #place: string
  readonly #known: WritersKnown
  /** The highest epoch that a marker of each producer id named. */
  readonly #fencedBelow = new Map<bigint, number>()
  /** As {@link #fencedBelow}, by markers that clients wrote. */
  readonly #fencedByClients = new Map<bigint, number>()
  readonly #replaced = new Set<string>()
  #current: string | undefined

  constructor(place: string, known: WritersKnown) {
    this.#place = place
    this.#known = known
  }

  /** @throws Violation */
  saw({ bytes, baseOffset }: StoredBatch): void {
    const id = producerId(bytes, 0)
    if (id < 0n) return
    const epoch = producerEpoch(bytes, 0)
    const writer = `${id}/${epoch}`
    if (isControl(bytes, 0)) {
      const fenced = this.#known.isClientMarker(baseOffset) ? this.#fencedByClients : this.#fencedBelow
      fenced.set(id, Math.max(fenced.get(id) ?? 0, epoch))
      return
    }
    const byClients = this.#known.isCurrent(id) ? undefined : this.#fencedByClients.get(id)
    const fencedBelow = Math.max(this.#fencedBelow.get(id) ?? 0, byClients ?? 0)
    const where = `${this.#place}, offset ${baseOffset}, sequence ${baseSequence(bytes, 0)}`
    if (epoch < fencedBelow)
      throw new Violation('fenced', `${where}: ${writer} wrote behind epoch ${fencedBelow}`)
    if (this.#replaced.has(writer))
      throw new Violation('fenced', `${where}: ${writer} wrote after its successor`)
    if (this.#current !== undefined && this.#current !== writer) this.#replaced.add(this.#current)
    this.#current = writer
  }
}
