import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { assertSameBodies, assertSequenced, CaseBench, type CaseTopic, shapes } from './case-bench.ts'
import { testBrokers, until } from './flow-pair.ts'
import { dataBatches, produceUntouched } from './stored-batches.ts'

const invalidTimestamp = 32
const hourMs = 3600_000
const forever = '9223372036854775807'
const stamps = { 'message.timestamp.type': 'LogAppendTime' } as const

let bench: CaseBench

before(() => {
  bench = new CaseBench({
    source: { bootstrap: testBrokers('CAUSEWAY_TEST_SOURCE') },
    target: { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') },
  })
})
after(() => bench.close())

const longAgo = (text: string) =>
  shapes(text).map((record, i) => ({ ...record, timestampMs: 1_700_000_000_000 + i }))

async function writeMixed(topic: CaseTopic): Promise<void> {
  await bench.write(topic, longAgo('plain'))
  await bench.write(topic, longAgo('packed'), { codec: 'gzip' })
  await bench.write(topic, longAgo('numbered'), { by: await bench.idempotentProducer(), codec: 'zstd' })
}

describe('batches and their times', () => {
  test('case 12: append time on both sides: forwarded as they are, stamped by the target', async () => {
    const topic = await bench.case('12', { source: stamps, target: stamps })
    await writeMixed(topic)
    const source = await dataBatches(topic.pair.source, topic.name)
    assert(source.every(({ logAppendTime }) => logAppendTime))
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, {})
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.every(({ logAppendTime }) => logAppendTime))
    assertSameBodies(source, copied)
    const records = await bench.sameRecords(topic, { times: 'stamped' })
    const newest = source.at(-1)!.maxTimestamp
    assert(records.every(({ timestamp }) => timestamp >= newest))
    assert.equal(await produceUntouched(topic.pair.target, topic.copy, source[0]!.bytes), invalidTimestamp)
  })

  test('case 13: append time on the source alone: each record keeps the time readers of the source see', async () => {
    const topic = await bench.case('13', { source: stamps, target: {} })
    await writeMixed(topic)
    const source = await dataBatches(topic.pair.source, topic.name)
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, { 'log-append-time': 3 })
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.every(({ logAppendTime }) => !logAppendTime))
    assert.deepEqual(
      copied.map(({ codec, maxTimestamp, baseTimestamp }) => [codec, maxTimestamp, baseTimestamp]),
      source.map(({ codec, maxTimestamp }) => [codec, maxTimestamp, maxTimestamp]),
    )
    assertSequenced(copied)
    const records = await bench.sameRecords(topic)
    assert(records.every(({ timestamp }) => timestamp > 1_750_000_000_000n))
  })

  test('case 14: append time on the target alone: forwarded as they are, stamped by the target', async () => {
    const topic = await bench.case('14', { target: stamps })
    await writeMixed(topic)
    const source = await dataBatches(topic.pair.source, topic.name)
    const began = BigInt(Date.now())
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, {})
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.every(({ logAppendTime }) => logAppendTime))
    assertSameBodies(source, copied)
    const records = await bench.sameRecords(topic, { times: 'stamped' })
    assert(records.every(({ timestamp }) => timestamp >= began))
  })

  for (const { when, offsetMs, limit } of [
    { when: 'past', offsetMs: -48 * hourMs, limit: 'message.timestamp.before.max.ms' },
    { when: 'future', offsetMs: 48 * hourMs, limit: 'message.timestamp.after.max.ms' },
  ]) {
    test(`case 16: a time in the ${when} that the target refuses stops the partition, changes nothing, and passes once allowed`, async () => {
      const topic = await bench.case(`16-${when}`, {
        partitions: 2,
        source: { [limit]: forever },
        target: { [limit]: String(hourMs) },
      })
      await bench.write(topic, shapes('before'))
      const [first, second, ...rest] = shapes('refused')
      const refused = { ...second!, timestampMs: Date.now() + offsetMs }
      await bench.write(topic, [first!, refused, ...rest])
      await bench.write(topic, shapes('behind'))
      await bench.write(topic, shapes('beside'), { partition: 1 })
      const flow = topic.pair.start()
      await until('it stops, and the other partition is copied', () => {
        const { stopped, records } = flow.snapshot()
        return stopped.length === 1 && records === 16
      })
      const [stop] = flow.snapshot().stopped
      assert.equal(stop?.partition, 0)
      assert.match(stop?.reason ?? '', /INVALID_TIMESTAMP|timestamp/i)
      assert.match(stop?.wayOut ?? '', new RegExp(limit.replaceAll('.', '\\.')))
      await flow.drain(10_000)
      assert.equal((await dataBatches(topic.pair.target, topic.copy)).length, 1)

      await bench.configure(topic, limit, forever)
      await bench.replicate(topic)
      const records = await bench.sameRecords(topic)
      assert.equal(records.filter(({ timestamp }) => timestamp === BigInt(refused.timestampMs)).length, 1)
    })
  }
})

test('the Java console consumer reads the same', (context) => bench.javaReadsTheSame(context))
