/** What `take.ts` produces and the golden tests expect to decode. */
export interface GoldenRecord {
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly timestamp: bigint
}

const firstTimestamp = 1_700_000_000_000n

const record = (
  index: number,
  key: string | null,
  value: string | null,
  headers: GoldenRecord['headers'] = [],
): GoldenRecord => ({ key, value, headers, timestamp: firstTimestamp + BigInt(index) * 10n })

/** One batch with every shape of key, value and header that kafkajs can write. */
export const everyShape: readonly GoldenRecord[] = [
  record(0, 'k0', 'v0', [
    ['trace', 'one'],
    ['trace', 'two'],
    ['empty', ''],
    ['größe', 'ß'],
  ]),
  record(1, null, 'only a value'),
  record(2, 'tombstone', null),
  record(3, '', ''),
  record(4, 'k4', 'compressible '.repeat(20)),
]

/** Larger than a block of snappy (32 KiB) and of lz4 (64 KiB) as Java writes them. */
export const severalBlocks: readonly GoldenRecord[] = [record(0, 'large', 'abcdefgh'.repeat(12_500))]

/** Batches of a topic that is compacted afterwards: keys are overwritten, deleted, or live on. */
export const overwritten: readonly (readonly GoldenRecord[])[] = [
  [record(0, 'a', '1'), record(1, 'b', '1'), record(2, 'c', '1'), record(3, 'd', '1')],
  [record(4, 'a', '2'), record(5, 'c', '2')],
  [record(6, 'a', '3'), record(7, 'd', null), record(8, 'e', '1'), record(9, 'c', '3')],
]
