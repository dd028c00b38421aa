import { nearestName } from '../../topology/nearest-name.ts'
import type { Path } from '../../topology/problem.ts'
import type { YamlSource } from '../yaml-source.ts'
import { meaningOf } from './key-meaning.ts'
import { ownKeys } from './runtime-keys.ts'
import type { Findings, Place, Setting } from './setting.ts'

/** What a file of MirrorMaker 2 says to Causeway alone, in the words of causeway.yaml. */
export interface OwnEntries {
  /** For the schema of causeway.yaml; has no regions of its own. */
  readonly value: Readonly<Record<string, unknown>>
  locate(path: Path): Place
}

/** Of a topology that the file gives no name; part of the names of internal topics. */
export const defaultName = 'mm2'

const numbers = ['causeway.shards', 'causeway.http.port', 'causeway.limits.connectionsPerBroker']

/** The keys `causeway.*` of an mm2.properties. */
export function ownKeysOf(settings: readonly Setting[]): OwnEntries {
  const value: Record<string, unknown> = { name: defaultName, regions: {} }
  const places = new Map<string, Place>()
  for (const { key, value: text, place } of settings) {
    // Unknown ones are reported where all keys are judged.
    if (meaningOf(ownKeys, key) === undefined) continue
    const path = key === 'causeway.shards' ? ['replication', 'shards'] : key.split('.').slice(1)
    const trimmed = text.trim()
    put(value, path, numbers.includes(key) && /^\d+$/.test(trimmed) ? Number(trimmed) : trimmed)
    places.set(path.join('.'), place)
  }
  return {
    value,
    locate: (path) => places.get(path.join('.')) ?? { line: 1, column: 1, path: [] },
  }
}

function put(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = root
  for (const step of path.slice(0, -1)) {
    const below = Object.hasOwn(at, step) ? at[step] : undefined
    const next: Record<string, unknown> = isMapping(below) ? below : {}
    Object.defineProperty(at, step, { value: next, enumerable: true, writable: true, configurable: true })
    at = next
  }
  const last = path.at(-1) ?? ''
  Object.defineProperty(at, last, { value, enumerable: true, writable: true, configurable: true })
}

const besideConnectors = ['name', 'http', 'limits', 'replicas', 'discoveryInterval']

/** The keys that stand beside `connectors`. */
export function ownKeysBeside(source: YamlSource, { problems }: Findings): OwnEntries {
  const all = isMapping(source.value) ? source.value : {}
  const place = (path: Path, part: 'key' | 'value'): Place => ({ ...source.locate(path, part), path })
  for (const key of Object.keys(all)) {
    if (key === 'connectors' || besideConnectors.includes(key)) continue
    const near = nearestName(key, besideConnectors)
    const known = `beside connectors stand ${besideConnectors.join(', ')}`
    const hint = near === undefined ? known : `did you mean "${near}"?`
    problems.push({ place: place([key], 'key'), message: `unknown key "${key}"`, hint })
  }
  const own = Object.fromEntries(Object.entries(all).filter(([key]) => besideConnectors.includes(key)))
  return { value: { name: defaultName, ...own, regions: {} }, locate: (path) => place(path, 'value') }
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
