import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { plot } from './plot.ts'
import { readmeTable } from './readme-table.ts'
import type { BenchReport } from './results.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

test('the README shows the committed result and no other', () => {
  const report = JSON.parse(read('docs/bench.json')) as BenchReport
  assert.ok(
    read('README.md').includes(readmeTable(report)),
    'npm run bench -- --plot-from docs/bench.json --plot docs/bench.svg prints what belongs there',
  )
  assert.equal(read('docs/bench.svg'), plot(report))
})
