import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { CoarseSpan, ExactRun, OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'

/** What really was copied: pairs of offsets, ascending on both sides; and how far copying got. */
export interface Truth {
  readonly copies: { readonly source: number; readonly target: number }[]
  source: number
  target: number
}

const gap = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.integer({ min: 2, max: 6 }) },
)
const copied = fc.record({ sourceGap: gap, targetGap: gap, count: fc.integer({ min: 1, max: 5 }) })

/** What may happen to a map. Positions are fractions of what is there. */
export const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('copy' as const), runs: fc.tuple(copied) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('unseen' as const),
      runs: fc.array(copied, { minLength: 0, maxLength: 4 }),
      sourceGap: gap,
      targetGap: gap,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('skip' as const), sourceGap: gap, targetGap: gap }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('coarsen' as const),
      spansMax: fc.integer({ min: 2, max: 12 }),
      newestKept: fc.integer({ min: 0, max: 4 }),
      stretchMin: fc.integer({ min: 1, max: 16 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('refine' as const),
      which: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      /** Runs that become coarse spans of their own. */
      unclear: fc.array(fc.boolean(), { maxLength: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('forget' as const),
      side: fc.constantFrom('source' as const, 'target' as const),
      at: fc.double({ min: 0, max: 1.05, noNaN: true }),
    }),
  },
)
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

export const newTruth = (source: number, target: number): Truth => ({ copies: [], source, target })

const source = (value: number) => sourceOffset(BigInt(value))
const target = (value: number) => targetOffset(BigInt(value))

/** Lets a step happen in the truth and tells the map of it as the flow would. */
export function happen(one: Step, truth: Truth, map: OffsetMap): void {
  switch (one.kind) {
    case 'copy':
      for (const run of one.runs) {
        const at = copy(run, truth)
        map.append({ source: source(at.source), target: target(at.target), count: run.count })
      }
      return
    case 'unseen': {
      const from = { source: truth.source, target: truth.target }
      for (const run of one.runs) copy(run, truth)
      truth.source += one.sourceGap
      truth.target += one.targetGap
      map.appendCoarse(coarse(from, truth))
      return
    }
    case 'skip':
      truth.source += one.sourceGap
      truth.target += one.targetGap
      map.reach({ source: source(truth.source), target: target(truth.target) })
      return
    case 'coarsen':
      map.coarsen(one)
      return
    case 'refine': {
      const spans = [...map.spans()].filter((span) => !('count' in span)) as CoarseSpan[]
      const span = spans[Math.floor(one.which * spans.length)]
      if (span !== undefined) assert.ok(map.refined(span, partsOf(span, truth, one.unclear)))
      return
    }
    case 'forget':
      if (one.side === 'source') map.forgetBelow({ source: source(Math.floor(one.at * truth.source)) })
      else map.forgetBelow({ target: target(Math.floor(one.at * truth.target)) })
  }
}

function copy(run: { sourceGap: number; targetGap: number; count: number }, truth: Truth) {
  const at = { source: truth.source + run.sourceGap, target: truth.target + run.targetGap }
  for (let k = 0; k < run.count; k++) truth.copies.push({ source: at.source + k, target: at.target + k })
  truth.source = at.source + run.count
  truth.target = at.target + run.count
  return at
}

const coarse = (
  from: { source: number; target: number },
  to: { source: number; target: number },
): CoarseSpan => ({
  sourceFrom: source(from.source),
  sourceTo: source(to.source),
  targetFrom: target(from.target),
  targetTo: target(to.target),
})

/** What a walk over both logs tells of a coarse span. */
export function partsOf(
  span: CoarseSpan,
  { copies }: Truth,
  unclear: readonly boolean[],
): (ExactRun | CoarseSpan)[] {
  const runs: { source: number; target: number; count: number }[] = []
  for (const pair of copies) {
    if (pair.source < span.sourceFrom || pair.source >= span.sourceTo) continue
    const last = runs.at(-1)
    if (last && pair.source === last.source + last.count && pair.target === last.target + last.count)
      last.count += 1
    else runs.push({ ...pair, count: 1 })
  }
  return runs.map((run, index) =>
    unclear[index] === true
      ? coarse(run, { source: run.source + run.count, target: run.target + run.count })
      : { source: source(run.source), target: target(run.target), count: run.count },
  )
}
