import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judge } from '../../../../replicator/cli/demo/judge.ts'
import { conclusion, problemLines, verdictTable } from '../../../../replicator/cli/demo/verdict-text.ts'
import { equalPartition, findingsOf } from './findings.ts'

const topics = [{ name: 'orders', partitions: 2 }]
const identical = judge(topics, findingsOf([equalPartition(0, 1_000), equalPartition(1, 234)]))

describe('the table', () => {
  test('shows what was written, aborted and found, aligned', () => {
    const tally = { topics: new Map([['orders', { written: 1_300, aborted: 66 }]]) }
    assert.deepEqual(verdictTable(identical, tally), [
      'topic   partitions  written  aborted  us-east  eu-west  verdict',
      '-----------------------------------------------------------------',
      'orders           2    1,300       66    1,234    1,234  identical',
      '-----------------------------------------------------------------',
      'all              2    1,300       66    1,234    1,234  identical',
    ])
  })

  test('does without what is not known', () => {
    assert.equal(verdictTable(identical, undefined)[0], 'topic   partitions  us-east  eu-west  verdict')
  })
})

test('the conclusion says what was equal, or where it is not', () => {
  assert.equal(
    conclusion(identical),
    'IDENTICAL: 1,234 records in 2 partitions, equal in order, key, value, headers and timestamp',
  )
  const lost = { ...equalPartition(1, 234), verdict: 'different' as const }
  const different = judge(topics, findingsOf([equalPartition(0, 1_000), lost]))
  assert.equal(conclusion(different), 'DIFFERENT: eu-west is not what us-east is (orders)')
})

test('a flood of problems is cut short, and says so', () => {
  const problems = Array.from({ length: 14 }, (_, index) => `problem ${index}`)
  const lines = problemLines({ ...identical, identical: false, problems })
  assert.equal(lines.length, 11)
  assert.equal(lines.at(-1), 'and 4 more problems')
})
