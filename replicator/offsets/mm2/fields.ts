import { isUtf8 } from 'node:buffer'

/** Why bytes are not what MirrorMaker 2 writes. */
export type UndecodableReason =
  /** A null value: whoever wrote it took the entry back. */
  | 'tombstone'
  | 'no-key'
  | 'cut-off'
  | 'left-over'
  | 'bad-length'
  | 'not-utf-8'
  | 'negative'
  | 'unknown-version'
  | 'not-json'
  | 'other-shape'

/** Bytes that could not be read; `detail` names the field and what is wrong with it. */
export interface Undecodable {
  readonly kind: 'undecodable'
  readonly reason: UndecodableReason
  readonly detail: string
}

export type Decoded<T> = { readonly kind: 'decoded'; readonly value: T } | Undecodable

/** The key and the value of a record of one of MirrorMaker 2's topics. */
export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer
}

/** What was fetched: either part may be missing. */
export interface FetchedKeyValue {
  readonly key: Buffer | null
  readonly value: Buffer | null
}

const stringBytesMax = 32_767

export function undecodable(reason: UndecodableReason, detail: string): Undecodable {
  return { kind: 'undecodable', reason, detail }
}

class FieldError extends Error {
  override readonly name = 'FieldError'
  readonly undecodable: Undecodable

  constructor(reason: UndecodableReason, detail: string) {
    super(detail)
    this.undecodable = undecodable(reason, detail)
  }
}

/**
 * Reads the fields of Kafka's protocol types (`org.apache.kafka.common.protocol.types`), one after the other. Stricter
 * than Java, which ignores what follows the last field and replaces what is no UTF-8: what MirrorMaker 2 wrote has
 * neither.
 */
export class FieldReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(field: string): number {
    return this.#bytes.readInt16BE(this.#take(field, 2))
  }

  /** A partition: never negative. */
  partition(field: string): number {
    const value = this.#bytes.readInt32BE(this.#take(field, 4))
    if (value < 0) throw new FieldError('negative', `${field} is ${value}`)
    return value
  }

  /** An offset or a time: never negative. */
  natural64(field: string): bigint {
    const value = this.#bytes.readBigInt64BE(this.#take(field, 8))
    if (value < 0n) throw new FieldError('negative', `${field} is ${value}`)
    return value
  }

  string(field: string): string {
    const length = this.int16(`the length of ${field}`)
    if (length < 0) throw new FieldError('bad-length', `${field} has a length of ${length}`)
    const from = this.#take(field, length)
    const bytes = this.#bytes.subarray(from, from + length)
    if (!isUtf8(bytes)) throw new FieldError('not-utf-8', `${field} is not UTF-8`)
    return bytes.toString('utf8')
  }

  /** The version before a value. Java reads every other version as 0, too: nothing else has ever been written. */
  version0(): void {
    const version = this.int16('the version')
    if (version !== 0) throw new FieldError('unknown-version', `version ${version}, only 0 is known`)
  }

  end(): void {
    const left = this.#bytes.length - this.#at
    if (left > 0) throw new FieldError('left-over', `${left} bytes follow the last field`)
  }

  #take(field: string, bytes: number): number {
    const from = this.#at
    const left = this.#bytes.length - from
    if (left < bytes) throw new FieldError('cut-off', `${field} needs ${bytes} bytes, ${left} are left`)
    this.#at += bytes
    return from
  }
}

/** Reads a record's key and value, both whole. Whatever the bytes are, it does not throw. */
export function decodeRecord<K, V>(
  record: FetchedKeyValue,
  readKey: (reader: FieldReader) => K,
  readValue: (reader: FieldReader) => V,
): Decoded<K & V> {
  const { key, value } = record
  if (key === null) return undecodable('no-key', 'the record has no key')
  if (value === null) return undecodable('tombstone', 'the record has no value')
  try {
    return { kind: 'decoded', value: { ...decodeAll(key, readKey), ...decodeAll(value, readValue) } }
  } catch (error) {
    if (error instanceof FieldError) return error.undecodable
    throw error
  }
}

function decodeAll<T>(bytes: Buffer, read: (reader: FieldReader) => T): T {
  const reader = new FieldReader(bytes)
  const found = read(reader)
  reader.end()
  return found
}

/** @throws RangeError when there is no such INT16 */
export function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeInt16BE(value)
  return bytes
}

/** @throws RangeError when there is no such partition */
export function partitionField(value: number): Buffer {
  if (value < 0) throw new RangeError(`${value} is no partition`)
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** An offset or a time. @throws RangeError when it is negative or more than an INT64 */
export function natural64(value: bigint): Buffer {
  if (value < 0n) throw new RangeError(`${value} is negative`)
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

/** @throws RangeError for more than 32767 bytes, or text that UTF-8 cannot carry */
export function stringField(text: string): Buffer {
  if (!text.isWellFormed()) throw new RangeError('Text with half a surrogate pair cannot be written as UTF-8')
  const bytes = Buffer.from(text)
  if (bytes.length > stringBytesMax) {
    throw new RangeError(`A text of ${bytes.length} bytes does not fit: the limit is ${stringBytesMax}`)
  }
  return Buffer.concat([int16(bytes.length), bytes])
}
