import { CorruptBatchError } from './corrupt-batch.ts'

/**
 * Reads the fields of records, in the order they are stored. Every read stays inside the payload; what does
 * not fit throws {@link CorruptBatchError} with its place. Bits beyond a varint's width are dropped, as the
 * Java client does.
 */
export class RecordReader {
  readonly #payload: Buffer
  #at = 0
  /** Where the current record ends: no field may reach beyond. */
  #end: number

  constructor(payload: Buffer) {
    this.#payload = payload
    this.#end = payload.length
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at
  }

  fail(reason: string, position = this.#at): never {
    throw new CorruptBatchError(reason, { position })
  }

  /** Enters a record: its length first. Fields read until {@link leaveRecord} are confined to it. */
  enterRecord(): void {
    const from = this.#at
    const bytes = this.varint()
    const end = this.#at + bytes
    if (bytes < 0 || end > this.#payload.length) this.fail(`a record of ${bytes} bytes does not fit`, from)
    this.#end = end
  }

  /** Leaves a record; its fields must have filled it. */
  leaveRecord(): void {
    if (this.#at !== this.#end) this.fail(`${this.#end - this.#at} bytes of a record are left over`)
    this.#end = this.#payload.length
  }

  /** All records were read: nothing may follow. */
  finish(): void {
    if (this.#at !== this.#payload.length) {
      this.fail(`${this.#payload.length - this.#at} bytes follow the last record`)
    }
  }

  byte(): number {
    if (this.#at >= this.#end) this.fail('a field is cut off')
    const byte = this.#payload[this.#at]!
    this.#at += 1
    return byte
  }

  /** A zigzag varint of 32 bits. */
  varint(): number {
    const from = this.#at
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    return this.fail('a varint of more than 5 bytes', from)
  }

  /** A zigzag varint of 64 bits. */
  varlong(): bigint {
    const from = this.#at
    let low = 0
    for (let place = 1; place < 2 ** 49; place *= 128) {
      const byte = this.byte()
      low += (byte & 0x7f) * place
      if (byte < 0x80) return BigInt(low % 2 === 0 ? low / 2 : -(low + 1) / 2)
    }
    let value = BigInt(low)
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        const unsigned = BigInt.asUintN(64, value)
        return BigInt.asIntN(64, (unsigned >> 1n) ^ -(unsigned & 1n))
      }
    }
    return this.fail('a varint of more than 10 bytes', from)
  }

  /** Bytes after their length; a negative length is `null`. A view, not a copy. */
  bytes(): Buffer | null {
    const from = this.#at
    const length = this.varint()
    if (length < 0) return null
    const end = this.#at + length
    if (end > this.#end) this.fail(`a field of ${length} bytes reaches beyond its record`, from)
    const field = this.#payload.subarray(this.#at, end)
    this.#at = end
    return field
  }
}
