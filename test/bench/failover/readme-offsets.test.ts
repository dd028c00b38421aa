import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { freshnessTable } from '../groups/freshness-table.ts'
import { failoverTable, isExact } from './failover-report.ts'

const root = join(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('the README on groups', () => {
  test('shows the committed result of changing clusters and no other', () => {
    const report = JSON.parse(read('docs/offsets.json'))
    const table = failoverTable(report)
    assert.ok(read('README.md').includes(table), table)
    assert.ok(isExact(report))
  })

  test('shows the committed result of freshness and no other', () => {
    const table = freshnessTable(JSON.parse(read('docs/groups.json')))
    assert.ok(read('README.md').includes(table), table)
  })
})
