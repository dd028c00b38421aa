import type { NameSelection, TopicSelection } from './model.ts'
import { topicNameProblem } from './naming.ts'
import type { Path, Problem } from './problem.ts'
import { expressionLengthMax, expressionProblem, partitionRangeProblem } from './selection.ts'
import type { NameSpec, TopicSpec } from './spec.ts'

/** Turns a user's selection of topics into the model's, or adds what is wrong with it to `problems`. */
export function resolveTopicSelection(
  spec: TopicSpec,
  path: Path,
  problems: Problem[],
): TopicSelection | undefined {
  const selection = resolveNameSelection(spec, path, problems)
  if (spec.name !== undefined) {
    const problem = topicNameProblem(spec.name)
    if (problem !== undefined) {
      const looksLikeExpression = /[*+?()[\]|\\]/.test(spec.name)
      const hint = looksLikeExpression ? { hint: 'for a regular expression, use "match"' } : {}
      problems.push({ path: [...path, 'name'], message: problem, ...hint })
    }
  }
  const range = spec.partitionRange
  if (range === undefined) return selection
  const problem = partitionRangeProblem(range)
  if (problem !== undefined) problems.push({ path: [...path, 'partitionRange'], message: problem })
  return selection && { ...selection, partitionRange: { from: range.from, to: range.to } }
}

/** Turns a user's selection of names into the model's, or adds what is wrong with it to `problems`. */
export function resolveNameSelection(
  spec: NameSpec,
  path: Path,
  problems: Problem[],
): NameSelection | undefined {
  const given = (['name', 'prefix', 'match'] as const).filter((key) => spec[key] !== undefined)
  if (given.length !== 1) {
    const message =
      given.length === 0
        ? 'nothing is selected'
        : `${given.map((key) => `"${key}"`).join(' and ')} exclude each other`
    const hint = 'give one of "name" (exact), "prefix" and "match" (regular expression)'
    problems.push({ path, message, hint })
  }
  if (spec.name !== undefined) {
    if (spec.exclude !== undefined) {
      const message = '"exclude" has nothing to leave out of one exact name'
      problems.push({ path: [...path, 'exclude'], message, hint: 'use it with "match" or "prefix"' })
    }
    return { kind: 'name', name: spec.name }
  }
  for (const key of ['match', 'exclude'] as const) {
    const expression = spec[key]
    if (expression === undefined) continue
    const problem = expressionProblem(expression)
    if (problem !== undefined)
      problems.push({ path: [...path, key], message: problem, ...expressionHint(expression) })
  }
  if (spec.prefix !== undefined && expressionProblem(literalPattern(spec.prefix)) !== undefined) {
    const message = `a prefix has 1 to ${expressionLengthMax} characters`
    problems.push({ path: [...path, 'prefix'], message })
  }
  const match = spec.match ?? (spec.prefix === undefined ? undefined : `${literalPattern(spec.prefix)}.*`)
  if (match === undefined) return undefined
  return { kind: 'match', match, ...(spec.exclude === undefined ? {} : { exclude: spec.exclude }) }
}

function literalPattern(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function expressionHint(expression: string): { hint?: string } {
  if (/^[*+?]/.test(expression)) return { hint: 'for "anything", write .*' }
  if (/\\[-_ ]/.test(expression)) return { hint: '"-" and "_" need no backslash outside [ ]' }
  if (/\\[QEA-Z]/.test(expression))
    return { hint: 'write a JavaScript regular expression; \\Q...\\E is Java only' }
  return {}
}
