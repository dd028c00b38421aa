import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import {
  combineCrc32c,
  crc32cOf,
  crcMatches,
  extendLinearByByte,
  extendLinearByWord,
  shiftLinear,
} from '../../../replicator/records/crc.ts'

const linear = (bytes: Uint8Array): number => bytes.reduce(extendLinearByByte, 0) >>> 0

describe('CRC-32C', () => {
  test('has the check value of RFC 3720', () => {
    assert.equal(crc32cOf(Buffer.from('123456789')), 0xe3069283)
    assert.equal(crc32cOf(Buffer.alloc(32)), 0x8a9136aa)
  })

  test('is linear: the difference of two CRCs is the linear CRC of the difference', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.infiniteStream(fc.nat(255)), (bytes, stream) => {
        const other = bytes.map(() => stream.next().value!)
        assert.equal((crc32c(bytes) ^ crc32c(other)) >>> 0, linear(bytes.map((byte, i) => byte ^ other[i]!)))
      }),
    )
  })

  test('takes words as four bytes, highest first', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (crc, word) => {
        const bytes = Buffer.alloc(4)
        bytes.writeInt32BE(word)
        assert.equal(extendLinearByWord(crc, word) | 0, bytes.reduce(extendLinearByByte, crc) | 0)
      }),
    )
  })

  test('shifts as appended zero bytes would', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.nat(70_000), (bytes, zeroBytes) => {
        const appended = Buffer.concat([bytes, Buffer.alloc(zeroBytes)])
        assert.equal(shiftLinear(linear(bytes), zeroBytes) >>> 0, linear(appended))
      }),
    )
    assert.equal(
      shiftLinear(shiftLinear(0x1234567, 2 ** 31 - 1), 2 ** 31 - 5),
      shiftLinear(0x1234567, 2 ** 32 - 6),
    )
  })

  test('combines', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
        const whole = crc32c(Buffer.concat([first, second]))
        assert.equal(combineCrc32c(crc32c(first), crc32c(second), second.length), whole)
      }),
    )
  })

  test('of a batch that is not wholly inside the buffer never matches', () => {
    const batch = Buffer.alloc(61)
    batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
    assert.ok(crcMatches(batch, 0, 61))
    assert.ok(!crcMatches(batch, 0, 62))
    assert.ok(!crcMatches(batch, 0, 60))
    assert.ok(!crcMatches(batch, 1, 61))
    assert.ok(!crcMatches(batch, -1, 61))
  })
})
