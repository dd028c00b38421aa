import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'

const root = resolve(import.meta.dirname, '..')
const spec = readFileSync(join(root, 'replicator', 'SPEC.md'), 'utf8')

describe('the specification', () => {
  test('names files that are there', () => {
    const paths = [...spec.matchAll(/`((?:replicator|test)\/[\w./-]+\.ts)`/g)].map(([, path]) => path ?? '')
    assert(paths.length > 20, `${paths.length} files`)
    assert.deepEqual(
      [...new Set(paths)].filter((path) => !existsSync(join(root, path))),
      [],
    )
  })

  test('names tests that are there', () => {
    const attacks = [...spec.matchAll(/`(test\/[\w./-]+\.ts)` "([^"]+)"/g)]
    assert(attacks.length >= 10, `${attacks.length} tests`)
    for (const [, path = '', title = ''] of attacks) {
      assert(readFileSync(join(root, path), 'utf8').includes(title), `${path} has a test "${title}"`)
    }
  })

  test('every invariant says where it is asserted and what attacks it', () => {
    const sections = spec.split(/^### /m).slice(1)
    assert.deepEqual(
      sections.map((section) => section.slice(0, 2)),
      ['A.', 'B.', 'C.', 'D.', 'E.', 'F.', 'G.', 'H.'],
    )
    for (const section of sections) {
      assert.match(section, /^Asserted: `/m)
      assert.match(section, /^Attacked: `/m)
    }
  })
})
