import { buildBatch, readRecords } from './record-batches.ts'

export interface MarkerFields {
  readonly producerId: bigint
  readonly epoch: number
  readonly end: 'commit' | 'abort'
  readonly coordinatorEpoch: number
  readonly offset: bigint
  readonly leaderEpoch: number
  readonly timestampMs: number
}

/** Bytes of a marker as brokers write them (protocol guide, "Control Batches", `EndTxnMarker`). */
export function markerBatch(marker: MarkerFields): Buffer {
  const key = Buffer.from([0, 0, 0, marker.end === 'commit' ? 1 : 0])
  const value = Buffer.alloc(6)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  return buildBatch([{ offsetDelta: 0, timestampMs: marker.timestampMs, key, value, headers: [] }], {
    baseOffset: marker.offset,
    leaderEpoch: marker.leaderEpoch,
    transactional: true,
    control: true,
    producerId: marker.producerId,
    producerEpoch: marker.epoch,
    baseSequence: -1,
  })
}

/** The coordinator epoch in a stored marker. */
export const coordinatorEpochIn = (batch: Buffer): number =>
  readRecords(batch)[0]?.value?.readInt32BE(2) ?? -1
