import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster, ProducerIdentity } from '../kafka/cluster.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { isProducedBy } from '../records/batch-header.ts'
import { type DecodedRecord, decodeBatch, type RecordContent } from '../records/decode.ts'
import type { RawBatch } from '../records/record-batch.ts'
import type { FlowId } from '../topology/model.ts'
import type { Shard } from './shard.ts'
import { ShardJournal } from './shard-journal.ts'

/** Appended at once, in bytes: half of the least `max.message.bytes` that anybody sets. */
const APPEND_BYTES_MAX = 512 * 1024
/** How long our own marker is waited for, in milliseconds. */
const MARKER_WAIT_MS = 10_000

export interface ShardLedgerOptions {
  readonly flow: FlowId
  readonly shard: Shard
  readonly cluster: Cluster
  /** A compacted topic with a partition for each shard. */
  readonly topic: string
  /** Makes the topic if it is not there yet. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
  /** Through the same cluster's logs. */
  readonly walks: LogWalks
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/** The topic does not take what the shard would write; it may be tried again, and takes an epoch each time. */
export class LedgerRefusedError extends Error {
  override readonly name = 'LedgerRefusedError'
}

/**
 * What a shard remembers beside its progress, in its own partition of a compacted topic. That partition is fenced like
 * any that the shard writes to: a former owner adds nothing behind what was read.
 */
export class ShardLedger {
  readonly #options: ShardLedgerOptions
  readonly #journal: ShardJournal
  #mayAppend = false

  constructor(options: ShardLedgerOptions) {
    this.#options = options
    this.#journal = new ShardJournal({ ...options, partition: options.shard.index })
  }

  /**
   * Fences the partition and reads what former owners and this one wrote. The records' bytes are the visitor's.
   * @returns `false` when our own marker did not come into sight: what was read may not be everything
   * @throws LedgerRefusedError; KafkaError; ShardLostError; the signal's reason
   */
  async read(visit: (record: DecodedRecord) => void, signal: AbortSignal): Promise<boolean> {
    const { walks, prepare } = this.#options
    await prepare(signal)
    const from = (await walks.bounds(this.#at.topic, this.#at.partition, signal)).start
    const marker = await this.#fence(signal)
    const { kind } = await walks.walk(
      {
        ...this.#at,
        from,
        isolation: 'read_uncommitted',
        atEnd: { waitMs: MARKER_WAIT_MS },
        visit({ raw, verdict }) {
          if (verdict === 'control') return isProducedBy(raw.buffer, raw.at, marker) ? 'enough' : 'on'
          for (const record of ownRecords(raw)) visit(record)
          return 'on'
        },
      },
      signal,
    )
    return kind !== 'end'
  }

  /**
   * Some may be written when it fails. One call at a time: two appends under way would have the same sequence number.
   * @throws LedgerRefusedError; KafkaError; ShardLostError; the signal's reason
   */
  async append(records: readonly Pick<RecordContent, 'key' | 'value'>[], signal: AbortSignal): Promise<void> {
    const { clock, shard } = this.#options
    if (!this.#mayAppend) await this.#fence(signal)
    const timestamp = BigInt(Math.floor(clock.wallMs()))
    const contents = records.map(({ key, value }): RecordContent => ({ key, value, headers: [], timestamp }))
    for (const piece of pieces(contents)) {
      const outcome = await this.#journal.append(piece, () => shard.isProven(), signal)
      if (outcome === 'written') continue
      // Whoever owns the shard by now is told by the coordinator, when the partition is fenced once more.
      this.#mayAppend = false
      throw new LedgerRefusedError(`an append was ${outcome}`)
    }
  }

  close(): void {
    this.#journal.close()
  }

  get #at(): { readonly topic: string; readonly partition: number } {
    return { topic: this.#options.topic, partition: this.#options.shard.index }
  }

  async #fence(signal: AbortSignal): Promise<ProducerIdentity> {
    const { shard, flow, topic } = this.#options
    const key = { flow, topic, partition: shard.index }
    const { marker, places } = await shard.fence([{ key, target: this.#at }], signal)
    const [place] = places
    if (place?.kind !== 'fenced') throw new LedgerRefusedError(place?.reason ?? 'it was not fenced')
    this.#journal.become(marker)
    this.#mayAppend = true
    return marker
  }
}

/** A batch's records, whose bytes outlive the visit. @throws CorruptBatchError */
export function ownRecords(raw: RawBatch): readonly DecodedRecord[] {
  const { buffer, at, bytes } = raw
  const own = Buffer.from(buffer.subarray(at, at + bytes))
  return decodeBatch({ ...raw, buffer: own, at: 0 }).records
}

function* pieces(records: readonly RecordContent[]): Generator<readonly RecordContent[]> {
  let piece: RecordContent[] = []
  let bytes = 0
  for (const record of records) {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0)
    if (piece.length > 0 && bytes + size > APPEND_BYTES_MAX) {
      yield piece
      piece = []
      bytes = 0
    }
    piece.push(record)
    bytes += size
  }
  if (piece.length > 0) yield piece
}
