import fc from 'fast-check'
import type { Codec } from '../../../replicator/records/batch-header.ts'
import type { RecordContent } from '../../../replicator/records/decode.ts'

const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
const anyField = fc.option(anyBytes, { nil: null })

const anyTimestamp = fc.oneof(
  fc.bigInt({ min: -1n, max: 4_102_444_800_000n }),
  fc.bigInt({ min: 1_700_000_000_000n, max: 1_700_000_001_000n }),
  fc.bigInt({ min: -1n, max: 2n ** 62n }),
)

const anyHeader = fc.record({ name: anyBytes, value: anyField }, { noNullPrototype: true })

/** Any content a record can carry, its timestamps in no order. */
export const anyRecord: fc.Arbitrary<RecordContent> = fc.record(
  {
    timestamp: anyTimestamp,
    key: anyField,
    value: anyField,
    headers: fc.array(anyHeader, { maxLength: 4 }),
  },
  { noNullPrototype: true },
)

export const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 30 })

export const everyCodec: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export const anyCodec = fc.constantFrom(...everyCodec)
