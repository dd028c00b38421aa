/** How runs follow each other in topics of different kinds: made-up acknowledgements, the same for the same seed. */

/** A run, and how many offsets lie between it and the one before on either side. */
export interface PatternRun {
  readonly sourceGap: number
  readonly targetGap: number
  readonly count: number
}

export const patternNames = ['even', 'transactional', 'two-way', 'compacted'] as const
export type PatternName = (typeof patternNames)[number]

export const patternTitles: Readonly<Record<PatternName, string>> = {
  even: 'a marker behind every 1 000 records',
  transactional: 'transactions of 3 to 100 records, a marker behind each',
  'two-way': 'identity in both directions: 1 to 200 records of ours, then 1 to 200 of the other region',
  compacted: 'a compacted source: 1 to 20 records, then 1 to 50 offsets missing',
}

const makers: Readonly<Record<PatternName, (upTo: (max: number) => number) => PatternRun>> = {
  even: () => ({ sourceGap: 1, targetGap: 0, count: 1000 }),
  transactional: (upTo) => ({ sourceGap: 1, targetGap: 0, count: 2 + upTo(98) }),
  'two-way': (upTo) => ({ sourceGap: upTo(200), targetGap: upTo(200), count: upTo(200) }),
  compacted: (upTo) => ({ sourceGap: upTo(50), targetGap: 0, count: upTo(20) }),
}

export function* patternRuns(name: PatternName, runs: number, seed = 1): Generator<PatternRun, void, void> {
  const chance = chanceOf(seed)
  const upTo = (max: number) => 1 + Math.floor(chance() * max)
  for (let k = 0; k < runs; k++) yield makers[name](upTo)
}

/** Numbers from 0 up to but not including 1 (mulberry32). */
export function chanceOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
