import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FramePool } from '../../../../replicator/kafka/hot/frame-pool.ts'

const KIB = 1024

// Buffers are compared with ===: a failed assert.equal would print them.
describe('the frame pool', () => {
  test('gives the memory of a released frame to the next one of its size', () => {
    const pool = new FramePool()
    const first = pool.lease(70 * KIB)
    const { memory } = first
    assert(memory.length >= 70 * KIB)
    assert.equal(first.bytes, 70 * KIB)
    assert(pool.lease(70 * KIB).memory !== memory, 'not while it is held')
    first.release()
    assert.equal(pool.idleBytes, memory.length)
    const again = pool.lease(72 * KIB)
    assert(again.memory === memory)
    assert.deepEqual([again.bytes, pool.idleBytes], [72 * KIB, 0])
  })

  test('a frame lives until its last reference, and takes no release too many', () => {
    const pool = new FramePool()
    const frame = pool.lease(1)
    frame.retain()
    frame.release()
    assert.equal(pool.idleBytes, 0)
    frame.release()
    assert(pool.idleBytes > 0)
    assert.throws(() => frame.release(), /released more often/)
    assert.throws(() => frame.retain(), /retained/)
    const next = pool.lease(1)
    assert(next.memory === frame.memory)
    assert.throws(() => frame.release(), 'an old frame has no say over memory that went on')
    next.release()
  })

  test('keeps no more idle memory than it may, and rather what is asked for now', () => {
    const pool = new FramePool(300 * KIB)
    const old = Array.from({ length: 5 }, () => pool.lease(64 * KIB))
    for (const frame of old) frame.release()
    assert.equal(pool.idleBytes, 256 * KIB)
    const large = pool.lease(200 * KIB)
    const { memory } = large
    large.release()
    assert(pool.idleBytes <= 300 * KIB)
    assert(pool.lease(200 * KIB).memory === memory, 'sizes of the past made room for it')
    const huge = pool.lease(500 * KIB)
    huge.release()
    assert(pool.idleBytes <= 300 * KIB)
  })

  test('any answer fits its frame, with at most a quarter to spare', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 * 1024 * KIB }), (bytes) => {
        const { length } = new FramePool().lease(bytes).memory
        assert(length >= bytes && length <= Math.max(64 * KIB, bytes * 1.25 + 1), `${length} for ${bytes}`)
      }),
      { numRuns: 50 },
    )
  })
})
