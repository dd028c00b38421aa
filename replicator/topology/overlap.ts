import type { Flow, TopicSelection } from './model.ts'
import { affixes } from './naming.ts'
import { compileTopics } from './selection.ts'

/*
 * Whether two selections can take the same topic. Names are compared exactly; of two regular expressions only the
 * literal beginnings and the affixes of a naming are, so the answer "may" can be wrong and "never" cannot.
 */

/** The topics that one selection takes, or that a flow writes for it. */
interface NameSet {
  /** One per alternative of an expression. `exact` shapes are one name, others all that begin and end so. */
  readonly shapes: readonly Shape[]
  readonly accepts: (name: string) => boolean
  readonly range: TopicSelection['partitionRange']
}

interface Shape {
  readonly exact: boolean
  readonly before: string
  readonly after: string
}

/** Whether a topic that `first` writes on its target can be one that `next` reads there. */
export function mayReadWhatWasWritten(first: Flow, next: Flow): boolean {
  return first.target === next.source && mayOverlap(written(first), next.topics.map(selected))
}

/** Whether two flows can write the same partition of the same topic. */
export function mayWriteTheSame(a: Flow, b: Flow): boolean {
  return a.target === b.target && mayOverlap(written(a), written(b))
}

function mayOverlap(as: readonly NameSet[], bs: readonly NameSet[]): boolean {
  return as.some((a) => bs.some((b) => rangesOverlap(a.range, b.range) && setsOverlap(a, b)))
}

function rangesOverlap(a: NameSet['range'], b: NameSet['range']): boolean {
  return a === undefined || b === undefined || (a.from <= b.to && b.from <= a.to)
}

function setsOverlap(a: NameSet, b: NameSet): boolean {
  return a.shapes.some((x) => b.shapes.some((y) => shapesOverlap(x, y, a, b)))
}

function shapesOverlap(x: Shape, y: Shape, a: NameSet, b: NameSet): boolean {
  if (x.exact) return a.accepts(x.before) && b.accepts(x.before)
  if (y.exact) return a.accepts(y.before) && b.accepts(y.before)
  const beginnings = x.before.startsWith(y.before) || y.before.startsWith(x.before)
  return beginnings && (x.after.endsWith(y.after) || y.after.endsWith(x.after))
}

function written(flow: Flow): readonly NameSet[] {
  const { before, after } = affixes(flow.naming, flow.source, flow.target)
  return flow.topics.map((selection) => {
    const own = selected(selection)
    return {
      shapes: own.shapes.map((shape) =>
        shape.exact
          ? exactly(before + shape.before + after)
          : { exact: false, before: before + shape.before, after: shape.after + after },
      ),
      accepts: (name) =>
        name.length >= before.length + after.length &&
        name.startsWith(before) &&
        name.endsWith(after) &&
        own.accepts(name.slice(before.length, name.length - after.length)),
      range: own.range,
    }
  })
}

function selected(selection: TopicSelection): NameSet {
  return {
    shapes:
      selection.kind === 'name' ? [exactly(selection.name)] : alternatives(selection.match).map(shapeOf),
    accepts: compileTopics([selection]).topic,
    range: selection.partitionRange,
  }
}

function exactly(name: string): Shape {
  return { exact: true, before: name, after: name }
}

/** Splits an expression at the `|` that stand in no group, class or escape. */
function alternatives(expression: string): string[] {
  const found: string[] = []
  let depth = 0
  let inClass = false
  let start = 0
  for (let at = 0; at < expression.length; at++) {
    const char = expression[at]
    if (char === '\\') at++
    else if (inClass) inClass = char !== ']'
    else if (char === '[') inClass = true
    else if (char === '(') depth++
    else if (char === ')') depth--
    else if (char === '|' && depth === 0) {
      found.push(expression.slice(start, at))
      start = at + 1
    }
  }
  return [...found, expression.slice(start)]
}

/** The literal beginning of one alternative, which is exact when nothing else follows. */
function shapeOf(alternative: string): Shape {
  let literal = ''
  let at = 0
  while (at < alternative.length) {
    const escaped = alternative[at] === '\\'
    const char = alternative[escaped ? at + 1 : at] ?? ''
    const isLiteral = escaped ? /[^a-zA-Z0-9]/.test(char) : /[a-zA-Z0-9_-]/.test(char)
    if (!isLiteral) return { exact: false, before: literal, after: '' }
    at += escaped ? 2 : 1
    // A quantifier may take the character away again.
    if (/[*?{]/.test(alternative[at] ?? '')) return { exact: false, before: literal, after: '' }
    literal += char
  }
  return exactly(literal)
}
