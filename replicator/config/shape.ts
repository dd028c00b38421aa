import type { z } from 'zod'
import { nearestName } from '../topology/nearest-name.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { prune } from './prune.ts'
import { type CausewayFile, causewayFile, jsonSchema } from './schema.ts'

/** A problem of the file's shape, and whether it is about a key or its value. */
export interface ShapeProblem extends Problem {
  readonly part: 'key' | 'value'
}

/** What can be read of a file, with everything that cannot. */
export interface Shape {
  /** The file without its wrong parts; `undefined` when too little is left. Sound when there are no problems. */
  readonly file: CausewayFile | undefined
  readonly problems: readonly ShapeProblem[]
  /** Where `file` lacks something that was written wrongly, in the whole file's terms. */
  readonly left: readonly Path[]
  /** Turns a path in `file` into the path in what was read. */
  readonly original: (path: Path) => Path
}

/** Checks plain data against the schema of causeway.yaml; goes on past problems as far as possible. */
export function checkShape(value: unknown): Shape {
  const parsed = causewayFile.safeParse(value, { reportInput: true })
  if (parsed.success) {
    return { file: parsed.data, problems: [], left: [], original: (path) => path }
  }
  const problems = parsed.error.issues.flatMap((issue) => describeIssue(issue, []))
  const left = problems.map(({ path }) => path)
  // What is left out can leave a hole where something is required: then its surroundings go too.
  for (;;) {
    const bad = left.filter((path) => !hasPlaceholder(path)).map(removable(value))
    const rest = prune(withPlaceholders(value, left), bad)
    const again = causewayFile.safeParse(rest.value)
    if (again.success) return { file: again.data, problems, left, original: rest.original }
    const more = again.error.issues
      .flatMap((issue) => describeIssue(issue, []))
      .map(({ path }) => rest.original(path.slice(0, -1)))
      .filter((path) => !left.some((known) => samePath(known, path)))
    if (more.length === 0) return { file: undefined, problems, left, original: rest.original }
    left.push(...more)
  }
}

function samePath(a: Path, b: Path): boolean {
  return a.length === b.length && a.every((step, depth) => step === b[depth])
}

/** A bootstrap server that stands for one that could not be read. */
export const placeholderBootstrap = 'placeholder.invalid:1'

function hasPlaceholder(path: Path): boolean {
  return (path.length === 1 && path[0] === 'name') || (path[0] === 'regions' && path[2] === 'bootstrap')
}

/** Required keys would take everything around them away: they get stand-ins, so that the rest is still checked. */
function withPlaceholders(value: unknown, left: readonly Path[]): unknown {
  const copy: unknown = structuredClone(value)
  if (!isRecord(copy)) return copy
  for (const path of left.filter(hasPlaceholder)) {
    if (path[0] === 'name') copy.name = 'placeholder'
    const regions = copy.regions
    const region = isRecord(regions) && path[0] === 'regions' ? regions[String(path[1])] : undefined
    if (isRecord(region)) region.bootstrap = placeholderBootstrap
  }
  return copy
}

/** A key that is missing cannot be left out: what must hold it goes. */
function removable(value: unknown): (path: Path) => Path {
  return (path) => {
    let at = value
    for (const [depth, step] of path.entries()) {
      const next: unknown = isRecord(at) || Array.isArray(at) ? Reflect.get(at, step) : undefined
      if (next === undefined) return path.slice(0, depth)
      at = next
    }
    return path
  }
}

function describeIssue(issue: z.core.$ZodIssue, base: Path): ShapeProblem[] {
  const path: Path = [...base, ...issue.path.map((step) => (typeof step === 'number' ? step : String(step)))]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = knownKeys(path)
        const near = nearestName(key, known)
        const hint = near === undefined ? `known keys are ${known.join(', ')}` : `did you mean "${near}"?`
        return { path: [...path, key], message: `unknown key "${key}"`, hint, part: 'key' }
      })
    case 'invalid_value':
      return [invalidValue(issue, path)]
    case 'invalid_union':
      return describeUnion(issue, path)
    case 'invalid_type':
      return [invalidType(issue, path)]
    default: {
      const message = issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
      return [{ path, message, part: 'value' }]
    }
  }
}

/** Of a union's branches, the one whose own kind fits the value knows what is wrong inside. */
function describeUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path): ShapeProblem[] {
  const inside = issue.errors.find((branch) =>
    branch.every(
      ({ path: below, code }) => below.length > 0 || !['invalid_type', 'invalid_value'].includes(code),
    ),
  )
  if (inside !== undefined && inside.length > 0) return inside.flatMap((one) => describeIssue(one, path))
  const missing = issue.input === undefined && 'input' in issue
  const message = issue.message === 'Invalid input' ? 'not allowed here' : issue.message
  return [{ path, message: missing ? `missing: ${message}` : message, part: 'value' }]
}

function invalidValue(issue: z.core.$ZodIssueInvalidValue, path: Path): ShapeProblem {
  const allowed = issue.values.map(String)
  const typed = typeof issue.input === 'string' ? issue.input : undefined
  const near = typed === undefined ? undefined : nearestName(typed, allowed)
  const message = `expected ${allowed.length === 1 ? allowed[0] : `one of ${allowed.join(', ')}`}`
  return { path, message, part: 'value', ...(near === undefined ? {} : { hint: `did you mean "${near}"?` }) }
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  null: 'nothing',
}

function invalidType(issue: z.core.$ZodIssueInvalidType, path: Path): ShapeProblem {
  const { input } = issue
  const wanted = kinds[issue.expected] ?? issue.expected
  if (input === undefined) return { path, message: `missing: expected ${wanted}`, part: 'value' }
  const found =
    kinds[input === null ? 'null' : Array.isArray(input) ? 'array' : typeof input] ?? 'something else'
  const quotable = issue.expected === 'string' && (typeof input === 'number' || typeof input === 'boolean')
  const hint = quotable ? { hint: 'put it in quotes' } : {}
  return { path, message: `expected ${wanted}, found ${found}`, part: 'value', ...hint }
}

/** The keys that the schema knows at a path. */
function knownKeys(path: Path): string[] {
  let nodes: Record<string, unknown>[] = [jsonSchema()]
  for (const step of path) nodes = nodes.flatMap(variants).flatMap((node) => childOf(node, step))
  return nodes
    .flatMap(variants)
    .flatMap(({ properties }) => (isRecord(properties) ? Object.keys(properties) : []))
}

function variants(node: Record<string, unknown>): Record<string, unknown>[] {
  const { anyOf } = node
  return Array.isArray(anyOf) ? [node, ...anyOf.filter(isRecord)] : [node]
}

function childOf(node: Record<string, unknown>, step: string | number): Record<string, unknown>[] {
  const { items, properties, additionalProperties } = node
  const own = isRecord(properties) ? properties[String(step)] : undefined
  return [typeof step === 'number' ? items : (own ?? additionalProperties)].filter(isRecord)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
