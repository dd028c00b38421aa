import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fetchV12, fetchV13, fetchV15, fetchV16, type Writer } from '@platformatic/kafka'
import type { FetchPartition, FetchRequest } from '../../../../replicator/kafka/cluster.ts'
import { ByteBuilder } from '../../../../replicator/kafka/hot/byte-builder.ts'
import { ByteCursor } from '../../../../replicator/kafka/hot/byte-cursor.ts'
import { planFetch, readFetch, writeFetch } from '../../../../replicator/kafka/hot/fetch-codec.ts'

const ordersId = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
const clicksId = 'ffeeddcc-bbaa-9988-7766-554433221100'

const asked = (
  topic: string,
  topicId: string,
  partition: number,
  offset: bigint,
  leaderEpoch?: number,
): FetchPartition => ({
  topic,
  topicId,
  partition,
  offset,
  leaderEpoch,
  bytesMax: 1_048_576,
})

const request: FetchRequest = {
  partitions: [
    asked('orders', ordersId, 3, 5_000_000_000n, 7),
    asked('clicks', clicksId, 0, 0n),
    asked('orders', ordersId, 1, 12n),
  ],
  waitMaxMs: 500,
  bytesMin: 1,
  bytesMax: 8_388_608,
  isolation: 'read_committed',
}

const plan = planFetch(request.partitions)

/** The same request by the wire library's writer, which is of another hand. */
function byLibrary(version: number): Buffer {
  const partition = (p: FetchPartition) => ({
    partition: p.partition,
    currentLeaderEpoch: p.leaderEpoch ?? -1,
    fetchOffset: p.offset,
    lastFetchedEpoch: -1,
    partitionMaxBytes: p.bytesMax,
  })
  const topics = [...plan].map(([topic, partitions]) => ({
    topic,
    // The library writes the name of v12 from this member too.
    topicId: version === 12 ? topic : partitions[0]!.topicId!,
    partitions: partitions.map(partition),
  }))
  const api = { 12: fetchV12, 13: fetchV13, 15: fetchV15, 16: fetchV16 }[version] ?? assert.fail()
  const create = api.createRequest as unknown as (...args: readonly unknown[]) => Writer
  return create(500, 1, 8_388_608, 1, 0, -1, topics, [], '').buffer
}

/** Hand-made, field by field. */
class Answer {
  readonly #out = new ByteBuilder(1024)

  head(throttleMs: number, errorCode: number): this {
    this.#out.int32(throttleMs).int16(errorCode).int32(0)
    return this
  }

  array(count: number): this {
    this.#out.uvarint(count + 1)
    return this
  }

  topic(version: number, name: string, id: string): this {
    if (version >= 13) this.#out.uuid(id)
    else this.#out.string(name)
    return this
  }

  partition(
    index: number,
    errorCode: number,
    aborted: readonly (readonly [bigint, bigint])[],
    records: Buffer | null,
  ): this {
    this.#out.int32(index).int16(errorCode).int64(100n).int64(90n).int64(5n)
    this.#out.uvarint(aborted.length + 1)
    for (const [producerId, firstOffset] of aborted) this.#out.int64(producerId).int64(firstOffset).noTags()
    this.#out.int32(-1)
    this.#out.uvarint(records === null ? 0 : records.length + 1)
    for (const byte of records ?? []) this.#out.int8((byte << 24) >> 24)
    // A tagged field that we do not know: tag 1, three bytes.
    this.#out.uvarint(1).uvarint(1).uvarint(3).int8(1).int8(2).int8(3)
    return this
  }

  end(): this {
    this.#out.noTags()
    return this
  }

  get bytes(): Buffer {
    return this.#out.view()
  }
}

function sample(version: number): Buffer {
  return new Answer()
    .head(250, 0)
    .array(2)
    .topic(version, 'orders', ordersId)
    .array(2)
    .partition(
      3,
      0,
      [
        [9n, 60n],
        [8n, 50n],
      ],
      Buffer.from('batches'),
    )
    .partition(1, 1, [], null)
    .end()
    .topic(version, 'clicks', clicksId)
    .array(1)
    .partition(0, 6, [], Buffer.alloc(0))
    .end()
    .end().bytes
}

describe('Fetch', () => {
  for (const version of [12, 13, 15, 16]) {
    test(`v${version}: the request is what the wire library writes`, () => {
      const out = new ByteBuilder(4)
      writeFetch(out, version, request, plan)
      assert.equal(out.view().toString('hex'), byLibrary(version).toString('hex'))
    })

    test(`v${version}: the answer is read, partition errors as data`, () => {
      // Inside a larger buffer, as in a frame.
      const bytes = Buffer.concat([Buffer.alloc(11, 0xee), sample(version)])
      const answer = readFetch(new ByteCursor(bytes, 11), version, plan, { broker: 5 })
      assert.deepEqual([answer.throttleMs, answer.error], [250, undefined])
      assert.deepEqual(
        answer.partitions.map(({ topic, partition, error }) => [topic, partition, error?.kind]),
        [
          ['orders', 3, undefined],
          ['orders', 1, 'OFFSET_OUT_OF_RANGE'],
          ['clicks', 0, 'NOT_LEADER_OR_FOLLOWER'],
        ],
      )
      const [first, second] = answer.partitions
      assert.equal(first!.records.toString(), 'batches')
      assert(first!.records.buffer === bytes.buffer, 'a view, not a copy')
      assert.deepEqual(
        [first!.highWatermark, first!.lastStableOffset, first!.logStartOffset],
        [100n, 90n, 5n],
      )
      assert.deepEqual(first!.aborted, [
        { producerId: 8n, firstOffset: 50n },
        { producerId: 9n, firstOffset: 60n },
      ])
      assert.equal(second!.records.length, 0)
      const { topic, partition, broker, retriable } = second!.error!
      assert.deepEqual([topic, partition, broker, retriable], ['orders', 1, 5, false])
    })
  }

  test('an answer cut anywhere is an error, never a short result', () => {
    const whole = sample(16)
    for (let length = 0; length < whole.length - 1; length++) {
      const cursor = new ByteCursor(Buffer.from(whole.subarray(0, length)), 0)
      assert.throws(() => readFetch(cursor, 16, plan, {}), RangeError, `cut at ${length}`)
    }
  })

  test('an error of the whole request', () => {
    const bytes = new Answer().head(0, 70).array(0).end().bytes
    const answer = readFetch(new ByteCursor(bytes, 0), 16, plan, {})
    assert.deepEqual([answer.error?.code, answer.partitions], [70, []])
  })

  test('a topic id that nobody asked for is passed over', () => {
    const bytes = new Answer()
      .head(0, 0)
      .array(1)
      .topic(16, 'x', '11111111-1111-1111-1111-111111111111')
      .array(1)
      .partition(0, 100, [], null)
      .end()
      .end().bytes
    assert.deepEqual(readFetch(new ByteCursor(bytes, 0), 16, plan, {}).partitions, [])
  })

  test('by topic id, a topic without one cannot be asked for', () => {
    const partitions = [{ ...asked('orders', ordersId, 0, 0n), topicId: undefined }]
    const out = new ByteBuilder(64)
    assert.throws(
      () => writeFetch(out, 13, { ...request, partitions }, planFetch(partitions)),
      /needs its id/,
    )
    writeFetch(out, 12, { ...request, partitions }, planFetch(partitions))
  })
})
