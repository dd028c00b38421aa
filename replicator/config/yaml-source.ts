import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  visit,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import type { Path } from '../topology/problem.ts'

/** A place in a file, both from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** A YAML text with the way back from its values to their places. */
export interface YamlSource {
  /** Plain data; meaningless when `errors` says that the text cannot be read. */
  readonly value: unknown
  readonly errors: readonly (Position & { readonly message: string; readonly fatal: boolean })[]
  /**
   * Where the value at a path, or its key, is written. Of collections, the key that holds them; of what is
   * absent, the nearest part of its path that is there.
   */
  locate(path: Path, part: 'key' | 'value'): Position
}

/**
 * Reads a YAML text without giving up at its first error. Aliases and merge keys are followed.
 *
 * `${env:NAME}` may stand unquoted inside `{ }` and `[ ]`, where YAML reserves the braces: inside references they are
 * exchanged for characters that no text contains, one for one, so that places stay right.
 */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter()
  const document = parseDocument(maskReferences(text), {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
  })
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, text.length)))
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }
  const errors = [...document.errors, ...document.warnings].map((error) => ({
    ...position(error.pos[0]),
    message: messageOf(error),
    fatal: error.code !== 'DUPLICATE_KEY',
  }))
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string') node.value = unmaskReferences(node.value)
    },
    Alias(_, node) {
      if (node.resolve(document) !== undefined) return
      const message = 'an alias (*) without its anchor (&); quote the text if it only begins with "*"'
      errors.push({ ...position(node.range?.[0] ?? 0), message, fatal: true })
    },
  })
  let value: unknown
  if (!errors.some(({ fatal }) => fatal)) {
    try {
      value = document.toJS({ maxAliasCount: 100 })
    } catch {
      errors.push({ line: 1, column: 1, message: 'aliases (*) multiply too often', fatal: true })
    }
  }
  return { value, errors, locate: (path, part) => position(offsetOf(document, path, part)) }
}

// The library's own texts may quote the file, and with it a secret.
const quotingMessages: Partial<Record<YAMLError['code'], string>> = {
  UNEXPECTED_TOKEN: 'unexpected text here: a quote, comma, colon or bracket is missing or too much',
  BAD_SCALAR_START: 'a plain text cannot begin with this character; put it in quotes',
  BAD_DQ_ESCAPE: 'an escape that YAML does not know; in "..." write \\\\ for a backslash, or use \'...\'',
  BAD_DIRECTIVE: 'a directive (%) that YAML does not know',
  BAD_ALIAS: 'an alias (*) that cannot be followed',
  TAG_RESOLVE_FAILED: 'a tag (!) that is not known here; quote the text if it only begins with "!"',
  IMPOSSIBLE: 'cannot be read as YAML',
  DUPLICATE_KEY: 'this key is written twice in one mapping',
  MULTIPLE_DOCS: 'a second document (---) begins here; one file holds one topology',
}

function messageOf(error: YAMLError): string {
  const message = quotingMessages[error.code] ?? error.message
  return message.charAt(0).toLowerCase() + message.slice(1)
}

const reserved = '{}[],#'
const maskStart = 0xfdd0 // Unicode noncharacters: never part of a text.

function maskReferences(text: string): string {
  return text.replaceAll(/\$\{(?:env|file):[^}\s"']*\}/g, (reference) =>
    reference.replaceAll(/[{}[\],#]/g, (char) => String.fromCharCode(maskStart + reserved.indexOf(char))),
  )
}

function unmaskReferences(text: string): string {
  return text.replaceAll(/[\ufdd0-\ufdd5]/g, (char) => reserved[char.charCodeAt(0) - maskStart] ?? char)
}

function offsetOf(document: Document, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = 0
  for (const [depth, step] of path.entries()) {
    const holder = isAlias(node) ? node.resolve(document) : node
    const wanted: 'key' | 'value' = depth === path.length - 1 ? part : 'value'
    if (isMap(holder)) {
      const pair = pairOf(document, holder, step)
      if (pair === undefined) return offset
      const { key, value } = pair
      const useKey = wanted === 'key' || !isNode(value) || isCollection(value) || value.range == null
      offset = startOf(useKey ? key : value) ?? offset
      node = value
    } else if (isSeq(holder)) {
      node = holder.items[Number(step)]
      offset = startOf(node) ?? offset
    } else return offset
  }
  return offset
}

function pairOf(document: Document, map: YAMLMap, step: string | number): Pair | undefined {
  // Of a key written twice, the last one counts, as in the data.
  const own = map.items.findLast(({ key }) => (isScalar(key) ? String(key.value) : key) === String(step))
  if (own !== undefined) return own
  for (const { key, value } of map.items) {
    if (!isScalar(key) || (key.value !== '<<' && typeof key.value !== 'symbol')) continue
    const merged = isSeq(value) ? value.items : [value]
    for (const part of merged) {
      const source = isAlias(part) ? part.resolve(document) : part
      const found = isMap(source) ? pairOf(document, source, step) : undefined
      if (found !== undefined) return found
    }
  }
  return undefined
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isAlias(value) || isCollection(value)
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}
