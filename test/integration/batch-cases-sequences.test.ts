import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { assertSameBodies, assertSequenced, bulky, CaseBench, shapes } from './case-bench.ts'
import { testBrokers, until } from './flow-pair.ts'
import { batchesIn, dataBatches, produceUntouched, storedBatches } from './stored-batches.ts'
import { watchedCluster } from './watched-cluster.ts'

const invalidRecord = 87

let bench: CaseBench
let admin: Admin

before(() => {
  const source = { bootstrap: testBrokers('CAUSEWAY_TEST_SOURCE') }
  bench = new CaseBench({ source, target: { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') } })
  // kafkajs loses the leader of partition 0 when it deletes records.
  admin = new Admin({ clientId: 'batch-cases', bootstrapBrokers: [...source.bootstrap] })
})
after(async () => {
  await admin.close()
  await bench.close()
})

describe('batches, their places and their numbers', () => {
  test('case 1: base offsets other than 0 are zeroed', async () => {
    const topic = await bench.case('1')
    for (let i = 0; i < 4; i++) await bench.write(topic, shapes(`batch ${i}`))
    const source = await dataBatches(topic.pair.source, topic.name)
    const bases = source.map(({ baseOffset }) => baseOffset)
    assert.deepEqual(bases, [0n, 8n, 16n, 24n])
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, {})
    assertSameBodies(source, await dataBatches(topic.pair.target, topic.copy))
    await bench.sameRecords(topic)
    const untouched = await produceUntouched(topic.pair.target, topic.copy, source[1]!.bytes)
    assert.equal(untouched, invalidRecord)
  })

  test('case 2: several batches of a partition in one answer go in a request each', async () => {
    const requests: string[][] = []
    const topic = await bench.case('2', {
      pair: {
        between: (side, cluster) =>
          side === 'source'
            ? cluster
            : watchedCluster(cluster, {
                produce: ({ batches }, send) => {
                  requests.push(batches.map((batch) => `${batch.topic}/${batch.partition}`))
                  return send()
                },
              }),
      },
      partitions: 2,
    })
    for (let i = 0; i < 24; i++) await bench.write(topic, shapes(`batch ${i}`), { partition: i % 2 })
    await bench.replicate(topic)
    for (const partition of [0, 1]) {
      const source = await dataBatches(topic.pair.source, topic.name, partition)
      assertSameBodies(source, await dataBatches(topic.pair.target, topic.copy, partition))
    }
    await bench.sameRecords(topic)
    const ours = requests.map((places) => places.filter((place) => place.startsWith(topic.copy)))
    assert.equal(ours.flat().length, 24)
    for (const places of ours) assert.equal(new Set(places).size, places.length)
    const [first, second] = await dataBatches(topic.pair.source, topic.name)
    const two = Buffer.concat([first!.bytes, second!.bytes])
    assert.equal(await produceUntouched(topic.pair.target, topic.copy, two), invalidRecord)
  })

  test("case 11: the numbers of the source's producers are replaced by our own", async () => {
    const topic = await bench.case('11')
    const producers = [
      await bench.idempotentProducer(),
      await bench.plainProducer(),
      await bench.idempotentProducer(),
    ]
    for (let i = 0; i < 9; i++) await bench.write(topic, shapes(`batch ${i}`), { by: producers[i % 3]! })
    const source = await dataBatches(topic.pair.source, topic.name)
    assert.equal(new Set(source.map(({ producerId }) => producerId)).size, 3)
    await bench.replicate(topic)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assertSameBodies(source, copied)
    assertSequenced(copied)
    await bench.sameRecords(topic)
  })

  test('case 22: a source that begins inside a batch is copied from there', async () => {
    const topic = await bench.case('22-begin')
    for (let i = 0; i < 3; i++) await bench.write(topic, shapes(`batch ${i}`), { codec: 'gzip' })
    await admin.deleteRecords({ topics: [{ name: topic.name, partitions: [{ partition: 0, offset: 11n }] }] })
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, { 'resume-inside-batch': 1 })
    const records = await bench.sameRecords(topic)
    assert.equal(records.length, 13)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert.deepEqual(
      copied.map(({ codec, records }) => [codec, records]),
      [
        ['gzip', 5],
        ['gzip', 8],
      ],
    )
  })

  test('case 22: a flow that ended inside a batch goes on inside it', async () => {
    const topic = await bench.case('22-resume', {
      target: { 'max.message.bytes': '4000', 'message.timestamp.before.max.ms': '3600000' },
    })
    await bench.write(topic, shapes('before'))
    const old = { timestampMs: Date.now() - 48 * 3600_000 }
    const records = bulky(12, 1000).map((record, i) => (i === 9 ? { ...record, ...old } : record))
    await bench.write(topic, records)
    await bench.write(topic, shapes('behind'))
    const flow = topic.pair.start()
    await until('the old record stops it', () => flow.snapshot().stopped.length === 1)
    await flow.drain(10_000)
    const before = await dataBatches(topic.pair.target, topic.copy)
    const taken = before.reduce((sum, batch) => sum + batch.records, 0)
    assert(taken > 8 && taken < 8 + 10, `${taken} records: part of the second batch`)

    await bench.configure(topic, 'message.timestamp.before.max.ms', '9223372036854775807')
    const { reencoded } = await bench.replicate(topic)
    assert.equal(reencoded['resume-inside-batch'], 1)
    assert.equal((await bench.sameRecords(topic)).length, 28)
    assertSequenced(await dataBatches(topic.pair.target, topic.copy), 2)
  })

  test('case 23: an answer that ends inside a batch is read on from that batch', async () => {
    let cut = 0
    const topic = await bench.case('23', {
      pair: {
        limits: { fetchBytesMax: 1024 * 1024 },
        between: (side, cluster) =>
          side === 'target'
            ? cluster
            : watchedCluster(cluster, {
                fetched: (response) => {
                  for (const { records } of response.partitions) {
                    const whole = batchesIn(records).reduce((sum, { bytes }) => sum + bytes.length, 0)
                    if (whole > 0 && whole < records.length) cut++
                  }
                  return response
                },
              }),
      },
    })
    for (let i = 0; i < 8; i++) await bench.write(topic, bulky(3, 130_000))
    await bench.replicate(topic)
    assert(cut >= 2, `${cut} answers ended inside a batch`)
    assertSameBodies(
      await dataBatches(topic.pair.source, topic.name),
      await dataBatches(topic.pair.target, topic.copy),
    )
    await bench.sameRecords(topic)
  })

  test('case 25: partitions go to those of the same number; a topic with fewer is grown', async () => {
    const wider = await bench.case('25-wider', { partitions: 2, target: {}, targetPartitions: 4 })
    const narrower = await bench.case('25-narrower', { partitions: 3, target: {}, targetPartitions: 1 })
    for (const topic of [wider, narrower]) {
      for (let i = 0; i < 6; i++) {
        await bench.write(topic, shapes(`batch ${i}`), { partition: i % topic.partitions })
      }
      await bench.replicate(topic)
      await bench.sameRecords(topic)
    }
    for (const partition of [2, 3]) {
      assert.equal((await dataBatches(wider.pair.target, wider.copy, partition)).length, 0)
    }
    const grown = (await narrower.pair.target.describeTopics([narrower.copy])).get(narrower.copy)
    assert(grown?.kind === 'found' && grown.topic.partitions.length === 3)
  })

  test('case 27: tiny batches go one by one, several requests under way at once', async () => {
    let underWay = 0
    let most = 0
    const topic = await bench.case('27', {
      pair: {
        between: (side, cluster) =>
          side === 'source'
            ? cluster
            : watchedCluster(cluster, {
                produce: (_request, send) => {
                  most = Math.max(most, ++underWay)
                  return send().finally(() => underWay--)
                },
              }),
      },
    })
    for (let i = 0; i < 300; i++) await bench.write(topic, [{ key: `${i % 7}`, value: `record ${i}` }])
    await bench.replicate(topic)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert.equal(copied.length, 300)
    assertSequenced(copied)
    assert(most > 1, `${most} requests under way`)
    await bench.sameRecords(topic)
  })

  test('case 29: numbers go on without a gap over batches that were split or trimmed, and begin anew with each start', async () => {
    const topic = await bench.case('29', { target: { 'max.message.bytes': '5000' } })
    const by = await bench.idempotentProducer()
    const round = async (text: string) => {
      await bench.write(topic, shapes(`${text} whole`), { by })
      await bench.write(topic, bulky(15, 900), { by })
      await bench.write(topic, shapes(`${text} packed`, 20), { by, codec: 'zstd' })
      await bench.write(topic, bulky(20, 1200), { by, codec: 'lz4' })
      await bench.write(topic, [{ key: 'one', value: text }], { by })
    }
    await round('first')
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, { oversize: 2 })
    assertSequenced(await dataBatches(topic.pair.target, topic.copy))
    await round('second')
    await bench.replicate(topic)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.length > 10 && copied.every(({ bytes }) => bytes.length <= 5000))
    assertSequenced(copied, 2)
    assert.equal((await bench.sameRecords(topic)).length, 128)
    assert((await storedBatches(topic.pair.source, topic.name)).length === 10)
  })
})

test('the Java console consumer reads the same', (context) => bench.javaReadsTheSame(context))
