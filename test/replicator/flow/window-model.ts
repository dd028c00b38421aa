import assert from 'node:assert/strict'
import { type Outgoing, PartitionWindow } from '../../../replicator/flow/partition-window.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import {
  baseOffset,
  baseSequence,
  producerEpoch,
  producerId,
} from '../../../replicator/records/batch-header.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'

/** What the test knows of one batch. */
interface Known {
  outgoing: Outgoing
  sourceNext: bigint
  state: 'queued' | 'in-flight' | 'acknowledged'
  sequence: number | undefined
  sentMs: number
  isUnsure: boolean
  targetBase: bigint
}

export const memoryMs = 1000

/** A plain account of what the window should hold, and of every lease that was ever given to it. */
export class WindowModel {
  readonly window: PartitionWindow
  readonly counts = { records: 0, bytes: 0, batches: 0 }
  readonly entries: Known[] = []
  readonly releases = new Map<object, number>()
  readonly producer = { producerId: 7n, producerEpoch: 3 }
  nowMs = 10_000
  stamps = false
  knownMs = Number.NEGATIVE_INFINITY
  isRefused = false
  nextSequence: number
  end = 100n
  acknowledged = 100n
  targetNext = 50n
  /** The sequence number behind what is acknowledged. */
  sequence: number
  #targetEnd = 50n

  constructor(sequence = 0) {
    this.sequence = sequence
    this.nextSequence = sequence
    this.window = new PartitionWindow(
      this.producer,
      { sourceNext: sourceOffset(100n), targetNext: targetOffset(50n), sequence },
      { ms: memoryMs, nowMs: () => this.nowMs, stamps: () => this.stamps },
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
      timestampMs: this.nowMs - 300,
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
    this.entries.push(queued(outgoing, this.end))
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
    const mayBeInFlight = this.nowMs - this.knownMs < memoryMs ? 5 : 1
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
      next.sentMs = this.nowMs
      this.nextSequence += next.outgoing.records
    }
    next.state = 'in-flight'
    assert.equal(baseSequence(sent.batch, 0), next.sequence)
    assert.equal(producerId(sent.batch, 0), this.producer.producerId)
    assert.equal(producerEpoch(sent.batch, 0), this.producer.producerEpoch)
    assert.equal(baseOffset(sent.batch, 0), 0n)
  }

  settle(index: number, how: 'taken' | 'refused' | 'unanswered', foreign = 0): void {
    const entry = this.inFlight[index % Math.max(1, this.inFlight.length)]
    if (entry === undefined) return
    if (how !== 'taken') {
      entry.state = 'queued'
      entry.isUnsure ||= how === 'unanswered'
      this.isRefused = true
      this.window.refuse(entry.outgoing, protocolError(6), how === 'unanswered')
      return
    }
    const at = this.entries.indexOf(entry)
    const overtook = this.entries.slice(0, at).some(({ state }) => state === 'queued')
    entry.state = 'acknowledged'
    this.knownMs = this.nowMs
    this.#targetEnd += BigInt(foreign)
    entry.targetBase = this.#targetEnd
    this.#targetEnd += BigInt(entry.outgoing.records)
    const answer = this.window.acknowledge(entry.outgoing, entry.targetBase, this.counts)
    assert.equal(answer.overtook, overtook)
    let gap: { from: bigint; to: bigint } | undefined
    while (this.entries[0]?.state === 'acknowledged') {
      const done = this.entries.shift()!
      if (done.targetBase !== this.targetNext)
        gap = { from: gap?.from ?? this.targetNext, to: done.targetBase }
      this.acknowledged = done.sourceNext
      this.targetNext = done.targetBase + BigInt(done.outgoing.records)
      this.sequence += done.outgoing.records
    }
    assert.deepEqual(answer.gap, gap)
  }

  get isStale(): boolean {
    return this.entries.some(({ isUnsure, state, sentMs, outgoing }) => {
      const rememberedMs = this.stamps ? sentMs : Math.min(sentMs, outgoing.timestampMs)
      return isUnsure && state === 'queued' && rememberedMs < this.nowMs - memoryMs
    })
  }

  recover(how: 'rewind' | 'replace' | 'shrink'): void {
    if (this.inFlight.length > 0) {
      assert.throws(() => this.window.rewind())
      return
    }
    if (how === 'replace') this.#replaceHead()
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
    const last = parts.length - 1
    const entries = parts.map((outgoing, index): Known => {
      return queued(outgoing, index === last ? head.sourceNext : outgoing.sourceNext)
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
    assert.deepEqual(this.window.acknowledged, {
      sourceNext: this.acknowledged,
      targetNext: this.targetNext,
      sequence: this.sequence,
    })
    assert.equal(this.window.isStale, this.isStale)
    assert.equal(
      this.window.hasUnsure,
      this.entries.some(({ isUnsure }) => isUnsure),
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

const queued = (outgoing: Outgoing, sourceNext: bigint): Known => ({
  outgoing,
  sourceNext,
  state: 'queued',
  sequence: undefined,
  sentMs: 0,
  isUnsure: false,
  targetBase: 0n,
})
