import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Findings, judge } from '../../../../replicator/cli/demo/judge.ts'
import { equalPartition, findingsOf } from './findings.ts'

const topics = [{ name: 'orders', partitions: 2, committed: 7 }]
const equal = findingsOf([equalPartition(0, 3), equalPartition(1, 4)])

/** The equal findings, with what kafkajs read of partition 1 on the target replaced. */
function kafkajsReading(change: Partial<Findings['kafkajs']['target'][number]>): Findings {
  const target = equal.kafkajs.target.map((read) => (read.partition === 1 ? { ...read, ...change } : read))
  return { ...equal, kafkajs: { ...equal.kafkajs, target } }
}

describe("the demo's verdict", () => {
  test('is identical when both readers agree and the source holds what was written', () => {
    const verdict = judge(topics, equal)
    assert.equal(verdict.identical, true)
    assert.deepEqual(verdict.problems, [])
    assert.deepEqual(verdict.topics, [
      { topic: 'orders', partitions: 2, source: 7, target: 7, verdict: 'identical' },
    ])
  })

  test('names topic, partition and offset of a missing record', () => {
    const lacking = {
      ...equalPartition(1, 4),
      verdict: 'different' as const,
      target: { records: 3, digest: 'other' },
      differences: { missing: 1, extra: 0, duplicated: 0, reordered: 0, altered: 0 },
      first: { kind: 'missing' as const, sourceOffset: '42', detail: 'it is not on the target' },
    }
    const verdict = judge(topics, findingsOf([equalPartition(0, 3), lacking]))
    assert.equal(verdict.identical, false)
    assert.deepEqual(verdict.problems, [
      'orders partition 1: 1 missing; first at us-east offset 42: it is not on the target',
    ])
    assert.equal(verdict.topics[0]?.verdict, 'different')
  })

  test('is not identical when a partition could not be read', () => {
    const unreadable = { ...equalPartition(1, 4), verdict: 'unreadable' as const, problem: 'no such topic' }
    const verdict = judge(topics, findingsOf([equalPartition(0, 3), unreadable]))
    assert.equal(verdict.identical, false)
    assert.deepEqual(verdict.problems, ['orders partition 1 could not be read to its end: no such topic'])
    assert.equal(verdict.topics[0]?.verdict, 'unreadable')
  })

  test('is not identical when two equal sides hold less than was written', () => {
    const verdict = judge([{ name: 'orders', partitions: 2, committed: 8 }], equal)
    assert.equal(verdict.identical, false)
    assert.deepEqual(verdict.problems, ['orders: 8 records were committed, but us-east holds 7'])
  })

  test('is not identical when kafkajs reads fewer records than we do', () => {
    const verdict = judge(topics, kafkajsReading({ records: 3 }))
    assert.equal(verdict.identical, false)
    assert.deepEqual(verdict.problems, ['orders partition 1: kafkajs reads 3 records of 4 on eu-west'])
  })

  test('is not identical when kafkajs reads other content', () => {
    const verdict = judge(topics, kafkajsReading({ digest: 'other' }))
    assert.equal(verdict.identical, false)
    assert.deepEqual(verdict.problems, [
      'orders partition 1: kafkajs reads other content on eu-west than on us-east',
    ])
  })

  test('is not identical when a partition was left out, or everything was', () => {
    assert.equal(judge(topics, findingsOf([equalPartition(0, 7)])).identical, false)
    assert.equal(judge([], findingsOf([])).identical, false)
  })
})
