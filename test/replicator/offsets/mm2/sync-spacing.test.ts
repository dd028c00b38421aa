import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type CopiedRun,
  nothingSynced,
  type SyncPair,
  type SyncState,
  syncOfFlush,
  syncsOfRun,
} from '../../../../replicator/offsets/mm2/sync-spacing.ts'
import { sourceOffset, targetOffset } from '../../../../replicator/records/offsets.ts'

const run = (source: number, target: number, count: number): CopiedRun => ({
  source: sourceOffset(BigInt(source)),
  target: targetOffset(BigInt(target)),
  count,
})

/** The syncs that are written for runs, as [upstream, downstream]; 'flush' writes what was held back. */
function written(lagMax: number, ...steps: readonly (CopiedRun | 'flush')[]): (readonly [number, number])[] {
  let state: SyncState = nothingSynced
  const syncs: SyncPair[] = []
  for (const step of steps) {
    if (step === 'flush') {
      const flushed = syncOfFlush(state)
      state = flushed.state
      if (flushed.sync !== undefined) syncs.push(flushed.sync)
    } else {
      const next = syncsOfRun(state, step, lagMax)
      state = next.state
      syncs.push(...next.syncs)
    }
  }
  return syncs.map(({ upstreamOffset, downstreamOffset }) => [
    Number(upstreamOffset),
    Number(downstreamOffset),
  ])
}

/** The rule of MirrorMaker 2's OffsetSyncWriter, record by record. */
function mirrorMakerSyncs(lagMax: number, records: readonly (readonly [number, number])[]) {
  let [previousUp, previousDown, lastDown] = [-1, -1, -1]
  return records.filter(([up, down]) => {
    const says =
      lastDown === -1 || down - (lastDown + 1) >= lagMax || up - previousUp !== 1 || down < previousDown
    if (says) lastDown = down
    previousUp = up
    previousDown = down
    return says
  })
}

/** How MirrorMaker 2's reader translates a position, knowing every sync since the last rewind. */
function readerTranslates(
  syncs: readonly (readonly [number, number])[],
  position: number,
): number | undefined {
  const since = syncs.findLastIndex(([up], at) => up < (syncs[at - 1]?.[0] ?? -1))
  const found = syncs.slice(Math.max(0, since)).findLast(([up]) => up <= position)
  if (found === undefined) return undefined
  return found[0] === position ? found[1] : found[1] + 1
}

/** Runs as a flow copies them: ascending, with gaps on either side. */
const flows = fc
  .array(
    fc.record({
      sourceGap: fc.oneof(fc.constant(0), fc.nat(5)),
      targetGap: fc.oneof(fc.constant(0), fc.nat(5)),
      count: fc.integer({ min: 1, max: 300 }),
      flush: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((pieces) => {
    let [source, target] = [0, 0]
    return pieces.map(({ sourceGap, targetGap, count, flush }) => {
      source += sourceGap
      target += targetGap
      const copied = run(source, target, count)
      source += count
      target += count
      return { copied, flush }
    })
  })
const recordsOf = ({ source, target, count }: CopiedRun) =>
  Array.from({ length: count }, (_, i) => [Number(source) + i, Number(target) + i] as const)

describe('when an offset sync is written', () => {
  test("record by record, it is MirrorMaker 2's rule", () => {
    const lag = fc.constantFrom(0, 1, 5, 50)
    const pairs = fc.array(fc.tuple(fc.nat(30), fc.nat(30)), { maxLength: 40 })
    fc.assert(
      fc.property(lag, pairs, (lagMax, records) => {
        const single = records.map(([up, down]) => run(up, down, 1))
        assert.deepEqual(written(lagMax, ...single), mirrorMakerSyncs(lagMax, records))
      }),
    )
  })

  test('the first record, then what is far enough', () => {
    assert.deepEqual(written(100, run(0, 0, 50), run(50, 50, 50)), [[0, 0]])
    assert.deepEqual(written(100, run(0, 0, 101)), [[0, 0]])
    assert.deepEqual(written(100, run(0, 0, 102)), [
      [0, 0],
      [101, 101],
    ])
    assert.deepEqual(written(100, run(0, 0, 102), run(102, 102, 100)), [
      [0, 0],
      [101, 101],
    ])
    assert.deepEqual(written(0, run(0, 0, 5), run(5, 5, 5)), [
      [0, 0],
      [4, 4],
      [5, 5],
      [9, 9],
    ])
  })

  test('gaps and rewinds of the source, and rewinds of the target; gaps of the target alone not', () => {
    assert.deepEqual(written(100, run(0, 0, 10), run(11, 10, 10)), [
      [0, 0],
      [11, 10],
    ])
    assert.deepEqual(written(100, run(20, 20, 10), run(0, 30, 10)), [
      [20, 20],
      [0, 30],
    ])
    assert.deepEqual(written(100, run(0, 20, 10), run(10, 5, 10)), [
      [0, 20],
      [10, 5],
    ])
    assert.deepEqual(written(100, run(0, 0, 10), run(10, 12, 10)), [[0, 0]])
  })

  test('what was held back is written with the next flush, once', () => {
    assert.deepEqual(written(100, 'flush', run(0, 0, 10), 'flush', 'flush', run(10, 10, 1), 'flush'), [
      [0, 0],
      [9, 9],
      [10, 10],
    ])
    assert.deepEqual(written(100, run(0, 0, 1), 'flush'), [[0, 0]])
  })

  test('a run of no records is refused', () => {
    assert.throws(() => syncsOfRun(nothingSynced, run(0, 0, 0), 100), RangeError)
  })

  test('readers never translate past the truth, and after a flush the end is exact', () => {
    fc.assert(
      fc.property(flows, fc.constantFrom(0, 10, 100), (pieces, lagMax) => {
        const steps = pieces.flatMap(({ copied, flush }) => (flush ? [copied, 'flush' as const] : [copied]))
        const records = pieces.flatMap(({ copied }) => recordsOf(copied))
        const end = records.at(-1)!
        const syncs = written(lagMax, ...steps)
        for (const position of [...records.map(([up]) => up), end[0] + 1]) {
          const next = records.find(([up]) => up >= position)?.[1] ?? end[1] + 1
          const told = readerTranslates(syncs, position)
          assert.ok(told !== undefined && told <= next, `${position} becomes ${told}, not ${next}`)
        }
        assert.equal(readerTranslates(written(lagMax, ...steps, 'flush'), end[0] + 1), end[1] + 1)
        // As near to the end as MirrorMaker 2 keeps it.
        const told = readerTranslates(syncs, end[0] + 1) ?? 0
        assert.ok(end[1] + 1 - told <= lagMax, `${end[1] + 1 - told} records behind`)
      }),
    )
  })
})
