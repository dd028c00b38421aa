import { crc32c } from '@node-rs/crc32'
import { batchHeaderBytes, batchLayout } from './batch-layout.ts'

/*
 * CRC-32C as arithmetic: a CRC is a polynomial over GF(2) modulo the Castagnoli polynomial, kept with its
 * bits reversed (the highest bit is x^0). Two consequences carry this file:
 *
 *   A. Linear: crc(a) XOR crc(b) = linear(a XOR b) for inputs of one length, where `linear` starts from zero
 *      and does not invert at the end.
 *   B. Appending n zero bytes multiplies a linear CRC by x^(8n).
 *
 * So the CRC after changing a few header bytes follows from the old CRC and the changed bits alone, whatever
 * the length of the payload behind them. See zlib's crc32_combine, and RFC 3720 for the polynomial.
 */
const polynomial = 0x82f63b78 | 0

const product = (left: number, right: number): number => {
  let a = left
  let b = right
  let sum = 0
  for (let bit = 0; bit < 32; bit += 1) {
    sum ^= b & (a >> 31)
    a <<= 1
    b = (b >>> 1) ^ (polynomial & -(b & 1))
  }
  return sum
}

/** `powers[256 * k + v]` is x^(8 * v * 256^k): a shift by any length is at most four products. */
const powers = (() => {
  const table = new Int32Array(4 * 256)
  let step = 1 << 23
  for (let k = 0; k < 4; k += 1) {
    table[256 * k] = 1 << 31
    for (let v = 1; v < 256; v += 1) table[256 * k + v] = product(table[256 * k + v - 1]!, step)
    step = product(table[256 * k + 255]!, step)
  }
  return table
})()

/** `slices[256 * k + v]` is the linear CRC of the byte v followed by k zero bytes. */
const slices = (() => {
  const table = new Int32Array(4 * 256)
  for (let v = 0; v < 256; v += 1) {
    let crc = v
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (polynomial & -(crc & 1))
    table[v] = crc
  }
  for (let i = 256; i < table.length; i += 1) {
    const before = table[i - 256]!
    table[i] = (before >>> 8) ^ table[before & 255]!
  }
  return table
})()

/** The linear CRC after one more byte. */
export const extendLinearByByte = (crc: number, byte: number): number =>
  (crc >>> 8) ^ slices[(crc ^ byte) & 255]!

/** The linear CRC after the four bytes of `word`, its highest byte first as on the wire. */
export const extendLinearByWord = (crc: number, word: number): number => {
  const c =
    crc ^ ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | ((word << 24) & 0xff000000))
  return (
    slices[768 + (c & 255)]! ^
    slices[512 + ((c >>> 8) & 255)]! ^
    slices[256 + ((c >>> 16) & 255)]! ^
    slices[c >>> 24]!
  )
}

/**
 * The linear CRC after `zeroBytes` more zero bytes.
 * `zeroBytes` is a whole number below 2^32; the cost does not depend on it beyond its count of non-zero bytes.
 */
export const shiftLinear = (crc: number, zeroBytes: number): number => {
  let shifted = crc
  if ((zeroBytes & 0xff) !== 0) shifted = product(shifted, powers[zeroBytes & 0xff]!)
  if ((zeroBytes & 0xff00) !== 0) shifted = product(shifted, powers[256 + ((zeroBytes >>> 8) & 0xff)]!)
  if ((zeroBytes & 0xff0000) !== 0) shifted = product(shifted, powers[512 + ((zeroBytes >>> 16) & 0xff)]!)
  if (zeroBytes >>> 24 !== 0) shifted = product(shifted, powers[768 + (zeroBytes >>> 24)]!)
  return shifted
}

/** The CRC-32C of two inputs in a row, from the CRC-32C of each and the length of the second. */
export const combineCrc32c = (first: number, second: number, secondBytes: number): number =>
  (shiftLinear(first, secondBytes) ^ second) >>> 0

/** The CRC-32C of all of `bytes`, as an unsigned 32-bit number. */
export const crc32cOf = (bytes: Uint8Array): number => crc32c(bytes)

/**
 * Whether the CRC stored in the batch of `bytes` bytes at `at` is that of its content.
 * `false` as well for a batch that does not lie wholly inside the buffer. One native call over the batch.
 */
export const crcMatches = (buffer: Buffer, at: number, bytes: number): boolean => {
  if (at < 0 || bytes < batchHeaderBytes || at + bytes > buffer.length) return false
  const from = at + batchLayout.attributes
  return crc32c(buffer.subarray(from, at + bytes)) === buffer.readUInt32BE(at + batchLayout.crc)
}
