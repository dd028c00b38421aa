import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FailoverReport, failoverTable, isExact, renderFailover } from './failover-report.ts'
import { type FailoverRun, failoverPlan, type PartitionOutcome } from './measure-failover.ts'

const at = { partition: 0, sourcePosition: 100, targetPosition: 90 }
const exact: PartitionOutcome = { ...at, kind: 'goes-on', skipped: 0, reread: 0, missing: 0 }
const none: PartitionOutcome = { partition: 0, sourcePosition: 100, kind: 'no-commit' }
const goesOn = (counts: { skipped?: number; reread?: number; missing?: number }): PartitionOutcome => ({
  ...at,
  kind: 'goes-on',
  skipped: 0,
  reread: 0,
  missing: 0,
  ...counts,
})

function run(system: 'causeway' | 'mirrormaker2', ...partitions: PartitionOutcome[]): FailoverRun {
  return {
    system,
    groups: [
      { situation: 'at-rest', lag: 1000, partitions: [exact, exact] },
      { situation: 'under-load', lag: 1000, partitions },
    ],
    lastChangeSeconds: { 'at-rest': 1, 'under-load': 1 },
    seconds: 60,
  }
}

function report(...runs: FailoverRun[]): FailoverReport {
  return {
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
    plan: { ...failoverPlan(true), lags: [1000] },
    mirrorMaker2: { offsetLagMax: 100, intervalSeconds: 1, offsetFlushMs: 5000 },
    runs,
    failures: [],
  }
}

describe('the report of changed clusters', () => {
  test('shows the worse partition of each group', () => {
    const table = failoverTable(
      report(
        run('causeway', exact, exact),
        run('mirrormaker2', goesOn({ reread: 1200 }), goesOn({ skipped: 3, reread: 7 })),
      ),
    )
    assert.match(table, /^\| 1,000 \| 0 \/ 0 \| 0 \/ 0 \| 0 \/ 0 \| 3 \/ 1,200 \|$/m)
    assert.match(
      table,
      /^\| Lag, in records \| Causeway, at rest \| Causeway, under load \| MirrorMaker 2, at rest/,
    )
  })

  test('says where a group has nothing to go on from, or where the copy lacks records', () => {
    const table = failoverTable(
      report(
        run('causeway', exact, none),
        run('mirrormaker2', goesOn({ missing: 2 }), { ...at, kind: 'out-of-range' }),
      ),
    )
    assert.match(table, /^\| 1,000 \| 0 \/ 0 \| no commit \| 0 \/ 0 \| out of range \|$/m)
    assert.match(failoverTable(report(run('causeway', goesOn({ missing: 2 })))), /0 \/ 0, 2 not copied \|$/m)
  })

  test('is exact only if every group of ours is', () => {
    const rival = run('mirrormaker2', goesOn({ reread: 9 }))
    assert.ok(isExact(report(run('causeway', exact, exact), rival)))
    assert.ok(isExact(report(rival)))
    for (const wrong of [none, goesOn({ skipped: 1 }), goesOn({ reread: 1 }), goesOn({ missing: 1 })])
      assert.equal(isExact(report(run('causeway', exact, wrong), rival)), false, JSON.stringify(wrong))
    assert.equal(isExact({ ...report(rival), failures: [{ system: 'causeway', reason: 'stalled' }] }), false)
  })

  test('tells what failed', () => {
    const failed = { ...report(), failures: [{ system: 'mirrormaker2' as const, reason: 'stalled' }] }
    assert.match(renderFailover(failed), /^mirrormaker2 failed: stalled$/m)
  })
})
