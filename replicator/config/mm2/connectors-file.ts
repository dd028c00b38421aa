import { nearestName } from '../../topology/nearest-name.ts'
import type { Path } from '../../topology/problem.ts'
import type { ReferenceSources } from '../references.ts'
import type { YamlSource } from '../yaml-source.ts'
import type { ConnectorSettings, Declaration, Pair, ScopedSetting } from './declaration.ts'
import { usualProviders } from './provider-references.ts'
import type { Findings, Place, Setting } from './setting.ts'
import { readSetting } from './setting-reader.ts'

const connectorKinds = {
  MirrorSourceConnector: 'copying',
  MirrorCheckpointConnector: 'checkpoints',
  MirrorHeartbeatConnector: 'heartbeats',
} as const
type ConnectorKind = (typeof connectorKinds)[keyof typeof connectorKinds]

/** One connector of the list. */
interface Connector {
  readonly kind: ConnectorKind
  readonly source: string
  readonly target: string
  readonly place: Place
  readonly settings: ConnectorSettings
}

/**
 * Reads a list of connectors as they are given to Kafka Connect: `name`, `connector.class`, and the other keys beside
 * them or under `config`. What the Connect worker is told elsewhere is not in such a file.
 */
export function readConnectors(
  source: YamlSource,
  sources: ReferenceSources,
  findings: Findings,
): Declaration {
  const list = isMapping(source.value) ? source.value.connectors : undefined
  const placeOf = (path: Path, part: 'key' | 'value'): Place => ({ ...source.locate(path, part), path })
  if (!Array.isArray(list) || list.length === 0) {
    const place = placeOf(['connectors'], 'value')
    findings.problems.push({ place, message: 'expected a list of connectors' })
    return { clusters: [], pairs: [], connections: new Map(), settings: [] }
  }
  const settings: ScopedSetting[] = []
  const connectors = list.flatMap((entry: unknown, index): Connector[] => {
    const place = placeOf(['connectors', index], 'value')
    if (!isMapping(entry)) {
      findings.problems.push({ place, message: 'expected a connector with its keys' })
      return []
    }
    const own = settingsOf(entry, ['connectors', index], placeOf, sources, findings)
    settings.push(...[...own].map(([key, setting]) => ({ scope: 'flow' as const, key, setting })))
    const connector = connectorOf(own, place, findings)
    return connector === undefined ? [] : [connector]
  })
  return { ...declared(connectors, findings), settings }
}

function settingsOf(
  entry: Readonly<Record<string, unknown>>,
  path: Path,
  placeOf: (path: Path, part: 'key' | 'value') => Place,
  sources: ReferenceSources,
  findings: Findings,
): Map<string, Setting> {
  const found = new Map<string, Setting>()
  const add = (key: string, value: unknown, at: Path): void => {
    const place = placeOf(at, 'value')
    const text = textOf(value)
    if (text === undefined) {
      const hint = 'write the whole key with its dots, such as source.cluster.alias: A'
      findings.problems.push({
        place,
        message: 'expected a text, a number, a boolean or a list of them',
        hint,
      })
    } else found.set(key, readSetting(key, text, place, usualProviders, sources, findings))
  }
  for (const [key, value] of Object.entries(entry)) {
    if (key === 'config' && isMapping(value)) continue
    add(key, value, [...path, key])
  }
  if (isMapping(entry.config)) {
    for (const [key, value] of Object.entries(entry.config)) {
      // Both places are fine, and Connect lets only one stand.
      if (!found.has(key)) add(key, value, [...path, 'config', key])
      else if (textOf(value) !== textOf(entry[key])) {
        const place = placeOf([...path, 'config', key], 'value')
        findings.problems.push({ place, message: 'written twice, with two values' })
      }
    }
  }
  return found
}

function textOf(value: unknown): string | undefined {
  if (value === null) return ''
  if (['string', 'number', 'boolean', 'bigint'].includes(typeof value)) return String(value)
  if (!Array.isArray(value)) return undefined
  const items = value.map(textOf)
  return items.every((item) => item !== undefined) ? items.join(',') : undefined
}

function connectorOf(
  settings: ConnectorSettings,
  place: Place,
  { problems }: Findings,
): Connector | undefined {
  const named = settings.get('connector.class') ?? settings.get('class')
  if (named === undefined) {
    const hint = 'such as connector.class: org.apache.kafka.connect.mirror.MirrorSourceConnector'
    problems.push({ place, message: 'missing: the key "connector.class"', hint })
    return undefined
  }
  const simple = named.value.trim().split('.').at(-1) ?? ''
  const known = Object.keys(connectorKinds)
  const kind = Object.entries(connectorKinds).find(([name]) => name === simple)?.[1]
  const source = settings.get('source.cluster.alias')
  if (kind === undefined && !named.isBroken) {
    const near = nearestName(simple, known)
    const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean "${near}"?`
    problems.push({ place: named.place, message: "not one of MirrorMaker 2's connectors", hint })
  }
  if (source === undefined) {
    problems.push({ place, message: 'missing: the key "source.cluster.alias"' })
  }
  if (kind === undefined || source === undefined) return undefined
  const target = settings.get('target.cluster.alias')?.value.trim() ?? 'target'
  return { kind, source: source.value.trim(), target, place, settings }
}

function declared(connectors: readonly Connector[], { problems }: Findings): Omit<Declaration, 'settings'> {
  const clusters = new Map<string, Place>()
  const pairs = new Map<string, { -readonly [Key in keyof Pair]: Pair[Key] }>()
  for (const { kind, source, target, place, settings } of connectors) {
    for (const [alias, key] of [
      [source, 'source.cluster.alias'],
      [target, 'target.cluster.alias'],
    ] as const) {
      if (!clusters.has(alias)) clusters.set(alias, settings.get(key)?.place ?? place)
    }
    const id = `${source}->${target}`
    const pair = pairs.get(id) ?? {
      ...{ source, target, place, isEnabled: false },
      ...{ copying: undefined, checkpoints: undefined, heartbeats: undefined },
      storedOffsets: { connector: 'MirrorSourceConnector', topic: undefined },
    }
    if (pair[kind] !== undefined) {
      const hint = 'put the topics of both into one connector'
      problems.push({ place, message: `a second connector of this class for ${id}`, hint })
    }
    pair[kind] = settings
    if (kind === 'copying') {
      pair.isEnabled = settings.get('enabled')?.value.trim().toLowerCase() !== 'false'
      pair.place = place
      pair.storedOffsets = {
        connector: settings.get('name')?.value ?? 'MirrorSourceConnector',
        topic: settings.get('offsets.storage.topic')?.value.trim(),
      }
    }
    pairs.set(id, pair)
  }
  return {
    clusters: [...clusters].map(([alias, place]) => ({ alias, place })),
    pairs: [...pairs.values()],
    connections: new Map(),
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
