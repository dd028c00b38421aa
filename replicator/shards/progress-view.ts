import type { VisitedBatch } from '../logs/log-walk.ts'
import { decodeBatch } from '../records/decode.ts'
import type { FlowId } from '../topology/model.ts'
import { decodeProgress, decodeProgressKey, type Progress, type ProgressKey } from './progress-record.ts'

export interface ProgressEntry {
  readonly key: ProgressKey
  readonly progress: Progress
}

/** What one partition of the progress topic says about a flow, as far as it was read. */
export class ProgressView {
  readonly #flow: FlowId
  readonly #known = new Map<string, ProgressEntry>()

  constructor(flow: FlowId) {
    this.#flow = flow
  }

  get entries(): readonly ProgressEntry[] {
    return [...this.#known.values()]
  }

  of(topic: string, partition: number): Progress | undefined {
    return this.#known.get(`${topic}/${partition}`)?.progress
  }

  /** Takes over what was just written. */
  set(key: ProgressKey, progress: Progress): void {
    this.#known.set(`${key.topic}/${key.partition}`, { key, progress })
  }

  /** Takes the records of a batch. @throws Error when they are not of a known version */
  visit({ raw, verdict }: VisitedBatch): void {
    if (verdict === 'control') return
    // The bytes outlive the visit in what is decoded from them.
    const own = Buffer.from(raw.buffer.subarray(raw.at, raw.at + raw.bytes))
    for (const { key, value } of decodeBatch({ ...raw, buffer: own, at: 0 }).records) {
      const decoded = key === null ? undefined : decodeProgressKey(key)
      if (decoded === undefined || decoded.flow !== this.#flow) continue
      if (value === null) this.#known.delete(`${decoded.topic}/${decoded.partition}`)
      else this.#take(decoded, decodeProgress(value))
    }
  }

  /** A fenced predecessor's record that still got in says less than what stands there. */
  #take(key: ProgressKey, progress: Progress): void {
    const known = this.of(key.topic, key.partition)?.producer
    const { producerId, producerEpoch } = progress.producer
    if (known?.producerId === producerId && producerEpoch < known.producerEpoch) return
    this.set(key, progress)
  }
}
