import { nearestName } from '../../topology/nearest-name.ts'
import { checkpointKeys, heartbeatKeys } from './checkpoint-keys.ts'
import { clientRoles, isConnectionKey } from './client-keys.ts'
import { sharedKeys, sourceKeys } from './connector-keys.ts'
import type { Declaration, Pair, ScopedSetting } from './declaration.ts'
import { meaningOf } from './key-meaning.ts'
import { listOf } from './name-lists.ts'
import type { Findings, Place, Setting } from './setting.ts'

/** The keys that any of the three connectors knows: only those count without a prefix. */
const connectorKeys = [...sharedKeys, ...sourceKeys, ...checkpointKeys, ...heartbeatKeys]

/** Where a file that says nothing of something would say it. */
const topOfFile: Place = { line: 1, column: 1, path: [] }

/**
 * Reads the settings of an mm2.properties with MirrorMaker 2's precedence (MirrorMakerConfig.connectorBaseConfig):
 * keys without a prefix, then `A.`, then `B.`, then `A->B.`; the later wins.
 */
export function readDedicated(settings: readonly Setting[], findings: Findings): Declaration {
  // Java keeps the last of several.
  const last = new Map(settings.map((setting) => [setting.key, setting]))
  const listed = last.get('clusters')
  const aliases = [...new Set(listOf(listed?.value ?? ''))]
  if (listed === undefined) {
    const hint = 'list the aliases, such as clusters = A, B'
    findings.problems.push({ place: topOfFile, message: 'missing: the key "clusters"', hint })
  } else if (aliases.length === 0 && !listed.isBroken) {
    findings.problems.push({ place: listed.place, message: 'no cluster is listed' })
  }
  const scoped = [...last.values()].map((setting) => scopeOf(setting, aliases, findings))
  const global = new Map(
    scoped.filter(({ scope }) => scope === 'global').map(({ key, setting }) => [key, setting]),
  )
  const ofCluster = new Map(aliases.map((alias) => [alias, clusterSettings(alias, last, global)]))
  return {
    clusters: aliases.map((alias) => ({ alias, place: listed?.place ?? topOfFile })),
    pairs: aliases.flatMap((source) =>
      aliases
        .filter((target) => target !== source)
        .map((target) => pairOf(source, target, last, global, ofCluster, listed?.place ?? topOfFile)),
    ),
    connections: ofCluster,
    settings: scoped,
  }
}

/** Takes a key apart: `A->B.topics`, `A.consumer.client.id`, `topics`. */
function scopeOf(setting: Setting, aliases: readonly string[], { problems }: Findings): ScopedSetting {
  const { key } = setting
  const flow = /^(.+?)->(.+)$/.exec(key)
  if (flow !== null) {
    const [, source = '', rest = ''] = flow
    const target = longestAlias(rest, aliases)
    const unknown = aliases.includes(source)
      ? target === undefined
        ? rest.split('.')[0]
        : undefined
      : source
    if (unknown !== undefined && aliases.length > 0) {
      const near = nearestName(unknown, aliases)
      const hint = near === undefined ? `clusters lists ${aliases.join(', ')}` : `did you mean "${near}"?`
      problems.push({ place: setting.place, message: `"clusters" lists no cluster "${unknown}"`, hint })
    }
    const alias = target ?? rest.split('.')[0] ?? ''
    return { scope: 'flow', key: rest.slice(alias.length + 1), setting }
  }
  const alias = longestAlias(key, aliases)
  if (alias !== undefined) return { scope: 'cluster', key: key.slice(alias.length + 1), setting }
  return { scope: 'global', key, setting }
}

/** Of `us` and `us.east`, the alias that was meant is the longer one. */
function longestAlias(text: string, aliases: readonly string[]): string | undefined {
  return aliases
    .filter((alias) => text.startsWith(`${alias}.`))
    .toSorted((a, b) => b.length - a.length)
    .at(0)
}

type Settings = ReadonlyMap<string, Setting>

/** A cluster's own settings; its connection keys reach the clients of every role that does not say otherwise. */
function clusterSettings(alias: string, all: Settings, global: Settings): Settings {
  const own = withPrefix(all, `${alias}.`)
  for (const [key, setting] of global) {
    if (isConnectionKey(key) && !own.has(key)) own.set(key, setting)
  }
  for (const [key, setting] of [...own]) {
    if (!isConnectionKey(key)) continue
    for (const role of clientRoles) {
      if (!own.has(`${role}.${key}`)) own.set(`${role}.${key}`, setting)
    }
  }
  return own
}

function withPrefix(settings: Settings, prefix: string): Map<string, Setting> {
  return new Map(
    [...settings]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, setting]) => [key.slice(prefix.length), setting]),
  )
}

function pairOf(
  source: string,
  target: string,
  all: Settings,
  global: Settings,
  ofCluster: ReadonlyMap<string, Settings>,
  placeOfClusters: Place,
): Pair {
  const merged = new Map<string, Setting>()
  for (const [key, setting] of global) {
    if (meaningOf(connectorKeys, key) !== undefined) merged.set(key, setting)
  }
  for (const [side, alias] of [
    ['source', source],
    ['target', target],
  ] as const) {
    for (const [key, setting] of ofCluster.get(alias) ?? []) {
      const isOfRole = clientRoles.some((role) => key.startsWith(`${role}.`))
      merged.set(isOfRole ? `${side}.${key}` : `${side}.cluster.${key}`, setting)
    }
  }
  for (const [key, setting] of withPrefix(all, `${source}->${target}.`)) merged.set(key, setting)
  const enabled = merged.get('enabled')
  const isEnabled = enabled?.value.trim().toLowerCase() === 'true'
  const own = [...all.values()].find(({ key }) => key.startsWith(`${source}->${target}.`))
  return {
    source,
    target,
    place: enabled?.place ?? own?.place ?? placeOfClusters,
    isEnabled,
    copying: merged,
    checkpoints: merged,
    heartbeats: merged,
    // Of the worker's own keys, those without a prefix come last (MirrorMakerConfig.workerConfig).
    storedOffsets: {
      connector: 'MirrorSourceConnector',
      topic:
        global.get('offset.storage.topic')?.value.trim() ??
        ofCluster.get(target)?.get('offset.storage.topic')?.value.trim() ??
        `mm2-offsets.${source}.internal`,
    },
  }
}
