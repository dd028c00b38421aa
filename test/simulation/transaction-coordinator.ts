import type { ProducerIdentity, TopicPartition } from '../../replicator/kafka/cluster.ts'

/** The part of the cluster that a coordinator writes to. */
export interface MarkerTarget {
  /** Writes an end marker to a partition; answers with an error code, 0 when it was written. */
  writeMarker(
    at: TopicPartition,
    producer: ProducerIdentity,
    end: TransactionEnd,
    coordinatorEpoch: number,
  ): number
}

export type TransactionEnd = 'commit' | 'abort'

interface Transactional {
  producerId: bigint
  producerEpoch: number
  open: Map<string, TopicPartition>
}

export type CoordinatorAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: number }

const INVALID_TXN_STATE = 48
const INVALID_PRODUCER_ID_MAPPING = 49
const PRODUCER_FENCED = 90

/** A coordinator hands out a new producer id before an epoch would reach the largest 16-bit number. */
const lastEpoch = 32_766

/**
 * Producer ids and transactions of one cluster (`TransactionCoordinator`). Transactional ids live until
 * {@link forget}; markers are written at once. One method per request of the protocol.
 */
export class TransactionCoordinator {
  #nextProducerId: bigint
  readonly #ids = new Map<string, Transactional>()
  readonly #target: MarkerTarget

  constructor(target: MarkerTarget, firstProducerId = 1000n) {
    this.#target = target
    this.#nextProducerId = firstProducerId
  }

  /** InitProducerId: a new id, or the next epoch of a transactional one, whose open transaction is aborted first. */
  initProducerId(transactionalId: string | undefined): ProducerIdentity {
    if (transactionalId === undefined) return { producerId: this.#nextProducerId++, producerEpoch: 0 }
    const known = this.#ids.get(transactionalId)
    if (known === undefined) {
      const made = { producerId: this.#nextProducerId++, producerEpoch: 0, open: new Map() }
      this.#ids.set(transactionalId, made)
      return identityOf(made)
    }
    if (known.open.size > 0) {
      known.producerEpoch += 1
      this.#end(known, 'abort')
    }
    if (known.producerEpoch + 1 >= lastEpoch) {
      known.producerId = this.#nextProducerId++
      known.producerEpoch = 0
    } else {
      known.producerEpoch += 1
    }
    return identityOf(known)
  }

  /** AddPartitionsToTxn: begins a transaction where none is open. */
  addPartitions(
    transactionalId: string,
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
  ): CoordinatorAnswer<void> {
    const found = this.#find(transactionalId, producer)
    if (!found.ok) return found
    for (const at of partitions) found.value.open.set(`${at.topic}\0${at.partition}`, at)
    return { ok: true, value: undefined }
  }

  /** EndTxn: writes the markers of every partition that was added. */
  endTransaction(
    transactionalId: string,
    producer: ProducerIdentity,
    end: TransactionEnd,
  ): CoordinatorAnswer<void> {
    const found = this.#find(transactionalId, producer)
    if (!found.ok) return found
    if (found.value.open.size === 0) return { ok: false, code: INVALID_TXN_STATE }
    this.#end(found.value, end)
    return { ok: true, value: undefined }
  }

  /** Whether this producer may write transactional batches to the partition now. */
  verifies(producer: ProducerIdentity, at: TopicPartition): boolean {
    for (const known of this.#ids.values()) {
      if (known.producerId !== producer.producerId || known.producerEpoch !== producer.producerEpoch) continue
      return known.open.has(`${at.topic}\0${at.partition}`)
    }
    return false
  }

  /** Lets a transactional id expire (`transactional.id.expiration.ms`): its next producer id is another one. */
  forget(transactionalId: string): void {
    this.#ids.delete(transactionalId)
  }

  #find(transactionalId: string, producer: ProducerIdentity): CoordinatorAnswer<Transactional> {
    const known = this.#ids.get(transactionalId)
    if (known === undefined || known.producerId !== producer.producerId) {
      return { ok: false, code: INVALID_PRODUCER_ID_MAPPING }
    }
    if (known.producerEpoch !== producer.producerEpoch) return { ok: false, code: PRODUCER_FENCED }
    return { ok: true, value: known }
  }

  #end(known: Transactional, end: TransactionEnd): void {
    for (const at of known.open.values()) this.#target.writeMarker(at, identityOf(known), end, 0)
    known.open = new Map()
  }
}

const identityOf = ({ producerId, producerEpoch }: ProducerIdentity): ProducerIdentity => ({
  producerId,
  producerEpoch,
})
