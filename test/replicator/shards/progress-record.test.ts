import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import {
  decodeProgress,
  decodeProgressKey,
  encodeOwnerKey,
  encodeProgress,
  encodeProgressKey,
  type Progress,
} from '../../../replicator/shards/progress-record.ts'
import { shardOf } from '../../../replicator/shards/shard-of.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const text = fc.string({ unit: 'binary' })
const stop = fc.record({ reason: text, wayOut: text })
const arbitraryProgress: fc.Arbitrary<Progress> = fc
  .record({
    topicId: fc.option(fc.uuid(), { nil: undefined }),
    targetTopicId: fc.option(fc.uuid(), { nil: undefined }),
    sourceNext: offset.map(sourceOffset),
    targetNext: offset.map(targetOffset),
    producer: fc.record({ producerId: offset, producerEpoch: fc.integer({ min: 0, max: 32_767 }) }),
    sequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    rule: fc.constantFrom('everything' as const, 'all-but-returned' as const, 'local' as const),
    stop: fc.option(stop, { nil: undefined }),
  })
  .map(({ stop, producer, ...progress }) => ({
    ...progress,
    producer: { ...producer },
    ...(stop === undefined ? {} : { stop: { ...stop } }),
  }))

const written: Progress = {
  topicId: 'abc',
  targetTopicId: undefined,
  sourceNext: sourceOffset(12n),
  targetNext: targetOffset(9n),
  producer: { producerId: 4001n, producerEpoch: 3 },
  sequence: 17,
  rule: 'local',
}

describe('progress records', () => {
  test('come back as they were written, offsets exact to the last', () => {
    fc.assert(
      fc.property(arbitraryProgress, fc.string(), fc.nat(), (progress, topic, partition) => {
        assert.deepEqual(decodeProgress(encodeProgress(progress)), progress)
        const key = { flow, topic, partition }
        assert.deepEqual(decodeProgressKey(encodeProgressKey(key)), key)
      }),
    )
  })

  test('keys are the same bytes in every version, for the cleaner compares bytes', () => {
    const key = encodeProgressKey({ partition: 3, topic: 'orders', flow })
    assert.equal(key.toString(), '{"v":2,"flow":"us-east->eu-west","topic":"orders","partition":3}')
    assert.equal(encodeOwnerKey(flow, 5).toString(), '{"v":2,"flow":"us-east->eu-west","shard":5}')
  })

  test('values are on disk: their form does not change', () => {
    assert.equal(
      encodeProgress(written).toString(),
      '{"v":2,"topicId":"abc","sourceNext":"12","targetNext":"9","producerId":"4001","producerEpoch":3,"sequence":17,"rule":"local"}',
    )
    const stopped = decodeProgress(encodeProgress({ ...written, stop: { reason: 'cut', wayOut: 'resume' } }))
    assert.deepEqual(stopped.stop, { reason: 'cut', wayOut: 'resume' })
  })

  test('a sign of life speaks of no partition', () => {
    assert.equal(decodeProgressKey(encodeOwnerKey(flow, 5)), undefined)
  })

  test('what is of another version or of no kind at all is refused, never guessed', () => {
    const whole: unknown = JSON.parse(encodeProgress(written).toString())
    assert(typeof whole === 'object' && whole !== null)
    const spoilt: readonly object[] = [
      {},
      { ...whole, v: 1 },
      { ...whole, v: 3 },
      { ...whole, sourceNext: 1 },
      { ...whole, sourceNext: '-1' },
      { ...whole, targetNext: '1e3' },
      { ...whole, targetNext: undefined },
      { ...whole, producerId: '-1' },
      { ...whole, producerEpoch: 32_768 },
      { ...whole, sequence: -1 },
      { ...whole, rule: 'nothing' },
      { ...whole, stop: 'yes' },
    ]
    for (const value of spoilt) {
      const bytes = Buffer.from(JSON.stringify(value))
      assert.throws(() => decodeProgress(bytes), bytes.toString())
    }
    assert.throws(() => decodeProgress(Buffer.alloc(0)))
    for (const key of [
      '{"v":1,"flow":"a","topic":"b","partition":0}',
      '{"v":2,"flow":"a","topic":"b","partition":-1}',
      '{"v":2,"flow":"a"}',
    ]) {
      assert.throws(() => decodeProgressKey(Buffer.from(key)), key)
    }
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
