import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { nextBatch } from '../../../replicator/records/record-batch.ts'
import { goldenBatches } from './golden/golden-batches.ts'

const record = { timestamp: 5n, key: null, value: Buffer.from('v'), headers: [] }

describe('walking a fetched buffer', () => {
  test('finds each batch, and says partial at every length that cuts one off', () => {
    const whole = goldenBatches('transactions')[0]!.buffer
    const ends = goldenBatches('transactions').map(({ at, bytes }) => at + bytes)
    for (let length = 0; length <= whole.length; length += 1) {
      const cut = Buffer.from(whole.subarray(0, length))
      let at = 0
      let next = nextBatch(cut, at)
      const found: number[] = []
      for (; next.kind === 'batch'; next = nextBatch(cut, at)) {
        at += next.bytes
        found.push(at)
      }
      assert.equal(next.kind, 'partial')
      assert.deepEqual(
        found,
        ends.filter((end) => end <= length),
      )
    }
  })

  test('reports older and unknown formats, whole or cut off', () => {
    for (const magic of [0, 1, 3, -1]) {
      const old = Buffer.alloc(26)
      old.writeInt32BE(14, 8)
      old.writeInt8(magic, 16)
      assert.deepEqual(nextBatch(old, 0), { kind: 'unsupported-magic', magic })
      assert.deepEqual(nextBatch(old.subarray(0, 17), 0), { kind: 'unsupported-magic', magic })
      assert.deepEqual(nextBatch(old.subarray(0, 16), 0), { kind: 'partial' })
    }
  })

  test('reports headers that contradict themselves', () => {
    const changes: readonly [(batch: Buffer) => void, RegExp][] = [
      [(batch) => batch.writeInt32BE(48, 8), /length 48/],
      [(batch) => batch.writeInt32BE(-1, 8), /length -1/],
      [(batch) => batch.writeInt32BE(-(2 ** 31), 8), /length -2147483648/],
      [(batch) => batch.writeBigInt64BE(-1n, 0), /base offset/],
      [(batch) => batch.writeInt32BE(-1, 23), /last offset delta -1/],
      [(batch) => batch.writeInt32BE(-1, 57), /-1 records/],
      [(batch) => batch.writeInt32BE(3, 57), /3 records in 2 offsets/],
    ]
    for (const [change, reason] of changes) {
      const batch = encodeBatch([record, record])
      assert.equal(nextBatch(batch, 0).kind, 'batch')
      change(batch)
      const next = nextBatch(batch, 0)
      assert.ok(next.kind === 'malformed')
      assert.match(next.reason, reason)
    }
  })

  test('ends, inside the buffer, whatever the bytes', () => {
    const anyStart = fc.tuple(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat(400)), fc.boolean())
    fc.assert(
      fc.property(anyStart, ([bytes, magicsAt, plausible]) => {
        const buffer = Buffer.from(bytes)
        for (const at of magicsAt) if (at < buffer.length) buffer[at] = plausible ? 2 : 0
        let at = 0
        for (let next = nextBatch(buffer, at); next.kind === 'batch'; next = nextBatch(buffer, at)) {
          assert.ok(next.bytes >= 61)
          at += next.bytes
          assert.ok(at <= buffer.length)
        }
      }),
      { numRuns: 500 },
    )
  })
})
