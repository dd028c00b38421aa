import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaError, protocolError } from '../../../replicator/kafka/errors.ts'
import type { CoarseSpan } from '../../../replicator/offsets/offset-map.ts'
import { type RefineTools, refineSpan, type WalkedLog } from '../../../replicator/offsets/refine-span.ts'
import type { Origins } from '../../../replicator/provenance/origins.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import { valuesOf, visited, visitedMarker } from '../shards/visited-batches.ts'
import { copies, FakeLog, records, run, span, theirs, us } from './fake-log.ts'

const refine = (
  one: CoarseSpan,
  source: WalkedLog,
  target: WalkedLog,
  others: Partial<RefineTools> = {},
  signal = new AbortController().signal,
) =>
  refineSpan(
    one,
    { source, target, rule: 'everything', origins: undefined, producers: new Set([9n]), ...others },
    signal,
  )

describe('refining a span from the logs', () => {
  const source = () =>
    new FakeLog([
      records(0, 5),
      records(5, 4, 3n, 'aborted'),
      visitedMarker({ producerId: 3n, producerEpoch: 0 }, 9n),
      records(10, 6),
      records(16, 4),
    ])
  const target = () =>
    new FakeLog([
      copies(0, 2, 0),
      copies(2, 3, 2),
      records(5, 2, theirs),
      visitedMarker({ producerId: 9n, producerEpoch: 2 }, 7n),
      copies(8, 10, 5),
    ])

  test('counts what is forwarded and what is ours, and reads no more than the span', async () => {
    const [from, to] = [source(), target()]
    assert.deepEqual(await refine(span(2, 14, 2, 12), from, to), {
      kind: 'refined',
      parts: [run(2, 2, 3), run(10, 8, 4)],
      coarse: undefined,
    })
    assert.equal(from.visits, 4, 'what lies behind the span is not visited')
    assert.deepEqual(
      [from, to].map(({ asked }) => asked.map(({ from, isolation, atEnd }) => [from, isolation, atEnd])),
      [
        [[2n, 'read_committed', 'stop']],
        [
          [1n, 'read_uncommitted', 'stop'],
          [4n, 'read_uncommitted', 'stop'],
        ],
      ],
    )
  })

  test('where sequence numbers are as far apart as offsets, only the ends of the target are read', async () => {
    const to = () =>
      new FakeLog([
        ...Array.from({ length: 100 }, (_, i) => copies(i * 10, 10, i * 10)),
        visitedMarker({ producerId: 9n, producerEpoch: 2 }, 1000n),
      ])
    const dense = new FakeLog([records(0, 995)])
    const whole = to()
    const told = await refine(span(5, 995, 5, 1001), dense, whole)
    assert.equal(told.kind, 'stays-coarse', 'five records more than were copied')
    const here = to()
    assert.deepEqual(await refine(span(5, 1000, 5, 1001), dense, here), {
      kind: 'refined',
      parts: [run(5, 5, 995)],
      coarse: undefined,
    })
    assert.equal(here.visits, 3)
    assert.equal(dense.asked.length, 1, 'only for the span that contradicts')
    // A record of somebody else's between: the numbers are not as far apart.
    const mixed = new FakeLog([copies(0, 30, 0), records(30, 1, theirs), copies(31, 69, 30)])
    assert.deepEqual(await refine(span(0, 99, 0, 100), new FakeLog([records(0, 99)]), mixed), {
      kind: 'refined',
      parts: [run(0, 0, 30), run(30, 31, 69)],
      coarse: undefined,
    })
  })

  test('in an exclusive target every data batch is ours', async () => {
    const to = new FakeLog([records(0, 2), visitedMarker(us, 2n), records(3, 3, theirs)])
    assert.deepEqual(await refine(span(0, 5, 0, 6), source(), to, { producers: 'everybody' }), {
      kind: 'refined',
      parts: [run(0, 0, 2), run(2, 3, 3)],
      coarse: undefined,
    })
  })

  test('leaves out what the rule leaves out, once origins were learned', async () => {
    const learned: number[] = []
    const origins: Origins = {
      async learn({ length }) {
        learned.push(length)
      },
      isLocal: (id) => learned.length > 0 && id !== theirs,
      isForwarded(id, rule) {
        assert.equal(rule, 'local')
        return this.isLocal(id)
      },
    }
    const from = new FakeLog([records(0, 2), records(2, 3, theirs), records(5, 2)])
    const to = new FakeLog([copies(0, 4, 0)])
    const told = await refine(span(0, 7, 0, 4), from, to, { rule: 'local', origins })
    assert.deepEqual(told, { kind: 'refined', parts: [run(0, 0, 2), run(5, 2, 2)], coarse: undefined })
    assert.deepEqual(await refine(span(0, 7, 0, 4), from, to, { rule: 'local' }), {
      kind: 'stays-coarse',
      reason: 'origins-unknown',
    })
    assert.deepEqual(await refine(span(0, 7, 0, 4), from, to, { producers: undefined }), {
      kind: 'stays-coarse',
      reason: 'producers-unknown',
    })
  })

  test('compacted batches of either log are read to the record', async () => {
    const left = (count: number, gone: readonly number[], base: number, fields: object = {}) =>
      visited(
        buildBatch(
          valuesOf(count).filter(({ offsetDelta }) => !gone.includes(offsetDelta)),
          { baseOffset: BigInt(base), lastOffsetDelta: count - 1, ...fields },
        ),
      )
    // Offset 2 was copied before it was cleaned away, offset 6 was not.
    const from = new FakeLog([left(4, [2], 0), left(4, [2], 4)])
    const whole = new FakeLog([left(4, [1], 0, { ...us, baseSequence: 0 }), copies(4, 3, 4)])
    assert.deepEqual(await refine(span(0, 8, 0, 7), from, whole), {
      kind: 'refined',
      parts: [run(0, 0, 2), span(2, 7, 2, 6), run(7, 6, 1)],
      coarse: 'cleaned',
    })
    assert.deepEqual(await refine(span(0, 8, 0, 8), from, new FakeLog([copies(0, 8, 0)])), {
      kind: 'refined',
      parts: [run(0, 0, 8)],
      coarse: undefined,
    })
  })

  test('what retention took of one log is told by the other, of both by none', async () => {
    const from = new FakeLog([records(4, 6)], 4)
    assert.deepEqual(await refine(span(0, 10, 0, 8), from, new FakeLog([copies(0, 8, 0)])), {
      kind: 'refined',
      parts: [span(0, 4, 0, 2), run(4, 2, 6)],
      coarse: 'gone',
    })
    const to = new FakeLog([copies(5, 3, 5)], 5)
    assert.deepEqual(await refine(span(0, 10, 0, 8), from, to), { kind: 'stays-coarse', reason: 'gone' })
    // Only what lies before the span is gone.
    const cut = new FakeLog([copies(5, 3, 5)], 5)
    assert.deepEqual(await refine(span(4, 7, 5, 8), from, cut), {
      kind: 'refined',
      parts: [run(4, 5, 3)],
      coarse: undefined,
    })
  })

  test('what the budget does not reach stays coarse, and can be refined from there', async () => {
    const from = new FakeLog(Array.from({ length: 10 }, (_, i) => records(i * 10, 10)))
    const to = new FakeLog(Array.from({ length: 10 }, (_, i) => records(i * 10, 10)))
    const one = await refine(span(20, 100, 20, 100), from, to, { bytesMax: 1, producers: 'everybody' })
    assert.deepEqual(one, {
      kind: 'refined',
      parts: [run(20, 20, 10), span(30, 100, 30, 100)],
      coarse: 'not-reached',
    })
    assert.deepEqual(await refine(span(30, 100, 30, 100), from, to, { producers: 'everybody' }), {
      kind: 'refined',
      parts: [run(30, 30, 70)],
      coarse: undefined,
    })
  })

  test('logs that end before the span, or hold something else, say so', async () => {
    const from = new FakeLog([records(0, 3)])
    const to = new FakeLog([copies(0, 3, 0)])
    assert.deepEqual(await refine(span(10, 20, 10, 20), from, to), {
      kind: 'stays-coarse',
      reason: 'not-reached',
    })
    const stranger = new FakeLog([records(0, 2, theirs), copies(2, 1, 0)])
    assert.deepEqual(await refine(span(0, 3, 0, 3), from, stranger), {
      kind: 'stays-coarse',
      reason: 'contradiction',
    })
  })

  test('fails with what a log failed with, and ends when it is aborted', async () => {
    const broken: WalkedLog = {
      topic: 'orders',
      partition: 0,
      walks: {
        bounds: async () => ({ start: 0n, end: 0n }),
        walk: async () => {
          throw protocolError(29, { cluster: regionAlias('eu-west'), topic: 'orders', partition: 0 })
        },
      },
    }
    const endless: WalkedLog = {
      ...broken,
      walks: {
        ...broken.walks,
        walk: (_, signal) =>
          new Promise((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason), { once: true })
          }),
      },
    }
    await assert.rejects(
      refine(span(0, 3, 0, 3), endless, broken),
      (error) => error instanceof KafkaError && error.code === 29,
    )
    const reason = new Error('enough of it')
    const controller = new AbortController()
    const under = refine(span(0, 3, 0, 3), endless, endless, {}, controller.signal)
    controller.abort(reason)
    await assert.rejects(under, reason)
  })
})
