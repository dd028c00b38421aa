/** Writes Kafka's flexible (KIP-482) encodings into one growing buffer. */
export class ByteBuilder {
  #buffer: Buffer
  #length = 0

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** What was written so far, as a view. */
  view(start = 0): Buffer {
    return this.#buffer.subarray(start, this.#length)
  }

  int8(value: number): this {
    this.#room(1)
    this.#buffer.writeInt8(value, this.#length)
    this.#length += 1
    return this
  }

  int16(value: number): this {
    this.#room(2)
    this.#buffer.writeInt16BE(value, this.#length)
    this.#length += 2
    return this
  }

  int32(value: number): this {
    this.#room(4)
    this.#buffer.writeInt32BE(value, this.#length)
    this.#length += 4
    return this
  }

  int64(value: bigint): this {
    this.#room(8)
    this.#buffer.writeBigInt64BE(value, this.#length)
    this.#length += 8
    return this
  }

  /** UNSIGNED_VARINT. */
  uvarint(value: number): this {
    this.#room(5)
    let rest = value >>> 0
    while (rest > 0x7f) {
      this.#buffer[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#length++] = rest
    return this
  }

  /** COMPACT_STRING. */
  string(value: string): this {
    const bytes = Buffer.byteLength(value)
    this.uvarint(bytes + 1)
    this.#room(bytes)
    this.#length += this.#buffer.write(value, this.#length)
    return this
  }

  /** STRING with an INT16 length, as request headers keep it. */
  shortString(value: string): this {
    const bytes = Buffer.byteLength(value)
    this.int16(bytes)
    this.#room(bytes)
    this.#length += this.#buffer.write(value, this.#length)
    return this
  }

  /** UUID from its canonical text form. */
  uuid(value: string): this {
    this.#room(16)
    this.#length += this.#buffer.write(value.replaceAll('-', ''), this.#length, 'hex')
    return this
  }

  /** An empty set of tagged fields. */
  noTags(): this {
    return this.uvarint(0)
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}
