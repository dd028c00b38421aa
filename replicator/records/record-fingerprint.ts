import { hash } from 'node:crypto'
import type { DecodedRecord, RecordHeader } from './decode.ts'

/**
 * A record's content by field, in a form that outlives the fetched bytes and is small however large the record is.
 * Two fields are equal exactly when their texts are (SHA-256 stands for what is longer than 32 bytes).
 */
export interface RecordFingerprint {
  readonly offset: bigint
  readonly key: string
  readonly value: string
  readonly headers: string
  readonly timestamp: bigint
  /** All fields in one. */
  readonly whole: string
  /** Bytes of key and value; `undefined` for null. */
  readonly keyBytes: number | undefined
  readonly valueBytes: number | undefined
}

/** What two records can differ in. */
export type RecordField = 'key' | 'value' | 'headers' | 'timestamp'

const fields: readonly RecordField[] = ['key', 'value', 'headers', 'timestamp']

export function fingerprintOf(record: DecodedRecord): RecordFingerprint {
  const key = textOf(record.key)
  const value = textOf(record.value)
  const headers = headersText(record.headers)
  return {
    offset: record.offset,
    key,
    value,
    headers,
    timestamp: record.timestamp,
    whole: [record.timestamp, key.length, headers.length, key, headers, value].join(' '),
    keyBytes: record.key?.length,
    valueBytes: record.value?.length,
  }
}

/** The fields in which two records differ, in a fixed order; none when they are equal. */
export function differingFields(a: RecordFingerprint, b: RecordFingerprint): readonly RecordField[] {
  return a.whole === b.whole ? [] : fields.filter((field) => a[field] !== b[field])
}

/** Headers are compared in order and with duplicates, as Kafka keeps them. */
function headersText(headers: readonly RecordHeader[]): string {
  if (headers.length === 0) return ''
  const parts = headers.flatMap(({ name, value }) => [textOf(name), textOf(value)])
  const lengths = parts.map((part) => part.length).join(',')
  return `${lengths} ${parts.join('')}`
}

const plainBytesMax = 32

function textOf(bytes: Buffer | null): string {
  if (bytes === null) return 'null'
  if (bytes.length <= plainBytesMax) return `=${bytes.toString('latin1')}`
  return `#${hash('sha256', bytes, 'base64')}`
}
