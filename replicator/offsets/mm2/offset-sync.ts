import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../../records/offsets.ts'
import {
  type Decoded,
  decodeRecord,
  type FetchedKeyValue,
  type KeyValue,
  natural64,
  partitionField,
  stringField,
} from './fields.ts'

/** One record of a source partition and where its copy is: both are offsets of that record, not positions after it. */
export interface OffsetSync {
  /** The topic's name on the source. */
  readonly topic: string
  readonly partition: number
  readonly upstreamOffset: SourceOffset
  readonly downstreamOffset: TargetOffset
}

/**
 * A record of `mm2-offset-syncs.*.internal` (KIP-382), byte for byte. No version, in neither part.
 * @throws RangeError for what the format cannot carry
 */
export function encodeOffsetSync(sync: OffsetSync): KeyValue {
  return {
    key: Buffer.concat([stringField(sync.topic), partitionField(sync.partition)]),
    value: Buffer.concat([natural64(sync.upstreamOffset), natural64(sync.downstreamOffset)]),
  }
}

export function decodeOffsetSync(record: FetchedKeyValue): Decoded<OffsetSync> {
  return decodeRecord(
    record,
    (key) => ({ topic: key.string('the topic'), partition: key.partition('the partition') }),
    (value) => ({
      upstreamOffset: sourceOffset(value.natural64('the upstream offset')),
      downstreamOffset: targetOffset(value.natural64('the downstream offset')),
    }),
  )
}
