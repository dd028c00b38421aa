import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ChunkStore, type Place } from '../../../replicator/app/chunk-store.ts'
import { encodeMapKey } from '../../../replicator/offsets/map-chunks.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'

const flow = 'a->b' as FlowId
const place = (topic: string): Place => ({ topic, partition: 0 })
const record = (topic: string, chunk: number, value: Buffer | null, of = flow) => ({
  key: encodeMapKey({ flow: of, topic, partition: 0, chunk }),
  value,
})
const bytes = (count: number) => Buffer.alloc(count, 1)
const chunksOf = (store: ChunkStore, topic: string) =>
  [...store.of(place(topic)).chunks].map(([partition, chunks]) => [partition, [...chunks.keys()]])

describe('ChunkStore', () => {
  test('keeps the last value of each chunk in the order of the log, of its own flow alone', () => {
    const store = new ChunkStore(flow, 1_000_000)
    store.add(0, record('orders', 0, bytes(1)))
    store.add(0, record('orders', 1, bytes(2)))
    store.add(0, record('orders', 0, bytes(3)))
    store.add(0, record('orders', 2, bytes(3)))
    store.add(0, record('orders', 2, null))
    store.add(1, record('orders', 0, bytes(4)))
    store.add(0, record('orders', 7, bytes(4), 'b->a' as FlowId))
    store.add(0, { key: Buffer.from('{"v":2}'), value: bytes(1) })
    store.add(0, { key: null, value: bytes(1) })
    assert.deepEqual(chunksOf(store, 'orders'), [
      [0, [1, 0]],
      [1, [0]],
    ])
    assert.equal(store.of(place('orders')).chunks.get(0)?.get(0)?.length, 3)
  })

  test('keeps copies, not views of what was read', () => {
    const store = new ChunkStore(flow, 1_000_000)
    const whole = bytes(100_000)
    store.add(0, record('orders', 0, whole.subarray(10, 20)))
    const kept = store.of(place('orders')).chunks.get(0)?.get(0)
    assert.equal(kept?.buffer.byteLength, 10)
  })

  test('tells by its revision that something was added', () => {
    const store = new ChunkStore(flow, 1_000_000)
    store.add(0, record('orders', 0, bytes(1)))
    const { revision } = store.of(place('orders'))
    store.add(0, record('others', 0, bytes(1)))
    assert.equal(store.of(place('orders')).revision, revision)
    store.add(0, record('orders', 0, bytes(1)))
    assert.notEqual(store.of(place('orders')).revision, revision)
  })

  test('never holds more than it may: forgets what nobody asked for, then what was asked for longest ago', () => {
    const store = new ChunkStore(flow, 3_000)
    store.ask(place('old'))
    store.ask(place('young'))
    for (const topic of ['old', 'young']) store.add(0, record(topic, 0, bytes(1_000)))
    for (let n = 0; n < 50; n++) {
      store.add(0, record(`idle ${n}`, 0, bytes(500)))
      assert.ok(store.bytes <= 3_000, `${store.bytes} bytes`)
    }
    assert.equal(store.ask(place('old')), 'known')
    assert.deepEqual(chunksOf(store, 'old'), [[0, [0]]])
    // The one asked for last grows: the other one has to go.
    store.add(0, record('old', 1, bytes(1_000)))
    assert.deepEqual(chunksOf(store, 'young'), [])
    assert.equal(store.ask(place('young')), 'forgotten')
    assert.equal(store.ask(place('idle 3')), 'forgotten')
    assert.equal(store.ask(place('never heard of')), 'known')
  })

  test('takes nothing of what it forgot until that is read again', () => {
    const store = new ChunkStore(flow, 3_000)
    store.add(0, record('orders', 0, bytes(100)))
    store.forget(place('orders'))
    assert.equal(store.bytes, 0)
    store.add(0, record('orders', 1, bytes(100)))
    assert.deepEqual(chunksOf(store, 'orders'), [])
    assert.equal(store.ask(place('orders')), 'forgotten')
    for (const topic of ['orders', 'others']) store.add(0, record(topic, 0, bytes(100)), place('orders'))
    assert.deepEqual(chunksOf(store, 'orders'), [[0, [0]]])
    assert.deepEqual(chunksOf(store, 'others'), [])
    store.add(0, record('orders', 1, bytes(100)))
    assert.deepEqual(chunksOf(store, 'orders'), [[0, [0, 1]]])
  })

  test('counts what it holds exactly', () => {
    const store = new ChunkStore(flow, 1_000_000)
    for (const size of [10, 500, 20]) store.add(0, record('orders', 0, bytes(size)))
    store.add(0, record('orders', 0, null))
    assert.equal(store.bytes, 0)
  })
})
