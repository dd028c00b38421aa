import { MapFormatError } from './map-format-error.ts'

/** 7 bits a byte: 8 bytes hold numbers below 2^53 (and up to 2^56, which are refused). */
const VARINT_BYTES_MAX = 8

/** Writes unsigned varints (LEB128) of numbers below 2^53. */
export class VarintWriter {
  #buffer = Buffer.allocUnsafe(256)
  #at = 0

  /** What was written: a copy of its own. */
  get bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at))
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#at++] = value
  }

  /** @throws RangeError when it is not an integer from 0 to 2^53-1 */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} cannot be a varint`)
    this.#reserve(VARINT_BYTES_MAX)
    let rest = value
    // Beyond 32 bits the bit operators do not reach.
    for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) this.#buffer[this.#at++] = (rest % 0x80) | 0x80
    this.#buffer[this.#at++] = rest
  }

  /** A length, then UTF-8; the empty text is nothing. */
  text(value: string): void {
    const bytes = Buffer.from(value)
    this.varint(bytes.length)
    this.raw(bytes)
  }

  raw(bytes: Buffer): void {
    this.#reserve(bytes.length)
    bytes.copy(this.#buffer, this.#at)
    this.#at += bytes.length
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
  }
}

/** Reads what {@link VarintWriter} wrote, and nothing else: @throws MapFormatError */
export class VarintReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new MapFormatError('bytes are cut off')
    this.#at += 1
    return byte
  }

  varint(): number {
    let value = 0
    let place = 1
    for (let index = 0; index < VARINT_BYTES_MAX; index++, place *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * place
      if (byte > 0x7f) continue
      if (byte === 0 && index > 0) throw new MapFormatError('a varint could be shorter')
      if (!Number.isSafeInteger(value)) throw new MapFormatError('a number of 2^53 or more')
      return value
    }
    throw new MapFormatError(`a varint of more than ${VARINT_BYTES_MAX} bytes`)
  }

  text(): string {
    return this.#take(this.varint()).toString()
  }

  /** All that is left. */
  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at)
  }

  /** Nothing may be left. */
  finish(): void {
    const left = this.#bytes.length - this.#at
    if (left > 0) throw new MapFormatError(`${left} bytes are left over`)
  }

  #take(bytes: number): Buffer {
    const end = this.#at + bytes
    if (end > this.#bytes.length) throw new MapFormatError('bytes are cut off')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}
