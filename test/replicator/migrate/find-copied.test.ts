import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import type { OffsetAnswer, OffsetQuery } from '../../../replicator/kafka/cluster.ts'
import type { WalkEnd, WalkRequest } from '../../../replicator/logs/log-walk.ts'
import { type CopiedPartition, CopyFinder } from '../../../replicator/migrate/find-copied.ts'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { rawBatch } from '../../../replicator/records/record-batch.ts'

const forever = new AbortController().signal

/** `marker`: of a transaction; `open`: nobody has ended its transaction yet. */
type Kind = 'plain' | 'committed' | 'aborted' | 'open' | 'marker'

interface Entry {
  readonly offset: number
  readonly kind: Kind
  readonly value: string
  readonly timestampMs: number
}

/** One partition's log, each record a batch of its own. */
class FakeLog {
  readonly entries: Entry[] = []
  readonly #end: number | undefined
  start = 0

  constructor(entries: readonly Omit<Entry, 'offset'>[], start = 0) {
    this.entries = entries
      .map((entry, offset) => ({ ...entry, offset }))
      .filter(({ offset }) => offset >= start)
    this.#end = entries.length
    this.start = start
  }

  get end(): number {
    return this.#end ?? this.entries.length
  }

  get stable(): number {
    return this.entries.find(({ kind }) => kind === 'open')?.offset ?? this.end
  }

  async listOffsets(queries: readonly OffsetQuery[]): Promise<readonly OffsetAnswer[]> {
    return queries.map(({ topic, partition, at }) => {
      const offset =
        at === 'earliest'
          ? this.start
          : at === 'latest'
            ? this.end
            : at === 'last-stable'
              ? this.stable
              : (this.entries.find((one) => one.timestampMs >= at.timestampMs)?.offset ?? this.end)
      return {
        ...{ topic, partition },
        result: { ok: true, value: { offset: BigInt(offset), leaderEpoch: undefined } },
      }
    })
  }

  async walk({ from, isolation, visit }: WalkRequest): Promise<WalkEnd> {
    const end = isolation === 'read_committed' ? this.stable : this.end
    assert.ok(from >= this.start && from <= this.end, `${from} is not in the log`)
    for (const { offset, kind, value, timestampMs } of this.entries) {
      if (offset < from || offset >= end) continue
      const record = { key: null, value: Buffer.from(value), headers: [], timestamp: BigInt(timestampMs) }
      const batch = Buffer.from(encodeBatch([record]))
      batch.writeBigInt64BE(BigInt(offset), 0)
      const isAborted = kind === 'aborted' && isolation === 'read_committed'
      const verdict = kind === 'marker' ? 'control' : isAborted ? 'aborted' : 'deliver'
      const said = visit({ raw: rawBatch(batch, 0, batch.length), verdict })
      if (said === 'enough') break
    }
    return { kind: 'end', next: BigInt(end), logStart: BigInt(this.start) }
  }
}

interface Case {
  readonly source: FakeLog
  readonly target: FakeLog
  readonly storedNext: bigint | undefined
  readonly isCompacted?: boolean
  readonly stamps?: boolean
}

async function find({ source, target, storedNext, isCompacted = false, stamps = false }: Case) {
  const at: CopiedPartition = {
    ...{ sourceTopic: 'orders', targetTopic: 'A.orders', partition: 0, storedNext },
    ...{ targetStamps: stamps, targetIsCompacted: isCompacted },
  }
  return await new CopyFinder({ source, target, walks: { source, target } }).find(at, forever)
}

/** Groups of records, most of them in transactions. */
const group = fc.record({
  kind: fc.constantFrom<Kind>('plain', 'plain', 'committed', 'aborted'),
  records: fc.integer({ min: 1, max: 6 }),
})
const scene = (jitterMs: number, repeats: number) =>
  fc.record({
    groups: fc.array(group, { minLength: 1, maxLength: 10 }),
    /** Records of a transaction that is still open, in the end. */
    open: fc.nat(3),
    behindOpen: fc.nat(2),
    jitter: fc.array(fc.nat(jitterMs), { minLength: 1, maxLength: 30 }),
    repeats: fc.array(fc.nat(repeats), { minLength: 1, maxLength: 12 }),
    isolation: fc.constantFrom('read_committed', 'read_uncommitted'),
    runs: fc.array(fc.record({ length: fc.nat(20), stored: fc.nat(20) }), { minLength: 1, maxLength: 4 }),
    /** Records of others, and markers, on the target. */
    others: fc.array(fc.nat(40), { maxLength: 4 }),
    lag: fc.constantFrom(0, 0, 1500),
  })
type Scene = ReturnType<typeof scene> extends fc.Arbitrary<infer T> ? T : never

function play({ groups, open, behindOpen, jitter, repeats, isolation, runs, others, lag }: Scene) {
  const entries: Omit<Entry, 'offset'>[] = []
  const add = (kind: Kind): void => {
    const at = entries.length
    // Equal records are of one time.
    const isRepeated = kind !== 'marker' && at > 0 && repeats[at % repeats.length] === 1
    const last = entries.at(-1)
    const timestampMs = 10_000 + at * 10 + (jitter[at % jitter.length] ?? 0)
    if (isRepeated && last !== undefined && last.kind !== 'marker') entries.push({ ...last, kind })
    else entries.push({ kind, value: `value ${at}`, timestampMs })
  }
  for (const { kind, records } of groups) {
    for (let i = 0; i < records; i++) add(kind)
    if (kind !== 'plain') add('marker')
  }
  for (let i = 0; i < lag; i++) add('plain')
  for (let i = 0; i < open; i++) add('open')
  for (let i = 0; i < behindOpen; i++) add('plain')
  const source = new FakeLog(entries)
  const seen = source.entries.filter(
    ({ kind, offset }) =>
      kind !== 'marker' &&
      (isolation === 'read_uncommitted' || (kind !== 'aborted' && offset < source.stable)),
  )
  const copied: Omit<Entry, 'offset'>[] = []
  let [stored, furthest] = [0, 0]
  for (const { length, stored: flushed } of runs) {
    const end = Math.min(seen.length, stored + length)
    copied.push(...seen.slice(stored, end).map((entry) => ({ ...entry, kind: 'plain' as const })))
    furthest = Math.max(furthest, end)
    stored = Math.min(end, stored + flushed)
  }
  for (const at of others) {
    const kind = at % 2 === 0 ? 'marker' : 'plain'
    copied.splice(at % (copied.length + 1), 0, { kind, value: `other ${at}`, timestampMs: 10_000 + at * 7 })
  }
  const last = seen[stored - 1]
  const storedNext = last === undefined ? undefined : BigInt(last.offset + 1)
  return { source, target: new FakeLog(copied), storedNext, seen, furthest }
}

/** What copying from `next` on would bring, and what it should. */
function isRight({ source, seen, furthest }: ReturnType<typeof play>, next: bigint): void {
  const done = new Set(seen.slice(0, furthest).map(({ offset }) => offset))
  const wanted = source.entries.filter(({ kind }) => kind !== 'marker' && kind !== 'aborted')
  assert.deepEqual(
    wanted.filter(({ offset }) => offset >= next).map(({ offset }) => offset),
    wanted.filter(({ offset }) => !done.has(offset)).map(({ offset }) => offset),
  )
}

describe('finding what was copied', () => {
  test('of records that differ it is found, whatever happened', async () => {
    await fc.assert(
      fc.asyncProperty(scene(200, 0), async (drawn) => {
        const played = play(drawn)
        const found = await find(played)
        assert.equal(found.kind, 'found', inspect(found))
        if (found.kind === 'found') isRight(played, found.sourceNext)
      }),
      { numRuns: 400 },
    )
  })

  test('of equal records too, or it is refused', async () => {
    let [right, refused] = [0, 0]
    await fc.assert(
      fc.asyncProperty(scene(200, 2), async (drawn) => {
        const played = play(drawn)
        const found = await find(played)
        if (found.kind === 'refused') {
          assert.match(found.reason, /is equal to others in key/)
          refused++
          return
        }
        isRight(played, found.sourceNext)
        right++
      }),
      { numRuns: 400 },
    )
    assert.ok(right > refused && refused > 0, `${right} found, ${refused} refused`)
  })

  const records = (letters: string): readonly Omit<Entry, 'offset'>[] =>
    [...letters].map((value, at) => ({ kind: 'plain', value, timestampMs: 1000 + at }))

  test('an equal record long before, behind which the stored offset lies, is not taken for a copy', async () => {
    const far = { kind: 'plain', value: 'twin', timestampMs: 99_999 } as const
    const many = Array.from({ length: 500 }, (_, at) => ({
      ...{ kind: 'plain' as const, value: `value ${at}` },
      timestampMs: 1000 + at,
    }))
    const source = new FakeLog([far, ...many, far, ...records('xy')])
    const target = new FakeLog([far, ...many])
    const found = await find({ source, target, storedNext: 501n })
    assert.ok(found.kind === 'found', inspect(found))
    assert.equal(found.sourceNext, 501n)
  })

  test('the copy of an aborted record is not taken for that of an equal one which was committed', async () => {
    const x = { value: 'x', timestampMs: 1005 }
    const source = new FakeLog([
      ...records('a'),
      { ...x, kind: 'aborted' },
      { ...x, kind: 'marker' },
      { ...x, kind: 'plain' },
    ])
    // It was killed behind the aborted one, or reads committed records alone.
    const target = new FakeLog([...records('a'), { ...x, kind: 'plain' }])
    const found = await find({ source, target, storedNext: 1n })
    assert.ok(found.kind === 'refused', inspect(found))
    assert.match(found.reason, /source offset 3 is equal to others/)
  })

  test('thousands may have been copied beyond what was stored', async () => {
    const many = Array.from({ length: 6000 }, (_, at) => ({
      ...{ kind: 'plain' as const, value: `value ${at}` },
      timestampMs: 1000 + at,
    }))
    const [source, target] = [new FakeLog(many), new FakeLog(many.slice(0, 5000))]
    const found = await find({ source, target, storedNext: 100n })
    assert.ok(found.kind === 'found', inspect(found))
    assert.deepEqual([found.sourceNext, found.beyond], [5000n, 4900])
  })

  test('a target that stamps records is read whole', async () => {
    const source = new FakeLog(records('abcdefgh'))
    const target = new FakeLog(records('abcdef').map((one) => ({ ...one, timestampMs: 99_000 })))
    const found = await find({ source, target, storedNext: 3n, stamps: true })
    assert.ok(found.kind === 'found')
    assert.deepEqual([found.sourceNext, found.beyond, found.targetEnd], [6n, 3, 6n])
  })

  test('of a compacted copy a late record is found although its time is early', async () => {
    const source = new FakeLog(
      ['a', 'b', 'c', 'd'].map((value, at) => ({
        kind: 'plain',
        value,
        timestampMs: [10, 20, 5, 30][at] ?? 0,
      })),
    )
    // b, the youngest that was copied for sure, has been cleaned.
    const target = new FakeLog(
      ['a', 'c'].map((value, at) => ({ kind: 'plain', value, timestampMs: [10, 5][at] ?? 0 })),
    )
    const found = await find({ source, target, storedNext: 2n, isCompacted: true })
    assert.ok(found.kind === 'found', inspect(found))
    assert.equal(found.sourceNext, 3n)
  })

  const refusals: readonly (readonly [string, () => Case, RegExp])[] = [
    [
      'an open transaction on the copy',
      () => ({
        source: new FakeLog(records('abc')),
        target: new FakeLog([...records('a'), { kind: 'open', value: 'b', timestampMs: 1001 }]),
        storedNext: 1n,
      }),
      /open transaction at offset 1/,
    ],
    [
      'a source that ends before the stored offset',
      () => ({ source: new FakeLog(records('abc')), target: new FakeLog(records('abc')), storedNext: 9n }),
      /offset 9 is next, and the source ends at 3/,
    ],
    [
      'a copy that was re-created',
      () => ({ source: new FakeLog(records('abc')), target: new FakeLog([]), storedNext: 2n }),
      /its copy never held anything/,
    ],
    [
      'a source that deleted what was not copied',
      () => ({
        source: new FakeLog(records('abcdef'), 4),
        target: new FakeLog(records('ab')),
        storedNext: 2n,
      }),
      /deleted offsets 2 to 3 before they were copied/,
    ],
    [
      'records without a time',
      () => ({
        source: new FakeLog([...records('a'), { kind: 'plain', value: 'b', timestampMs: -1 }]),
        target: new FakeLog(records('a')),
        storedNext: 1n,
      }),
      /have no timestamp/,
    ],
    [
      'another copy',
      () => ({ source: new FakeLog(records('abc')), target: new FakeLog(records('xyz')), storedNext: 2n }),
      /offset 1, and the target does not hold it/,
    ],
  ]
  for (const [name, make, reason] of refusals)
    test(`refuses ${name}`, async () => {
      const found = await find(make())
      assert.ok(found.kind === 'refused', inspect(found))
      assert.match(found.reason, reason)
      assert.notEqual(found.wayOut, '')
    })
})
