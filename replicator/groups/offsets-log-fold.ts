import { readOffsetsTopicRecord } from '../kafka/offsets-topic-records.ts'
import { controlMarkerOf } from '../records/aborted.ts'
import { isControl, isTransactional, producerId } from '../records/batch-header.ts'
import { decodeBatch } from '../records/decode.ts'
import type { RawBatch } from '../records/record-batch.ts'
import type { CommitChange } from './commit-source.ts'

interface Appended {
  readonly at: bigint
  readonly change: CommitChange
}

/**
 * The commits in one partition of the offsets topic, read without waiting for open transactions: one that stays open
 * would hold up every other group in the partition. Transactional commits wait here for their marker instead, and
 * count then unless a later commit of the same partition was appended meanwhile, as coordinators have it
 * (`GroupCoordinator`: a pending commit is applied when it is the newer one by its offset in the log).
 *
 * Invariant: `#applied` holds of each partition of a group the log offset of the commit that counts.
 */
export class OffsetsLogFold {
  readonly #applied = new Map<string, bigint>()
  /** By producer id. */
  readonly #open = new Map<bigint, Appended[]>()
  readonly #selects: (group: string) => boolean
  readonly #onChange: (change: CommitChange) => void

  constructor(selects: (group: string) => boolean, onChange: (change: CommitChange) => void) {
    this.#selects = selects
    this.#onChange = onChange
  }

  /** Batches in the order of the log, markers included. Keeps none of their bytes. @throws CorruptBatchError */
  take(batch: RawBatch): void {
    const { buffer, at } = batch
    const producer = producerId(buffer, at)
    if (isControl(buffer, at)) {
      this.#end(producer, controlMarkerOf(batch))
      return
    }
    const found: Appended[] = []
    for (const { offset, key, value } of decodeBatch(batch).records) {
      const change = this.#read(key, value)
      if (change !== undefined) found.push({ at: offset, change })
    }
    if (isTransactional(buffer, at)) this.#open.set(producer, [...(this.#open.get(producer) ?? []), ...found])
    else for (const appended of found) this.#apply(appended)
  }

  #read(key: Buffer | null, value: Buffer | null): CommitChange | undefined {
    const record = readOffsetsTopicRecord(key, value)
    if (record.kind !== 'commit' && record.kind !== 'commit-removed') return undefined
    const { group, topic, partition } = record
    if (!this.#selects(group)) return undefined
    if (record.kind === 'commit-removed') return { group, topic, partition, commit: 'removed' }
    const { offset, leaderEpoch, metadata } = record
    return { group, topic, partition, commit: { offset, leaderEpoch, metadata } }
  }

  #end(producer: bigint, marker: ReturnType<typeof controlMarkerOf>): void {
    if (marker === 'other') return
    const pending = this.#open.get(producer) ?? []
    this.#open.delete(producer)
    if (marker === 'commit') for (const appended of pending) this.#apply(appended)
  }

  #apply({ at, change }: Appended): void {
    const key = `${change.topic}/${change.partition}/${change.group}`
    const before = this.#applied.get(key)
    if (before !== undefined && before > at) return
    this.#applied.set(key, at)
    this.#onChange(change)
  }
}
