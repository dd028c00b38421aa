import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { FetchResponse } from '../../replicator/kafka/cluster.ts'
import { protocolError } from '../../replicator/kafka/errors.ts'
import { PRODUCE_VERSIONS } from '../../replicator/kafka/hot/produce-codec.ts'
import { assertSameBodies, assertSequenced, bulky, CaseBench, type CaseTopic, shapes } from './case-bench.ts'
import { testBrokers, until } from './flow-pair.ts'
import { dataBatches, produceUntouched } from './stored-batches.ts'
import { type Watch, watchedCluster } from './watched-cluster.ts'

const recordTooLarge = 10
const policyViolation = 44
const unsupportedCompression = 76
const invalidRecord = 87
const limitDefault = 1_048_588

let bench: CaseBench

before(() => {
  bench = new CaseBench({
    source: { bootstrap: testBrokers('CAUSEWAY_TEST_SOURCE') },
    target: { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') },
  })
})
after(() => bench.close())

/** Runs the flow until its one bad partition has stopped or waits, and tells why. */
/** @param others partitions whose one batch is copied all the same */
async function stopOf(
  topic: CaseTopic,
  others: readonly number[] = [],
): Promise<{ readonly reason: string; readonly wayOut: string }> {
  const flow = topic.pair.start()
  try {
    await until('a partition does not move', () => flow.snapshot().stopped.length === 1)
    const [stop] = flow.snapshot().stopped
    assert(stop !== undefined)
    const isCopied = async (partition: number) =>
      (await dataBatches(topic.pair.target, topic.copy, partition)).length === 1
    for (const other of others) await until(`partition ${other} goes on`, () => isCopied(other))
    return stop
  } finally {
    await flow.drain(10_000)
  }
}

/** A target with a rule of its own, for some time: what goes to copies is refused. */
function refusing(isRefused: () => boolean, code: number): Watch {
  return {
    produce: async ({ batches }, send) => {
      if (!isRefused() || !batches.some(({ topic }) => topic.startsWith('us-east.'))) return send()
      const results = batches.map(({ topic, partition }) => {
        const error = protocolError(code, { topic, partition })
        return { topic, partition, result: { ok: false as const, error } }
      })
      return { results }
    },
  }
}

describe('batches and what is in them', () => {
  test('case 17: a batch of an old format stops its partition (hand-made: Kafka 4.3 stores none)', async () => {
    const topic = await bench.case('17', {
      pair: {
        between: (side, cluster) =>
          side === 'target' ? cluster : watchedCluster(cluster, { fetched: withOldBatch }),
      },
      partitions: 2,
    })
    for (const partition of [0, 1]) await bench.write(topic, shapes('new format'), { partition })
    const { reason, wayOut } = await stopOf(topic, [1])
    assert.match(reason, /partition 0 at source offset 0: .*format 1/)
    assert.notEqual(wayOut, '')
    assert.deepEqual(await dataBatches(topic.pair.target, topic.copy), [])
    assert.equal((await dataBatches(topic.pair.target, topic.copy, 1)).length, 1)
  })

  test("case 18: batches over the target's limit are split", async () => {
    const topic = await bench.case('18', { source: { 'max.message.bytes': '5000000' }, target: {} })
    await bench.write(topic, shapes('before'))
    await bench.write(topic, bulky(30, 100_000))
    await bench.write(topic, bulky(11, 200_000), { codec: 'lz4' })
    await bench.write(topic, shapes('behind'))
    const source = await dataBatches(topic.pair.source, topic.name)
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, { oversize: 2 })
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.length > source.length && copied.every(({ bytes }) => bytes.length <= limitDefault))
    assertSequenced(copied)
    await bench.sameRecords(topic)
    const head = Buffer.from(source[1]!.bytes)
    head.writeBigInt64BE(0n, 0)
    assert.equal(await produceUntouched(topic.pair.target, topic.copy, head), recordTooLarge)
  })

  test('case 18: a single record over the limit stops its partition until the limit is raised', async () => {
    const topic = await bench.case('18-single', { source: { 'max.message.bytes': '5000000' }, target: {} })
    const [small, other, large] = [...bulky(2, 100), ...bulky(1, 1_200_000)]
    await bench.write(topic, [small!, large!, other!])
    const { reason, wayOut } = await stopOf(topic)
    assert.match(reason, /record at offset 1 alone takes 12\d{5} bytes/)
    assert.match(wayOut, /max\.message\.bytes/)
    assert.deepEqual(await dataBatches(topic.pair.target, topic.copy), [])
    await bench.configure(topic, 'max.message.bytes', '5000000')
    await bench.replicate(topic)
    await bench.sameRecords(topic)
  })

  test('case 18: a batch that only the target makes too large is split until it passes', async () => {
    // The target stores it uncompressed, and its limit holds for that.
    const topic = await bench.case('18-inflated', { target: { 'compression.type': 'uncompressed' } })
    const large = (i: number) => ({ key: `${i}`, value: `${i}`.repeat(250_000) })
    await bench.write(topic, shapes('before'), { codec: 'gzip' })
    await bench.write(
      topic,
      Array.from({ length: 9 }, (_, i) => large(i)),
      { codec: 'gzip' },
    )
    await bench.write(topic, shapes('behind'), { codec: 'gzip' })
    const source = await dataBatches(topic.pair.source, topic.name)
    assert(source.every(({ bytes }) => bytes.length < 50_000))
    await bench.replicate(topic)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.every(({ bytes, codec }) => bytes.length <= limitDefault && codec === 'none'))
    assertSequenced(copied)
    await bench.sameRecords(topic)
  })

  test('case 18: a batch that only the target makes too large is split where one record has most of the bytes', async () => {
    const topic = await bench.case('18-uneven', { target: { 'compression.type': 'uncompressed' } })
    const [dense] = bulky(1, 600_000)
    await bench.write(topic, [dense!, { key: 'thin', value: 'x'.repeat(600_000) }], { codec: 'gzip' })
    await bench.replicate(topic)
    assert.equal((await dataBatches(topic.pair.target, topic.copy)).length, 2)
    await bench.sameRecords(topic)
  })

  test('case 19: records without a key stop their partition at a compacted target until it takes them', async () => {
    const topic = await bench.case('19', { partitions: 2, target: { 'cleanup.policy': 'compact' } })
    const keyed = shapes('keyed').map((record) => ({ ...record, key: record.key ?? 'key' }))
    await bench.write(topic, keyed)
    await bench.write(topic, shapes('some without'))
    await bench.write(topic, keyed)
    await bench.write(topic, keyed, { partition: 1 })
    const { reason, wayOut } = await stopOf(topic, [1])
    assert.match(reason, /INVALID_RECORD|partition 0/)
    assert.match(wayOut, /cleanup\.policy=delete/)
    assert.equal((await dataBatches(topic.pair.target, topic.copy)).length, 1)
    assert.equal((await dataBatches(topic.pair.target, topic.copy, 1)).length, 1)
    await bench.configure(topic, 'cleanup.policy', 'delete')
    await bench.replicate(topic)
    await bench.sameRecords(topic)
  })

  for (const [codec, stored] of [
    ['zstd', 'zstd'],
    ['gzip', 'gzip'],
    ['uncompressed', 'none'],
  ] as const) {
    test(`case 20: a target that stores everything as ${codec} recompresses, and records stay the same`, async () => {
      const topic = await bench.case(`20-${codec}`, { target: { 'compression.type': codec } })
      for (const from of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
        await bench.write(topic, shapes(from, 20), { codec: from })
      }
      const { reencoded } = await bench.replicate(topic)
      assert.deepEqual(reencoded, {})
      const copied = await dataBatches(topic.pair.target, topic.copy)
      assert.deepEqual(
        copied.map((batch) => batch.codec),
        Array.from({ length: 5 }, () => stored),
      )
      await bench.sameRecords(topic)
    })
  }

  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    test(`case 21: ${codec}, as the source's broker wrote it, passes untouched`, async () => {
      const topic = await bench.case(`21-${codec}`, { source: { 'compression.type': codec } })
      await bench.write(topic, shapes(codec))
      await bench.write(topic, [{ key: 'large', value: 'several blocks '.repeat(20_000) }])
      const { reencoded } = await bench.replicate(topic)
      assert.deepEqual(reencoded, {})
      const source = await dataBatches(topic.pair.source, topic.name)
      assert(source.every((batch) => batch.codec === codec))
      assertSameBodies(source, await dataBatches(topic.pair.target, topic.copy))
      await bench.sameRecords(topic)
    })
  }

  test('case 21: a target that refuses a codec stops the partition (hand-made: brokers that Produce 9 reaches know all)', async () => {
    // Brokers refuse zstd before Produce 7.
    assert(PRODUCE_VERSIONS.min >= 7)
    const watch = refusing(() => true, unsupportedCompression)
    const topic = await bench.case('21-refused', {
      pair: { between: (side, cluster) => (side === 'source' ? cluster : watchedCluster(cluster, watch)) },
    })
    await bench.write(topic, shapes('zstd'), { codec: 'zstd' })
    const { reason, wayOut } = await stopOf(topic)
    assert.match(reason, /UNSUPPORTED_COMPRESSION_TYPE/)
    assert.match(wayOut, /codec/)
  })

  test('case 24: nothing looks into records, so partitions and bytes stay whatever keys and headers say', async () => {
    const topic = await bench.case('24', { partitions: 3 })
    for (let i = 0; i < 9; i++) {
      // Each key is in every partition: no partitioner would put it there.
      const by = i % 2 === 0 ? await bench.plainProducer() : await bench.idempotentProducer()
      await bench.write(topic, shapes('anywhere'), {
        partition: i % 3,
        by,
        codec: i % 2 === 0 ? 'none' : 'zstd',
      })
    }
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, {})
    for (const partition of [0, 1, 2]) {
      assertSameBodies(
        await dataBatches(topic.pair.source, topic.name, partition),
        await dataBatches(topic.pair.target, topic.copy, partition),
      )
    }
    await bench.sameRecords(topic)
  })

  test('case 26: bytes that only others can read pass as they are', async () => {
    const topic = await bench.case('26')
    const sealed = bulky(8, 500).map(({ value }) => ({ key: Buffer.from(`${value}`.slice(0, 16)), value }))
    await bench.write(topic, sealed)
    await bench.replicate(topic)
    assertSameBodies(
      await dataBatches(topic.pair.source, topic.name),
      await dataBatches(topic.pair.target, topic.copy),
    )
    await bench.sameRecords(topic)
  })

  for (const { code, what, moves } of [
    { code: invalidRecord, what: 'a validator', moves: 'stops' },
    { code: policyViolation, what: 'a policy', moves: 'waits, and goes on by itself' },
  ]) {
    test(`case 26: ${what} of the target that refuses: the partition ${moves} (hand-made: Kafka's brokers have no such plug-in)`, async () => {
      let isRefused = true
      const watch = refusing(() => isRefused, code)
      const topic = await bench.case(`26-${code}`, {
        pair: { between: (side, cluster) => (side === 'source' ? cluster : watchedCluster(cluster, watch)) },
      })
      await bench.write(topic, shapes('validated'))
      if (code === invalidRecord) {
        assert.notEqual((await stopOf(topic)).wayOut, '')
        isRefused = false
        await bench.replicate(topic)
      } else {
        await bench.replicate(topic, async (flow) => {
          await until('it waits', () => flow.snapshot().stopped.length === 1)
          isRefused = false
        })
      }
      await bench.sameRecords(topic)
    })
  }
})

/** A message set of format 1 (Kafka 0.10) in the place of partition 0's batches. */
function withOldBatch(response: FetchResponse): FetchResponse {
  const old = Buffer.alloc(34 + 5)
  old.writeInt32BE(old.length - 12, 8)
  old.writeInt8(1, 16)
  old.writeBigInt64BE(1_400_000_000_000n, 18)
  old.writeInt32BE(-1, 26)
  old.writeInt32BE(5, 30)
  old.write('value', 34)
  return {
    frame: response.frame,
    partitions: response.partitions.map((answer) =>
      answer.partition === 0 && answer.records.length > 0 ? { ...answer, records: old } : answer,
    ),
  }
}

test('the Java console consumer reads the same', (context) => bench.javaReadsTheSame(context))
