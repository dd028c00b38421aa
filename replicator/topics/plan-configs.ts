import type { TopicConfigChange, TopicConfigEntry } from '../kafka/cluster.ts'
import type { ConfigSync } from '../topology/model.ts'
import { anchored } from '../topology/selection.ts'

/** Which config names a flow leaves alone. Made once per flow by {@link configExclusion}. */
export type ConfigExclusion = (configName: string) => boolean

/**
 * Compiles the anchored expressions of {@link ConfigSync.exclude}.
 * @throws SyntaxError when an expression is not a regular expression.
 */
export function configExclusion(exclude: readonly string[]): ConfigExclusion {
  const patterns = exclude.map(anchored)
  return (configName) => patterns.some((pattern) => pattern.test(configName))
}

/** The part of {@link ConfigSync} that decides about one config. */
export interface ConfigRules {
  readonly excluded: ConfigExclusion
  readonly defaultsFrom: ConfigSync['defaultsFrom']
}

/**
 * The configs a new target topic is created with: what the source topic sets itself, plus the source's defaults
 * where the target is to have them too. Same rules as {@link planConfigChanges}.
 */
export function configsForCreation(
  source: readonly TopicConfigEntry[],
  rules: ConfigRules,
): ReadonlyMap<string, string> {
  const configs = new Map<string, string>()
  for (const entry of source) {
    const wish = wishFor(entry, rules)
    if (wish.kind === 'set') configs.set(entry.name, wish.value)
  }
  return configs
}

/**
 * The changes that make the target topic's configs follow the source's, by MirrorMaker 2's rules (KIP-894):
 * read-only, sensitive and excluded configs and values from the source brokers' files are left alone; a default on
 * the source becomes the target's default or the source's value, by `defaultsFrom`.
 *
 * Only real differences are returned, so that a target in step gets no request at all. Configs that the target does
 * not list are unknown to its version; naming one would make it refuse the whole change, so they are left out.
 */
export function planConfigChanges(
  source: readonly TopicConfigEntry[],
  target: readonly TopicConfigEntry[],
  rules: ConfigRules,
): readonly TopicConfigChange[] {
  const onTarget = new Map(target.map((entry) => [entry.name, entry]))
  const changes: TopicConfigChange[] = []
  for (const entry of source) {
    const current = onTarget.get(entry.name)
    if (current === undefined || current.readOnly || current.sensitive) continue
    const wish = wishFor(entry, rules)
    if (wish.kind === 'set' && !holds(current, entry, wish.value)) {
      changes.push({ kind: 'set', name: entry.name, value: wish.value })
    } else if (wish.kind === 'delete' && current.source === 'topic') {
      changes.push({ kind: 'delete', name: entry.name })
    }
  }
  return changes
}

/** Names of the source topic's own configs that the target's version does not know, so that they can be told. */
export function configsUnknownToTarget(
  source: readonly TopicConfigEntry[],
  target: readonly TopicConfigEntry[],
  rules: ConfigRules,
): readonly string[] {
  const known = new Set(target.map((entry) => entry.name))
  return source
    .filter((entry) => entry.source === 'topic' && wishFor(entry, rules).kind === 'set')
    .map((entry) => entry.name)
    .filter((name) => !known.has(name))
}

type Wish =
  | { readonly kind: 'set'; readonly value: string }
  | { readonly kind: 'delete' }
  | { readonly kind: 'leave' }

const leave: Wish = { kind: 'leave' }

function wishFor(entry: TopicConfigEntry, rules: ConfigRules): Wish {
  if (entry.readOnly || entry.sensitive || entry.value === undefined) return leave
  if (entry.source === 'broker-static' || entry.source === 'unknown') return leave
  if (rules.excluded(entry.name)) return leave
  if (entry.source === 'default' && rules.defaultsFrom === 'target') return { kind: 'delete' }
  return { kind: 'set', value: entry.value }
}

/**
 * A value that the source topic sets itself must be set on the target topic itself: one that only happens to equal
 * the target brokers' default would move with that default.
 */
function holds(current: TopicConfigEntry, wanted: TopicConfigEntry, value: string): boolean {
  if (current.value !== value) return false
  return wanted.source !== 'topic' || current.source === 'topic'
}
