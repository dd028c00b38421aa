import { prefixSeparator } from './defaults.ts'
import type { Naming, RegionAlias } from './model.ts'

/** Kafka's limit: a partition's directory is `<topic>-<partition>` and file names end at 255 bytes. */
export const topicNameLengthMax = 249

/** What a topic is called on the flow's target. Not checked: see {@link topicNameProblem}. */
export function targetTopicName(
  naming: Naming,
  copy: { readonly source: RegionAlias; readonly target: RegionAlias; readonly topic: string },
): string {
  const { before, after } = affixes(naming, copy.source, copy.target)
  return before + copy.topic + after
}

/** What a flow's naming puts before and after every topic's own name. */
export function affixes(
  naming: Naming,
  source: RegionAlias,
  target: RegionAlias,
): { readonly before: string; readonly after: string } {
  switch (naming.kind) {
    case 'identity':
      return { before: '', after: '' }
    case 'prefixed':
      return { before: source + naming.separator, after: '' }
    case 'template': {
      const filled = naming.template.replaceAll('{source}', source).replaceAll('{target}', target)
      const [before = '', after = ''] = filled.split('{topic}')
      return { before, after }
    }
  }
}

/** Whether names under this naming tell which region a copy came from. */
export function namesItsSource(naming: Naming): boolean {
  return naming.kind === 'prefixed' || (naming.kind === 'template' && naming.template.includes('{source}'))
}

/** Where a topic came from, as far as its name tells. */
export type Origin =
  | { readonly kind: 'copy'; readonly source: RegionAlias; readonly topic: string }
  | { readonly kind: 'local' }
  | { readonly kind: 'unknown'; readonly reason: 'naming-hides-source' | 'ambiguous' }

/**
 * Inverts {@link targetTopicName}: the last hop that a topic took to get to `at`.
 * `local` when no region's copy can have this name.
 */
export function originOf(
  naming: Naming,
  name: string,
  regions: { readonly aliases: readonly RegionAlias[]; readonly at: RegionAlias },
): Origin {
  if (!namesItsSource(naming)) return { kind: 'unknown', reason: 'naming-hides-source' }
  const [first, second] = readings(naming, name, regions.aliases, [regions.at])
  if (first === undefined) return { kind: 'local' }
  if (second !== undefined) return { kind: 'unknown', reason: 'ambiguous' }
  return { kind: 'copy', ...first }
}

/**
 * Whether copying this topic to `target` would bring it back to a region it passed through, at any hop depth:
 * `eu-west.us-east.orders` never goes to us-east nor to eu-west. Names that can be read in several ways count as a
 * cycle if any reading is one. Identity naming hides its hops: there the answer is always false.
 */
export function isCycle(
  naming: Naming,
  name: string,
  regions: { readonly aliases: readonly RegionAlias[]; readonly target: RegionAlias },
): boolean {
  if (!namesItsSource(naming)) return false
  // Each reading strips at least the alias, so the recursion ends within the name's length.
  return readings(naming, name, regions.aliases, regions.aliases).some(
    (hop) => hop.source === regions.target || isCycle(naming, hop.topic, regions),
  )
}

function readings(
  naming: Naming,
  name: string,
  sources: readonly RegionAlias[],
  targets: readonly RegionAlias[],
): { source: RegionAlias; topic: string }[] {
  const found = new Map<string, { source: RegionAlias; topic: string }>()
  for (const source of sources) {
    for (const target of targets) {
      if (source === target) continue
      const { before, after } = affixes(naming, source, target)
      const fits =
        name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after)
      if (!fits) continue
      const topic = name.slice(before.length, name.length - after.length)
      found.set(`${source} ${topic}`, { source, topic })
    }
  }
  return [...found.values()]
}

/** Why Kafka would refuse a topic of this name (org.apache.kafka.common.internals.Topic), or `undefined`. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'a topic name cannot be empty'
  if (name === '.' || name === '..') return `"${name}" cannot be a topic name`
  if (name.length > topicNameLengthMax) {
    return `"${name}" is ${name.length} characters long; Kafka's limit for topic names is ${topicNameLengthMax}`
  }
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `"${name}" cannot be a topic name: Kafka allows letters, digits, ".", "_" and "-"`
  }
  return undefined
}

/** Whether two different names share one metric name: brokers refuse to create the second (`.` and `_` are one there). */
export function topicNamesCollide(a: string, b: string): boolean {
  return a !== b && a.replaceAll('.', '_') === b.replaceAll('.', '_')
}

/**
 * Reads a naming as users write it: `identity`, `prefixed`, or a template such as `{source}-{topic}`.
 * A template that says the same as one of the other kinds becomes that kind.
 */
export function parseNaming(
  text: string,
): { readonly ok: true; readonly naming: Naming } | { readonly ok: false; readonly reason: string } {
  if (text === 'identity' || text === '{topic}') return { ok: true, naming: { kind: 'identity' } }
  if (text === 'prefixed') return { ok: true, naming: { kind: 'prefixed', separator: prefixSeparator } }
  const topics = text.split('{topic}').length - 1
  if (topics === 0) {
    return { ok: false, reason: 'expected identity, prefixed, or a template that contains {topic}' }
  }
  if (topics > 1) return { ok: false, reason: 'a naming template contains {topic} once' }
  const literal = text.replaceAll(/\{(?:source|target|topic)\}/g, '')
  if (!/^[a-zA-Z0-9._-]*$/.test(literal)) {
    return {
      ok: false,
      reason:
        'a naming template is made of {source}, {target}, {topic} and what Kafka allows in topic names: letters, digits, ".", "_" and "-"',
    }
  }
  const separator = /^\{source\}([a-zA-Z0-9._-]+)\{topic\}$/.exec(text)?.[1]
  if (separator !== undefined) return { ok: true, naming: { kind: 'prefixed', separator } }
  return { ok: true, naming: { kind: 'template', template: text } }
}

/** The text that {@link parseNaming} reads back. */
export function formatNaming(naming: Naming): string {
  if (naming.kind === 'identity') return 'identity'
  if (naming.kind === 'template') return naming.template
  return naming.separator === prefixSeparator ? 'prefixed' : `{source}${naming.separator}{topic}`
}
