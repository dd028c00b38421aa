import type { Lease, ProducerIdentity } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import { rewriteForTarget } from '../records/batch-header.ts'
import { type SourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import { PARTITION_IN_FLIGHT_MAX } from './flow-limits.ts'

/** A record batch on its way to the target. */
export interface Outgoing {
  readonly batch: Buffer
  readonly records: number
  /** Source offset of its first record. */
  readonly sourceBase: SourceOffset
  /** Where the source partition goes on once this batch, and what was skipped right behind it, is acknowledged. */
  readonly sourceNext: SourceOffset
  /** Largest timestamp in the batch, in milliseconds since the epoch. */
  readonly timestampMs: number
  /** Keeps the batch's memory; released when the batch is acknowledged or given up. */
  readonly lease: Lease
}

/** How far a partition got: all forwardable source records below `sourceNext` are in the target. */
export interface Acknowledged {
  readonly sourceNext: SourceOffset
  /** The target offset behind the last acknowledged record; `undefined` until the target told one. */
  readonly targetNext: TargetOffset | undefined
}

type EntryState = 'queued' | 'in-flight' | 'acknowledged'

interface Entry {
  readonly outgoing: Outgoing
  sourceNext: SourceOffset
  state: EntryState
  /** First sequence number, once it was assigned. */
  sequence: number | undefined
  targetNext: TargetOffset | undefined
}

export interface SettledCounts {
  records: number
  bytes: number
  batches: number
}

/**
 * The batches of one partition between fetch and acknowledgement.
 *
 *      acknowledged prefix   in flight (<= 5)     queued
 *   ---------------------->|==================|.............
 *      `acknowledged`        sequences assigned, consecutive
 *
 * Invariants:
 *   A. Entries stand in source order; each one's `sourceNext` lies above the one before.
 *   B. Sequence numbers are assigned in entry order, each the one before plus its records, modulo 2^31.
 *   C. `acknowledged` moves only over a contiguous prefix of acknowledged entries.
 *   D. A lease is released exactly once: on leaving the window.
 *   E. While `failure` is set nothing is sent; when the last in-flight entry has settled, `rewind` queues the
 *      unacknowledged ones again, with the sequences they had: a broker that has them answers with their offset.
 *   F. Until a producer id's first batch is acknowledged it is alone in flight: a broker that does not know the id
 *      takes any sequence as the first one, so the second batch could pass a first one that was refused.
 */
export class PartitionWindow {
  #producer: ProducerIdentity
  #nextSequence = 0
  readonly #entries: Entry[] = []
  #inFlight = 0
  #queuedFrom = 0
  #bytes = 0
  #failure: KafkaError | undefined
  /** Whether the target knows the producer id here. */
  #isKnown = false
  #acknowledged: Acknowledged

  constructor(producer: ProducerIdentity, start: Acknowledged) {
    this.#producer = producer
    this.#acknowledged = start
  }

  /** The producer id that batches are now sent with. */
  get producer(): ProducerIdentity {
    return this.#producer
  }

  get acknowledged(): Acknowledged {
    return this.#acknowledged
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** The first refusal since the last rewind; nothing is sent while there is one. */
  get failure(): KafkaError | undefined {
    return this.#failure
  }

  get canSend(): boolean {
    return (
      this.#failure === undefined &&
      this.#inFlight < (this.#isKnown ? PARTITION_IN_FLIGHT_MAX : 1) &&
      this.#queuedFrom < this.#entries.length
    )
  }

  /** Every in-flight batch has settled and one failed: time to decide, then {@link rewind} or {@link abandon}. */
  get mustRecover(): boolean {
    return this.#failure !== undefined && this.#inFlight === 0
  }

  /** When the oldest unacknowledged batch was stamped, or `undefined` when there is none. */
  get oldestTimestampMs(): number | undefined {
    return this.#entries[0]?.outgoing.timestampMs
  }

  /** The batch that everything behind it waits for. */
  get head(): Outgoing | undefined {
    return this.#entries[0]?.outgoing
  }

  push(outgoing: Outgoing): void {
    const last = this.#entries.at(-1)?.sourceNext ?? this.#acknowledged.sourceNext
    if (outgoing.sourceNext <= last)
      throw new Error(`Batch up to ${outgoing.sourceNext} pushed behind ${last}`)
    this.#entries.push({
      outgoing,
      sourceNext: outgoing.sourceNext,
      state: 'queued',
      sequence: undefined,
      targetNext: undefined,
    })
    this.#bytes += outgoing.batch.length
  }

  /** Source offsets up to `sourceNext` hold nothing to forward: they count as done once what is before them is. */
  skipTo(sourceNext: SourceOffset): void {
    const last = this.#entries.at(-1)
    if (last !== undefined) {
      if (sourceNext > last.sourceNext) last.sourceNext = sourceNext
    } else if (sourceNext > this.#acknowledged.sourceNext) {
      this.#acknowledged = { ...this.#acknowledged, sourceNext }
    }
  }

  /**
   * The next batch to send, rewritten for the target and counted as in flight.
   * @throws Error unless {@link canSend}
   */
  send(): Outgoing {
    const entry = this.#entries[this.#queuedFrom]
    if (entry === undefined || !this.canSend) throw new Error('There is no batch to send')
    this.#queuedFrom++
    while (this.#entries[this.#queuedFrom]?.state === 'acknowledged') this.#queuedFrom++
    this.#inFlight++
    entry.state = 'in-flight'
    if (entry.sequence === undefined) {
      entry.sequence = this.#nextSequence
      this.#nextSequence = (this.#nextSequence + entry.outgoing.records) & 0x7fffffff
      rewriteForTarget(entry.outgoing.batch, 0, { ...this.#producer, baseSequence: entry.sequence })
    }
    return entry.outgoing
  }

  /** The target holds `outgoing` from `baseOffset` on. Adds what became contiguous to `counts`. */
  acknowledge(outgoing: Outgoing, baseOffset: bigint | undefined, counts: SettledCounts): void {
    const entry = this.#settle(outgoing)
    this.#isKnown = true
    entry.state = 'acknowledged'
    entry.targetNext =
      baseOffset === undefined ? undefined : targetOffset(baseOffset + BigInt(outgoing.records))
    this.#advance(counts)
  }

  /** The target did not take `outgoing`, or nobody knows whether it did. */
  refuse(outgoing: Outgoing, error: KafkaError): void {
    const entry = this.#settle(outgoing)
    entry.state = 'queued'
    this.#failure ??= error
  }

  /** Queues all unacknowledged batches again, in order and with the sequences they had. */
  rewind(): void {
    this.#requireSettled()
    this.#failure = undefined
    this.#queuedFrom = this.#entries.findIndex((entry) => entry.state === 'queued')
    if (this.#queuedFrom === -1) this.#queuedFrom = this.#entries.length
  }

  /** As {@link rewind}, under another producer id whose sequences start at 0. Acknowledged ones behind a gap go again: order before economy. */
  restart(producer: ProducerIdentity): void {
    this.#requireSettled()
    this.#producer = producer
    this.#isKnown = false
    this.#nextSequence = 0
    this.#resend()
  }

  #resend(): void {
    for (const entry of this.#entries) {
      entry.state = 'queued'
      entry.sequence = undefined
    }
    this.#failure = undefined
    this.#queuedFrom = 0
  }

  /**
   * Replaces the head, which the target has refused for good, by other batches with the same records: a
   * re-encoded or split form. Sequence numbers go on from the head's, which the refusal has not used up.
   */
  replaceHead(replacements: readonly Outgoing[]): void {
    this.#requireSettled()
    const head = this.#entries.shift()
    if (head === undefined) throw new Error('There is no batch to replace')
    const last = replacements.length - 1
    const entries = replacements.map((outgoing, index): Entry => {
      const sourceNext = index === last ? head.sourceNext : outgoing.sourceNext
      return { outgoing, sourceNext, state: 'queued', sequence: undefined, targetNext: undefined }
    })
    this.#entries.unshift(...entries)
    this.#bytes -= head.outgoing.batch.length
    for (const { batch } of replacements) this.#bytes += batch.length
    this.#nextSequence = head.sequence ?? this.#nextSequence
    head.outgoing.lease.release()
    this.#resend()
  }

  /**
   * Gives back the memory of batches that get nowhere: those that were never sent leave the window, to be fetched
   * again; the others (the head in any case) move to memory of their own, so that they hold no fetched frame.
   * @returns where to fetch on
   */
  shrink(ownCopy: (batch: Buffer) => Pick<Outgoing, 'batch' | 'lease'>): SourceOffset {
    this.#requireSettled()
    const sent = this.#entries.findLastIndex(({ sequence }) => sequence !== undefined) + 1
    for (const { outgoing } of this.#entries.splice(Math.max(1, sent))) {
      this.#bytes -= outgoing.batch.length
      outgoing.lease.release()
    }
    for (const [index, entry] of this.#entries.entries()) {
      const { lease } = entry.outgoing
      this.#entries[index] = { ...entry, outgoing: { ...entry.outgoing, ...ownCopy(entry.outgoing.batch) } }
      lease.release()
    }
    this.#queuedFrom = Math.min(this.#queuedFrom, this.#entries.length)
    return this.#entries.at(-1)?.sourceNext ?? this.#acknowledged.sourceNext
  }

  /** Gives everything up and releases its memory. In-flight batches must have settled. */
  abandon(): void {
    if (this.#inFlight > 0) throw new Error(`${this.#inFlight} batches are still in flight`)
    for (const entry of this.#entries) entry.outgoing.lease.release()
    this.#entries.length = 0
    this.#queuedFrom = 0
    this.#bytes = 0
    this.#failure = undefined
  }

  #settle(outgoing: Outgoing): Entry {
    // The answered one is among the first few: at most five are in flight.
    const entry = this.#entries.find((candidate) => candidate.outgoing === outgoing)
    if (entry === undefined || entry.state !== 'in-flight')
      throw new Error('A batch settled that was not in flight')
    this.#inFlight--
    return entry
  }

  #advance(counts: SettledCounts): void {
    let done = 0
    for (const entry of this.#entries) {
      if (entry.state !== 'acknowledged') break
      this.#acknowledged = {
        sourceNext: entry.sourceNext,
        targetNext: entry.targetNext ?? this.#acknowledged.targetNext,
      }
      counts.records += entry.outgoing.records
      counts.bytes += entry.outgoing.batch.length
      counts.batches++
      this.#bytes -= entry.outgoing.batch.length
      entry.outgoing.lease.release()
      done++
    }
    if (done === 0) return
    this.#entries.splice(0, done)
    this.#queuedFrom -= done
  }

  #requireSettled(): void {
    if (this.#inFlight > 0) throw new Error(`${this.#inFlight} batches are still in flight`)
  }
}
