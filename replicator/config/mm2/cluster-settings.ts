import { clientRoles, isConnectionKey } from './client-keys.ts'
import { type ConnectorSettings, clientSetting, type Declaration, type Side } from './declaration.ts'
import type { Findings, Setting } from './setting.ts'

/**
 * The connection keys of one cluster. MirrorMaker 2 opens a dozen clients to it, each with settings of its own;
 * Causeway has one way to a cluster, so all of them must say the same.
 */
export function clusterSettings(
  alias: string,
  declaration: Declaration,
  { problems }: Findings,
): ConnectorSettings {
  const found = new Map<string, Setting>()
  const reported = new Set<Setting>()
  for (const [key, setting] of everySetting(alias, declaration)) {
    const first = found.get(key)
    if (first === undefined) found.set(key, setting)
    else if (
      first.value !== setting.value &&
      !first.isBroken &&
      !setting.isBroken &&
      !reported.has(setting)
    ) {
      reported.add(setting)
      problems.push({
        place: setting.place,
        message: `differs from ${first.key} (line ${first.place.line}): Causeway reaches a cluster in one way`,
        hint: `say it once, for ${alias}; one principal then needs the rights of all clients`,
      })
    }
  }
  return found
}

function* everySetting(alias: string, declaration: Declaration): Generator<readonly [string, Setting]> {
  const own = declaration.connections.get(alias)
  // In a list of connectors, settings stand nowhere but in connectors, whether they copy or not.
  const pairs = declaration.pairs.filter(({ isEnabled }) => isEnabled || own === undefined)
  if (own !== undefined) yield* withRoles(own)
  for (const { source, target, copying, checkpoints, heartbeats } of pairs) {
    for (const settings of new Set([copying, checkpoints, heartbeats])) {
      if (settings === undefined) continue
      if (source === alias) yield* ofSide(settings, 'source')
      if (target === alias) yield* ofSide(settings, 'target')
    }
  }
}

function* withRoles(own: ConnectorSettings): Generator<readonly [string, Setting]> {
  for (const [key, setting] of own) if (isConnectionKey(key)) yield [key, setting]
  for (const [key, setting] of own) {
    const bare = withoutPrefix(
      key,
      clientRoles.map((role) => `${role}.`),
    )
    if (bare !== undefined && isConnectionKey(bare)) yield [bare, setting]
  }
}

function* ofSide(settings: ConnectorSettings, side: Side): Generator<readonly [string, Setting]> {
  const prefixes = [
    // Before "producer.", with which it begins.
    ...(side === 'target' ? ['producer.override.'] : []),
    `${side}.cluster.`,
    ...clientRoles.flatMap((role) => [`${side}.${role}.`, `${role}.`]),
  ]
  const keys = [...settings.keys()].flatMap((key) => withoutPrefix(key, prefixes) ?? [])
  for (const key of new Set(keys.filter(isConnectionKey))) {
    for (const role of clientRoles) {
      const setting = clientSetting(settings, side, role, key)
      if (setting !== undefined) yield [key, setting]
    }
    // Of Connect's own producer, which writes the copies.
    const override = side === 'target' ? settings.get(`producer.override.${key}`) : undefined
    if (override !== undefined) yield [key, override]
  }
}

function withoutPrefix(key: string, prefixes: readonly string[]): string | undefined {
  const prefix = prefixes.find((candidate) => key.startsWith(candidate))
  return prefix === undefined ? undefined : key.slice(prefix.length)
}
