import type { Lease } from '../kafka/cluster.ts'
import { maxTimestampMs, noProducer } from '../records/batch-header.ts'
import { CorruptBatchError, DecompressionLimitError } from '../records/corrupt-batch.ts'
import { decodeBatch } from '../records/decode.ts'
import { sourceOffset } from '../records/offsets.ts'
import { type RawBatch, rawBatch } from '../records/record-batch.ts'
import { type OffsetRun, type ReencodedBatch, type ReencodeOptions, reencode } from '../records/reencode.ts'
import type { Outgoing } from './partition-window.ts'

/** Dense batches with the records of one that could not pass as it was, or why there are none. */
export type Reencoded =
  | { readonly kind: 'encoded'; readonly batches: readonly Outgoing[] }
  | { readonly kind: 'refused'; readonly reason: string; readonly wayOut: string }

/** Accounts for the memory of batches that were encoded here. */
export type OwnMemory = (bytes: number) => Lease

/**
 * Decodes a batch and encodes its records from `position` on as dense batches of at most `batchBytesMax` bytes.
 * Sequences are given when they are sent.
 */
export function reencodeFrom(
  raw: RawBatch,
  position: bigint,
  batchBytesMax: number,
  ownMemory: OwnMemory,
): Reencoded {
  const keep = (record: { readonly offset: bigint }): boolean => record.offset >= position
  return encodeAnew(raw, { batchBytesMax, keep }, ownMemory, (offset) => offset)
}

function encodeAnew(
  raw: RawBatch,
  options: Omit<ReencodeOptions, 'producer'>,
  ownMemory: OwnMemory,
  sourceOffsetOf: (offset: bigint) => bigint,
): Reencoded {
  const { batchBytesMax } = options
  try {
    const outcome = reencode([decodeBatch(raw)], { ...options, producer: noProducer })
    if (outcome.kind === 'batches')
      return { kind: 'encoded', batches: outcome.batches.map((encoded) => outgoingOf(encoded, ownMemory)) }
    return {
      kind: 'refused',
      reason: `the record at offset ${sourceOffsetOf(outcome.offset)} alone takes ${outcome.bytes} bytes as a batch; the target topic allows ${batchBytesMax}`,
      wayOut: `Raise max.message.bytes of the target topic to at least ${outcome.bytes}, then restart the flow.`,
    }
  } catch (error) {
    if (!(error instanceof CorruptBatchError || error instanceof DecompressionLimitError)) throw error
    return {
      kind: 'refused',
      reason: `a batch cannot be decoded: ${error.message}`,
      wayOut:
        'Check that partition of the source with kafka-dump-log; delete the damaged records (kafka-delete-records) or restore them, then restart the flow.',
    }
  }
}

function outgoingOf(encoded: ReencodedBatch, ownMemory: OwnMemory): Outgoing {
  const { batch, recordCount, firstOffset, lastOffset, runs } = encoded
  return {
    offsets: runs,
    batch,
    records: recordCount,
    sourceBase: sourceOffset(firstOffset),
    sourceNext: sourceOffset(lastOffset + 1n),
    timestampMs: maxTimestampMs(batch, 0),
    lease: ownMemory(batch.length),
  }
}

/**
 * Splits a batch that the target has refused as too large. A limit that does not explain the refusal is not the one
 * that was applied (the topic's configs could not be read, or a broker's own limit is lower): it is halved then.
 */
export function splitRefused(head: Outgoing, batchBytesMax: number, ownMemory: OwnMemory): Reencoded {
  const { length } = head.batch
  const isExplained = batchBytesMax < length
  // Halves of a compressed batch may be of any size: how large they are says nothing about whether they pass.
  const options = { batchBytesMax, halve: !isExplained }
  // Its base offset was set to 0 when it was sent, so offsets read from it count from there.
  const sourceOffsetOf = (place: bigint): bigint =>
    runsBetween(offsetsOf(head), Number(place), Number(place) + 1)[0]?.firstOffset ?? head.sourceBase
  const outcome = encodeAnew(rawBatch(head.batch, 0, length), options, ownMemory, sourceOffsetOf)
  if (outcome.kind === 'encoded') {
    const batches = outcome.batches.map((part): Outgoing => {
      const offsets = runsBetween(offsetsOf(head), Number(part.sourceBase), Number(part.sourceNext))
      const last = offsets.at(-1)
      if (last === undefined) throw new Error('A part of a batch holds no record')
      return {
        ...part,
        offsets,
        sourceBase: sourceOffset(offsets[0]?.firstOffset ?? head.sourceBase),
        sourceNext: sourceOffset(last.firstOffset + BigInt(last.recordCount)),
      }
    })
    return { kind: 'encoded', batches }
  }
  if (isExplained) return outcome
  return {
    kind: 'refused',
    reason: `the target refuses a batch of ${length} bytes as too large and it cannot be split into smaller ones`,
    wayOut:
      "Raise max.message.bytes of the target topic, or its brokers' message.max.bytes, then restart the flow.",
  }
}

const offsetsOf = ({ offsets, sourceBase, records }: Outgoing): readonly OffsetRun[] =>
  offsets ?? [{ firstOffset: sourceBase, recordCount: records }]

/** The source offsets of the records at places `from` to `to` (exclusive) of a batch. */
function runsBetween(runs: readonly OffsetRun[], from: number, to: number): readonly OffsetRun[] {
  const found: OffsetRun[] = []
  let place = 0
  for (const { firstOffset, recordCount } of runs) {
    const first = Math.max(from, place)
    const end = Math.min(to, place + recordCount)
    if (first < end)
      found.push({ firstOffset: firstOffset + BigInt(first - place), recordCount: end - first })
    place += recordCount
  }
  return found
}
