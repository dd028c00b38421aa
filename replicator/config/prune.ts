import type { Path } from '../topology/problem.ts'

/** What is left of a value without its bad parts, and the way back to where the rest was. */
export interface Pruned {
  readonly value: unknown
  /** Turns a path in what is left into the path in the whole; list positions differ. */
  readonly original: (path: Path) => Path
}

/** Leaves out the parts of plain data at `bad`, so that the rest can still be checked. */
export function prune(value: unknown, bad: readonly Path[]): Pruned {
  const keptIndexes = new Map<string, readonly number[]>()
  const rest = pruneAt(value, bad, [], keptIndexes)
  return {
    value: rest === removed ? undefined : rest,
    original: (path) =>
      path.map((step, depth) => {
        const kept = keptIndexes.get(JSON.stringify(path.slice(0, depth)))
        return typeof step === 'number' ? (kept?.[step] ?? step) : step
      }),
  }
}

const removed = Symbol('removed')

function pruneAt(
  value: unknown,
  bad: readonly Path[],
  path: Path,
  keptIndexes: Map<string, readonly number[]>,
): unknown {
  if (bad.some((one) => one.length === 0)) return removed
  if (bad.length === 0 && !Array.isArray(value)) return value
  if (typeof value !== 'object' || value === null) return value
  const below = (step: string | number) =>
    bad.filter(([first]) => String(first) === String(step)).map((one) => one.slice(1))
  if (Array.isArray(value)) {
    const kept: unknown[] = []
    const indexes: number[] = []
    value.forEach((item: unknown, index) => {
      const rest = pruneAt(item, below(index), [...path, kept.length], keptIndexes)
      if (rest === removed) return
      kept.push(rest)
      indexes.push(index)
    })
    keptIndexes.set(JSON.stringify(path), indexes)
    return kept
  }
  const entries = Object.entries(value)
    .map(([key, item]) => [key, pruneAt(item, below(key), [...path, key], keptIndexes)] as const)
    .filter(([, item]) => item !== removed)
  return Object.fromEntries(entries)
}
