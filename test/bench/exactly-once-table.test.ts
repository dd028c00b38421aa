import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { exactlyOnceTable } from './exactly-once-table.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

test('the README shows the committed results of exactly-once and no others', () => {
  const names = ['kills', 'overhead', 'overhead-maps', 'takeover', 'rolling-restart']
  const [kills, overhead, maps, takeover, rolling] = names.map((name) =>
    JSON.parse(read(`docs/${name}.json`)),
  )
  const table = exactlyOnceTable({ kills, overhead, maps, takeover, rolling })
  assert.ok(read('README.md').includes(table), table)
})
