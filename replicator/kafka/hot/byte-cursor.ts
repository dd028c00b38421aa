/** Reads Kafka's flexible (KIP-482) encodings off a buffer, front to back, without allocating. */
export class ByteCursor {
  readonly buffer: Buffer
  position: number

  constructor(buffer: Buffer, position: number) {
    this.buffer = buffer
    this.position = position
  }

  int16(): number {
    const value = this.buffer.readInt16BE(this.position)
    this.position += 2
    return value
  }

  int32(): number {
    const value = this.buffer.readInt32BE(this.position)
    this.position += 4
    return value
  }

  int64(): bigint {
    const value = this.buffer.readBigInt64BE(this.position)
    this.position += 8
    return value
  }

  /** UNSIGNED_VARINT. */
  uvarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer.readUInt8(this.position++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw new RangeError(`A varint at byte ${this.position} of an answer has more than five bytes`)
  }

  /** The length of a COMPACT_ARRAY; a null array counts as empty. */
  arrayLength(): number {
    return Math.max(0, this.uvarint() - 1)
  }

  /** COMPACT_NULLABLE_STRING. */
  nullableString(): string | undefined {
    const length = this.uvarint() - 1
    if (length < 0) return undefined
    const start = this.#advance(length)
    return this.buffer.toString('utf8', start, this.position)
  }

  /** COMPACT_NULLABLE_BYTES as a view; null counts as empty. */
  bytes(): Buffer {
    const start = this.#advance(Math.max(0, this.uvarint() - 1))
    return this.buffer.subarray(start, this.position)
  }

  /** UUID in canonical text form. */
  uuid(): string {
    const start = this.#advance(16)
    const hex = this.buffer.toString('hex', start, this.position)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** Passes over tagged fields that this reader has no use for. */
  skipTags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.#advance(this.uvarint())
    }
  }

  skip(bytes: number): void {
    this.#advance(bytes)
  }

  #advance(bytes: number): number {
    const start = this.position
    this.position += bytes
    if (this.position > this.buffer.length)
      throw new RangeError(`An answer ends inside a field at byte ${start}`)
    return start
  }
}
