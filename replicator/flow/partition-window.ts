import type { Lease, ProducerIdentity } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import { rewriteForTarget, sequenceAfter } from '../records/batch-header.ts'
import { type SourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import type { OffsetRun } from '../records/reencode.ts'
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
  /** Source offsets of its records, where they do not simply follow `sourceBase`. */
  readonly offsets?: readonly OffsetRun[]
}

/** How far a partition got: the forwardable source records below `sourceNext` are in the target below `targetNext`. */
export interface Acknowledged {
  readonly sourceNext: SourceOffset
  readonly targetNext: TargetOffset
  /** The sequence number of the record that follows. */
  readonly sequence: number
}

/** What else came to light with an acknowledgement. */
export interface Acknowledgement {
  /** Target offsets that lie between two batches of ours: somebody else wrote them. */
  readonly gap: { readonly from: TargetOffset; readonly to: TargetOffset } | undefined
  /** A batch was taken although one before it was refused: the order is broken on the target. */
  readonly overtook: boolean
}

type EntryState = 'queued' | 'in-flight' | 'acknowledged'

interface Entry {
  readonly outgoing: Outgoing
  sourceNext: SourceOffset
  state: EntryState
  /** First sequence number, once it was assigned. */
  sequence: number | undefined
  /** Wall time of the first sending. */
  sentMs: number
  /** It was sent, and nobody knows what became of it. */
  isUnsure: boolean
  targetBase: TargetOffset | undefined
}

/** How long the target is sure to remember a producer's batches, and by which clock. */
export interface TargetMemory {
  readonly ms: number
  /** Wall time. */
  readonly nowMs: () => number
  /** Whether the target topic stamps records itself; otherwise it forgets by the records' own timestamps. */
  readonly stamps: () => boolean
}

/** Told of every batch in source order, when all before it are acknowledged too. */
export type OnCopied = (outgoing: Outgoing, targetBase: TargetOffset) => void

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
 *   F. The first batch, and the first after a long pause, is alone in flight: a broker that does not know the producer
 *      takes any sequence as the first one, so the second batch could pass a first one that was refused.
 *   G. A batch whose fate is unknown is sent again only while the target is sure to remember it ({@link isStale}).
 */
export class PartitionWindow {
  /** Whom all batches are sent by. */
  readonly producer: ProducerIdentity
  #nextSequence: number
  readonly #entries: Entry[] = []
  #inFlight = 0
  #queuedFrom = 0
  #bytes = 0
  #failure: KafkaError | undefined
  /** When the target last took a batch of this producer here. */
  #knownMs = Number.NEGATIVE_INFINITY
  readonly #memory: TargetMemory
  /** May be true for a moment after the last one has gone. */
  #hasUnsure = false
  /** {@link acknowledged}, field by field: it changes with every batch. */
  #sourceNext: SourceOffset
  #targetNext: TargetOffset
  #sequence: number
  readonly #onCopied: OnCopied

  /** @param start where the partition goes on; its sequence is that of the first batch */
  constructor(
    producer: ProducerIdentity,
    start: Acknowledged,
    memory: TargetMemory,
    onCopied: OnCopied = () => {},
  ) {
    this.producer = producer
    this.#onCopied = onCopied
    this.#sourceNext = start.sourceNext
    this.#targetNext = start.targetNext
    this.#sequence = start.sequence
    this.#nextSequence = start.sequence
    this.#memory = memory
  }

  get acknowledged(): Acknowledged {
    return { sourceNext: this.#sourceNext, targetNext: this.#targetNext, sequence: this.#sequence }
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
      this.#queuedFrom < this.#entries.length &&
      (this.#inFlight === 0 || (this.#inFlight < PARTITION_IN_FLIGHT_MAX && this.#isKnown))
    )
  }

  get #isKnown(): boolean {
    return this.#memory.nowMs() - this.#knownMs < this.#memory.ms
  }

  /**
   * The next batch was sent before, nobody knows what became of it, and the target may have forgotten it by now: it
   * would take it a second time. The partition must be taken anew.
   */
  get isStale(): boolean {
    if (!this.#hasUnsure) return false
    const { nowMs, ms, stamps } = this.#memory
    const oldestMs = nowMs() - ms
    this.#hasUnsure = this.#entries.some(({ isUnsure }) => isUnsure)
    return this.#entries.some(
      ({ isUnsure, sentMs, state, outgoing }) =>
        isUnsure &&
        state === 'queued' &&
        (stamps() ? sentMs : Math.min(sentMs, outgoing.timestampMs)) < oldestMs,
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
    const last = this.#entries.at(-1)?.sourceNext ?? this.#sourceNext
    if (outgoing.sourceNext <= last)
      throw new Error(`Batch up to ${outgoing.sourceNext} pushed behind ${last}`)
    this.#entries.push(newEntry(outgoing, outgoing.sourceNext))
    this.#bytes += outgoing.batch.length
  }

  /** Source offsets up to `sourceNext` hold nothing to forward: they count as done once what is before them is. */
  skipTo(sourceNext: SourceOffset): void {
    const last = this.#entries.at(-1)
    if (last !== undefined) {
      if (sourceNext > last.sourceNext) last.sourceNext = sourceNext
    } else if (sourceNext > this.#sourceNext) {
      this.#sourceNext = sourceNext
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
      entry.sentMs = this.#memory.nowMs()
      this.#nextSequence = sequenceAfter(this.#nextSequence, entry.outgoing.records)
      const { producerId, producerEpoch } = this.producer
      rewriteForTarget(entry.outgoing.batch, 0, { producerId, producerEpoch, baseSequence: entry.sequence })
    }
    return entry.outgoing
  }

  /** The target holds `outgoing` from `baseOffset` on. Adds what became contiguous to `counts`. */
  acknowledge(outgoing: Outgoing, baseOffset: bigint, counts: SettledCounts): Acknowledgement {
    const entry = this.#settle(outgoing)
    // Without a refusal batches are sent in order, so none before it can be waiting.
    const overtook = this.#failure !== undefined && this.#isBehindQueued(entry)
    entry.state = 'acknowledged'
    entry.targetBase = targetOffset(baseOffset)
    this.#knownMs = this.#memory.nowMs()
    const gap = this.#advance(counts)
    return gap === undefined && !overtook ? asExpected : { gap, overtook }
  }

  #isBehindQueued(entry: Entry): boolean {
    return this.#entries.slice(0, this.#entries.indexOf(entry)).some(({ state }) => state === 'queued')
  }

  /** The target did not take `outgoing`; `isUnsure`: nobody knows whether it did. */
  refuse(outgoing: Outgoing, error: KafkaError, isUnsure: boolean): void {
    const entry = this.#settle(outgoing)
    entry.state = 'queued'
    entry.isUnsure ||= isUnsure
    this.#hasUnsure ||= isUnsure
    this.#failure ??= error
  }

  /** Nobody knows what became of some of what was sent. */
  get hasUnsure(): boolean {
    return this.#entries.some(({ isUnsure }) => isUnsure)
  }

  /** Queues all unacknowledged batches again, in order and with the sequences they had. */
  rewind(): void {
    this.#requireSettled()
    this.#failure = undefined
    this.#queuedFrom = this.#entries.findIndex((entry) => entry.state === 'queued')
    if (this.#queuedFrom === -1) this.#queuedFrom = this.#entries.length
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
      return newEntry(outgoing, index === last ? head.sourceNext : outgoing.sourceNext)
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
    return this.#entries.at(-1)?.sourceNext ?? this.#sourceNext
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

  #advance(counts: SettledCounts): Acknowledgement['gap'] {
    let gap: Acknowledgement['gap']
    while (true) {
      const entry = this.#entries[0]
      if (entry?.targetBase === undefined || entry.state !== 'acknowledged') return gap
      const { outgoing, targetBase } = entry
      const { records, batch } = outgoing
      if (targetBase !== this.#targetNext) gap = { from: gap?.from ?? this.#targetNext, to: targetBase }
      this.#sourceNext = entry.sourceNext
      this.#targetNext = targetOffset(targetBase + BigInt(records))
      this.#sequence = sequenceAfter(this.#sequence, records)
      this.#onCopied(outgoing, targetBase)
      counts.records += records
      counts.bytes += batch.length
      counts.batches++
      this.#bytes -= batch.length
      outgoing.lease.release()
      this.#entries.shift()
      this.#queuedFrom--
    }
  }

  #requireSettled(): void {
    if (this.#inFlight > 0) throw new Error(`${this.#inFlight} batches are still in flight`)
  }
}

/** What nearly every acknowledgement brings. */
const asExpected: Acknowledgement = { gap: undefined, overtook: false }

function newEntry(outgoing: Outgoing, sourceNext: SourceOffset): Entry {
  return {
    outgoing,
    sourceNext,
    state: 'queued',
    sequence: undefined,
    sentMs: 0,
    isUnsure: false,
    targetBase: undefined,
  }
}
