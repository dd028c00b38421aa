import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import { baseSequence } from '../../../replicator/records/batch-header.ts'
import { memoryMs, WindowModel } from './window-model.ts'

type Step =
  | { readonly kind: 'push'; readonly records: number }
  | { readonly kind: 'skip'; readonly offsets: number }
  | { readonly kind: 'send' }
  | {
      readonly kind: 'settle'
      readonly index: number
      readonly how: 'taken' | 'refused' | 'unanswered'
      readonly foreign: number
    }
  | { readonly kind: 'recover'; readonly how: 'rewind' | 'replace' }
  | { readonly kind: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('push' as const), records: fc.integer({ min: 1, max: 4 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('skip' as const), offsets: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 6, arbitrary: fc.constant({ kind: 'send' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      index: fc.nat(4),
      how: fc.constantFrom('taken' as const, 'taken' as const, 'refused' as const, 'unanswered' as const),
      foreign: fc.constantFrom(0, 0, 0, 1, 3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('recover' as const),
      how: fc.constantFrom('rewind' as const, 'replace' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 400, 999, 1000, 5000),
    }),
  },
)

function play(model: WindowModel, steps: readonly Step[]): void {
  for (const one of steps) {
    if (one.kind === 'push') model.push(one.records)
    else if (one.kind === 'skip') model.skip(one.offsets)
    else if (one.kind === 'send') model.send()
    else if (one.kind === 'settle') model.settle(one.index, one.how, one.foreign)
    else if (one.kind === 'wait') model.nowMs += one.ms
    else model.recover(one.how)
    model.check()
  }
}

function settleAll(model: WindowModel): void {
  while (model.inFlight.length > 0) model.settle(0, 'refused')
}

describe('a partition’s window', () => {
  test('keeps its invariants through any history', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), fc.boolean(), (steps, stamps) => {
        const model = new WindowModel()
        model.stamps = stamps
        play(model, steps)
        if (model.inFlight.length > 0) assert.throws(() => model.window.abandon())
        settleAll(model)
        model.window.abandon()
        assert(
          [...model.releases.values()].every((count) => count === 1),
          'everything is given back once',
        )
        assert(model.window.isEmpty)
        assert.equal(model.window.bytes, 0)
      }),
      { numRuns: 400 },
    )
  })

  test('shrinks at any point to what was sent, or to the first batch, and goes on from there', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
        const model = new WindowModel()
        play(model, steps)
        settleAll(model)
        model.recover('shrink')
        model.check()
        const { sourceNext } = model.window.acknowledged
        model.window.rewind()
        const sent: bigint[] = []
        while (!model.window.isEmpty) {
          const outgoing = model.window.send()
          sent.push(outgoing.sourceBase)
          model.window.acknowledge(outgoing, 0n, model.counts)
          model.nowMs += 300
        }
        assert.deepEqual(
          sent,
          sent.toSorted((a, b) => (a < b ? -1 : 1)),
        )
        assert(sent.every((base) => base >= sourceNext))
        assert.equal(model.window.acknowledged.sourceNext, model.end)
        assert([...model.releases.values()].every((count) => count === 1))
      }),
      { numRuns: 200 },
    )
  })

  test('counts what became contiguous, once', () => {
    const model = new WindowModel()
    for (let i = 0; i < 4; i++) model.push(2)
    model.send()
    model.settle(0, 'taken')
    for (let i = 0; i < 3; i++) model.send()
    model.settle(2, 'taken')
    assert.deepEqual([model.counts.batches, model.counts.records], [1, 2])
    model.settle(0, 'taken')
    model.settle(0, 'taken')
    assert.deepEqual([model.counts.batches, model.counts.records], [4, 8])
  })

  test('wraps sequence numbers at 2^31', () => {
    const model = new WindowModel(0x7fffffff - 2)
    const { window } = model
    const first = model.outgoing(3, 100n)
    const second = model.outgoing(2, 110n)
    for (const outgoing of [first, second]) window.push(outgoing)
    assert.equal(baseSequence(window.send().batch, 0), 0x7fffffff - 2)
    window.acknowledge(first, 50n, model.counts)
    assert.equal(window.acknowledged.sequence, 0)
    assert.equal(baseSequence(window.send().batch, 0), 0)
  })

  test('the first batch is alone in flight, and again after a pause longer than the target’s memory', () => {
    const model = new WindowModel()
    for (let i = 0; i < 9; i++) model.push(1)
    model.send()
    assert.equal(model.window.canSend, false)
    model.settle(0, 'taken')
    for (let i = 0; i < 5; i++) model.send()
    assert.equal(model.window.canSend, false, 'brokers remember five')
    for (let i = 0; i < 5; i++) model.settle(0, 'taken')
    model.nowMs += memoryMs - 1
    model.send()
    assert.equal(model.window.canSend, true)
    model.settle(0, 'taken')
    model.nowMs += memoryMs
    model.send()
    assert.equal(model.window.canSend, false)
  })

  test('a batch without an answer goes stale by when it was sent or stamped, whichever is earlier', () => {
    const unanswered = (stamps: boolean, afterMs: number): boolean => {
      const model = new WindowModel()
      model.stamps = stamps
      model.push(1)
      model.send()
      model.settle(0, 'unanswered')
      model.nowMs += afterMs
      return model.window.isStale
    }
    // The model's records are 300 ms older than their sending.
    assert.deepEqual([unanswered(false, 700), unanswered(false, 701)], [false, true])
    assert.deepEqual([unanswered(true, 1000), unanswered(true, 1001)], [false, true])
  })

  test('what the target has answered about never goes stale', () => {
    const model = new WindowModel()
    model.push(1)
    model.send()
    model.settle(0, 'refused')
    model.nowMs += 100 * memoryMs
    assert.equal(model.window.isStale, false)
    model.recover('rewind')
    model.send()
    model.settle(0, 'unanswered')
    model.recover('rewind')
    model.send()
    model.settle(0, 'taken')
    model.nowMs += 100 * memoryMs
    assert.equal(model.window.isStale, false)
  })

  test('target offsets that are not ours, and a batch that overtook a refused one, come to light', () => {
    const model = new WindowModel()
    for (let i = 0; i < 4; i++) model.push(2)
    const { window, counts } = model
    assert.deepEqual(window.acknowledge(window.send(), 50n, counts), { gap: undefined, overtook: false })
    assert.deepEqual(window.acknowledge(window.send(), 57n, counts), {
      gap: { from: 52n, to: 57n },
      overtook: false,
    })
    const [refused, overtaking] = [window.send(), window.send()]
    window.refuse(refused, protocolError(19), false)
    assert.deepEqual(window.acknowledge(overtaking, 59n, counts), { gap: undefined, overtook: true })
    assert.equal(window.acknowledged.targetNext, 59n, 'nothing behind the refused one counts')
  })

  test('refuses what would break it', () => {
    const model = new WindowModel()
    model.push(3)
    assert.throws(() => model.window.push(model.outgoing(1, 100n)), /pushed behind/)
    const foreign = model.outgoing(1, 200n)
    assert.throws(() => model.window.refuse(foreign, protocolError(6), false), /not in flight/)
    model.send()
    assert.throws(() => model.window.rewind(), /in flight/)
    assert.throws(() => model.window.replaceHead([]), /in flight/)
  })
})
