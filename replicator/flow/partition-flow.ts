import type { FetchedPartition, Lease, ProduceResult } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import { AbortedFilter } from '../records/aborted.ts'
import { baseOffset, lastOffset, maxTimestampMs, recordCount } from '../records/batch-header.ts'
import { CorruptBatchError } from '../records/corrupt-batch.ts'
import { crcMatches } from '../records/crc.ts'
import { type SourceOffset, sourceOffset } from '../records/offsets.ts'
import { nextBatch, type RawBatch, rawBatch } from '../records/record-batch.ts'
import { type ReencodeReason, routeBatch } from './batch-route.ts'
import type { Outgoing, PartitionWindow, SettledCounts } from './partition-window.ts'
import { produceVerdict } from './produce-verdict.ts'
import { reencodeFrom } from './reencoding.ts'
import type { Sender } from './target-lane.ts'

/** Why a partition does not move. `stopped` is final until the flow restarts; the others end by themselves. */
export type PartitionStatus =
  | { readonly kind: 'running' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'waiting'; readonly reason: string; readonly wayOut: string }
  | { readonly kind: 'stopped'; readonly reason: string; readonly wayOut: string }

/** What the target topic's configs mean for batches. */
export interface TargetTopicRules {
  /** `max.message.bytes`. */
  readonly batchBytesMax: number
  /** `message.timestamp.type=LogAppendTime`. */
  readonly stamps: boolean
}

export interface PartitionPlace {
  readonly sourceTopic: string
  readonly sourceTopicId: string | undefined
  readonly targetTopic: string
  readonly partition: number
}

/** What a partition tells the flow around it. */
export interface PartitionEvents {
  /** There is something to send. */
  readonly onSendable: (partition: PartitionFlow) => void
  /** Buffered bytes fell, or the status changed: it may be fetched again. */
  readonly onRoom: (partition: PartitionFlow) => void
  /** Every batch in flight has settled and the first one was refused. */
  readonly onRefused: (partition: PartitionFlow, error: KafkaError) => void
  readonly onReencoded: (partition: PartitionFlow, reason: ReencodeReason) => void
  readonly onWaiting: (partition: PartitionFlow, reason: string, wayOut: string) => void
  readonly onStopped: (partition: PartitionFlow, reason: string, wayOut: string) => void
}

/** One source partition on its way to its target partition: takes fetched bytes in, gives batches out. */
export class PartitionFlow implements Sender {
  readonly place: PartitionPlace
  readonly window: PartitionWindow
  readonly #events: PartitionEvents
  readonly #counts: SettledCounts
  readonly #startsAtEarliest: boolean
  #rules: TargetTopicRules
  #position: SourceOffset
  #lastStable: bigint | undefined
  #status: PartitionStatus = { kind: 'running' }

  constructor(
    place: PartitionPlace,
    window: PartitionWindow,
    rules: TargetTopicRules,
    events: PartitionEvents,
    counts: SettledCounts,
    startsAtEarliest: boolean,
  ) {
    this.place = place
    this.window = window
    this.#rules = rules
    this.#events = events
    this.#counts = counts
    this.#startsAtEarliest = startsAtEarliest
    this.#position = window.acknowledged.sourceNext
  }

  get targetTopic(): string {
    return this.place.targetTopic
  }

  get partition(): number {
    return this.place.partition
  }

  /** The source offset that is fetched next. */
  get position(): SourceOffset {
    return this.#position
  }

  get status(): PartitionStatus {
    return this.#status
  }

  get rules(): TargetTopicRules {
    return this.#rules
  }

  /** Committed source records that the target has not acknowledged, as of the last fetch. */
  get lagRecords(): number {
    const behind =
      (this.#lastStable ?? this.window.acknowledged.sourceNext) - this.window.acknowledged.sourceNext
    return behind > 0n ? Number(behind) : 0
  }

  get canSend(): boolean {
    return this.#status.kind !== 'stopped' && this.window.canSend
  }

  /**
   * The partition was to start where its source begins and no fetch has come back yet, so that "where it begins" may
   * move on with the source's retention. From then on a deleted record is a gap.
   */
  get isFresh(): boolean {
    return this.#startsAtEarliest && this.#lastStable === undefined
  }

  /** Whether fetching more is welcome, given how much may be buffered. */
  wantsFetch(bufferBytesMax: number): boolean {
    return this.#status.kind === 'running' && this.window.bytes < bufferBytesMax
  }

  learnTargetRules(rules: TargetTopicRules): void {
    this.#rules = rules
  }

  /** Moves a partition that has nothing buffered to where its source begins. */
  moveTo(position: SourceOffset): void {
    if (!this.window.isEmpty) throw new Error('A partition with buffered batches cannot be moved')
    this.window.skipTo(position)
    this.#position = position
  }

  pause(): void {
    if (this.#status.kind === 'running') this.#status = { kind: 'paused' }
  }

  resume(): void {
    if (this.#status.kind !== 'paused') return
    this.#status = { kind: 'running' }
    this.#events.onRoom(this)
  }

  /** Holds the partition back until {@link carryOn}. */
  wait(reason: string, wayOut: string): void {
    if (this.#status.kind === 'stopped') return
    const known = this.#status.kind === 'waiting' && this.#status.reason === reason
    this.#status = { kind: 'waiting', reason, wayOut }
    if (!known) this.#events.onWaiting(this, reason, wayOut)
  }

  /** As {@link wait}, for what mends itself in a moment: nobody needs to hear of it. */
  hold(reason: string): void {
    if (this.#status.kind !== 'stopped') {
      this.#status = { kind: 'waiting', reason, wayOut: 'None needed: it is tried again.' }
    }
  }

  carryOn(): void {
    if (this.#status.kind !== 'waiting') return
    this.#status = { kind: 'running' }
    this.#events.onRoom(this)
  }

  /** Ends the partition for good: loudly, with a way out. Nothing that was acknowledged is lost. */
  stop(reason: string, wayOut: string): void {
    if (this.#status.kind === 'stopped') return
    this.#status = { kind: 'stopped', reason, wayOut }
    if (this.window.inFlight === 0) this.window.abandon()
    this.#events.onStopped(this, reason, wayOut)
  }

  /** Ends the partition without a word: the flow ends or no longer takes it. */
  giveUp(): void {
    this.#status = { kind: 'stopped', reason: 'the flow ended', wayOut: 'Start it again.' }
    if (this.window.inFlight === 0) this.window.abandon()
  }

  send(): Outgoing {
    return this.window.send()
  }

  settled(outgoing: Outgoing, result: ProduceResult['result']): void {
    if (result.ok) this.window.acknowledge(outgoing, result.value.baseOffset, this.#counts)
    else if (produceVerdict(result.error).kind === 'already-there') {
      this.window.acknowledge(outgoing, undefined, this.#counts)
    } else this.window.refuse(outgoing, result.error)
    if (this.#status.kind === 'stopped') {
      if (this.window.inFlight === 0) this.window.abandon()
    } else if (this.window.mustRecover && this.window.failure !== undefined) {
      this.#events.onRefused(this, this.window.failure)
    }
    this.#events.onRoom(this)
  }

  /**
   * Takes what a fetch from {@link position} brought. Keeps references to `lease` for what it still needs when it
   * returns.
   */
  take(answer: FetchedPartition, lease: Lease): void {
    this.#lastStable = answer.lastStableOffset
    const { records } = answer
    const aborted = answer.aborted.length === 0 ? undefined : new AbortedFilter(answer.aborted)
    for (let at = 0; this.#status.kind !== 'stopped'; ) {
      const next = nextBatch(records, at)
      if (next.kind === 'partial') break
      if (next.kind !== 'batch') {
        this.#refuseSource(
          next.kind === 'malformed' ? next.reason : `its batch has the old format ${next.magic}`,
        )
        break
      }
      if (!crcMatches(records, at, next.bytes)) {
        this.#refuseSource('a batch does not match its checksum')
        break
      }
      const raw = rawBatch(records, at, next.bytes)
      this.#takeBatch(raw, this.#isAborted(raw, aborted), lease)
      at += next.bytes
    }
    if (this.canSend) this.#events.onSendable(this)
  }

  #isAborted(raw: RawBatch, aborted: AbortedFilter | undefined): boolean {
    if (aborted === undefined) return false
    try {
      return aborted.judge(raw) === 'aborted'
    } catch (error) {
      if (!(error instanceof CorruptBatchError)) throw error
      this.#refuseSource(`a transaction marker cannot be read: ${error.message}`)
      return true
    }
  }

  #takeBatch(raw: RawBatch, aborted: boolean, lease: Lease): void {
    if (this.#status.kind === 'stopped') return
    const { buffer, at, bytes } = raw
    const next = sourceOffset(lastOffset(buffer, at) + 1n)
    const route = routeBatch(buffer, at, bytes, {
      position: this.#position,
      aborted,
      targetBatchBytesMax: this.#rules.batchBytesMax,
      targetStamps: this.#rules.stamps,
    })
    if (route.kind === 'forward') {
      lease.retain()
      this.window.push({
        batch: buffer.subarray(at, at + bytes),
        records: recordCount(buffer, at),
        sourceBase: sourceOffset(baseOffset(buffer, at)),
        sourceNext: next,
        timestampMs: maxTimestampMs(buffer, at),
        lease,
      })
    } else if (route.kind === 'reencode') {
      if (!this.#reencode(raw, next, route.reason)) return
    } else if (route.reason !== 'before-position') {
      this.window.skipTo(next)
    }
    if (next > this.#position) this.#position = next
  }

  /** False when the partition had to be stopped. */
  #reencode(raw: RawBatch, next: SourceOffset, reason: ReencodeReason): boolean {
    const outcome = reencodeFrom(raw, this.#position, this.#rules.batchBytesMax)
    if (outcome.kind === 'refused') {
      this.stop(`${this.#where()}: ${outcome.reason}`, outcome.wayOut)
      return false
    }
    this.#events.onReencoded(this, reason)
    outcome.batches.forEach((encoded, index) => {
      const isLast = index === outcome.batches.length - 1
      this.window.push({
        batch: encoded.batch,
        records: encoded.recordCount,
        sourceBase: sourceOffset(encoded.firstOffset),
        sourceNext: isLast ? next : sourceOffset(encoded.lastOffset + 1n),
        timestampMs: maxTimestampMs(encoded.batch, 0),
        lease: unleased,
      })
    })
    this.window.skipTo(next)
    return true
  }

  /** Splits the batch that the target found too large, now that its limit is known. False when it cannot be done. */
  splitHead(rules: TargetTopicRules): boolean {
    const head = this.window.head
    if (head === undefined) return true
    this.#rules = rules
    // Its base offset was set to 0 when it was sent, so offsets read from it count from there.
    const outcome = reencodeFrom(rawBatch(head.batch, 0, head.batch.length), 0n, rules.batchBytesMax)
    if (outcome.kind === 'refused') {
      this.stop(`${this.#where()}: ${outcome.reason}`, outcome.wayOut)
      return false
    }
    this.#events.onReencoded(this, 'oversize')
    this.window.replaceHead(
      outcome.batches.map((encoded) => ({
        batch: encoded.batch,
        records: encoded.recordCount,
        sourceBase: sourceOffset(head.sourceBase + encoded.firstOffset),
        sourceNext: sourceOffset(head.sourceBase + encoded.lastOffset + 1n),
        timestampMs: maxTimestampMs(encoded.batch, 0),
        lease: unleased,
      })),
    )
    return true
  }

  #where(): string {
    return `${this.place.sourceTopic} partition ${this.partition} at source offset ${this.#position}`
  }

  #refuseSource(what: string): void {
    this.stop(
      `${this.#where()}: ${what}`,
      'Nothing behind it was forwarded. Check that partition of the source with kafka-dump-log; delete the damaged records (kafka-delete-records) or restore them, then restart the flow.',
    )
  }
}

/** Re-encoded batches have memory of their own, which the engine collects. */
export const unleased: Lease = { bytes: 0, retain: () => {}, release: () => {} }
