import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import {
  decodeProgress,
  decodeProgressKey,
  encodeProgress,
  encodeProgressKey,
} from '../../../replicator/shards/progress-record.ts'
import { shardOf } from '../../../replicator/shards/shard-of.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })

describe('progress records', () => {
  test('come back as they were written, offsets exact to the last', () => {
    fc.assert(
      fc.property(
        offset,
        fc.option(offset),
        fc.option(fc.uuid()),
        fc.string(),
        fc.nat(),
        (next, target, id, topic, partition) => {
          const progress = {
            topicId: id ?? undefined,
            sourceNext: sourceOffset(next),
            targetNext: target === null ? undefined : targetOffset(target),
          }
          assert.deepEqual(decodeProgress(encodeProgress(progress)), progress)
          const key = { flow, topic, partition }
          assert.deepEqual(decodeProgressKey(encodeProgressKey(key)), key)
        },
      ),
    )
  })

  test('keys are the same bytes in every version, for the cleaner compares bytes', () => {
    const key = encodeProgressKey({ partition: 3, topic: 'orders', flow })
    assert.equal(key.toString(), '{"v":1,"flow":"us-east->eu-west","topic":"orders","partition":3}')
    const value = encodeProgress({
      topicId: 'abc',
      sourceNext: sourceOffset(12n),
      targetNext: targetOffset(9n),
    })
    assert.equal(value.toString(), '{"v":1,"topicId":"abc","sourceNext":"12","targetNext":"9"}')
  })

  test('what is of another version or of no kind at all is refused, never guessed', () => {
    for (const text of [
      '',
      '{}',
      '{"v":2,"sourceNext":"1"}',
      '{"v":1,"sourceNext":1}',
      '{"v":1,"sourceNext":"-1"}',
      '{"v":1,"sourceNext":"1e3"}',
    ]) {
      assert.throws(() => decodeProgress(Buffer.from(text)), text)
    }
    assert.throws(() => decodeProgressKey(Buffer.from('{"v":2,"flow":"a","topic":"b","partition":0}')))
    assert.throws(() => decodeProgressKey(Buffer.from('{"v":1,"flow":"a","topic":"b","partition":-1}')))
  })
})

describe('the shard of a partition', () => {
  test('never changes: it is part of what is on disk', () => {
    // FNV-1a 32 of "orders/0" and so on, by an independent calculator.
    assert.equal(shardOf('', 0, 2 ** 32), fnv('/0'))
    for (const [topic, partition] of [
      ['orders', 0],
      ['orders', 1],
      ['größe.β', 99],
    ] as const) {
      assert.equal(shardOf(topic, partition, 2 ** 32), fnv(`${topic}/${partition}`))
      assert.equal(shardOf(topic, partition, 7), fnv(`${topic}/${partition}`) % 7)
    }
    // The published test vector of FNV-1a for "foobar".
    assert.equal(fnv('foobar'), 0xbf9cf968)
  })

  test('spreads partitions', () => {
    const counts = new Array<number>(8).fill(0)
    for (let partition = 0; partition < 800; partition++) counts[shardOf('orders', partition, 8)]!++
    for (const count of counts) assert(count > 50 && count < 150, `${counts}`)
  })
})

/** FNV-1a with big integers, straight from its definition. */
function fnv(text: string): number {
  let hash = 0x811c9dc5n
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n
  return Number(hash)
}
