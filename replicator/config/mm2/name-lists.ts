import { expressionLengthMax } from '../../topology/selection.ts'
import type { NameSpec } from '../../topology/spec.ts'
import type { Refused } from './java-escape.ts'
import { type Alternative, translateJavaPattern } from './java-pattern.ts'

/** A list as Kafka's ConfigDef splits it. Unlike there, empty items are left out. */
export function listOf(value: string): readonly string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

/** What a pair of `topics` and `topics.exclude` selects, or of `groups` and `groups.exclude`. */
export type SelectedNames =
  | {
      readonly ok: true
      readonly selections: readonly NameSpec[]
      /** Names that are listed and excluded at the same time: they are not in `selections`. */
      readonly excluded: readonly string[]
    }
  | (Refused & { readonly of: 'include' | 'exclude' })

/**
 * Reads lists of Java expressions as MirrorMaker 2's filters do: joined with `|`, whole names, exclusion wins.
 * Plain names become exact selections; the rest is kept in as few expressions as their length allows.
 */
export function selectNames(include: string, exclude: string): SelectedNames {
  const included = alternativesOf(include)
  if (!included.ok) return { ...included, of: 'include' }
  const excluded = alternativesOf(exclude)
  if (!excluded.ok) return { ...excluded, of: 'exclude' }
  const left = excluded.alternatives.map(({ expression }) => expression).join('|')
  const isLeftOut = left === '' ? undefined : new RegExp(`^(?:${left})$`, 'u')
  const names = new Set(included.alternatives.flatMap(({ name }) => name ?? []))
  const kept = [...names].filter((name) => !isLeftOut?.test(name))
  const expressions = included.alternatives.filter(({ name }) => name === undefined)
  return {
    ok: true,
    selections: [
      ...kept.map((name) => ({ name })),
      ...joined(expressions.map(({ expression }) => expression)).map((match) => ({
        match,
        ...(left === '' ? {} : { exclude: left }),
      })),
    ],
    excluded: [...names].filter((name) => isLeftOut?.test(name)),
  }
}

/** Reads a list of Java expressions of which each stands for itself, such as `config.properties.exclude`. */
export function expressionsOf(list: string): { ok: true; expressions: readonly string[] } | Refused {
  const translated = alternativesOf(list)
  if (!translated.ok) return translated
  return { ok: true, expressions: translated.alternatives.map(({ expression }) => expression) }
}

function alternativesOf(list: string): { ok: true; alternatives: readonly Alternative[] } | Refused {
  const items = listOf(list)
  return items.length === 0 ? { ok: true, alternatives: [] } : translateJavaPattern(items.join('|'))
}

function joined(expressions: readonly string[]): readonly string[] {
  const chunks: string[] = []
  for (const expression of expressions) {
    const longer = `${chunks.at(-1)}|${expression}`
    if (chunks.length > 0 && longer.length <= expressionLengthMax) chunks[chunks.length - 1] = longer
    else chunks.push(expression)
  }
  return chunks
}
