import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  allOutdated,
  decodeMapKey,
  decodeMapValue,
  encodeMapKey,
  encodeMapValue,
  type MapRecord,
  planChunks,
  type WrittenChunks,
} from '../../../replicator/offsets/map-chunks.ts'
import { MapFormatError } from '../../../replicator/offsets/map-format-error.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { readChunks } from '../../../replicator/offsets/read-chunks.ts'
import { encodeRuns } from '../../../replicator/offsets/run-codec.ts'
import { RunStore } from '../../../replicator/offsets/run-store.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'
import { checkAgainst } from './check-map.ts'
import { happen, newTruth, type Step, step } from './copy-model.ts'

const key = { flow: 'a->b' as FlowId, topic: 'orders', partition: 3 }
const ids = { topicId: 'source-id', targetTopicId: 'target-id' }
const s = (value: number) => sourceOffset(BigInt(value))
const t = (value: number) => targetOffset(BigInt(value))
const pair = (source: number, target: number) => ({ source: s(source), target: t(target) })
const run = (source: number, target: number, count: number) => ({ ...pair(source, target), count })
const nothing: WrittenChunks = new Map()

/** What a compacted topic holds after these records. */
function write(topic: Map<number, Buffer>, records: readonly MapRecord[]): void {
  for (const { key: bytes, value } of records) {
    const { chunk, ...rest } = decodeMapKey(bytes)
    assert.deepEqual(rest, key)
    topic.delete(chunk)
    if (value !== null) topic.set(chunk, value)
  }
}

const smallMap = (blockSpansMax: number, source = 0, target = 0) =>
  new OffsetMap(new RunStore({ source, target }, [], 0, blockSpansMax))

/** A map of runs with a marker behind each. */
function manyRuns(count: number, blockSpansMax: number): OffsetMap {
  const map = smallMap(blockSpansMax)
  for (let k = 0; k < count; k++) map.append(run(k * 11, k * 10, 10))
  return map
}

describe('keys and values of the map topic', () => {
  test('the key is JSON with members in a fixed order', () => {
    const bytes = encodeMapKey({ chunk: 7, partition: 3, topic: 'orders', flow: 'a->b' as FlowId })
    assert.equal(bytes.toString(), '{"v":1,"flow":"a->b","topic":"orders","partition":3,"chunk":7}')
    assert.deepEqual(decodeMapKey(bytes), { ...key, chunk: 7 })
    assert.throws(() =>
      decodeMapKey(Buffer.from('{"v":2,"flow":"a->b","topic":"orders","partition":3,"chunk":7}')),
    )
    assert.throws(() => decodeMapKey(Buffer.from('{"v":1,"flow":"a->b","topic":"orders","partition":3}')))
  })

  test('the value holds both ids, and none where brokers have none', () => {
    const runs = Buffer.from('runs')
    assert.deepEqual(decodeMapValue(encodeMapValue(ids, runs)), { ids, runs })
    const none = { topicId: undefined, targetTopicId: undefined }
    assert.deepEqual(decodeMapValue(encodeMapValue(none, runs)), { ids: none, runs })
    assert.throws(() => decodeMapValue(Buffer.of(1, 5, 1)), MapFormatError)
    assert.throws(
      () => decodeMapValue(Buffer.of(2)),
      (error) => error instanceof MapFormatError && error.isNewer,
    )
  })
})

describe('the chunks of a partition', () => {
  test('the last one is written as it grows, then the next begins; nothing else is written twice', () => {
    const map = manyRuns(4, 4)
    const first = planChunks(nothing, map, { key, ids })
    assert.deepEqual(chunksOf(first.records), [0])
    assert.deepEqual(planChunks(first.written, map, { key, ids }).records, [])
    map.append(run(44, 40, 1))
    const second = planChunks(first.written, map, { key, ids })
    // The one that is closed once more: only now is it known how far it reaches.
    assert.deepEqual(chunksOf(second.records), [1, 0])
    map.append(run(45, 41, 1))
    assert.deepEqual(chunksOf(planChunks(second.written, map, { key, ids }).records), [1])
    assert.deepEqual(planChunks(second.written, map, { key, ids, withLast: false }).records, [])
  })

  test('what is forgotten is deleted, chunk by chunk; a cut in one is not worth a record', () => {
    const map = manyRuns(20, 4)
    const { written } = planChunks(nothing, map, { key, ids })
    map.forgetBelow({ source: s(11 * 9 + 5) })
    const { records } = planChunks(written, map, { key, ids })
    assert.deepEqual(chunksOf(records), [0, 1])
    assert.ok(records.every(({ value }) => value === null))
  })

  test('what is coarsened is written again, what was so before is not', () => {
    const map = manyRuns(64, 4)
    let plan = planChunks(nothing, map, { key, ids })
    const topic = new Map<number, Buffer>()
    write(topic, plan.records)
    const limits = { spansMax: 40, newestKept: 8, stretchMin: 44 }
    assert.equal(map.coarsen(limits), 64 - 35)
    plan = planChunks(plan.written, map, { key, ids })
    write(topic, plan.records)
    assert.deepEqual([...readChunks(topic, ids).map!.spans()], [...map.spans()])
    for (let k = 64; k < 70; k++) map.append(run(k * 11, k * 10, 10))
    assert.ok(map.coarsen(limits) > 0)
    const again = planChunks(plan.written, map, { key, ids })
    assert.ok(again.records.length < topic.size, 'the oldest chunks stay as they were written')
  })

  test('chunks of topics that were re-created count no more, and go', () => {
    const topic = new Map<number, Buffer>()
    write(topic, planChunks(nothing, manyRuns(6, 4), { key, ids }).records)
    for (const others of [
      { ...ids, topicId: 'another' },
      { ...ids, targetTopicId: 'another' },
    ]) {
      const read = readChunks(topic, others)
      assert.equal(read.map, undefined)
      const fresh = new OffsetMap(pair(0, 0))
      assert.deepEqual(chunksOf(planChunks(read.written, fresh, { key, ids: others }).records), [0, 1])
    }
    assert.notEqual(readChunks(topic, { topicId: undefined, targetTopicId: undefined }).map, undefined)
  })

  test('a damaged chunk is told and becomes a coarse span', () => {
    const map = manyRuns(12, 4)
    const topic = new Map<number, Buffer>()
    write(topic, planChunks(nothing, map, { key, ids }).records)
    topic.set(1, topic.get(1)!.subarray(0, -1))
    const read = readChunks(topic, ids)
    assert.deepEqual(
      read.damaged.map(({ chunk }) => chunk),
      [1],
    )
    assert.equal(read.map?.size, 9)
    assert.equal(read.map?.translate(s(60)).kind, 'between')
    assert.deepEqual(read.map?.translate(s(20)), map.translate(s(20)))
    assert.deepEqual(read.map?.translate(s(100)), map.translate(s(100)))
    write(topic, planChunks(read.written, read.map!, { key, ids }).records)
    assert.deepEqual(readChunks(topic, ids).damaged, [])
    topic.set(0, Buffer.of(9))
    assert.throws(() => readChunks(topic, ids), MapFormatError)
  })

  test('a plan that failed on the way is remembered: nothing it may have written is left behind', () => {
    const map = manyRuns(8, 4)
    const first = planChunks(nothing, map, { key, ids })
    const topic = new Map<number, Buffer>()
    write(topic, first.records.slice(0, 1))
    map.forgetBelow({ source: s(44) })
    const second = planChunks(first.writtenInPart, map, { key, ids })
    write(topic, second.records)
    assert.deepEqual([...topic.keys()], [1])
    assert.deepEqual(planChunks(second.written, map, { key, ids }).records, [])
  })

  test('chunks that contradict each other are not believed', () => {
    const stretch = (source: number, target: number, count: number, isExact = true) => {
      const [start, end] = [
        { source, target },
        { source: source + count, target: target + count },
      ]
      const span = {
        sourceFrom: source,
        sourceTo: end.source,
        targetFrom: target,
        targetTo: end.target,
        isExact,
      }
      return encodeMapValue(ids, encodeRuns({ start, end, spans: [span] }))
    }
    const contradictions: readonly (readonly [Buffer, Buffer])[] = [
      [stretch(0, 0, 10), stretch(5, 6, 2)],
      [stretch(0, 10, 5), stretch(5, 0, 5)],
      [stretch(0, 10, 5, false), stretch(5, 0, 5, false)],
    ]
    for (const [one, other] of contradictions) {
      assert.throws(
        () =>
          readChunks(
            new Map([
              [0, one],
              [1, other],
            ]),
            ids,
          ),
        /contradict/,
      )
    }
    const fresh = new OffsetMap(pair(20, 20))
    fresh.append(run(20, 20, 1))
    const { records } = planChunks(allOutdated([0, 1]), fresh, { key, ids })
    assert.deepEqual(chunksOf(records), [0, 1], 'the way out: written over, or deleted')
    assert.deepEqual(
      records.map(({ value }) => value === null),
      [false, true],
    )
    assert.equal(
      readChunks(
        new Map([
          [0, stretch(0, 0, 10)],
          [1, stretch(5, 5, 2)],
        ]),
        ids,
      ).map?.end.source,
      10n,
    )
  })

  test('what was written is what was known, and a crash leaves the truth', () => {
    const persist = fc.record({
      kind: fc.constant('persist' as const),
      withLast: fc.boolean(),
      /** So many records go through, then the process dies or tries again. */
      records: fc.oneof(fc.constant(99), fc.integer({ min: 0, max: 8 })),
      dies: fc.boolean(),
    })
    const steps = fc.array(fc.oneof({ weight: 3, arbitrary: step }, { weight: 1, arbitrary: persist }), {
      maxLength: 80,
    })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), (some, blockSpansMax) => {
        const truth = newTruth(0, 0)
        const topic = new Map<number, Buffer>()
        let map = smallMap(blockSpansMax)
        let written: WrittenChunks = nothing
        for (const one of some) {
          if (one.kind !== 'persist') {
            happen(one as Step, truth, map)
            continue
          }
          const plan = planChunks(written, map, { key, ids, withLast: one.withLast })
          write(topic, plan.records.slice(0, one.records))
          const isAll = one.records >= plan.records.length
          written = isAll ? plan.written : plan.writtenInPart
          if (isAll && one.withLast) sameAfterReading(topic, map)
          if (!one.dies) continue
          const read = readChunks(topic, ids, blockSpansMax)
          assert.deepEqual(read.damaged, [])
          map = read.map ?? smallMap(blockSpansMax, truth.source, truth.target)
          written = read.written
          resume(map, truth)
          checkAgainst(truth, map)
        }
        write(topic, planChunks(written, map, { key, ids }).records)
        sameAfterReading(topic, map)
        const blocks = [...map.blocks()].map(({ block }) => block.id)
        assert.deepEqual(new Set(topic.keys()), new Set(blocks), 'nothing else is left in the topic')
        checkAgainst(truth, map)
      }),
      { numRuns: 500 },
    )
  })
})

const chunksOf = (records: readonly MapRecord[]) => records.map((record) => decodeMapKey(record.key).chunk)

/** As a takeover does: what was copied since the last record of the map was not seen. */
function resume(map: OffsetMap, truth: { readonly source: number; readonly target: number }): void {
  map.appendCoarse({
    sourceFrom: map.end.source,
    targetFrom: map.end.target,
    sourceTo: s(truth.source),
    targetTo: t(truth.target),
  })
}

function sameAfterReading(topic: ReadonlyMap<number, Buffer>, map: OffsetMap): void {
  const read = readChunks(topic, ids).map
  if (read === undefined) {
    assert.equal([...map.blocks()].length, 0)
    return
  }
  assert.deepEqual(read.end, map.end)
  assert.ok(read.start.source <= map.start.source, 'at most more than is needed')
  // What was forgotten within a chunk is still in it.
  for (let position = map.start.source; position <= map.end.source; position++) {
    assert.deepEqual(read.translate(sourceOffset(position)), map.translate(sourceOffset(position)))
  }
  for (let position = map.start.target; position <= map.end.target; position++) {
    assert.deepEqual(read.translateBack(targetOffset(position)), map.translateBack(targetOffset(position)))
  }
}
