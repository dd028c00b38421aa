import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readProperties } from '../../../../replicator/config/mm2/properties-source.ts'

/** `line:column key=value` of each entry. */
function entries(text: string): string[] {
  const read = readProperties(text)
  assert.ok(read.ok, 'it can be read')
  return read.entries.map(
    ({ key, value, line, column }) => `${line}:${column} ${key}=${JSON.stringify(value)}`,
  )
}

describe('Java properties', () => {
  const table: readonly [what: string, text: string, expected: readonly string[]][] = [
    [
      'separators',
      'a=1\nb:2\nc 3\nd\t=\t4\ne : 5',
      ['1:1 a="1"', '2:1 b="2"', '3:1 c="3"', '4:1 d="4"', '5:1 e="5"'],
    ],
    ['an arrow in a key needs no escape', 'A->B.enabled = true', ['1:1 A->B.enabled="true"']],
    ['comments and blank lines', '# x=1\n  ! y=2\n\n a = # no comment', ['4:2 a="# no comment"']],
    ['lines that go on', 'a = b,\\\n    c,\\\n\td\ne=f', ['1:1 a="b,c,d"', '4:1 e="f"']],
    ['a comment does not go on', '# x\\\na=1', ['2:1 a="1"']],
    ['an even number of backslashes ends the line', 'a=b\\\\\nc=d', ['1:1 a="b\\\\"', '2:1 c="d"']],
    ['escapes', 'a\\ b\\:c\\=d = \\u0041\\t\\n\\z\\\\.', ['1:1 a b:c=d="A\\t\\nz\\\\."']],
    ['trailing blanks stay', 'a = b  ', ['1:1 a="b  "']],
    ['a lone backslash is a blank line', '\\\n a=1\n\\\n! b\nc=2', ['2:2 a="1"', '5:1 c="2"']],
    ['keys without values', 'a\nb=\nc:', ['1:1 a=""', '2:1 b=""', '3:1 c=""']],
    ['a key written twice is there twice', 'a=1\na=2', ['1:1 a="1"', '2:1 a="2"']],
    ['line ends of Windows', 'a=1\r\nb=2\\\r\n3\r\n', ['1:1 a="1"', '2:1 b="23"']],
    [
      'a separator in the value',
      'jaas=x required username="a=b" password="c:d";',
      ['1:1 jaas="x required username=\\"a=b\\" password=\\"c:d\\";"'],
    ],
  ]
  for (const [what, text, expected] of table) test(what, () => assert.deepEqual(entries(text), expected))

  test('a \\u without its digits is found where it is', () => {
    const text = '# \\u1\na=\\\\u1\nb=\\u0041\nc= \\u00g1\n'
    const read = readProperties(text)
    assert.deepEqual(read, {
      ok: false,
      line: 4,
      column: 4,
      message: '\\u needs four hexadecimal digits behind it',
    })
  })

  test('whatever the text: entries or one problem; never an exception', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '=',
      ':',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '\r',
      '\\',
      '\\u',
      '0041',
      '#',
      '!',
      '\f',
      '\0',
      'é',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(text, (given) => {
        const read = readProperties(given)
        if (!read.ok) return read.line >= 1 && given.includes('\\u')
        return read.entries.every(({ line, column }) => line >= 1 && column >= 1)
      }),
      { numRuns: 1_000 },
    )
  })
})
