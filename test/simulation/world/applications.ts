import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { buildBatch, type TestRecord } from '../record-batches.ts'
import type { SimulatedBrokers } from '../simulated-brokers.ts'
import { TransactionalWriter } from '../transactional-writer.ts'
import type { Workload } from './plan.ts'
import type { SourceLedger, WrittenRecord } from './source-ledger.ts'

/** Writes to the source as applications would, and notes what it took. */
export class Applications {
  readonly #source: SimulatedBrokers
  readonly #ledgerOf: (at: TopicPartition) => SourceLedger
  readonly #writers = new Map<number, Writer>()
  #serial = 0

  constructor(source: SimulatedBrokers, ledgerOf: (at: TopicPartition) => SourceLedger) {
    this.#source = source
    this.#ledgerOf = ledgerOf
  }

  act(work: Extract<Workload, { kind: 'write' | 'write-in-transaction' }>, at: TopicPartition): void {
    if (this.#source.partition(at).leader === undefined) return
    if (work.kind === 'write') this.#write(work, at)
    else this.#writerOf(work.writer).append(at, this.#records(work.records, 0, false, 0), this.#ledgerOf(at))
  }

  end(writer: number, how: 'commit' | 'abort'): void {
    this.#writers.get(writer)?.end(how)
  }

  /** Ends every open transaction. */
  finish(): void {
    for (const writer of this.#writers.values()) writer.end('commit')
  }

  #write(
    { records: count, codec, padding, ageMs, tombstones }: Workload & { kind: 'write' },
    at: TopicPartition,
  ) {
    const records = this.#records(count, padding, tombstones, ageMs)
    const { leader } = this.#source.partition(at)
    if (leader === undefined) return
    const [answer] = this.#source.produce(leader, [{ ...at, batch: buildBatch(records, { codec }) }])
    if (answer?.ok !== true) return
    this.#ledgerOf(at).wrote(answer.value.baseOffset, records, 'committed', answer.value.logAppendTimeMs)
  }

  #records(count: number, padding: number, tombstones: boolean, ageMs: number): readonly TestRecord[] {
    const wallMs = this.#source.clock.wallMs() - ageMs
    return Array.from({ length: count }, (_, offsetDelta) => {
      const serial = this.#serial++
      const value = tombstones && serial % 3 === 0 ? null : Buffer.from(`v${serial} ${'x'.repeat(padding)}`)
      return {
        offsetDelta,
        timestampMs: wallMs + (serial % 5),
        key: Buffer.from(`k${serial % 5}`),
        value,
        // Makes a tombstone, too, a record like no other.
        headers: [['serial', Buffer.from(String(serial))]],
      }
    })
  }

  #writerOf(number: number): Writer {
    let writer = this.#writers.get(number)
    if (writer === undefined) {
      writer = new Writer(this.#source, `writer-${number}`)
      this.#writers.set(number, writer)
    }
    return writer
  }
}

/** A transactional producer and what it has in its open transaction. */
class Writer {
  readonly #source: SimulatedBrokers
  readonly #writer: TransactionalWriter
  #open: WrittenRecord[] = []

  constructor(source: SimulatedBrokers, transactionalId: string) {
    this.#source = source
    this.#writer = new TransactionalWriter(source, transactionalId)
  }

  /** Nothing is written while the brokers do not take it. */
  append(at: TopicPartition, records: readonly TestRecord[], ledger: SourceLedger): void {
    let baseOffset: bigint
    try {
      baseOffset = this.#writer.append(at, records)
    } catch {
      return
    }
    const nowMs = this.#source.clock.wallMs()
    const stamps =
      this.#source.topics.byName(at.topic)?.overrides.get('message.timestamp.type') === 'LogAppendTime'
    this.#open.push(...ledger.wrote(baseOffset, records, 'open', stamps ? nowMs : undefined))
  }

  end(how: 'commit' | 'abort'): void {
    if (this.#open.length === 0) return
    try {
      this.#writer.end(how)
    } catch {
      return
    }
    for (const record of this.#open) record.state = how === 'commit' ? 'committed' : 'aborted'
    this.#open = []
  }
}
