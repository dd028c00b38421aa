import {
  baseOffset,
  baseSequence,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffset,
  lastOffsetDelta,
  maxTimestampMs,
  producerEpoch,
  producerId,
  recordCount,
} from '../../replicator/records/batch-header.ts'
import { type AppendLimits, checkBatch, type Refusal, stampBatch } from './batch-checks.ts'
import { type EpochEnd, LeaderEpochHistory } from './leader-epoch-history.ts'
import { coordinatorEpochIn, markerBatch } from './marker-batch.ts'
import { type ProducedBatch, ProducerState } from './producer-state.ts'
import { readRecords } from './record-batches.ts'

/** A batch as the log keeps it. */
export interface StoredBatch {
  readonly bytes: Buffer
  readonly baseOffset: bigint
  readonly lastOffset: bigint
}

interface EndedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
  /** The marker's. */
  readonly lastOffset: bigint
}

export type AppendAnswer =
  | { readonly ok: true; readonly baseOffset: bigint; readonly logAppendTimeMs: number | undefined }
  | ({ readonly ok: false } & Refusal)

/** When producers are forgotten: `producer.id.expiration.ms` and how often a broker looks. */
export interface ProducerExpiry {
  readonly expirationMs: number
  readonly checkIntervalMs: number
}

/** Kafka's defaults: one day, every ten minutes. */
export const defaultProducerExpiry: ProducerExpiry = {
  expirationMs: 86_400_000,
  checkIntervalMs: 600_000,
}

/**
 * One partition's log, as all its in-sync replicas hold it. Replication is instantaneous, unless the high watermark
 * is held back by a test.
 *
 * Invariants: batches are ordered and do not overlap; logStart <= lastStable <= highWatermark <= logEnd.
 */
export class PartitionLog {
  #producers = new ProducerState()
  #batches: StoredBatch[] = []
  #logStart = 0n
  #logEnd = 0n
  #held: bigint | undefined
  #aborted: EndedTransaction[] = []
  #expiryCheckedMs: number
  readonly #expiry: ProducerExpiry
  #changed = Promise.withResolvers<void>()
  readonly #epochs = new LeaderEpochHistory()

  constructor(nowMs: number, expiry: ProducerExpiry = defaultProducerExpiry) {
    this.#expiry = expiry
    this.#expiryCheckedMs = nowMs
  }

  get producers(): ProducerState {
    return this.#producers
  }

  get batches(): readonly StoredBatch[] {
    return this.#batches
  }

  get logStart(): bigint {
    return this.#logStart
  }

  get logEnd(): bigint {
    return this.#logEnd
  }

  get highWatermark(): bigint {
    return this.#held ?? this.#logEnd
  }

  /** What a read_committed reader may reach. */
  get lastStable(): bigint {
    const open = this.producers.firstOpenTransaction()
    const high = this.highWatermark
    return open === undefined || open > high ? high : open
  }

  /** Settles at the next change of any of the log's offsets, or at {@link wake}. */
  get changed(): Promise<void> {
    return this.#changed.promise
  }

  /** Lets whoever waits for {@link changed} look again. */
  wake(): void {
    const changed = this.#changed
    this.#changed = Promise.withResolvers<void>()
    changed.resolve()
  }

  /** A leader takes over, with the log as it is. */
  beginEpoch(leaderEpoch: number): void {
    this.#epochs.begin(leaderEpoch, this.#logEnd)
  }

  /** As OffsetForLeaderEpoch answers. */
  endOfEpoch(leaderEpoch: number): EpochEnd | undefined {
    return this.#epochs.endOf(leaderEpoch, this.#logEnd)
  }

  /** Appends one batch of a client, or says why a broker would not. */
  append(batch: Buffer, limits: AppendLimits, leaderEpoch: number, nowMs: number): AppendAnswer {
    const refusal = checkBatch(batch, limits, nowMs)
    if (refusal !== undefined) return { ok: false, ...refusal }
    this.expireProducers(nowMs)
    const appendTimeMs = limits.logAppendTime ? nowMs : undefined
    const stamped = stampBatch(batch, this.#logEnd, leaderEpoch, appendTimeMs)
    const produced = producedOf(stamped)
    if (produced !== undefined) {
      const verdict = this.producers.judge(produced)
      if (verdict.kind === 'refuse') return { ok: false, code: verdict.code, detail: verdict.detail }
      if (verdict.kind === 'repeat') {
        return { ok: true, baseOffset: verdict.baseOffset, logAppendTimeMs: verdict.timestampMs }
      }
      this.producers.appended(produced, this.#logEnd)
    }
    return { ok: true, baseOffset: this.#push(stamped), logAppendTimeMs: appendTimeMs }
  }

  /** Appends a transaction's end marker, as a coordinator does. */
  appendMarker(
    producer: { readonly producerId: bigint; readonly epoch: number },
    end: 'commit' | 'abort',
    coordinatorEpoch: number,
    leaderEpoch: number,
    nowMs: number,
  ): AppendAnswer {
    this.expireProducers(nowMs)
    const verdict = this.producers.judgeMarker(producer.producerId, producer.epoch, coordinatorEpoch)
    if (verdict.kind === 'refuse') return { ok: false, code: verdict.code, detail: verdict.detail }
    const offset = this.#logEnd
    const from = this.producers.marked(producer.producerId, producer.epoch, coordinatorEpoch, nowMs)
    if (end === 'abort' && from !== undefined) {
      this.#aborted.push({ producerId: producer.producerId, firstOffset: from, lastOffset: offset })
    }
    this.#push(markerBatch({ ...producer, end, coordinatorEpoch, offset, leaderEpoch, timestampMs: nowMs }))
    return { ok: true, baseOffset: offset, logAppendTimeMs: undefined }
  }

  #push(bytes: Buffer): bigint {
    const batch = { bytes, baseOffset: baseOffset(bytes, 0), lastOffset: lastOffset(bytes, 0) }
    this.#batches.push(batch)
    this.#logEnd = batch.lastOffset + 1n
    this.wake()
    return batch.baseOffset
  }

  /** Forgets expired producers, if the broker would have looked by now. */
  expireProducers(nowMs: number): void {
    if (nowMs - this.#expiryCheckedMs < this.#expiry.checkIntervalMs) return
    this.#expiryCheckedMs = nowMs
    this.producers.expire(nowMs, this.#expiry.expirationMs)
  }

  /** Index of the first batch that ends at or after `offset`. */
  indexOf(offset: bigint): number {
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#batches[middle] as StoredBatch).lastOffset < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Aborted transactions that touch [from, below), in the order of their first offsets. */
  abortedIn(from: bigint, below: bigint): readonly EndedTransaction[] {
    return this.#aborted
      .filter((ended) => ended.lastOffset >= from && ended.firstOffset < below)
      .sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  }

  /** The first record at or after a time, below `limit`. */
  offsetAt(timestampMs: number, limit: bigint): bigint | undefined {
    for (const batch of this.#batches) {
      if (batch.lastOffset < this.#logStart || maxTimestampMs(batch.bytes, 0) < timestampMs) continue
      for (const record of readRecords(batch.bytes)) {
        const offset = batch.baseOffset + BigInt(record.offsetDelta)
        if (record.timestampMs >= timestampMs && offset >= this.#logStart) {
          return offset < limit ? offset : undefined
        }
      }
    }
    return undefined
  }

  /** Moves the log start, as DeleteRecords and retention do. Whole batches below it go. */
  moveLogStart(to: bigint): void {
    if (to <= this.#logStart) return
    this.#logStart = to
    this.#batches = this.#batches.filter((batch) => batch.lastOffset >= to)
    this.#epochs.truncateStart(to)
    this.wake()
  }

  /** Removes batches from the front while they are too old. Offsets stay; an emptied log starts at its end. */
  retain(newestKeptMs: number): void {
    const kept = this.#batches.findIndex((batch) => maxTimestampMs(batch.bytes, 0) >= newestKeptMs)
    const first = kept === -1 ? undefined : this.#batches[kept]
    this.moveLogStart(first?.baseOffset ?? this.highWatermark)
  }

  /** Cuts the end off, as an unclean leader election does. */
  truncate(to: bigint): void {
    this.#batches = this.#batches.filter((batch) => batch.lastOffset < to)
    const last = this.#batches.at(-1)
    this.#logEnd = last === undefined ? this.#logStart : last.lastOffset + 1n
    this.#aborted = this.#aborted.filter((ended) => ended.lastOffset < this.#logEnd)
    this.#epochs.truncateEnd(this.#logEnd)
    this.#producers = producersIn(this.#batches)
    if (this.#held !== undefined && this.#held > this.#logEnd) this.#held = this.#logEnd
    this.wake()
  }

  /** Puts other batches in the place of the log's, as the cleaner does: same offsets, fewer records. */
  replaceBatches(batches: readonly Buffer[]): void {
    this.#batches = batches.map((bytes) => ({
      bytes,
      baseOffset: baseOffset(bytes, 0),
      lastOffset: lastOffset(bytes, 0),
    }))
    this.wake()
  }

  /** Keeps the high watermark where it is, as if followers stopped fetching, until it is let go. */
  holdHighWatermark(hold: boolean): void {
    this.#held = hold ? this.highWatermark : undefined
    this.wake()
  }
}

/** What a broker knows of producers after it has read the log again. */
function producersIn(batches: readonly StoredBatch[]): ProducerState {
  const producers = new ProducerState()
  for (const { bytes, baseOffset } of batches) {
    const produced = producedOf(bytes)
    if (produced !== undefined) producers.appended(produced, baseOffset)
    if (!isControl(bytes, 0)) continue
    const coordinatorEpoch = coordinatorEpochIn(bytes)
    producers.marked(
      producerId(bytes, 0),
      producerEpoch(bytes, 0),
      coordinatorEpoch,
      maxTimestampMs(bytes, 0),
    )
  }
  return producers
}

function producedOf(batch: Buffer): ProducedBatch | undefined {
  const id = producerId(batch, 0)
  if (id < 0n || isControl(batch, 0)) return undefined
  return {
    producerId: id,
    epoch: producerEpoch(batch, 0),
    baseSequence: baseSequence(batch, 0),
    lastOffsetDelta: lastOffsetDelta(batch, 0),
    transactional: isTransactional(batch, 0),
    maxTimestampMs: maxTimestampMs(batch, 0),
  }
}

/** What a stored batch is, for tests that look into a log. */
export function describeBatch(batch: StoredBatch): string {
  const { bytes } = batch
  const kind = isControl(bytes, 0) ? 'marker' : isTransactional(bytes, 0) ? 'transactional' : 'data'
  const time = isLogAppendTime(bytes, 0) ? ', append time' : ''
  return `${batch.baseOffset}-${batch.lastOffset} ${kind}, ${recordCount(bytes, 0)} records${time}`
}
