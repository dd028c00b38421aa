import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type Outgoing, PartitionWindow } from '../../../replicator/flow/partition-window.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import { baseOffset, baseSequence, producerId } from '../../../replicator/records/batch-header.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'

/** What the test knows of one batch. */
interface Known {
  outgoing: Outgoing
  sourceNext: bigint
  state: 'queued' | 'in-flight' | 'acknowledged'
  sequence: number | undefined
  targetNext: bigint | undefined
}

/** A plain account of what the window should hold, and of every lease that was ever given to it. */
class Model {
  readonly window: PartitionWindow
  readonly counts = { records: 0, bytes: 0, batches: 0 }
  readonly entries: Known[] = []
  readonly releases = new Map<object, number>()
  producer = 7n
  isKnown = false
  isRefused = false
  nextSequence = 0
  end = 100n
  acknowledged = 100n
  targetNext: bigint | undefined
  #targetEnd = 0n

  constructor() {
    this.window = new PartitionWindow(
      { producerId: this.producer, producerEpoch: 0 },
      { sourceNext: sourceOffset(100n), targetNext: undefined },
    )
  }

  outgoing(records: number, from: bigint): Outgoing {
    const pairs = Array.from({ length: records }, (_, i): [string, string] => [`${i}`, 'x'])
    const key = {}
    this.releases.set(key, 0)
    const release = () => this.releases.set(key, (this.releases.get(key) ?? 0) + 1)
    const batch = buildBatch(recordsOf(pairs, 5), { baseOffset: from })
    return {
      batch,
      records,
      sourceBase: sourceOffset(from),
      sourceNext: sourceOffset(from + BigInt(records)),
      timestampMs: 5,
      lease: { bytes: batch.length, retain: () => {}, release },
    }
  }

  get inFlight(): Known[] {
    return this.entries.filter(({ state }) => state === 'in-flight')
  }

  push(records: number): void {
    const outgoing = this.outgoing(records, this.end)
    this.end = outgoing.sourceNext
    this.window.push(outgoing)
    this.entries.push({
      outgoing,
      sourceNext: this.end,
      state: 'queued',
      sequence: undefined,
      targetNext: undefined,
    })
  }

  skip(offsets: number): void {
    this.end += BigInt(offsets)
    this.window.skipTo(sourceOffset(this.end))
    const last = this.entries.at(-1)
    if (last !== undefined) last.sourceNext = this.end
    else this.acknowledged = this.end
  }

  send(): void {
    const next = this.entries.find(({ state }) => state === 'queued')
    const mayBeInFlight = this.isKnown ? 5 : 1
    const expected = next !== undefined && !this.isRefused && this.inFlight.length < mayBeInFlight
    assert.equal(this.window.canSend, expected)
    if (!expected || next === undefined) {
      assert.throws(() => this.window.send())
      return
    }
    const sent = this.window.send()
    assert.equal(sent, next.outgoing, 'batches go in order')
    if (next.sequence === undefined) {
      next.sequence = this.nextSequence
      this.nextSequence += next.outgoing.records
    }
    next.state = 'in-flight'
    assert.equal(baseSequence(sent.batch, 0), next.sequence)
    assert.equal(producerId(sent.batch, 0), this.producer)
    assert.equal(baseOffset(sent.batch, 0), 0n)
  }

  settle(index: number, isTaken: boolean, tellsOffset: boolean): void {
    const entry = this.inFlight[index % Math.max(1, this.inFlight.length)]
    if (entry === undefined) return
    if (!isTaken) {
      entry.state = 'queued'
      this.isRefused = true
      this.window.refuse(entry.outgoing, protocolError(6))
      return
    }
    entry.state = 'acknowledged'
    this.isKnown = true
    const base = this.#targetEnd
    this.#targetEnd += BigInt(entry.outgoing.records)
    entry.targetNext = tellsOffset ? this.#targetEnd : undefined
    this.window.acknowledge(entry.outgoing, tellsOffset ? base : undefined, this.counts)
    while (this.entries[0]?.state === 'acknowledged') {
      const done = this.entries.shift()!
      this.acknowledged = done.sourceNext
      this.targetNext = done.targetNext ?? this.targetNext
    }
  }

  recover(how: 'rewind' | 'restart' | 'replace' | 'shrink'): void {
    if (this.inFlight.length > 0) {
      assert.throws(() => this.window.rewind())
      return
    }
    if (how === 'restart') {
      this.producer += 1n
      this.isKnown = false
      this.nextSequence = 0
      this.window.restart({ producerId: this.producer, producerEpoch: 0 })
      this.#queueAllAnew()
    } else if (how === 'replace') this.#replaceHead()
    else if (how === 'shrink') this.#shrink()
    else this.window.rewind()
    if (how !== 'shrink') this.isRefused = false
  }

  #queueAllAnew(): void {
    for (const entry of this.entries) {
      entry.state = 'queued'
      entry.sequence = undefined
    }
  }

  #replaceHead(): void {
    const head = this.entries.shift()
    if (head === undefined) {
      this.window.rewind()
      return
    }
    const { records, sourceBase } = head.outgoing
    const sizes = records === 1 ? [1] : [1, records - 1]
    const parts = sizes.map((size, index) => this.outgoing(size, sourceBase + BigInt(index)))
    this.window.replaceHead(parts)
    this.nextSequence = head.sequence ?? this.nextSequence
    this.#queueAllAnew()
    const entries = parts.map((outgoing, index): Known => {
      const sourceNext = index === parts.length - 1 ? head.sourceNext : outgoing.sourceNext
      return { outgoing, sourceNext, state: 'queued', sequence: undefined, targetNext: undefined }
    })
    this.entries.unshift(...entries)
  }

  #shrink(): void {
    const kept = Math.max(1, this.entries.findLastIndex(({ sequence }) => sequence !== undefined) + 1)
    this.entries.splice(kept)
    let copies = 0
    const next = this.window.shrink((batch) => {
      const entry = this.entries[copies++]!
      assert(batch.equals(entry.outgoing.batch))
      const key = {}
      this.releases.set(key, 0)
      const release = () => this.releases.set(key, (this.releases.get(key) ?? 0) + 1)
      const own = { batch: Buffer.from(batch), lease: { bytes: 1, retain: () => {}, release } }
      entry.outgoing = { ...entry.outgoing, ...own }
      return own
    })
    assert.equal(copies, this.entries.length)
    this.end = this.entries.at(-1)?.sourceNext ?? this.acknowledged
    assert.equal(next, this.end)
    // The window made entries of its own from the copies: what it sends is compared by content from here on.
    for (const entry of this.entries) entry.outgoing = this.#asSent(entry.outgoing)
  }

  #asSent(outgoing: Outgoing): Outgoing {
    return this.window.head?.batch === outgoing.batch ? this.window.head : outgoing
  }

  check(): void {
    assert.equal(this.window.acknowledged.sourceNext, this.acknowledged)
    assert.equal(
      this.window.acknowledged.targetNext,
      this.targetNext === undefined ? undefined : targetOffset(this.targetNext),
    )
    assert.equal(this.window.inFlight, this.inFlight.length)
    assert.equal(this.window.isEmpty, this.entries.length === 0)
    assert.equal(this.window.failure !== undefined, this.isRefused)
    assert.equal(this.window.mustRecover, this.isRefused && this.inFlight.length === 0)
    assert.equal(
      this.window.bytes,
      this.entries.reduce((sum, { outgoing }) => sum + outgoing.batch.length, 0),
    )
    const sequences = this.entries.flatMap(({ sequence, outgoing }) =>
      sequence === undefined ? [] : [[sequence, outgoing.records] as const],
    )
    for (const [index, [sequence]] of sequences.entries()) {
      const [before, records] = sequences[index - 1] ?? [sequence, 0]
      assert.equal(sequence, before + records, 'sequences follow each other')
    }
    for (const count of this.releases.values()) assert(count <= 1, 'no lease is released twice')
    const held = [...this.releases.values()].filter((count) => count === 0).length
    assert.equal(held, this.entries.length, 'a lease is held for each batch in the window, and for no other')
  }
}

type Step =
  | { readonly kind: 'push'; readonly records: number }
  | { readonly kind: 'skip'; readonly offsets: number }
  | { readonly kind: 'send' }
  | {
      readonly kind: 'settle'
      readonly index: number
      readonly isTaken: boolean
      readonly tellsOffset: boolean
    }
  | { readonly kind: 'recover'; readonly how: 'rewind' | 'restart' | 'replace' }

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
      isTaken: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
      tellsOffset: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('recover' as const),
      how: fc.constantFrom('rewind' as const, 'restart' as const, 'replace' as const),
    }),
  },
)

function play(model: Model, steps: readonly Step[]): void {
  for (const one of steps) {
    if (one.kind === 'push') model.push(one.records)
    else if (one.kind === 'skip') model.skip(one.offsets)
    else if (one.kind === 'send') model.send()
    else if (one.kind === 'settle') model.settle(one.index, one.isTaken, one.tellsOffset)
    else model.recover(one.how)
    model.check()
  }
}

function settleAll(model: Model): void {
  while (model.inFlight.length > 0) model.settle(0, false, false)
}

describe('a partition’s window', () => {
  test('keeps its invariants through any history', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        const model = new Model()
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
        const model = new Model()
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
    const model = new Model()
    for (let i = 0; i < 4; i++) model.push(2)
    model.send()
    model.settle(0, true, true)
    for (let i = 0; i < 3; i++) model.send()
    model.settle(2, true, true)
    assert.deepEqual([model.counts.batches, model.counts.records], [1, 2])
    model.settle(0, true, true)
    model.settle(0, true, true)
    assert.deepEqual([model.counts.batches, model.counts.records], [4, 8])
  })

  test('wraps sequence numbers at 2^31', () => {
    const window = new PartitionWindow(
      { producerId: 1n, producerEpoch: 0 },
      { sourceNext: sourceOffset(0n), targetNext: undefined },
    )
    const model = new Model()
    const counts = { records: 0, bytes: 0, batches: 0 }
    const first = { ...model.outgoing(3, 0n), records: 0x7fffffff }
    const second = model.outgoing(2, 10n)
    const third = model.outgoing(2, 20n)
    for (const outgoing of [first, second, third]) window.push(outgoing)
    window.acknowledge(window.send(), 0n, counts)
    assert.equal(baseSequence(window.send().batch, 0), 0x7fffffff)
    assert.equal(baseSequence(window.send().batch, 0), 1)
  })

  test('refuses what would break it', () => {
    const model = new Model()
    model.push(3)
    assert.throws(() => model.window.push(model.outgoing(1, 100n)), /pushed behind/)
    const foreign = model.outgoing(1, 200n)
    assert.throws(() => model.window.refuse(foreign, protocolError(6)), /not in flight/)
    model.send()
    assert.throws(() => model.window.restart({ producerId: 1n, producerEpoch: 0 }), /in flight/)
    assert.throws(() => model.window.replaceHead([]), /in flight/)
  })
})
