import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { alignStretches } from '../../../replicator/offsets/align-stretches.ts'
import { type CoarseSpan, type ExactRun, OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { probeTarget } from '../../../replicator/offsets/probe-target.ts'
import { type SourceBatch, SourceStretch } from '../../../replicator/offsets/source-stretch.ts'
import { type TargetBatch, TargetStretch } from '../../../replicator/offsets/target-stretch.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { checkAgainst } from './check-map.ts'
import { happen, newTruth, partsOf, step } from './copy-model.ts'
import { chanceOf, type Logs, logsOf } from './logs-of-truth.ts'

const s = (value: number) => sourceOffset(BigInt(value))
const t = (value: number) => targetOffset(BigInt(value))
const span = (sourceFrom: number, sourceTo: number, targetFrom: number, targetTo: number): CoarseSpan => ({
  sourceFrom: s(sourceFrom),
  sourceTo: s(sourceTo),
  targetFrom: t(targetFrom),
  targetTo: t(targetTo),
})
const run = (source: number, target: number, count: number) => ({
  source: s(source),
  target: t(target),
  count,
})

/** What both logs tell of a span, as far as batches were read. */
function refine(
  one: CoarseSpan,
  { source, target }: Logs,
  batchesMax = { source: Infinity, target: Infinity },
): readonly (ExactRun | CoarseSpan)[] | 'contradiction' {
  const onSource = new SourceStretch(Number(one.sourceFrom), Number(one.sourceTo))
  const onTarget = new TargetStretch(Number(one.targetFrom), Number(one.targetTo))
  const fromSource = source.filter(({ next }) => next > one.sourceFrom)
  const fromTarget = target.filter(({ next }) => next >= one.targetFrom)
  for (const batch of fromSource.slice(0, batchesMax.source)) if (onSource.add(batch) === 'enough') break
  for (const batch of fromTarget.slice(0, batchesMax.target)) if (onTarget.add(batch) === 'enough') break
  if (onTarget.isContradicted) return 'contradiction'
  const alignment = alignStretches(onSource.pieces(), onTarget.pieces())
  return alignment.kind === 'aligned' ? alignment.parts : 'contradiction'
}

const coarseOf = (map: OffsetMap): CoarseSpan[] =>
  [...map.spans()].filter((one): one is CoarseSpan => !('count' in one))

const history = {
  begins: fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })),
  steps: fc.array(step, { maxLength: 25 }),
  seed: fc.integer(),
}
const dirt = fc.constantFrom(0, 0, 0.1, 0.4, 0.9)

function happened({ begins, steps }: { begins: [number, number]; steps: Parameters<typeof happen>[0][] }) {
  const truth = newTruth(...begins)
  const map = new OffsetMap({ source: s(truth.source), target: t(truth.target) })
  for (const one of steps) happen(one, truth, map)
  return { truth, map }
}

describe('what two logs tell of a coarse span', () => {
  test('where nothing was cleaned: every run, exactly', () => {
    let refined = 0
    fc.assert(
      fc.property(fc.record(history), ({ begins, steps, seed }) => {
        const { truth, map } = happened({ begins, steps })
        const logs = logsOf(truth, { source: 0, target: 0 }, chanceOf(seed))
        for (const one of coarseOf(map)) {
          assert.deepEqual(refine(one, logs), partsOf(one, truth, []))
          refined += 1
        }
      }),
      { numRuns: 1000 },
    )
    assert(refined > 100, String(refined))
  })

  test('never anything false, whatever was cleaned and however little was read', () => {
    const seen = { exact: 0, coarse: 0 }
    const limit = fc.oneof(fc.constant(Infinity), fc.nat({ max: 12 }))
    fc.assert(
      fc.property(
        fc.record({
          ...history,
          dirt: fc.record({ source: dirt, target: dirt }),
          batchesMax: fc.record({ source: limit, target: limit }),
          gone: fc.record({ source: fc.constantFrom(0, 0, 0.3), target: fc.constantFrom(0, 0, 0.3) }),
        }),
        ({ begins, steps, seed, dirt, batchesMax, gone }) => {
          const { truth, map } = happened({ begins, steps })
          const whole = logsOf(truth, dirt, chanceOf(seed))
          const logs = {
            source: whole.source.filter(({ next }) => next > gone.source * truth.source),
            target: whole.target.filter(({ next }) => next > gone.target * truth.target),
          }
          for (const one of coarseOf(map)) {
            const parts = refine(one, logs, batchesMax)
            assert(parts !== 'contradiction')
            for (const part of parts) seen['count' in part ? 'exact' : 'coarse'] += 1
            assert(map.refined(one, parts))
          }
          checkAgainst(truth, map)
        },
      ),
      { numRuns: 1200 },
    )
    assert(seen.exact > 100 && seen.coarse > 100, JSON.stringify(seen))
  })

  test('the ends of a target stretch tell every offset of it, or nothing', async () => {
    let told = 0
    await fc.assert(
      fc.asyncProperty(fc.record({ ...history, dirt }), async ({ begins, steps, seed, dirt }) => {
        const { truth, map } = happened({ begins, steps })
        const { target } = logsOf(truth, { source: 0, target: dirt }, chanceOf(seed))
        // The whole copy, too: its ends are far apart.
        const whole = span(begins[0], truth.source, begins[1], truth.target)
        for (const { targetFrom, targetTo } of [whole, ...coarseOf(map)]) {
          const probed = await probeTarget<TargetBatch>(
            targetFrom,
            targetTo,
            async (from, visit) => {
              for (const batch of target) if (batch.next > from && visit(batch) === 'enough') break
            },
            (batch) => batch,
          )
          if (probed === undefined) continue
          told += 1
          const offsets = probed
            .pieces()
            .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
          const copied = truth.copies.map((copy) => copy.target)
          assert.deepEqual(
            offsets,
            copied.filter((at) => at >= targetFrom && at < targetTo),
          )
        }
      }),
      { numRuns: 500 },
    )
    assert(told > 100, String(told))
  })

  test('refining again what was not reached tells all of it in the end', () => {
    fc.assert(
      fc.property(fc.record(history), fc.integer({ min: 1, max: 4 }), ({ begins, steps, seed }, most) => {
        const { truth, map } = happened({ begins, steps })
        const logs = logsOf(truth, { source: 0, target: 0 }, chanceOf(seed))
        // One more on the target: what lies before the span tells its sequence number.
        const limits = { source: most, target: most + 1 }
        for (let rounds = 0; coarseOf(map).length > 0; rounds++) {
          assert(rounds < 500, 'it does not get on')
          for (const one of coarseOf(map)) {
            const parts = refine(one, logs, limits)
            assert(parts !== 'contradiction')
            assert(map.refined(one, parts))
          }
        }
        checkAgainst(truth, map)
      }),
      { numRuns: 300 },
    )
  })
})

const ours = (base: number, next: number, baseSequence: number, producerEpoch = 1): TargetBatch => ({
  base,
  next,
  producer: { producerId: 9n, producerEpoch, baseSequence },
})
const others = (base: number, next: number): TargetBatch => ({ base, next, producer: undefined })
const all = (base: number, next: number): SourceBatch => ({ base, next, forwarded: 'all' })
const none = (base: number, next: number): SourceBatch => ({ base, next, forwarded: 'none' })
const some = (base: number, next: number, ...forwarded: number[]): SourceBatch => ({ base, next, forwarded })

describe('what a cleaner took', () => {
  test('of the target: sequence numbers tell, in front, between, and behind', () => {
    const source = [all(0, 20)]
    // Gone: copies at 10 to 13, a marker at 16, copies at 19 and 20, and at 29.
    const target = [
      ours(8, 10, 100),
      ours(14, 16, 106),
      ours(17, 19, 108),
      ours(21, 29, 112),
      ours(30, 31, 121),
    ]
    assert.deepEqual(refine(span(0, 19, 10, 30), { source, target }), [run(0, 10, 6), run(6, 17, 13)])
  })

  test('of the target, some of ours and some of others: a part stays coarse, all around it is exact', () => {
    const source = [all(0, 12)]
    const target = [ours(0, 4, 0), others(6, 7), ours(10, 14, 8), others(14, 15)]
    // Gone: offsets 4, 5, 7, 8, 9, four of them copies.
    assert.deepEqual(refine(span(0, 12, 0, 15), { source, target }), [
      run(0, 0, 4),
      span(4, 8, 4, 10),
      run(8, 10, 4),
    ])
  })

  test('of the source: the target tells how many records a gap held', () => {
    const target = [ours(0, 10, 0)]
    // All three were copied; none was; two of the three were.
    assert.deepEqual(refine(span(0, 10, 0, 10), { source: [all(0, 3), all(6, 10)], target }), [run(0, 0, 10)])
    assert.deepEqual(refine(span(0, 13, 0, 10), { source: [all(0, 3), all(6, 13)], target }), [
      run(0, 0, 3),
      run(6, 3, 7),
    ])
    assert.deepEqual(refine(span(0, 11, 0, 10), { source: [all(0, 3), all(6, 11)], target }), [
      run(0, 0, 3),
      span(3, 6, 3, 5),
      run(6, 5, 5),
    ])
  })

  test('of the source, twice: between the gaps nothing is sure, in front and behind it is', () => {
    const source = [all(0, 3), some(3, 8, 4, 6), all(8, 12), none(12, 13)]
    const target = [ours(0, 8, 0), ours(8, 10, 0, 2)]
    assert.deepEqual(refine(span(0, 13, 0, 10), { source, target }), [
      run(0, 0, 3),
      span(3, 8, 3, 6),
      run(8, 6, 4),
    ])
  })

  test('a log that holds more than was copied, or numbers that jump, are a contradiction', () => {
    assert.equal(
      refine(span(0, 5, 0, 5), { source: [all(0, 5)], target: [ours(0, 4, 0), others(4, 5)] }),
      'contradiction',
    )
    const jump = [ours(0, 2, 0), ours(2, 5, 7)]
    assert.equal(refine(span(0, 5, 0, 5), { source: [all(0, 5)], target: jump }), 'contradiction')
  })
})
