import { isInternalTopic } from './internal-names.ts'
import type { NameSelection, TopicSelection } from './model.ts'

/** No list of names needs a longer expression; more is a mistake, or an attempt to make matching slow. */
export const expressionLengthMax = 1_000

/** Which topics and partitions a flow's selections take. Internal topics match nothing. */
export interface TopicMatcher {
  /** Whether any partition of the topic may be selected. */
  topic(name: string): boolean
  partition(name: string, partition: number): boolean
}

/**
 * Compiles topic selections; a partition is selected when any of them takes it.
 * @throws SyntaxError for an invalid expression; `resolveTopology` reports those as problems before.
 */
export function compileTopics(selections: readonly TopicSelection[]): TopicMatcher {
  const compiled = selections.map((selection) => ({
    matches: compileOne(selection),
    range: selection.partitionRange,
  }))
  return {
    topic: (name) => !isInternalTopic(name) && compiled.some(({ matches }) => matches(name)),
    partition: (name, partition) =>
      !isInternalTopic(name) &&
      compiled.some(
        ({ matches, range }) =>
          (range === undefined || (partition >= range.from && partition <= range.to)) && matches(name),
      ),
  }
}

/**
 * Compiles selections of other names, such as groups; a name is selected when any of them takes it.
 * @throws SyntaxError for an invalid expression; `resolveTopology` reports those as problems before.
 */
export function compileNames(selections: readonly NameSelection[]): (name: string) => boolean {
  const compiled = selections.map(compileOne)
  return (name) => compiled.some((matches) => matches(name))
}

function compileOne(selection: NameSelection): (name: string) => boolean {
  if (selection.kind === 'name') return (name) => name === selection.name
  const match = anchored(selection.match)
  const exclude = selection.exclude === undefined ? undefined : anchored(selection.exclude)
  return (name) => match.test(name) && !exclude?.test(name)
}

/**
 * Compiles an expression that must match a whole name, as MirrorMaker 2's do.
 * The unicode flag turns meaningless escapes, such as Java's `\Q`, into errors instead of different matches.
 * @throws SyntaxError when the expression is invalid.
 */
export function anchored(expression: string): RegExp {
  return new RegExp(`^(?:${expression})$`, 'u')
}

/** Why an expression cannot be used, or `undefined`. */
export function expressionProblem(expression: string): string | undefined {
  if (expression === '') return 'an empty expression matches nothing'
  if (expression.length > expressionLengthMax) {
    return `the expression is ${expression.length} characters long; the limit is ${expressionLengthMax}`
  }
  try {
    // Alone first: `a)|(b` is only valid inside the anchors' group, and means something else there.
    new RegExp(expression, 'u')
    anchored(expression)
    return undefined
  } catch (error) {
    const detail = error instanceof Error ? error.message.split(': ').at(-1) : ''
    return `invalid regular expression: ${detail?.toLowerCase()}`
  }
}

/** Why a range of partitions cannot be used, or `undefined`. */
export function partitionRangeProblem(range: {
  readonly from: number
  readonly to: number
}): string | undefined {
  const { from, to } = range
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0) return 'partitions are numbers from 0 on'
  if (from > to) return `partitions ${from} to ${to} are none: "from" is above "to"`
  return undefined
}
