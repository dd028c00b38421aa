import { Properties } from 'properties-file/parser'

/** One key of a Java properties file, as Java reads it. */
export interface PropertyEntry {
  readonly key: string
  readonly value: string
  /** Where the key begins, from 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
}

export type PropertiesSource =
  | {
      readonly ok: true
      /** In the order of the file; of a key written twice the last one counts. */
      readonly entries: readonly PropertyEntry[]
    }
  | { readonly ok: false; readonly line: number; readonly column: number; readonly message: string }

/**
 * Reads what `java.util.Properties.load` reads. The text must have been decoded as Java does it, from ISO-8859-1.
 * The only thing that neither takes is a `\u` without four hexadecimal digits.
 */
export function readProperties(text: string): PropertiesSource {
  try {
    return { ok: true, entries: entriesOf(text, 0) }
  } catch {
    return { ok: false, ...placeOfBadEscape(text), message: '\\u needs four hexadecimal digits behind it' }
  }
}

/** @throws Error for a bad escape */
function entriesOf(text: string, linesBefore: number): readonly PropertyEntry[] {
  return new Properties(text).getProperties().flatMap((property) => {
    const { key, value, leadingWhitespace, rawLines, startingLineNumber } = property
    // Java takes a lone backslash for a blank line, the library for a key without a name.
    if (rawLines.length > 1 && /^[ \t\f]*\\$/.test(rawLines[0] ?? '')) {
      return entriesOf(rawLines.slice(1).join('\n'), linesBefore + startingLineNumber)
    }
    return { key, value, line: linesBefore + startingLineNumber, column: leadingWhitespace.length + 1 }
  })
}

function placeOfBadEscape(text: string): { line: number; column: number } {
  for (const [index, line] of text.split(/\r\n|\n|\r/).entries()) {
    if (/^[ \t\f]*[#!]/.test(line)) continue
    // Backslashes pair up from the left: the `u` of `\\u` is an ordinary letter.
    for (const found of line.matchAll(/\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g)) {
      if (found[2] === 'u') return { line: index + 1, column: found.index + 1 }
    }
  }
  return { line: 1, column: 1 }
}
