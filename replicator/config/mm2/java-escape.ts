/** Why an expression is not translated. */
export interface Refused {
  readonly ok: false
  readonly reason: string
  readonly hint?: string
}

/** What a backslash of Java stands for. */
export type JavaEscape =
  | { readonly ok: true; readonly kind: 'char'; readonly char: string; readonly length: number }
  /** A class of characters, `set` as it stands between `[` and `]`. */
  | {
      readonly ok: true
      readonly kind: 'set'
      readonly read: string
      readonly set: string
      readonly negated: boolean
    }
  | { readonly ok: true; readonly kind: 'assertion'; readonly read: string; readonly out: string }
  | Refused

/** Java's `\s`; JavaScript's takes every space of Unicode. */
export const asciiSpace = ' \\t\\n\\x0B\\f\\r'

const controls: Readonly<Record<string, string>> = {
  t: '\t',
  n: '\n',
  r: '\r',
  f: '\f',
  a: '\u0007',
  e: '\u001b',
}

const assertions: Readonly<Record<string, string>> = { A: '^', z: '$', b: '\\b', B: '\\B' }

const letterSets: Readonly<Record<string, string>> = { d: '0-9', w: 'a-zA-Z0-9_', s: asciiSpace }

/** `\p{...}` of US-ASCII (java.util.regex.Pattern, "POSIX character classes"). */
const posixSets: Readonly<Record<string, string>> = {
  Lower: 'a-z',
  Upper: 'A-Z',
  ASCII: '\\x00-\\x7F',
  Alpha: 'a-zA-Z',
  Digit: '0-9',
  Alnum: 'a-zA-Z0-9',
  Punct: '!-\\/:-@\\[-`\\{-~',
  Graph: '!-~',
  Print: ' -~',
  Blank: ' \\t',
  Cntrl: '\\x00-\\x1F\\x7F',
  XDigit: '0-9a-fA-F',
  Space: asciiSpace,
}

/** Reads the escape at `at`, where a backslash stands; `\Q` is the caller's. */
export function javaEscape(pattern: string, at: number): JavaEscape {
  const rest = pattern.slice(at)
  const code = pattern.codePointAt(at + 1)
  if (code === undefined) return { ok: false, reason: 'a "\\" with nothing behind it' }
  const char = String.fromCodePoint(code)
  if (!/[a-zA-Z0-9]/.test(char)) return { ok: true, kind: 'char', char, length: 1 + char.length }
  const numbered = numberedChar(rest)
  if (numbered !== undefined) return numbered
  const control = controls[char]
  if (control !== undefined) return { ok: true, kind: 'char', char: control, length: 2 }
  const letters = letterSets[char.toLowerCase()]
  if (letters !== undefined) {
    return { ok: true, kind: 'set', read: `\\${char}`, set: letters, negated: char < 'a' }
  }
  const assertion = assertions[char]
  if (assertion !== undefined && rest[2] !== '{') {
    return { ok: true, kind: 'assertion', read: `\\${char}`, out: assertion }
  }
  return posix(rest) ?? refused(char)
}

/** `\x41`, `\x{1F600}`, `\u0041`, `\0101`, `\cA`. */
function numberedChar(rest: string): JavaEscape | undefined {
  const found =
    /^\\(?:x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|0([0-3][0-7]{2}|[0-7]{1,2})|c([A-Z]))/.exec(
      rest,
    )
  if (found === null) return undefined
  const [whole, byte, braced, unit, octal, control] = found
  const hex = byte ?? braced ?? unit
  const code =
    hex !== undefined
      ? Number.parseInt(hex, 16)
      : octal !== undefined
        ? Number.parseInt(octal, 8)
        : (control?.charCodeAt(0) ?? 0) ^ 64
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    return { ok: false, reason: `${whole}, which is no character by itself` }
  }
  return { ok: true, kind: 'char', char: String.fromCodePoint(code), length: whole.length }
}

function posix(rest: string): JavaEscape | undefined {
  const found = /^\\([pP])\{(\w+)\}/.exec(rest)
  const set = posixSets[found?.[2] ?? '']
  if (found === null || set === undefined) return undefined
  return { ok: true, kind: 'set', read: found[0], set, negated: found[1] === 'P' }
}

function refused(char: string): Refused {
  if (/[1-9k]/.test(char)) {
    return { ok: false, reason: 'a back reference, which Java and JavaScript take differently' }
  }
  if (char === 'p' || char === 'P') {
    const hint = 'topic names are ASCII: write [a-zA-Z], \\p{Alpha} or the like'
    return { ok: false, reason: `\\${char} with a property of Unicode, which is not translated`, hint }
  }
  return {
    ok: false,
    reason: `\\${char}, which JavaScript has not`,
    hint: 'write the characters that it matches',
  }
}

/** One character as it must be written between the `[` and `]` of a JavaScript expression. */
export function classLiteral(char: string): string {
  return char === '-' ? '\\-' : literal(char)
}

/** One character as it must be written in a JavaScript expression, outside of `[ ]`. */
export function literal(char: string): string {
  if (/[\\^$.*+?()[\]{}|/]/.test(char)) return `\\${char}`
  const code = char.codePointAt(0) ?? 0
  return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : char
}
