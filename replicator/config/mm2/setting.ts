import type { Path } from '../../topology/problem.ts'

/** One key of a file with its value, wherever it is written. */
export interface Setting {
  /** As written, with its prefixes. */
  readonly key: string
  /** References replaced. Never shown: it may be a secret. */
  readonly value: string
  /** How many references stood in it. */
  readonly references: number
  /** Whether a reference could not be followed, which has been reported; `value` says nothing then. */
  readonly isBroken: boolean
  readonly place: Place
}

/** Where something is written, from 1, and how problems call it. */
export interface Place {
  readonly line: number
  readonly column: number
  readonly path: Path
}

/** Something wrong at a place. */
export interface PlacedProblem {
  readonly place: Place
  readonly message: string
  readonly hint?: string
}

/** Gathers problems and warnings of one file. */
export interface Findings {
  readonly problems: PlacedProblem[]
  readonly warnings: PlacedProblem[]
}

/** Reads a boolean as Kafka's ConfigDef does; anything else is a problem. */
export function booleanOf(setting: Setting | undefined, fallback: boolean, { problems }: Findings): boolean {
  if (setting === undefined || setting.isBroken) return fallback
  const text = setting.value.trim().toLowerCase()
  if (text === 'true' || text === 'false') return text === 'true'
  problems.push({ place: setting.place, message: 'expected true or false' })
  return fallback
}

/** Reads a whole number within limits. */
export function integerOf(
  setting: Setting | undefined,
  fallback: number,
  { problems }: Findings,
  limits: { readonly min: number; readonly max: number },
): number {
  if (setting === undefined || setting.isBroken) return fallback
  const text = setting.value.trim()
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= limits.min && value <= limits.max) return value
  const message = `expected a whole number from ${limits.min} to ${limits.max}`
  problems.push({ place: setting.place, message })
  return fallback
}
