import type { ProducerIdentity } from '../kafka/cluster.ts'
import type { VisitedBatch } from '../logs/log-walk.ts'
import { baseSequence, isProducedBy, producerId, sequenceDistance } from '../records/batch-header.ts'
import { type DecodedRecord, decodeBatch } from '../records/decode.ts'
import { fingerprintOf } from '../records/record-fingerprint.ts'
import type { SourceSurvivor } from './align-content.ts'
import type { Progress } from './progress-record.ts'

/** Takes the contents of what was forwarded since progress from the target, each at its place by sequence number. */
export class ForwardedContents {
  readonly contents: (string | undefined)[]
  readonly #progress: Progress
  readonly #marker: ProducerIdentity
  readonly #withTimestamps: boolean

  constructor(progress: Progress, marker: ProducerIdentity, records: number, withTimestamps: boolean) {
    this.#progress = progress
    this.#marker = marker
    this.#withTimestamps = withTimestamps
    this.contents = Array.from({ length: records }, () => undefined)
  }

  visit({ raw, verdict }: VisitedBatch): 'on' | 'enough' {
    const { buffer, at } = raw
    if (verdict === 'control') return isProducedBy(buffer, at, this.#marker) ? 'enough' : 'on'
    if (!isProducedBy(buffer, at, this.#progress.producer)) return 'on'
    const first = sequenceDistance(this.#progress.sequence, baseSequence(buffer, at))
    const { records, baseOffset } = decodeBatch(raw)
    for (const record of records) {
      // Forwarded batches are dense, so offsets in them count as sequence numbers do.
      this.contents[first + Number(record.offset - baseOffset)] = contentOf(record, this.#withTimestamps)
    }
    return 'on'
  }
}

/** Takes the contents of forwardable records that are still on the source. */
export class SurvivorContents {
  readonly survivors: SourceSurvivor[] = []
  readonly #wanted: number
  readonly #withTimestamps: boolean
  readonly #forwards: (producerId: bigint) => boolean

  constructor(wanted: number, withTimestamps: boolean, forwards: (producerId: bigint) => boolean) {
    this.#wanted = wanted
    this.#withTimestamps = withTimestamps
    this.#forwards = forwards
  }

  visit({ raw, verdict }: VisitedBatch, from: bigint): 'on' | 'enough' {
    if (verdict !== 'deliver' || !this.#forwards(producerId(raw.buffer, raw.at))) return 'on'
    for (const record of decodeBatch(raw).records) {
      if (record.offset < from) continue
      this.survivors.push({ offset: record.offset, content: contentOf(record, this.#withTimestamps) })
      if (this.survivors.length === this.#wanted) return 'enough'
    }
    return 'on'
  }
}

/** Everything of a record but its offset; without its timestamp where the target gives it another one. */
function contentOf(record: DecodedRecord, withTimestamp: boolean): string {
  return fingerprintOf(withTimestamp ? record : { ...record, timestamp: 0n }).whole
}
