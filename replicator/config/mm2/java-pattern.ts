import { asciiSpace, classLiteral, javaEscape, literal, type Refused } from './java-escape.ts'

/** One of the alternatives that `|` separates at the outside of an expression. */
export interface Alternative {
  /** JavaScript, for the unicode flag. */
  readonly expression: string
  /** The one name that it matches, when it is plain text. */
  readonly name?: string
}

export type TranslatedPattern = { readonly ok: true; readonly alternatives: readonly Alternative[] } | Refused

/**
 * Turns a `java.util.regex.Pattern` that must match whole names into JavaScript's, exactly: what has no equal
 * (possessive quantifiers, atomic groups, inline flags, back references, unions and intersections of classes) is
 * refused. The dialects differ in one more character, NEL (U+0085), which Java's `.` leaves out and no topic contains.
 */
export function translateJavaPattern(pattern: string): TranslatedPattern {
  const translation = new Translation(pattern)
  const refused = translation.run()
  if (refused !== undefined) return refused
  try {
    for (const { expression } of translation.alternatives) new RegExp(`^(?:${expression})$`, 'u')
  } catch {
    return { ok: false, reason: 'a regular expression that JavaScript does not take' }
  }
  return { ok: true, alternatives: translation.alternatives }
}

const refuse = (reason: string, hint?: string): Refused => ({
  ok: false,
  reason,
  ...(hint === undefined ? {} : { hint }),
})

/** One pass from left to right; every step either consumes something or refuses. */
class Translation {
  readonly alternatives: Alternative[] = []
  readonly #pattern: string
  #at = 0
  #depth = 0
  #out = ''
  #name: string | undefined = ''
  #mayRepeat = false

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  run(): Refused | undefined {
    while (this.#at < this.#pattern.length) {
      const refused = this.#step()
      if (refused !== undefined) return refused
    }
    if (this.#depth > 0) return refuse('a "(" without its ")"')
    this.#endAlternative()
    return undefined
  }

  #endAlternative(): void {
    const name = this.#name === '' ? undefined : this.#name
    this.alternatives.push({ expression: this.#out, ...(name === undefined ? {} : { name }) })
    this.#out = ''
    this.#name = ''
  }

  #step(): Refused | undefined {
    const char = String.fromCodePoint(this.#pattern.codePointAt(this.#at) ?? 0)
    switch (char) {
      case '\\':
        return this.#escape()
      case '[':
        return this.#class()
      case '(':
        return this.#open()
      case ')':
        if (this.#depth === 0) return refuse('a ")" without its "("')
        this.#depth--
        return this.#take(char, char, true)
      case '|':
        if (this.#depth > 0) return this.#take(char, char, false)
        this.#endAlternative()
        this.#at++
        this.#mayRepeat = false
        return undefined
      case '*':
      case '+':
      case '?':
      case '{':
        return this.#repeat()
      case '^':
      case '$':
        return this.#take(char, char, false)
      case '.':
        return this.#take(char, char, true)
      default:
        return this.#takeLiteral(char, char.length)
    }
  }

  /** Takes what is more than a plain character. */
  #take(read: string, out: string, mayRepeat: boolean): undefined {
    this.#at += read.length
    this.#out += out
    this.#name = undefined
    this.#mayRepeat = mayRepeat
  }

  #takeLiteral(char: string, length: number): undefined {
    this.#at += length
    this.#out += literal(char)
    if (this.#name !== undefined) this.#name += char
    this.#mayRepeat = true
  }

  #escape(): Refused | undefined {
    if (this.#pattern.startsWith('\\Q', this.#at)) {
      const { text, length } = quoted(this.#pattern, this.#at)
      for (const char of text) this.#takeLiteral(char, 0)
      this.#at += length
      return undefined
    }
    const found = javaEscape(this.#pattern, this.#at)
    if (!found.ok) return found
    switch (found.kind) {
      case 'char':
        return this.#takeLiteral(found.char, found.length)
      case 'set':
        return this.#take(found.read, `[${found.negated ? '^' : ''}${found.set}]`, true)
      case 'assertion':
        return this.#take(found.read, found.out, false)
    }
  }

  #open(): Refused | undefined {
    const rest = this.#pattern.slice(this.#at)
    const opening = /^\((?:\?(?::|=|!|<=|<!|<[a-zA-Z][a-zA-Z0-9]*>))?/.exec(rest)?.[0] ?? '('
    if (rest.startsWith('(?>'))
      return refuse('an atomic group (?>...), which JavaScript has not', 'write (?:...)')
    if (opening === '(' && rest.startsWith('(?')) {
      const hint = 'spell the cases out, such as [oO]rders'
      return refuse('inline flags (?...), which are not translated', hint)
    }
    this.#depth++
    return this.#take(opening, opening, false)
  }

  #repeat(): Refused | undefined {
    const rest = this.#pattern.slice(this.#at)
    const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(rest)?.[0]
    if (quantifier === undefined)
      return refuse(
        'a "{" that is no quantifier',
        'a comma separates expressions; for the character write \\{',
      )
    if (!this.#mayRepeat) return refuse(`a "${quantifier}" with nothing before it to repeat`)
    const after = rest[quantifier.length]
    if (after === '+')
      return refuse(`a possessive quantifier ${quantifier}+, which JavaScript has not`, `write ${quantifier}`)
    const whole = after === '?' ? `${quantifier}?` : quantifier
    return this.#take(whole, whole, false)
  }

  #class(): Refused | undefined {
    const result = translateClass(this.#pattern, this.#at)
    return result.ok ? this.#take(result.read, result.out, true) : result
  }
}

/** The text of `\Q...\E`; without `\E` it goes to the end. `length`: with both marks. */
function quoted(pattern: string, at: number): { text: string; length: number } {
  const end = pattern.indexOf('\\E', at + 2)
  const text = pattern.slice(at + 2, end === -1 ? pattern.length : end)
  return { text, length: end === -1 ? pattern.length - at : end + 2 - at }
}

type ClassPart =
  | { readonly ok: true; readonly length: number; readonly char: string }
  | { readonly ok: true; readonly length: number; readonly set: string }
  | Refused

/** A class from its `[` on. Java's classes nest and intersect; those are refused. */
function translateClass(pattern: string, start: number): { ok: true; read: string; out: string } | Refused {
  let at = start + 1
  let out = '['
  if (pattern[at] === '^') {
    out += '^'
    at++
  }
  // A "]" that comes first is an ordinary character in Java.
  for (let isFirst = true; pattern[at] !== ']' || isFirst; isFirst = false) {
    if (pattern.startsWith('\\Q', at)) {
      const { text, length } = quoted(pattern, at)
      out += [...text].map(classLiteral).join('')
      at += length
      continue
    }
    const part = classPart(pattern, at)
    if (!part.ok) return part
    at += part.length
    if ('set' in part) {
      out += part.set
      continue
    }
    out += classLiteral(part.char)
    // Before "]" and "[" a "-" stands for itself.
    if (pattern[at] !== '-' || [']', '[', undefined].includes(pattern[at + 1])) continue
    const end = classPart(pattern, at + 1)
    if (!end.ok) return end
    if ('set' in end) return refuse('a range "-" in [ ] that ends in a class of characters')
    if ((end.char.codePointAt(0) ?? 0) < (part.char.codePointAt(0) ?? 0))
      return refuse(`a range ${part.char}-${end.char} in [ ] that runs backwards`)
    out += `-${classLiteral(end.char)}`
    at += 1 + end.length
  }
  return { ok: true, read: pattern.slice(start, at + 1), out: `${out}]` }
}

function classPart(pattern: string, at: number): ClassPart {
  const code = pattern.codePointAt(at)
  if (code === undefined) return refuse('a "[" without its "]"')
  const char = String.fromCodePoint(code)
  if (char === '[') return refuse('a class inside a class ([a[b]]), which is not translated')
  if (pattern.startsWith('&&', at)) return refuse('an intersection of classes (&&), which is not translated')
  if (char !== '\\') return { ok: true, length: char.length, char }
  if (pattern.startsWith('\\Q', at)) return refuse('a range "-" in [ ] with \\Q...\\E')
  const found = javaEscape(pattern, at)
  if (!found.ok) return found
  if (found.kind === 'char') return { ok: true, length: found.length, char: found.char }
  if (found.kind === 'assertion') return refuse(`${found.read} inside [ ]`)
  if (!found.negated) return { ok: true, length: found.read.length, set: found.set }
  // \D and \W exist inside classes of both; the others would need a complement within a class.
  const same = /^\\[DW]$/.test(found.read)
  return same
    ? { ok: true, length: found.read.length, set: found.read }
    : refuse(`${found.read} inside [ ], which is not translated`, `its characters are all but ${asciiSpace}`)
}
