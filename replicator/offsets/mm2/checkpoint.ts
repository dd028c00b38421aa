import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../../records/offsets.ts'
import {
  type Decoded,
  decodeRecord,
  type FetchedKeyValue,
  int16,
  type KeyValue,
  natural64,
  partitionField,
  stringField,
} from './fields.ts'

/** Where a group stood on the source, and where it goes on on the target: positions, the next record to read. */
export interface Checkpoint {
  readonly group: string
  /** The topic's name on the target. */
  readonly topic: string
  readonly partition: number
  /** What the group committed on the source. */
  readonly upstreamOffset: SourceOffset
  /** What it would commit on the target. */
  readonly downstreamOffset: TargetOffset
  /** Of the commit; empty where it had none. */
  readonly metadata: string
}

/**
 * A record of `<source>.checkpoints.internal` (KIP-382), byte for byte. Never a tombstone: Java's MirrorClient fails
 * on null values.
 * @throws RangeError for what the format cannot carry
 */
export function encodeCheckpoint(checkpoint: Checkpoint): KeyValue {
  const { group, topic, partition, upstreamOffset, downstreamOffset, metadata } = checkpoint
  return {
    key: Buffer.concat([stringField(group), stringField(topic), partitionField(partition)]),
    value: Buffer.concat([
      int16(0),
      natural64(upstreamOffset),
      natural64(downstreamOffset),
      stringField(metadata),
    ]),
  }
}

export function decodeCheckpoint(record: FetchedKeyValue): Decoded<Checkpoint> {
  return decodeRecord(
    record,
    (key) => ({
      group: key.string('the group'),
      topic: key.string('the topic'),
      partition: key.partition('the partition'),
    }),
    (value) => {
      value.version0()
      return {
        upstreamOffset: sourceOffset(value.natural64('the upstream offset')),
        downstreamOffset: targetOffset(value.natural64('the downstream offset')),
        metadata: value.string('the metadata'),
      }
    },
  )
}
