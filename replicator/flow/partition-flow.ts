import type { FetchedPartition, Lease, ProduceResult } from '../kafka/cluster.ts'
import { AbortedFilter } from '../records/aborted.ts'
import { baseOffset, lastOffset, maxTimestampMs, recordCount } from '../records/batch-header.ts'
import { CorruptBatchError } from '../records/corrupt-batch.ts'
import { crcMatches } from '../records/crc.ts'
import { type SourceOffset, sourceOffset } from '../records/offsets.ts'
import { nextBatch, type RawBatch, rawBatch } from '../records/record-batch.ts'
import { mayBeAppended } from '../shards/may-be-appended.ts'
import type { StoppedForGood } from '../shards/progress-record.ts'
import { type ReencodeReason, routeBatch } from './batch-route.ts'
import { EpochTrail } from './epoch-trail.ts'
import { damageWayOut, oldFormatWayOut } from './fetch-verdict.ts'
import type { PartitionPlace, PartitionStatus, Side, TargetTopicRules } from './partition-place.ts'
import type { SurroundingsOf } from './partition-surroundings.ts'
import type { Outgoing, PartitionWindow, SettledCounts } from './partition-window.ts'
import { reencodeFrom, splitRefused } from './reencoding.ts'
import type { Sender } from './target-lane.ts'

/** What a partition has from the flow around it, and tells it. */
export type PartitionSurroundings = SurroundingsOf<PartitionFlow>

/** One source partition on its way to its target partition: takes fetched bytes in, gives batches out. */
export class PartitionFlow implements Sender {
  readonly place: PartitionPlace
  readonly window: PartitionWindow
  readonly #around: PartitionSurroundings
  readonly #counts: SettledCounts
  readonly #startsAtEarliest: boolean
  /** Failures since the last success, on either side; for those who decide how long to wait. */
  readonly failures = { reading: 0, sending: 0 }
  /** Which leader epochs of the source were read how far. */
  readonly epochs = new EpochTrail()
  #lastTimestampMs: number | undefined
  #stoppedForGood: StoppedForGood | undefined
  #rules: TargetTopicRules
  #position: SourceOffset
  #lastStable: bigint | undefined
  #status: PartitionStatus = running
  #isPaused = false
  #isEnded = false
  #isStale = false
  /** Buffered batches get nowhere: nothing more is fetched until one does. */
  #isStuck = false
  #told: { readonly side: Side; readonly reason: string } | undefined

  constructor(
    place: PartitionPlace,
    window: PartitionWindow,
    rules: TargetTopicRules,
    around: PartitionSurroundings,
    counts: SettledCounts,
    startsAtEarliest: boolean,
  ) {
    this.place = place
    this.window = window
    this.#rules = rules
    this.#around = around
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
    return this.#isPaused && this.#status.kind === 'running' ? paused : this.#status
  }

  /** Nothing more is sent, whatever is buffered. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Whether something is on its way to the target that may still arrive: not what the target refuses or has no place for. */
  get isSettling(): boolean {
    return !this.#isEnded && !this.window.isEmpty && (!this.#isStuck || this.window.inFlight > 0)
  }

  /** Largest timestamp of the last batch that was read, in milliseconds since the epoch. */
  get lastTimestampMs(): number | undefined {
    return this.#lastTimestampMs
  }

  /** Why nothing but a person's decision lifts the stop. */
  get stoppedForGood(): StoppedForGood | undefined {
    return this.#stoppedForGood
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

  get wantsToSend(): boolean {
    return !this.#isEnded && !this.#isStale && this.window.canSend
  }

  /** Looks at everything that may forbid it, and tells those who can lift it. */
  send(): Outgoing | undefined {
    if (!this.wantsToSend) return undefined
    if (this.window.isStale) this.takeAnew()
    else if (this.#around.mayWrite()) return this.window.send()
    else this.#around.onUnproven(this)
    return undefined
  }

  /** Sends nothing more; the partition is to be taken anew. */
  takeAnew(): void {
    if (this.#isStale || this.#isEnded) return
    this.#isStale = true
    this.#around.onStale(this)
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
    return (
      this.#status.kind === 'running' &&
      !this.#isPaused &&
      !this.#isStuck &&
      this.window.bytes < bufferBytesMax
    )
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
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#around.onRoom(this)
  }

  /** Holds the partition back until {@link carryOn}, and says so once. */
  wait(side: Side, reason: string, wayOut: string): void {
    if (this.#status.kind === 'stopped') return
    this.#status = { kind: 'waiting', reason, wayOut }
    if (this.#told?.reason === reason) return
    this.#told = { side, reason }
    this.#around.onWaiting(this, reason, wayOut)
  }

  /** As {@link wait}, for what mends itself in a moment: nobody needs to hear of it. */
  hold(reason: string): void {
    if (this.#status.kind !== 'stopped') {
      this.#status = { kind: 'waiting', reason, wayOut: 'None needed: it is tried again.' }
    }
  }

  carryOn(): void {
    if (this.#status.kind !== 'waiting') return
    this.#status = running
    this.#around.onRoom(this)
  }

  /**
   * What is buffered gets nowhere for now: keeps only what was sent, or the first batch, so that other partitions are
   * not kept from the memory. The rest is fetched again once something was acknowledged.
   */
  shrink(): void {
    if (this.#isStuck || this.window.isEmpty || this.window.inFlight > 0) return
    this.#isStuck = true
    this.#position = this.window.shrink((batch) => ({
      batch: Buffer.from(batch),
      lease: this.#around.ownMemory(batch.length),
    }))
  }

  /** Ends the partition for good: loudly, with a way out. Nothing that was acknowledged is lost. */
  stop(reason: string, wayOut: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#tellStopped(reason, wayOut)
    if (this.window.inFlight === 0) this.window.abandon()
  }

  /** As {@link stop}; restarts and takeovers do not lift it: progress says it too. */
  stopForGood(reason: string, wayOut: string): void {
    if (this.#isEnded) return
    this.#stoppedForGood = { reason, wayOut }
    this.stop(reason, wayOut)
  }

  /** Reads no further, loudly. What was taken before still goes to the target. */
  stopReading(reason: string, wayOut: string): void {
    if (this.#status.kind !== 'stopped') this.#tellStopped(reason, wayOut)
  }

  #tellStopped(reason: string, wayOut: string): void {
    this.#status = { kind: 'stopped', reason, wayOut }
    this.#around.onStopped(this, reason, wayOut)
  }

  /** Ends the partition without a word: the flow ends or no longer takes it. */
  giveUp(): void {
    this.#isEnded = true
    this.#status = { kind: 'stopped', reason: 'the flow ended', wayOut: 'Start it again.' }
    if (this.window.inFlight === 0) this.window.abandon()
  }

  settled(outgoing: Outgoing, result: ProduceResult['result']): void {
    if (result.ok) this.#acknowledged(outgoing, result.value.baseOffset)
    else this.window.refuse(outgoing, result.error, mayBeAppended(result.error))
    if (this.#isEnded) {
      if (this.window.inFlight === 0) this.window.abandon()
    } else if (this.window.mustRecover && this.window.failure !== undefined) {
      this.#around.onRefused(this, this.window.failure)
    }
    this.#around.onRoom(this)
  }

  #acknowledged(outgoing: Outgoing, baseOffset: bigint): void {
    const { gap, overtook } = this.window.acknowledge(outgoing, baseOffset, this.#counts)
    this.failures.sending = 0
    this.#isStuck = false
    this.#recovered('target')
    if (gap !== undefined) this.#around.onTargetGap(this, gap.from, gap.to)
    if (overtook)
      this.stop(
        `${this.place.targetTopic} partition ${this.partition}: the target took source offset ${outgoing.sourceBase} although it had refused a batch before it`,
        overtookWayOut,
      )
  }

  #recovered(side: Side): void {
    if (this.#told?.side !== side) return
    this.#told = undefined
    this.#around.onRecovered(this)
  }

  /**
   * Takes what a fetch from {@link position} brought. Keeps references to `lease` for what it still needs when it
   * returns.
   */
  take(answer: FetchedPartition, lease: Lease): void {
    this.#lastStable = answer.lastStableOffset
    this.failures.reading = 0
    this.#recovered('source')
    const { records } = answer
    const aborted = answer.aborted.length === 0 ? undefined : new AbortedFilter(answer.aborted)
    let [first, last] = [-1, -1]
    for (let at = 0; this.#status.kind !== 'stopped'; ) {
      const next = nextBatch(records, at)
      if (next.kind === 'partial') break
      if (next.kind !== 'batch') {
        if (next.kind === 'malformed') this.#refuseSource(next.reason)
        else this.#refuseSource(`its batch has the format ${next.magic}, not 2 (Kafka 0.11)`, oldFormatWayOut)
        break
      }
      if (!crcMatches(records, at, next.bytes)) {
        this.#refuseSource('a batch does not match its checksum')
        break
      }
      const raw = rawBatch(records, at, next.bytes)
      if (this.#takeBatch(raw, this.#isAborted(raw, aborted), lease)) {
        if (first === -1) first = at
        last = at
      }
      at += next.bytes
    }
    if (first !== -1) {
      this.epochs.tookAnswer(records, first, last)
      this.#lastTimestampMs = maxTimestampMs(records, last)
    }
    if (this.wantsToSend) this.#around.onSendable(this)
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

  /** False when the partition had to be stopped. */
  #takeBatch(raw: RawBatch, aborted: boolean, lease: Lease): boolean {
    if (this.#status.kind === 'stopped') return false
    const { buffer, at, bytes } = raw
    const { forwards } = this.#around
    const next = sourceOffset(lastOffset(buffer, at) + 1n)
    const route = routeBatch(buffer, at, bytes, {
      position: this.#position,
      aborted,
      foreign: forwards !== undefined && !forwards(buffer, at),
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
      if (!this.#reencode(raw, next, route.reason)) return false
    } else if (route.reason !== 'before-position') {
      this.window.skipTo(next)
    }
    if (next > this.#position) this.#position = next
    return true
  }

  /** False when the partition had to be stopped. */
  #reencode(raw: RawBatch, next: SourceOffset, reason: ReencodeReason): boolean {
    const { ownMemory } = this.#around
    const outcome = reencodeFrom(raw, this.#position, this.#rules.batchBytesMax, ownMemory)
    if (outcome.kind === 'refused') {
      this.stopReading(`${this.#where()}: ${outcome.reason}`, outcome.wayOut)
      return false
    }
    this.#around.onReencoded(this, reason)
    for (const batch of outcome.batches) this.window.push(batch)
    this.window.skipTo(next)
    return true
  }

  /** Splits the batch that the target found too large, now that its limit is known. False when it cannot be done. */
  splitHead(rules: TargetTopicRules): boolean {
    const { head } = this.window
    if (head === undefined) return true
    if (this.window.hasUnsure) {
      this.takeAnew()
      return false
    }
    this.#rules = rules
    const outcome = splitRefused(head, rules.batchBytesMax, this.#around.ownMemory)
    if (outcome.kind === 'refused') {
      this.stop(
        `${this.place.sourceTopic} partition ${this.partition} at source offset ${head.sourceBase}: ${outcome.reason}`,
        outcome.wayOut,
      )
      return false
    }
    this.#around.onReencoded(this, 'oversize')
    this.window.replaceHead(outcome.batches)
    return true
  }

  #where(): string {
    return `${this.place.sourceTopic} partition ${this.partition} at source offset ${this.#position}`
  }

  #refuseSource(what: string, wayOut = damageWayOut): void {
    this.stopReading(`${this.#where()}: ${what}`, wayOut)
  }
}

const running: PartitionStatus = { kind: 'running' }
const paused: PartitionStatus = { kind: 'paused' }
const overtookWayOut =
  'The order of this partition is broken on the target. Compare both sides (causeway verify), then choose where to go on with causeway flow resume.'
