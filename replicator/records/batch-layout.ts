/**
 * Where the fields of a record batch of format version 2 are, in bytes from its start.
 * Source: Kafka protocol guide, "Record Batch" (KIP-98); bit 6 of the attributes is from KIP-534.
 * Everything before `attributes` is outside the CRC, so a broker may stamp offset and leader epoch for free.
 */
export const batchLayout = {
  baseOffset: 0,
  /** Bytes of the batch after this field; {@link lengthPrefixBytes} more in all. */
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const

/** Bytes up to and including the length field, which the length field does not count. */
export const lengthPrefixBytes = 12

/** Bytes of a batch's header: the least a batch can have. */
export const batchHeaderBytes = 61

/** Bits of the attributes. All of them are in the second (low) of its two bytes. */
export const attributeBits = {
  codec: 0b0000_0111,
  logAppendTime: 0b0000_1000,
  transactional: 0b0001_0000,
  control: 0b0010_0000,
  deleteHorizon: 0b0100_0000,
} as const
