import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FreshnessReport, freshnessTable, isFresh } from './freshness-table.ts'
import type { FreshnessResult } from './measure-freshness.ts'

const result: FreshnessResult = {
  by: 'offsets-topic',
  commitsPerSecond: 499.6,
  samples: 60_000,
  followedMs: { median: 204, p99: 812, max: 1301 },
  firstMs: { median: 210, p99: 900, max: 1400 },
  unseen: 0,
  wrong: 0,
  ahead: 0,
  cpu: 0.314,
  cpuWithoutCommits: 0.05,
  rssPeakBytes: 1,
  brokersCpu: { source: 0.3, target: 0.4 },
}
const report: FreshnessReport = {
  machine: {
    cpu: 'a CPU',
    cores: 2,
    memoryBytes: 1,
    kernel: 'linux',
    node: 'v24',
    java: '21',
    kafka: '4.3.1',
    date: '2026-11-23T00:00:00.000Z',
  },
  machineLoad: [1, 1, 1],
  goalMs: 1000,
  plan: {
    groups: 1000,
    partitions: 12,
    partitionsPerGroup: 3,
    everyMs: 2000,
    recordsPerSecond: 1200,
    baselineSeconds: 8,
    warmUpSeconds: 6,
    seconds: 40,
  },
  readable: result,
  polled: { ...result, by: 'polling', followedMs: { median: 500, p99: 999, max: 1600 } },
}

test('a row for each way to learn of commits', () => {
  const table = freshnessTable(report)
  const row =
    '| the offsets topic | 0.20 s / 0.81 s / 1.30 s | p99 <= 1 s | 0.21 s / 0.90 s / 1.40 s | 31 %, 5 % without commits |'
  assert.ok(table.includes(row), table)
  assert.match(table, /^\| polling, where that is not readable \| 0\.50 s \/ 1\.00 s \/ 1\.60 s /m)
  assert.match(table, /every 2 s \(500 and 500 commits\/s were reached\)/)
})

test('fresh means in time, all of it, and right', () => {
  assert.ok(isFresh(report))
  const late = { ...result, followedMs: { ...result.followedMs, p99: 1001 } }
  for (const wrong of [late, { ...result, unseen: 1 }, { ...result, wrong: 1 }, { ...result, ahead: 1 }]) {
    assert.equal(isFresh({ ...report, readable: wrong }), false)
    assert.equal(isFresh({ ...report, polled: wrong }), false)
  }
})
