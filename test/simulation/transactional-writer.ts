import type { ProducerIdentity, TopicPartition, TransactionEnd } from '../../replicator/kafka/cluster.ts'
import type { GroupOffsetCommit } from '../../replicator/kafka/consumer-groups.ts'
import { buildBatch, type TestRecord } from './record-batches.ts'
import type { SimulatedBrokers } from './simulated-brokers.ts'

/** A producer of the tests' own that writes in transactions to simulated brokers. */
export class TransactionalWriter {
  readonly identity: ProducerIdentity
  readonly #brokers: SimulatedBrokers
  readonly #transactionalId: string
  readonly #sequences = new Map<string, number>()

  /** Takes the transactional id over: a predecessor's open transaction is aborted. */
  constructor(brokers: SimulatedBrokers, transactionalId: string) {
    this.#brokers = brokers
    this.#transactionalId = transactionalId
    this.identity = takeOver(brokers, transactionalId)
  }

  /** Appends one batch, beginning a transaction if none is open. @throws Error when a broker refuses */
  append(at: TopicPartition, records: readonly TestRecord[]): bigint {
    const added = this.#brokers.transactions.addPartitions(this.#transactionalId, this.identity, [at])
    if (!added.ok) throw new Error(`AddPartitionsToTxn: error ${added.code}`)
    const key = `${at.topic}/${at.partition}`
    const baseSequence = this.#sequences.get(key) ?? 0
    const batch = buildBatch(records, {
      transactional: true,
      producerId: this.identity.producerId,
      producerEpoch: this.identity.producerEpoch,
      baseSequence,
    })
    const answer = this.#brokers.produceTransactional({ ...at, batch }, this.identity)
    if (!answer.ok) throw new Error(`Produce: error ${answer.code} ${answer.detail ?? ''}`)
    this.#sequences.set(key, baseSequence + records.length)
    return answer.value.baseOffset
  }

  /** AddOffsetsToTxn and TxnOffsetCommit. @throws Error when a broker refuses */
  commitOffsets(group: string, commits: readonly GroupOffsetCommit[]): void {
    const at = this.#brokers.offsetsLog.partitionOf(group)
    const added = this.#brokers.transactions.addPartitions(this.#transactionalId, this.identity, [at])
    if (!added.ok) throw new Error(`AddOffsetsToTxn: error ${added.code}`)
    const committed = this.#brokers.offsets.commitInTransaction(group, commits, this.identity)
    if (!committed.ok) throw new Error(`TxnOffsetCommit: error ${committed.code}`)
  }

  /** Its markers are written at once, where there are leaders. @throws Error when the coordinator refuses */
  end(end: TransactionEnd): void {
    const ended = this.#brokers.transactions.endTransaction(this.#transactionalId, this.identity, end)
    if (!ended.ok) throw new Error(`EndTxn: error ${ended.code}`)
    this.#brokers.transactions.settle(this.#transactionalId)
  }
}

/** As a real producer does by waiting: a predecessor's transaction is ended first. */
function takeOver(brokers: SimulatedBrokers, transactionalId: string): ProducerIdentity {
  for (let attempt = 0; attempt < 2; attempt++) {
    const answer = brokers.transactions.initProducerId(transactionalId, undefined, Number.POSITIVE_INFINITY)
    if (answer.ok) return answer.value
    brokers.transactions.settle(transactionalId)
  }
  throw new Error(`InitProducerId: the last transaction of ${transactionalId} cannot be ended`)
}
