/** How soon groups are followed, as the README shows it: from the committed result alone. Pure. */
import type { Machine } from '../machine.ts'
import type { FreshnessPlan, FreshnessResult, Times } from './measure-freshness.ts'

/** The file that `npm run bench:groups -- --json` writes. */
export interface FreshnessReport {
  readonly machine: Machine
  /** Of the last 1, 5 and 15 minutes: more than the cores can do means that others were at work too. */
  readonly machineLoad: readonly number[]
  readonly goalMs: number
  readonly plan: FreshnessPlan
  readonly readable: FreshnessResult
  readonly polled: FreshnessResult
}

const count = (number: number): string => Math.round(number).toLocaleString('en-US')
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`
const times = ({ median, p99, max }: Times): string => [median, p99, max].map(seconds).join(' / ')
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`

/** Markdown, and what it means. */
export function freshnessTable({ machine, goalMs, plan, readable, polled }: FreshnessReport): string {
  const row = (title: string, result: FreshnessResult): string => {
    const cells = [
      title,
      times(result.followedMs),
      `p99 <= ${goalMs / 1000} s`,
      times(result.firstMs),
      `${percent(result.cpu)}, ${percent(result.cpuWithoutCommits)} without commits`,
    ]
    return `| ${cells.join(' | ')} |`
  }
  const rates = [readable, polled].map(({ commitsPerSecond }) => count(commitsPerSecond)).join(' and ')
  return [
    '| Commits are learnt from | followed after, median / p99 / max | goal | after a pause | CPU of a core |',
    '| --- | --- | --- | --- | --- |',
    row('the offsets topic', readable),
    row('polling, where that is not readable', polled),
    '',
    `${count(plan.groups)} groups that keep up with ${count(plan.recordsPerSecond)} records/s, each committing ${plan.partitionsPerGroup} partitions every ${plan.everyMs / 1000} s (${rates} commits/s were reached), from the source's acknowledgement until the target's coordinator had written the copy's offset. ${machine.cpu}, ${machine.cores} cores, shared by brokers, replicator and measuring process; Kafka ${machine.kafka}, Node ${machine.node}; ${machine.date.slice(0, 10)}.`,
  ].join('\n')
}

/** Whether commits were followed in time, all of them, and to the right offset. */
export function isFresh({ goalMs, readable, polled }: FreshnessReport): boolean {
  return [readable, polled].every(
    ({ followedMs, unseen, wrong, ahead }) => followedMs.p99 <= goalMs && unseen + wrong + ahead === 0,
  )
}
