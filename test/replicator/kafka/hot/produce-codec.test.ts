import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ProduceBatch } from '../../../../replicator/kafka/cluster.ts'
import { ByteBuilder } from '../../../../replicator/kafka/hot/byte-builder.ts'
import { ByteCursor } from '../../../../replicator/kafka/hot/byte-cursor.ts'
import { layOutProduce, readProduce } from '../../../../replicator/kafka/hot/produce-codec.ts'

const batch = (topic: string, partition: number, content: string): ProduceBatch => ({
  topic,
  partition,
  batch: Buffer.from(content),
})

const batches = [
  batch('orders', 2, 'first'),
  batch('clicks', 0, 'second'),
  batch('orders', 0, 'x'.repeat(200)),
]

/** The body by the protocol guide: v9 to v11 are the same. */
const golden = Buffer.concat([
  // transactional_id null, acks -1, timeout 30 000, two topics
  Buffer.from('00ffff0000753003', 'hex'),
  // "orders", two partitions: 2 with 5 bytes, 0 with 200 (varint 201 = c9 01)
  Buffer.from('076f7264657273030000000206', 'hex'),
  Buffer.from('first'),
  Buffer.from('0000000000c901', 'hex'),
  Buffer.from('x'.repeat(200)),
  Buffer.from('0000', 'hex'),
  // "clicks", one partition
  Buffer.from('07636c69636b73020000000007', 'hex'),
  Buffer.from('second'),
  Buffer.from('000000', 'hex'),
])

interface Told {
  readonly partition: number
  readonly errorCode?: number
  readonly appendTime?: bigint
  readonly recordErrors?: readonly (readonly [number, string | undefined])[]
  readonly message?: string
}

function answer(topics: readonly (readonly [string, readonly Told[]])[], throttleMs = 0): Buffer {
  const out = new ByteBuilder(512).uvarint(topics.length + 1)
  for (const [name, partitions] of topics) {
    out.string(name).uvarint(partitions.length + 1)
    for (const { partition, errorCode = 0, appendTime = -1n, recordErrors = [], message } of partitions) {
      out.int32(partition).int16(errorCode).int64(77n).int64(appendTime).int64(3n)
      out.uvarint(recordErrors.length + 1)
      for (const [index, text] of recordErrors) {
        out.int32(index)
        if (text === undefined) out.uvarint(0)
        else out.string(text)
        out.noTags()
      }
      if (message === undefined) out.uvarint(0)
      else out.string(message)
      // Tag 0 of v10+, current_leader: 9 bytes that we pass over.
      out.uvarint(1).uvarint(0).uvarint(9).int32(4).int32(8).noTags()
    }
    out.noTags()
  }
  return out.int32(throttleMs).noTags().view()
}

describe('Produce', () => {
  test('the request’s bytes, batches in place', () => {
    const { pieces, bytes } = layOutProduce({ batches, timeoutMs: 30_000 })
    const whole = Buffer.concat(pieces)
    assert.equal(whole.toString('hex'), golden.toString('hex'))
    assert.equal(bytes, whole.length)
    for (const { batch } of batches) assert(pieces.includes(batch), 'written from where it is')
  })

  test('many partitions and long names keep their place while the request grows', () => {
    const many = Array.from({ length: 500 }, (_, i) =>
      batch(`${'t'.repeat(240)}-${i % 50}`, i, `batch ${i};`),
    )
    const { pieces, bytes } = layOutProduce({ batches: many, timeoutMs: 1 })
    const whole = Buffer.concat(pieces)
    assert.equal(whole.length, bytes)
    for (const { batch } of many) assert(whole.includes(batch))
    assert.equal(
      whole.subarray(0, 9).toString('hex'),
      '00ffff000000013340'.slice(0, 16) + whole.toString('hex', 8, 9),
    )
  })

  test('two batches for one partition are refused: a broker would drop one', () => {
    const twice = [batch('orders', 1, 'a'), batch('orders', 1, 'b')]
    assert.throws(() => layOutProduce({ batches: twice, timeoutMs: 1 }), /Two batches for orders\/1/)
  })

  test('results come in the order of the request, errors as data', () => {
    const bytes = answer(
      [
        ['clicks', [{ partition: 0, errorCode: 10, message: 'too big' }]],
        [
          'orders',
          [
            { partition: 0, appendTime: 1234n },
            {
              partition: 2,
              errorCode: 87,
              recordErrors: [
                [4, 'no key'],
                [5, undefined],
              ],
            },
          ],
        ],
      ],
      125,
    )
    const { throttleMs, results } = readProduce(new ByteCursor(bytes, 0), batches, { broker: 1 })
    assert.equal(throttleMs, 125)
    assert.deepEqual(
      results.map(({ topic, partition, result }) => [topic, partition, result.ok || result.error.code]),
      [
        ['orders', 2, 87],
        ['clicks', 0, 10],
        ['orders', 0, true],
      ],
    )
    const [invalid, large, taken] = results.map(({ result }) => result)
    assert(invalid?.ok === false && /record 4 of the batch: no key/.test(invalid.error.message))
    assert(
      large?.ok === false &&
        /too big/.test(large.error.message) &&
        /clicks.*partition 0/.test(large.error.message),
    )
    assert.deepEqual(taken, { ok: true, value: { baseOffset: 77n, logAppendTimeMs: 1234 } })
  })

  test('a partition that the answer leaves out is an error', () => {
    const bytes = answer([['orders', [{ partition: 2 }, { partition: 0 }]]])
    const { results } = readProduce(new ByteCursor(bytes, 0), batches, {})
    assert.deepEqual(
      results.map(({ result }) => result.ok),
      [true, false, true],
    )
    const [first] = results
    assert(first?.result.ok && first.result.value.logAppendTimeMs === undefined)
  })

  test('an answer cut anywhere is an error', () => {
    const whole = answer([['orders', [{ partition: 2, errorCode: 87, recordErrors: [[4, 'no key']] }]]])
    for (let length = 0; length < whole.length - 1; length++) {
      const cursor = new ByteCursor(Buffer.from(whole.subarray(0, length)), 0)
      assert.throws(() => readProduce(cursor, batches, {}), RangeError, `cut at ${length}`)
    }
  })
})
