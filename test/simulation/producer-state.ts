import type { RememberedProducer } from '../../replicator/kafka/cluster.ts'

/** What one partition remembers about its producers, as a Kafka broker does (`ProducerStateManager`). */

/** Batches per producer that a broker remembers for recognising a repeat. */
const batchesRemembered = 5

interface RememberedBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly baseOffset: bigint
  readonly timestampMs: number
}

interface ProducerEntry {
  epoch: number
  batches: RememberedBatch[]
  /** The largest timestamp of the last batch: forgetting counts from it, not from when the batch came. */
  lastTimestampMs: number
  transactionFrom: bigint | undefined
  /** Of the coordinator that wrote the last marker, -1 when there was none. */
  coordinatorEpoch: number
}

export interface ProducedBatch {
  readonly producerId: bigint
  readonly epoch: number
  readonly baseSequence: number
  readonly lastOffsetDelta: number
  readonly transactional: boolean
  readonly maxTimestampMs: number
}

/** What a producer's entry says about a batch that wants to be appended. */
export type SequenceVerdict =
  | { readonly kind: 'append' }
  | {
      readonly kind: 'repeat'
      readonly baseOffset: bigint
      /** The first one's newest timestamp: brokers answer with it whatever the topic's kind of time. */
      readonly timestampMs: number
    }
  | { readonly kind: 'refuse'; readonly code: number; readonly detail: string }

const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
const INVALID_PRODUCER_EPOCH = 47
const INVALID_TXN_STATE = 48
const TRANSACTION_COORDINATOR_FENCED = 52

/** The producers of one partition. */
export class ProducerState {
  readonly #entries = new Map<bigint, ProducerEntry>()

  /** Decides about a batch without changing anything. */
  judge(batch: ProducedBatch): SequenceVerdict {
    const entry = this.#entries.get(batch.producerId)
    if (entry === undefined) return judgeTransaction(undefined, batch)
    if (batch.epoch < entry.epoch) {
      return refuse(
        INVALID_PRODUCER_EPOCH,
        `epoch ${batch.epoch} is older than the last seen epoch ${entry.epoch}`,
      )
    }
    if (batch.epoch > entry.epoch) {
      if (batch.baseSequence === 0) return judgeTransaction(entry, batch)
      return refuse(
        OUT_OF_ORDER_SEQUENCE_NUMBER,
        `sequence ${batch.baseSequence} is not the first of a new epoch`,
      )
    }
    const last = lastSequenceOf(batch)
    const repeat = entry.batches.find(
      (known) => known.firstSequence === batch.baseSequence && known.lastSequence === last,
    )
    if (repeat !== undefined) {
      return { kind: 'repeat', baseOffset: repeat.baseOffset, timestampMs: repeat.timestampMs }
    }
    const previous = entry.batches.at(-1)?.lastSequence ?? -1
    if (batch.baseSequence !== sequenceAfter(previous, 1)) {
      return refuse(
        OUT_OF_ORDER_SEQUENCE_NUMBER,
        `sequence ${batch.baseSequence} does not follow ${previous}`,
      )
    }
    return judgeTransaction(entry, batch)
  }

  /** Notes a batch that was appended. */
  appended(batch: ProducedBatch, baseOffset: bigint): void {
    const entry = this.#entry(batch.producerId, batch.epoch)
    if (entry.epoch !== batch.epoch) {
      entry.epoch = batch.epoch
      entry.batches = []
    }
    entry.batches.push({
      firstSequence: batch.baseSequence,
      lastSequence: lastSequenceOf(batch),
      baseOffset,
      timestampMs: batch.maxTimestampMs,
    })
    if (entry.batches.length > batchesRemembered) entry.batches.shift()
    entry.lastTimestampMs = batch.maxTimestampMs
    if (batch.transactional) entry.transactionFrom ??= baseOffset
  }

  /** Whether a coordinator may still write a marker with this epoch. */
  judgeMarker(producerId: bigint, epoch: number, coordinatorEpoch: number): SequenceVerdict {
    const known = this.#entries.get(producerId)
    if (known === undefined) return { kind: 'append' }
    if (epoch < known.epoch) {
      return refuse(INVALID_PRODUCER_EPOCH, `marker epoch ${epoch} is older than ${known.epoch}`)
    }
    if (coordinatorEpoch >= known.coordinatorEpoch) return { kind: 'append' }
    return refuse(
      TRANSACTION_COORDINATOR_FENCED,
      `coordinator epoch ${coordinatorEpoch} is older than ${known.coordinatorEpoch}`,
    )
  }

  /** Notes a marker; returns where the transaction that it ends began, if one was open. */
  marked(
    producerId: bigint,
    epoch: number,
    coordinatorEpoch: number,
    timestampMs: number,
  ): bigint | undefined {
    const entry = this.#entry(producerId, epoch)
    const from = entry.transactionFrom
    if (entry.epoch !== epoch) {
      entry.epoch = epoch
      entry.batches = []
    }
    entry.transactionFrom = undefined
    entry.coordinatorEpoch = coordinatorEpoch
    entry.lastTimestampMs = timestampMs
    return from
  }

  /** The first offset of the oldest open transaction. */
  firstOpenTransaction(): bigint | undefined {
    let first: bigint | undefined
    for (const { transactionFrom } of this.#entries.values()) {
      if (transactionFrom !== undefined && (first === undefined || transactionFrom < first)) {
        first = transactionFrom
      }
    }
    return first
  }

  /** Forgets producers whose last batch is older than `expirationMs`, except those with an open transaction. */
  expire(nowMs: number, expirationMs: number): void {
    for (const [id, entry] of this.#entries) {
      if (entry.transactionFrom === undefined && nowMs - entry.lastTimestampMs >= expirationMs) {
        this.#entries.delete(id)
      }
    }
  }

  knows(producerId: bigint): boolean {
    return this.#entries.has(producerId)
  }

  /** Of the last marker for this producer, -1 when none is known. */
  coordinatorEpochOf(producerId: bigint): number {
    return this.#entries.get(producerId)?.coordinatorEpoch ?? -1
  }

  /** As DescribeProducers tells it. */
  remembered(): readonly RememberedProducer[] {
    return [...this.#entries].map(([producerId, entry]) => ({
      producerId,
      producerEpoch: entry.epoch,
      lastSequence: entry.batches.at(-1)?.lastSequence,
      lastTimestampMs: entry.lastTimestampMs,
      transactionStart: entry.transactionFrom,
    }))
  }

  #entry(producerId: bigint, epoch: number): ProducerEntry {
    let entry = this.#entries.get(producerId)
    if (entry === undefined) {
      entry = {
        epoch,
        batches: [],
        lastTimestampMs: -1,
        transactionFrom: undefined,
        coordinatorEpoch: -1,
      }
      this.#entries.set(producerId, entry)
    }
    return entry
  }
}

function judgeTransaction(entry: ProducerEntry | undefined, batch: ProducedBatch): SequenceVerdict {
  if (entry?.transactionFrom === undefined || batch.transactional) return { kind: 'append' }
  return refuse(INVALID_TXN_STATE, 'expected a transactional batch: the producer has an open transaction')
}

const refuse = (code: number, detail: string): SequenceVerdict => ({ kind: 'refuse', code, detail })

const lastSequenceOf = (batch: ProducedBatch): number =>
  sequenceAfter(batch.baseSequence, batch.lastOffsetDelta)

/** Sequences are 31 bits wide: after 2^31 - 1 comes 0. */
export const sequenceAfter = (sequence: number, count: number): number => (sequence + count) % 2 ** 31
