/** Records skipped and read again by groups that change clusters: the result's shape, and as text and Markdown. Pure. */
import type { Machine } from '../machine.ts'
import { type SystemName, systemLabels } from '../results.ts'
import {
  type FailoverPlan,
  type FailoverRun,
  type GroupOutcome,
  type Situation,
  situations,
} from './measure-failover.ts'

/** The file that `--offsets --json` writes. */
export interface FailoverReport {
  readonly machine: Machine
  readonly plan: FailoverPlan
  readonly mirrorMaker2: {
    readonly offsetLagMax: number
    /** Of checkpoints and of writing group offsets. */
    readonly intervalSeconds: number
    readonly offsetFlushMs: number
  }
  readonly runs: readonly FailoverRun[]
  readonly failures: readonly { readonly system: SystemName; readonly reason: string }[]
}

const situationTitles: Readonly<Record<Situation, string>> = {
  'at-rest': 'at rest',
  'under-load': 'under load',
}

const count = (number: number): string => number.toLocaleString('en-US')

/** The worse of a group's partitions, `skipped / read again`. */
function cell(outcome: GroupOutcome | undefined): string {
  if (outcome === undefined) return '-'
  const verdicts = outcome.partitions
  if (verdicts.some(({ kind }) => kind === 'no-commit')) return 'no commit'
  if (verdicts.some(({ kind }) => kind === 'out-of-range')) return 'out of range'
  const most = (pick: (of: { skipped: number; reread: number; missing: number }) => number) =>
    verdicts.reduce((max, each) => (each.kind === 'goes-on' ? Math.max(max, pick(each)) : max), 0)
  const missing = most((of) => of.missing)
  const rest = missing > 0 ? `, ${count(missing)} not copied` : ''
  return `${count(most((of) => of.skipped))} / ${count(most((of) => of.reread))}${rest}`
}

/** Markdown, and what it means. */
export function failoverTable(report: FailoverReport): string {
  const { plan, runs, machine, mirrorMaker2 } = report
  const columns = runs.flatMap(({ system, groups }) =>
    situations.map((situation) => ({ system, situation, groups })),
  )
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rows = plan.lags.map((lag) =>
    line([
      count(lag),
      ...columns.map(({ situation, groups }) =>
        cell(groups.find((group) => group.situation === situation && group.lag === lag)),
      ),
    ]),
  )
  const { offsetLagMax, intervalSeconds, offsetFlushMs } = mirrorMaker2
  return [
    line([
      'Lag, in records',
      ...columns.map(
        ({ system, situation }) =>
          `${systemLabels[system].replace(', as shipped', '')}, ${situationTitles[situation]}`,
      ),
    ]),
    line(['---', ...columns.map(() => '---')]),
    ...rows,
    '',
    `Records skipped / read again by a group that goes on at the target, the worse of ${plan.partitions} partitions. The source has markers of transactions and deleted records, so that offsets differ; \`under load\`, ${count(plan.loadPerSecond)} records/s were written to each partition all the time. MirrorMaker 2 with \`offset.lag.max\` at its default of ${offsetLagMax}; its intervals were shortened from 60 s to ${intervalSeconds} s (checkpoints, group offsets) and ${offsetFlushMs / 1000} s (offset flush), and it was given until nothing changed any more. ${machine.cpu}, ${machine.cores} cores; Kafka ${machine.kafka}; ${machine.date.slice(0, 10)}.`,
  ].join('\n')
}

/** For the terminal. */
export function renderFailover(report: FailoverReport): string {
  const failed = report.failures.map(({ system, reason }) => `${system} failed: ${reason}`)
  return `${[failoverTable(report), ...failed].join('\n')}\n`
}

/** Whether every group of Causeway goes on at the very next record. */
export function isExact({ runs, failures }: FailoverReport): boolean {
  const own = runs.filter(({ system }) => system === 'causeway')
  if (own.length === 0) return failures.every(({ system }) => system !== 'causeway')
  return own.every(({ groups }) =>
    groups.every(({ partitions }) =>
      partitions.every(
        (each) => each.kind === 'goes-on' && each.skipped === 0 && each.reread === 0 && each.missing === 0,
      ),
    ),
  )
}
