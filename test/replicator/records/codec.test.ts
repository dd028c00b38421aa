import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { compressSync as snappyRaw } from 'snappy'
import { compress, decompress } from '../../../replicator/records/codec.ts'
import { CorruptBatchError, DecompressionLimitError } from '../../../replicator/records/corrupt-batch.ts'
import { anyCodec, everyCodec } from './arbitrary-records.ts'

const limit = 64 * 1024 * 1024
const compressing = everyCodec.filter((codec) => codec !== 'none')

describe('codecs', () => {
  test('give back what they were given', () => {
    fc.assert(
      fc.property(
        anyCodec,
        fc.uint8Array({ maxLength: 5000, size: 'max' }),
        fc.nat(60),
        (codec, bytes, times) => {
          const plain = Buffer.concat(Array.from({ length: times }, () => bytes))
          assert.deepEqual(decompress(codec, compress(codec, plain), limit), plain)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('take snappy without framing', () => {
    const plain = Buffer.alloc(1000, 'one block ')
    assert.deepEqual(decompress('snappy', snappyRaw(plain), limit), plain)
  })

  for (const codec of compressing) {
    test(`${codec} stops at the limit, not at the memory`, () => {
      const bomb = compress(codec, Buffer.alloc(limit))
      assert.throws(() => decompress(codec, bomb, 1_000_000), DecompressionLimitError)
      assert.equal(decompress(codec, compress(codec, Buffer.alloc(70_000, 'x')), 1_000_000).length, 70_000)
    })

    test(`${codec} says so when its input is cut off at any length`, () => {
      const whole = compress(codec, Buffer.from('some records, '.repeat(30)))
      for (let length = 0; length < whole.length; length += 1) {
        // A framed stream of fewer blocks is a valid one: what is missing shows when records are read.
        if (codec === 'snappy' && length === 16) continue
        assert.throws(
          () => decompress(codec, whole.subarray(0, length), limit),
          CorruptBatchError,
          `${length}`,
        )
      }
    })

    test(`${codec} survives damage, and works after it`, () => {
      const plain = Buffer.from('some records, '.repeat(30))
      const whole = compress(codec, plain)
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          const damaged = Buffer.from(whole)
          damaged[at]! ^= flip
          try {
            decompress(codec, damaged, limit)
          } catch (error) {
            assert.ok(error instanceof CorruptBatchError || error instanceof DecompressionLimitError)
          }
        }),
        { numRuns: 1000 },
      )
      assert.deepEqual(decompress(codec, whole, limit), plain)
    })
  }

  test('take one lz4 frame and nothing after it', () => {
    const frame = compress('lz4', Buffer.alloc(100, 'x'))
    assert.throws(() => decompress('lz4', Buffer.concat([frame, Buffer.alloc(3)]), limit), /after the end/)
    assert.throws(() => decompress('lz4', Buffer.concat([frame, frame]), limit), CorruptBatchError)
  })

  test('believe no length that a snappy block claims', () => {
    const claims4GiB = Buffer.from('ffffffff0f00', 'hex')
    assert.throws(() => decompress('snappy', claims4GiB, limit), DecompressionLimitError)
    assert.throws(() => decompress('snappy', Buffer.from('ffffffffff', 'hex'), limit), CorruptBatchError)
  })
})
