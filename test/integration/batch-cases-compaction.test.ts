import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Admin } from '@platformatic/kafka'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { noProducer, rewriteForTarget } from '../../replicator/records/batch-header.ts'
import { batchLayout } from '../../replicator/records/batch-layout.ts'
import { decodeBatch } from '../../replicator/records/decode.ts'
import { rawBatch } from '../../replicator/records/record-batch.ts'
import { assertSequenced, CaseBench, type CaseRecord, type CaseTopic, shapes } from './case-bench.ts'
import { testBrokers, until } from './flow-pair.ts'
import {
  bodyOf,
  dataBatches,
  isGapped,
  produceUntouched,
  type StoredBatch,
  storedBatches,
} from './stored-batches.ts'
import { watchedCluster } from './watched-cluster.ts'

const corruptMessage = 2
const invalidRecord = 87

let bench: CaseBench
let cluster: LocalCluster
let admin: Admin

before(async () => {
  const { signal } = new AbortController()
  const installation = await installKafka({}, signal)
  // The cleaner looks every 15 s by default.
  const brokerConfig = { 'log.cleaner.backoff.ms': '100' }
  cluster = await startLocalCluster(
    { alias: 'cleaned-source', heapMb: 256, installation, brokerConfig },
    signal,
  )
  admin = new Admin({ clientId: 'batch-cases', bootstrapBrokers: [...cluster.bootstrap] })
  bench = new CaseBench({
    source: { bootstrap: cluster.bootstrap },
    target: { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') },
  })
})
after(async () => {
  await admin?.close()
  await bench?.close()
  await cluster?.stop()
})

/** Batches are seconds apart, so that each has a segment to itself: the cleaner takes all but the active one. */
const compacted = { 'cleanup.policy': 'compact', 'segment.ms': '1000', 'min.cleanable.dirty.ratio': '0.001' }
const start = Date.now() - 600_000
const at = (second: number, records: Readonly<Record<string, string | null>>): readonly CaseRecord[] =>
  Object.entries(records).map(([key, value], i) => ({ key, value, timestampMs: start + second * 10_000 + i }))

const untilCleaned = (topic: CaseTopic, isClean: (batches: readonly StoredBatch[]) => boolean) =>
  until(
    'the cleaner has been there',
    async () => isClean(await storedBatches(topic.pair.source, topic.name)),
    60_000,
  )

/** As a fetched batch would be forwarded without a look at its records. */
function patched({ bytes }: StoredBatch): Buffer {
  const copy = Buffer.from(bytes)
  rewriteForTarget(copy, 0, noProducer)
  return copy
}

/** Keys overwritten by later batches: what is left of each batch has gaps at different places. */
async function writeOverwritten(
  topic: CaseTopic,
  codecs: readonly ('none' | 'gzip' | 'zstd')[],
): Promise<void> {
  const codec = (i: number) => ({ codec: codecs[i % codecs.length]! })
  await bench.write(topic, at(0, { a: '0', b: '0', c: '0', d: '0', e: '0 stays' }), codec(0))
  await bench.write(topic, at(1, { b: '1 stays', a: '1', f: '1', c: '1 stays', g: '1' }), codec(1))
  await bench.write(topic, at(2, { d: '2 stays', f: '2', g: '2', h: '2 stays' }), codec(2))
  await bench.write(topic, at(3, { f: '3', a: '3', g: '3' }), codec(3))
  await bench.write(topic, at(4, { z: 'active' }))
  const records = 2 + 2 + 4
  await untilCleaned(
    topic,
    (batches) => batches.reduce((sum, batch) => sum + batch.records, 0) <= records + 1,
  )
}

describe('batches that compaction has been at', () => {
  test('case 3: batches with gaps are written anew, dense', async () => {
    const topic = await bench.case('3', { source: compacted, target: { 'cleanup.policy': 'compact' } })
    await writeOverwritten(topic, ['none', 'gzip'])
    const source = await dataBatches(topic.pair.source, topic.name)
    const gapped = source.filter(isGapped)
    assert.equal(gapped.length, 3)
    const { reencoded } = await bench.replicate(topic)
    assert.deepEqual(reencoded, { 'compacted-gaps': 3 })
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert.deepEqual(
      copied.map(({ records }) => records),
      source.map(({ records }) => records),
    )
    assertSequenced(copied)
    await bench.sameRecords(topic)
    assert.equal(await produceUntouched(topic.pair.target, topic.copy, patched(gapped[0]!)), invalidRecord)
  })

  test('case 4: batches that compaction has emptied are skipped, and do not count as lag', async () => {
    const topic = await bench.case('4', { source: compacted })
    const [early, late] = [await bench.idempotentProducer(), await bench.idempotentProducer('case-4')]
    // The cleaner keeps the last batch of every producer, emptied.
    await bench.write(topic, at(0, { a: '0', b: '0' }), { by: early })
    const transaction = await late.transaction()
    await bench.write(topic, at(1, { a: '1', b: '1', c: '1' }), { by: transaction })
    await transaction.commit()
    // The marker is stamped now and may come before or after this: later than now, it begins a segment either way.
    await bench.write(topic, at(70, { a: '2', b: '2', c: '2' }))
    // The active segment holds nothing to copy either.
    const last = await late.transaction()
    await bench.write(topic, at(71, { a: 'aborted' }), { by: last })
    await last.abort()
    const isEmptied = (batch: StoredBatch) => batch.records === 0 && !batch.control
    await untilCleaned(topic, (batches) => {
      const data = batches.filter(({ control }) => !control)
      const isLeft = data.reduce((sum, { records }) => sum + records, 0) === 3 + 1
      return isLeft && data.some(isEmptied) && batches.at(-1)?.control === true
    })
    const empty = (await storedBatches(topic.pair.source, topic.name)).filter(isEmptied)
    assert(empty.length >= 1)
    assert.deepEqual((await bench.replicate(topic)).reencoded, {})
    assert.equal((await bench.sameRecords(topic)).length, 3)
    assertSequenced(await dataBatches(topic.pair.target, topic.copy))
    assert.equal(await produceUntouched(topic.pair.target, topic.copy, patched(empty[0]!)), invalidRecord)
    // A flow that starts again has nothing to do, and says so.
    assert.deepEqual((await bench.replicate(topic)).reencoded, {})
    assert.equal((await dataBatches(topic.pair.target, topic.copy)).length, 1)
  })

  test('case 5: compressed batches with gaps keep their codec, and the target takes them as they come', async () => {
    const sent: Buffer[] = []
    const topic = await bench.case('5', {
      source: compacted,
      pair: {
        between: (side, target) =>
          side === 'source'
            ? target
            : watchedCluster(target, {
                produce: ({ batches }, send) => {
                  const ours = batches.filter(({ topic: name }) => name.includes('.case-5-'))
                  sent.push(...ours.map(({ batch }) => Buffer.from(batch)))
                  return send()
                },
              }),
      },
    })
    await writeOverwritten(topic, ['gzip', 'zstd'])
    const source = await dataBatches(topic.pair.source, topic.name)
    assert.equal(source.filter(isGapped).length, 3)
    await bench.replicate(topic)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert.deepEqual(
      copied.map(({ codec }) => codec),
      source.map(({ codec }) => codec),
    )
    assert.deepEqual(
      copied.map(bodyOf),
      sent.map((batch) => batch.subarray(61)),
    )
    await bench.sameRecords(topic)
  })

  test('case 29: a batch with gaps that is written anew, refused and split keeps its places in the source', async () => {
    const [limit, age] = ['max.message.bytes', 'message.timestamp.before.max.ms']
    let shrunk: Promise<void> | undefined
    const topic = await bench.case('29-gaps', {
      source: compacted,
      target: { [age]: String(6 * 3600_000) },
      pair: {
        between: (side, target) =>
          side === 'source'
            ? target
            : watchedCluster(target, {
                produce: async ({ batches }, send) => {
                  if (batches.some(({ topic: name }) => name === topic.copy)) {
                    shrunk ??= bench.configure(topic, limit, '4000')
                    await shrunk
                  }
                  return send()
                },
              }),
      },
    })
    const wide = (keys: string) => Object.fromEntries([...keys].map((key) => [key, key.repeat(1000)]))
    const tooOld = { timestampMs: Date.now() - 48 * 3600_000 }
    const records = at(0, wide('abcdefghijkl')).map((one, i) => (i === 9 ? { ...one, ...tooOld } : one))
    await bench.write(topic, records)
    await bench.write(topic, at(1, { b: '1', e: '1' }))
    await bench.write(topic, at(2, { y: 'active' }))
    await untilCleaned(topic, ([first]) => first?.records === 10)
    const flow = topic.pair.start()
    await until('the old record stops it', () => flow.snapshot().stopped.length === 1)
    await flow.drain(10_000)
    const parts = await dataBatches(topic.pair.target, topic.copy)
    const taken = parts.reduce((sum, batch) => sum + batch.records, 0)
    assert(taken > 2 && taken < 8, `${taken} records: more than before the first gap, not the old one`)
    await bench.configure(topic, age, '9223372036854775807')
    assert.equal((await bench.replicate(topic)).reencoded['resume-inside-batch'], 1)
    assert.equal((await bench.sameRecords(topic)).length, 13)
    assertSequenced(await dataBatches(topic.pair.target, topic.copy), 2)
  })

  test('case 6: uncompressed batches with gaps number their records anew', async () => {
    const topic = await bench.case('6', { source: compacted })
    await writeOverwritten(topic, ['none'])
    const source = await dataBatches(topic.pair.source, topic.name)
    assert(source.filter(isGapped).length === 3 && source.every(({ codec }) => codec === 'none'))
    await bench.replicate(topic)
    let next = 0n
    for (const batch of await dataBatches(topic.pair.target, topic.copy)) {
      for (const { offset } of decodeBatch(rawBatch(batch.bytes, 0, batch.bytes.length)).records) {
        // Markers of our own may stand between batches, never inside one.
        if (offset > next && offset === batch.baseOffset) next = offset
        assert.equal(offset, next++)
      }
    }
    await bench.sameRecords(topic)
  })

  test("case 15: the delete horizon of the source's cleaner is cleared, and times stay what they were", async () => {
    const topic = await bench.case('15', { source: compacted, target: { 'cleanup.policy': 'compact' } })
    const by = await bench.idempotentProducer()
    await bench.write(topic, at(0, { a: '0', b: '0', c: '0' }), { by })
    await bench.write(topic, at(1, { a: null, b: null }), { by })
    await bench.write(topic, at(2, { c: '2', d: null, e: '2' }), { by, codec: 'gzip' })
    await bench.write(topic, at(3, { c: '3', f: null }), { by })
    await bench.write(topic, at(4, { z: 'active' }), { by })
    await untilCleaned(topic, (batches) => batches.filter(({ deleteHorizon }) => deleteHorizon).length >= 3)
    const source = await dataBatches(topic.pair.source, topic.name)
    const touched = source.filter(({ deleteHorizon }) => deleteHorizon)
    assert(touched.some(isGapped) && touched.some((batch) => !isGapped(batch)), 'both kinds are there')
    assert(touched.every(({ baseTimestamp }) => baseTimestamp > BigInt(Date.now())))
    await bench.replicate(topic)
    const copied = await dataBatches(topic.pair.target, topic.copy)
    assert(copied.every(({ deleteHorizon }) => !deleteHorizon))
    assertSequenced(copied)
    const records = await bench.sameRecords(topic)
    assert.equal(records.filter(({ value }) => value === null).length, 4)
    const timeOf = (wanted: string) => records.find(({ key }) => key === wanted)?.timestamp
    assert.deepEqual(
      [timeOf('b'), timeOf('d'), timeOf('f')],
      [1, 2, 3].map((s) => BigInt(start + s * 10_000 + 1)),
    )
  })
})

/** A batch, and where it is in the file of its segment. */
interface Place {
  readonly batch: StoredBatch
  readonly file: string
  readonly position: number
}

/** The batch of this index in partition 0, which has one segment. */
async function placeOf({ pair, name }: CaseTopic, index: number): Promise<Place> {
  const batches = await storedBatches(pair.source, name)
  const batch = batches[index]
  assert(batch !== undefined)
  return {
    batch,
    file: join(cluster.folder, 'broker-1', `${name}-0`, '00000000000000000000.log'),
    position: batches.slice(0, index).reduce((sum, { bytes }) => sum + bytes.length, 0),
  }
}

/** The broker reads from its files for every answer, so it need not be stopped. */
async function overwrite(file: string, position: number, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    await handle.write(bytes, 0, bytes.length, position)
  } finally {
    await handle.close()
  }
}

const damages = {
  records: ({ batch, position }: Place) => ({
    at: position + batchLayout.records + 20,
    bytes: Buffer.from([batch.bytes[batchLayout.records + 20]! ^ 0xff]),
  }),
  'length, beyond the log': ({ position }: Place) => ({
    at: position + batchLayout.batchLength,
    bytes: Buffer.from([0x70, 0, 0, 0]),
  }),
  'length, less than a header': ({ position }: Place) => ({
    at: position + batchLayout.batchLength,
    bytes: Buffer.from([0, 0, 0, 3]),
  }),
}

describe('batches that the source has damaged', () => {
  for (const [what, damage] of Object.entries(damages)) {
    test(`case 28: a damaged batch (${what}) holds up its partition alone, loudly, and reaches nobody`, async () => {
      let acceptsGap = false
      const topic = await bench.case(`28-${what.length}`, {
        partitions: 2,
        pair: { acceptsGap: () => acceptsGap },
      })
      for (let i = 0; i < 6; i++) await bench.write(topic, shapes(`batch ${i}`))
      await bench.write(topic, shapes('beside'), { partition: 1 })
      const written = await bench.sourceRecords(topic)
      const place = await placeOf(topic, 3)
      const { at, bytes } = damage(place)
      await overwrite(place.file, at, bytes)

      for (let starts = 0; starts < 2; starts++) {
        const flow = topic.pair.start()
        try {
          await until('the partition does not move', () => flow.snapshot().stopped.length === 1)
          const [stop] = flow.snapshot().stopped
          assert.equal(stop?.partition, 0)
          assert.match(stop?.reason ?? '', /offset 24/)
          assert.match(stop?.wayOut ?? '', /kafka-delete-records/)
          const beside = () => dataBatches(topic.pair.target, topic.copy, 1)
          await until('the other partition is copied', async () => (await beside()).length === 1)
        } finally {
          await flow.drain(10_000)
        }
        assert.equal((await dataBatches(topic.pair.target, topic.copy)).length, 3)
      }

      // No broker finds its way past a length that is wrong.
      if (what !== 'records') return
      await admin.deleteRecords({
        topics: [{ name: topic.name, partitions: [{ partition: 0, offset: 32n }] }],
      })
      acceptsGap = true
      bench.expect(
        topic,
        written.filter(({ partition, offset }) => partition === 1 || offset < 24n || offset >= 32n),
      )
      await bench.replicate(topic)
      assert.equal((await bench.sameRecords(topic)).length, 48)
      const damaged = Buffer.from(place.batch.bytes)
      bytes.copy(damaged, at - place.position)
      rewriteForTarget(damaged, 0, noProducer)
      assert.equal(await produceUntouched(topic.pair.target, topic.copy, damaged), corruptMessage)
    })
  }
})

test('the Java console consumer reads the same', (context) => bench.javaReadsTheSame(context))
