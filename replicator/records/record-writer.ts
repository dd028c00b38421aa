import type { RecordContent } from './decode.ts'

const varintBytes = (value: number): number => {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 2 ** 7) return 1
  if (zigzag < 2 ** 14) return 2
  if (zigzag < 2 ** 21) return 3
  return zigzag < 2 ** 28 ? 4 : 5
}

const zigzag64 = (value: bigint): bigint => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))

const varlongBytes = (value: bigint): number => {
  let bytes = 1
  for (let rest = zigzag64(value) >> 7n; rest > 0n; rest >>= 7n) bytes += 1
  return bytes
}

const fieldBytes = (field: Buffer | null): number =>
  field === null ? 1 : varintBytes(field.length) + field.length

/** Bytes of a record's fields, without the length before them. */
const bodyBytes = (record: RecordContent, offsetDelta: number, timestampDelta: bigint): number => {
  let bytes = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta)
  bytes += fieldBytes(record.key) + fieldBytes(record.value) + varintBytes(record.headers.length)
  for (const { name, value } of record.headers) bytes += fieldBytes(name) + fieldBytes(value)
  return bytes
}

/** Writes records one after the other, as the payload of a batch before compression. */
export class RecordWriter {
  #buffer = Buffer.allocUnsafe(4096)
  #at = 0

  /** The payload so far. A view: the next append may overwrite or leave it. */
  get payload(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  /** Appends a record; the deltas count from the batch's base offset and base timestamp. */
  append(record: RecordContent, offsetDelta: number, timestampDelta: bigint): void {
    const bytes = bodyBytes(record, offsetDelta, timestampDelta)
    this.#reserve(bytes + 5)
    this.#varint(bytes)
    this.#buffer[this.#at++] = 0
    this.#varlong(timestampDelta)
    this.#varint(offsetDelta)
    this.#field(record.key)
    this.#field(record.value)
    this.#varint(record.headers.length)
    for (const { name, value } of record.headers) {
      this.#field(name)
      this.#field(value)
    }
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
  }

  #varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#at++] = rest
  }

  #varlong(value: bigint): void {
    if (value >= -0x8000_0000n && value < 0x8000_0000n) {
      this.#varint(Number(value))
      return
    }
    let rest = zigzag64(value)
    while (rest > 0x7fn) {
      this.#buffer[this.#at++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#buffer[this.#at++] = Number(rest)
  }

  #field(field: Buffer | null): void {
    this.#varint(field === null ? -1 : field.length)
    if (field === null) return
    field.copy(this.#buffer, this.#at)
    this.#at += field.length
  }
}
