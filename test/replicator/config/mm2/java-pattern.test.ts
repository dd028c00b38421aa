import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { translateJavaPattern } from '../../../../replicator/config/mm2/java-pattern.ts'

/** The whole expression, or why there is none. */
function translated(pattern: string): string {
  const result = translateJavaPattern(pattern)
  if (!result.ok) return `refused: ${result.reason}${result.hint === undefined ? '' : `; ${result.hint}`}`
  return result.alternatives.map(({ expression }) => expression).join('|')
}

describe('Java expressions that have an equal', () => {
  const table: readonly [java: string, javaScript: string, matches: string, differs: string][] = [
    ['.*', '.*', 'orders', '\n'],
    ['orders', 'orders', 'orders', 'orders2'],
    ['orders\\..*', 'orders\\..*', 'orders.v1', 'orders-v1'],
    ['a|b|', 'a|b|', '', 'c'],
    ['.*[\\-\\.]internal', '.*[\\-\\.]internal', 'x-internal', 'x_internal'],
    ['\\-\\_\\ \\:', '-_ :', '-_ :', '\\-'],
    ['\\Qa.b\\E.', 'a\\.b.', 'a.bc', 'aabc'],
    ['\\Qa.b', 'a\\.b', 'a.b', 'axb'],
    ['\\Qab\\E+', 'ab+', 'abb', 'abab'],
    ['[\\w-.]+', '[a-zA-Z0-9_\\-\\.]+', 'a-b.c_1', 'a b'],
    ['[a-]', '[a\\-]', '-', 'b'],
    ['[-a]', '[\\-a]', '-', 'b'],
    ['[]a]', '[\\]a]', ']', 'b'],
    ['[^]a]', '[^\\]a]', 'b', ']'],
    ['[a^b]', '[a\\^b]', '^', 'c'],
    ['[\\Qa-c\\E]', '[a\\-c]', '-', 'b'],
    ['[a&b]', '[a&b]', '&', 'c'],
    ['[--/]', '[\\--\\/]', '.', '+'],
    ['[\\D]', '[\\D]', 'a', '1'],
    ['a}', 'a\\}', 'a}', 'a'],
    ['a]', 'a\\]', 'a]', 'a'],
    ['a/b', 'a\\/b', 'a/b', 'ab'],
    ['a{2}', 'a{2}', 'aa', 'a'],
    ['a{2,}?', 'a{2,}?', 'aaa', 'a'],
    ['a{1,2}', 'a{1,2}', 'aa', 'aaa'],
    ['(?:a|b)c', '(?:a|b)c', 'bc', 'a'],
    ['(?<x>a)b', '(?<x>a)b', 'ab', 'b'],
    ['(?!__).*', '(?!__).*', 'a__', '__a'],
    ['.*(?<!-dlq)', '.*(?<!-dlq)', 'a', 'a-dlq'],
    ['\\d\\D\\w\\W', '[0-9][^0-9][a-zA-Z0-9_][^a-zA-Z0-9_]', '1aa-', '١aa-'],
    ['\\s', '[ \\t\\n\\x0B\\f\\r]', ' ', '\u00a0'],
    ['\\S', '[^ \\t\\n\\x0B\\f\\r]', '\u00a0', ' '],
    ['\\Aab\\z', '^ab$', 'ab', 'a'],
    ['\\bab\\b', '\\bab\\b', 'ab', 'a'],
    ['\\x41\\x{42}\\u0043\\0104\\t\\cA', 'ABCD\\x09\\x01', 'ABCD\t\u0001', 'abcd'],
    ['\\x2e', '\\.', '.', 'a'],
    ['[\\x2d\\x5d]', '[\\-\\]]', ']', 'a'],
    ['\\p{Alpha}\\P{Digit}', '[a-zA-Z][^0-9]', 'ab', 'a1'],
    ['[\\p{Punct}]', '[!-\\/:-@\\[-`\\{-~]', '~', 'a'],
    ['^orders$', '^orders$', 'orders', 'order'],
  ]
  for (const [java, javaScript, matches, differs] of table) {
    test(java, () => {
      assert.equal(translated(java), javaScript)
      const expression = new RegExp(`^(?:${javaScript})$`, 'u')
      assert.ok(expression.test(matches), `${matches} is taken`)
      assert.ok(!expression.test(differs), `${differs} is not`)
    })
  }
})

describe('Java expressions that have none', () => {
  const table: readonly [java: string, reason: RegExp][] = [
    ['a++', /possessive quantifier \+\+.*write \+/],
    ['a*+b', /possessive/],
    ['a{2}+', /possessive quantifier \{2\}\+/],
    ['(?>a)', /atomic group.*\(\?:/],
    ['(?i)orders', /inline flags.*\[oO\]rders/],
    ['(?i:a)', /inline flags/],
    ['(a)\\1', /back reference/],
    ['(?<x>a)\\k<x>', /back reference/],
    ['[a[b]]', /class inside a class/],
    ['[[:alpha:]]', /class inside a class/],
    ['[a&&[b]]', /intersection/],
    ['[a-z&&b]', /intersection/],
    ['[\\S]', /inside \[ \]/],
    ['[\\b]', /inside \[ \]/],
    ['[a-\\d]', /ends in a class/],
    ['[z-a]', /runs backwards/],
    ['[a', /"\[" without/],
    ['[', /"\[" without/],
    ['(a', /"\(" without/],
    ['a)', /"\)" without/],
    ['a)|(b', /"\)" without/],
    ['*', /"\*" with nothing before/],
    ['a|*', /nothing before/],
    ['(*)', /nothing before/],
    ['a**', /nothing before/],
    ['a{x}', /no quantifier.*a comma separates/],
    ['x{1|2}', /no quantifier/],
    ['\\', /nothing behind/],
    ['\\E', /\\E/],
    ['\\G', /\\G/],
    ['\\Z', /\\Z/],
    ['\\R', /\\R/],
    ['\\p{L}', /Unicode.*ASCII/],
    ['\\x{110000}', /no character/],
    ['\\ud800', /no character/],
    ['a{2,1}', /does not take/],
  ]
  for (const [java, reason] of table) {
    test(java, () => assert.match(translated(java), reason))
  }
})

describe('alternatives', () => {
  test('plain text is told apart, whatever its spelling', () => {
    const result = translateJavaPattern('orders|\\Qa.b\\E|c\\.d|e.*|(f|g)|x.y|')
    assert.ok(result.ok)
    const names = result.alternatives.map(({ name }) => name)
    assert.deepEqual(names, ['orders', 'a.b', 'c.d', undefined, undefined, undefined, undefined])
  })

  test('whatever the text: a valid expression, or a reason; never an exception', () => {
    const piece = fc.oneof(
      fc.constantFrom(...'ab.*+?{}[]()|^$\\-&<>!=:,0129QEdDsSwWpPkxuc'),
      fc.constantFrom('\\Q', '\\E', '(?:', '(?i)', '(?<', '[^', '&&', '\\p{', '{1,2}', '\u{1f600}', '\ud800'),
    )
    const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(text, (pattern) => {
        const result = translateJavaPattern(pattern)
        if (!result.ok) return result.reason !== ''
        for (const { expression, name } of result.alternatives) {
          const compiled = new RegExp(`^(?:${expression})$`, 'u')
          assert.ok(name === undefined || compiled.test(name), `${expression} takes ${name}`)
        }
        return true
      }),
      { numRuns: 2_000 },
    )
  })
})
