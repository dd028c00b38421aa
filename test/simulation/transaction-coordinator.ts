import type { ProducerIdentity, TopicPartition } from '../../replicator/kafka/cluster.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'
import { type MarkerTarget, TransactionEnding } from './transaction-ending.ts'

/** The part of the cluster that a coordinator sees. */
export interface CoordinatorScene extends MarkerTarget {
  wallMs(): number
}

/** `transactional.id.expiration.ms`, and how often a coordinator looks. */
export interface TransactionalIdExpiry {
  readonly expirationMs: number
  readonly checkIntervalMs: number
}

/** Kafka's defaults: seven days, every hour. */
export const defaultTransactionalIdExpiry: TransactionalIdExpiry = {
  expirationMs: 604_800_000,
  checkIntervalMs: 3_600_000,
}

type State =
  | { readonly kind: 'empty' }
  | {
      readonly kind: 'ongoing'
      readonly partitions: Map<string, TopicPartition>
      readonly stopTimer: () => void
    }
  /** Decided; some markers are outstanding. */
  | { readonly kind: 'prepared'; readonly ending: TransactionEnding }
  | { readonly kind: 'complete'; readonly end: 'commit' | 'abort' }

interface Transactional {
  producerId: bigint
  producerEpoch: number
  /** From which a bump led to the present epoch, if whoever asked for it named it (KIP-360); otherwise -1. */
  lastEpoch: number
  /** The producer id before epochs ran out; otherwise -1. */
  previousProducerId: bigint
  timeoutMs: number
  state: State
  changedMs: number
}

const {
  CONCURRENT_TRANSACTIONS,
  INVALID_PRODUCER_ID_MAPPING,
  INVALID_TXN_STATE,
  OPERATION_NOT_ATTEMPTED,
  PRODUCER_FENCED,
  UNKNOWN_TOPIC_OR_PARTITION,
} = errorCode

/** An epoch that is never bumped: the next identity has a new producer id. */
const lastEpoch = 32_766

/** The Java producer's default `transaction.timeout.ms`. */
const defaultTimeoutMs = 60_000

/**
 * Producer ids and transactions of one cluster, as Kafka 4.3's `TransactionCoordinator` has them for clients that
 * speak EndTxn 4 (no epoch bump by EndTxn). One method per request of the protocol.
 */
export class TransactionCoordinator {
  #nextProducerId: bigint
  readonly #ids = new Map<string, Transactional>()
  readonly #scene: CoordinatorScene
  readonly #expiry: TransactionalIdExpiry
  #checkedMs: number

  constructor(
    scene: CoordinatorScene,
    expiry: TransactionalIdExpiry = defaultTransactionalIdExpiry,
    firstProducerId = 1000n,
  ) {
    this.#scene = scene
    this.#expiry = expiry
    this.#nextProducerId = firstProducerId
    this.#checkedMs = scene.wallMs()
  }

  /**
   * InitProducerId: a new id, or the next epoch of a transactional one. An open transaction is aborted under an epoch
   * of its own first, and whoever asks has to ask again (51).
   * @param timeoutMs after which an open transaction is aborted; `Infinity` is never
   */
  initProducerId(
    transactionalId: string | undefined,
    current?: ProducerIdentity,
    timeoutMs = defaultTimeoutMs,
  ): Answer<ProducerIdentity> {
    if (transactionalId === undefined)
      return answered({ producerId: this.#nextProducerId++, producerEpoch: 0 })
    this.#forgetExpired()
    const known = this.#ids.get(transactionalId)
    if (known === undefined) return answered(this.#create(transactionalId, timeoutMs))
    if (current !== undefined && !isPossible(known, current)) return refused(PRODUCER_FENCED)
    if (known.state.kind === 'prepared') return refused(CONCURRENT_TRANSACTIONS)
    if (known.state.kind === 'ongoing') {
      this.#fence(known)
      return refused(CONCURRENT_TRANSACTIONS)
    }
    const isLatest = current === undefined || current.producerEpoch === known.producerEpoch
    if (isLatest) this.#bump(known, current?.producerEpoch ?? -1)
    else if (current.producerEpoch !== known.lastEpoch) return refused(PRODUCER_FENCED)
    known.timeoutMs = timeoutMs
    this.#enter(known, { kind: 'empty' })
    return answered(identityOf(known))
  }

  /** Whether a transactional id leads to this producer id. */
  leadsTo(producerId: bigint): boolean {
    return [...this.#ids.values()].some((known) => known.producerId === producerId)
  }

  /** AddPartitionsToTxn 3: the code of each partition, in their order. Begins a transaction where none is open. */
  addPartitions(
    transactionalId: string,
    producer: ProducerIdentity,
    partitions: readonly TopicPartition[],
  ): Answer<readonly number[]> {
    // A broker looks for the partitions before it asks the coordinator about the producer.
    const isUnknown = partitions.map((at) => this.#scene.leaderOf(at) === 'unknown')
    if (isUnknown.includes(true)) {
      return answered(
        isUnknown.map((unknown) => (unknown ? UNKNOWN_TOPIC_OR_PARTITION : OPERATION_NOT_ATTEMPTED)),
      )
    }
    const found = this.#find(transactionalId, producer)
    if (!found.ok) return found
    const known = found.value
    if (known.state.kind === 'prepared') return refused(CONCURRENT_TRANSACTIONS)
    if (known.state.kind === 'ongoing') known.changedMs = this.#scene.wallMs()
    else this.#begin(known)
    const { state } = known
    if (state.kind === 'ongoing') for (const at of partitions) state.partitions.set(keyOf(at), at)
    return answered(partitions.map(() => 0))
  }

  /** EndTxn 4: decides; the markers follow. A repeat succeeds once they are written. */
  endTransaction(transactionalId: string, producer: ProducerIdentity, end: 'commit' | 'abort'): Answer<void> {
    const found = this.#find(transactionalId, producer)
    if (!found.ok) return found
    const known = found.value
    const { state } = known
    if (state.kind === 'ongoing') {
      this.#prepare(known, state, end)
      return answered(undefined)
    }
    if (state.kind === 'complete' && state.end === end) return answered(undefined)
    if (state.kind === 'prepared' && state.ending.end === end) return refused(CONCURRENT_TRANSACTIONS)
    return refused(INVALID_TXN_STATE)
  }

  /** Whether this producer may write transactional batches to the partition now. */
  verifies(producer: ProducerIdentity, at: TopicPartition): boolean {
    for (const known of this.#ids.values()) {
      if (known.producerId !== producer.producerId || known.producerEpoch !== producer.producerEpoch) continue
      return known.state.kind === 'ongoing' && known.state.partitions.has(keyOf(at))
    }
    return false
  }

  /** Partitions may have another leader, or brokers be back: outstanding markers are tried again. */
  leadersChanged(): void {
    for (const { state } of this.#ids.values()) if (state.kind === 'prepared') state.ending.schedule()
  }

  // What a test may do

  /** Writes outstanding markers at once, where there are leaders. */
  settle(transactionalId: string): void {
    const state = this.#ids.get(transactionalId)?.state
    if (state?.kind === 'prepared') state.ending.writeNow()
  }

  /**
   * Lets a transactional id that nobody has used for so long expire, as `transactional.id.expiration.ms` would: its
   * next producer id is another one.
   */
  expire(transactionalId: string, expirationMs: number): void {
    const known = this.#ids.get(transactionalId)
    if (known === undefined || known.state.kind === 'ongoing' || known.state.kind === 'prepared') return
    if (this.#scene.wallMs() - known.changedMs >= expirationMs) this.#ids.delete(transactionalId)
  }

  /** Puts a transactional id at an epoch, as so many bumps would. @throws Error when the id is unknown */
  setEpoch(transactionalId: string, producerEpoch: number): ProducerIdentity {
    const known = this.#ids.get(transactionalId)
    if (known === undefined) throw new Error(`no transactional id ${transactionalId}`)
    known.producerEpoch = producerEpoch
    known.lastEpoch = -1
    return identityOf(known)
  }

  #create(transactionalId: string, timeoutMs: number): ProducerIdentity {
    const made: Transactional = {
      producerId: this.#nextProducerId++,
      producerEpoch: 0,
      lastEpoch: -1,
      previousProducerId: -1n,
      timeoutMs,
      state: { kind: 'empty' },
      changedMs: this.#scene.wallMs(),
    }
    this.#ids.set(transactionalId, made)
    return identityOf(made)
  }

  #bump(known: Transactional, expectedEpoch: number): void {
    known.lastEpoch = expectedEpoch
    if (known.producerEpoch < lastEpoch) {
      known.producerEpoch += 1
      return
    }
    known.previousProducerId = known.producerId
    known.producerId = this.#nextProducerId++
    known.producerEpoch = 0
  }

  #begin(known: Transactional): void {
    const expire = () => {
      if (known.state === state) this.#fence(known)
    }
    const stopTimer =
      known.timeoutMs === Number.POSITIVE_INFINITY
        ? () => {}
        : this.#scene.after(known.timeoutMs, () => expire())
    const state: State = { kind: 'ongoing', partitions: new Map(), stopTimer }
    this.#enter(known, state)
  }

  /** Aborts an open transaction for somebody else than its producer: under a newer epoch, which is never handed out. */
  #fence(known: Transactional): void {
    if (known.state.kind !== 'ongoing') return
    known.producerEpoch += 1
    known.lastEpoch = -1
    this.#prepare(known, known.state, 'abort')
  }

  #prepare(known: Transactional, state: State & { kind: 'ongoing' }, end: 'commit' | 'abort'): void {
    state.stopTimer()
    const ending = new TransactionEnding({
      target: this.#scene,
      identity: identityOf(known),
      end,
      partitions: state.partitions,
      onWritten: () => this.#enter(known, { kind: 'complete', end }),
    })
    this.#enter(known, { kind: 'prepared', ending })
    ending.schedule()
  }

  #enter(known: Transactional, state: State): void {
    known.state = state
    known.changedMs = this.#scene.wallMs()
  }

  #find(transactionalId: string, producer: ProducerIdentity): Answer<Transactional> {
    this.#forgetExpired()
    const known = this.#ids.get(transactionalId)
    if (known === undefined || known.producerId !== producer.producerId) {
      return refused(INVALID_PRODUCER_ID_MAPPING)
    }
    if (known.producerEpoch !== producer.producerEpoch) return refused(PRODUCER_FENCED)
    return answered(known)
  }

  /** Ids without an open or unfinished transaction that nobody has used for so long, if it is time to look. */
  #forgetExpired(): void {
    const nowMs = this.#scene.wallMs()
    if (nowMs - this.#checkedMs < this.#expiry.checkIntervalMs) return
    this.#checkedMs = nowMs
    for (const id of this.#ids.keys()) this.expire(id, this.#expiry.expirationMs)
  }
}

/** Whether the identity was this transactional id's; its epoch is looked at later. */
const isPossible = (known: Transactional, { producerId, producerEpoch }: ProducerIdentity): boolean =>
  producerId === known.producerId || (producerId === known.previousProducerId && producerEpoch >= lastEpoch)

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}\0${partition}`

const identityOf = ({ producerId, producerEpoch }: ProducerIdentity): ProducerIdentity => ({
  producerId,
  producerEpoch,
})
