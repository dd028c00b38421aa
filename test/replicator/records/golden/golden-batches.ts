import { readFileSync } from 'node:fs'
import type { DecodedRecord } from '../../../../replicator/records/decode.ts'
import { nextBatch, type RawBatch, rawBatch } from '../../../../replicator/records/record-batch.ts'
import type { GoldenRecord } from './contents.ts'

/** Batches that `take.ts` took from a broker, in order. */
export const goldenBatches = (name: string): readonly RawBatch[] => {
  const buffer = readFileSync(new URL(`${name}.bin`, import.meta.url))
  const batches: RawBatch[] = []
  for (let at = 0; at < buffer.length; ) {
    const next = nextBatch(buffer, at)
    if (next.kind !== 'batch') throw new Error(`${name}.bin: ${next.kind} at ${at}`)
    batches.push(rawBatch(buffer, at, next.bytes))
    at += next.bytes
  }
  return batches
}

export const goldenCodecs = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** A decoded record in the terms of `contents.ts`. */
export const asGolden = ({ key, value, headers, timestamp }: DecodedRecord): GoldenRecord => ({
  key: key?.toString() ?? null,
  value: value?.toString() ?? null,
  headers: headers.map((header) => [header.name.toString(), header.value?.toString() ?? ''] as const),
  timestamp,
})
