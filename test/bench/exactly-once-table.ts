/** What exactly-once survives and costs, as the README shows it: from the committed results alone. Pure. */

import { spreadOf } from './statistics.ts'

export interface KillsResult {
  readonly kills: Readonly<Record<string, number>>
  readonly brokerRestarts: Readonly<Record<string, number>>
  readonly records: { readonly target: number }
  readonly lost: number
  readonly duplicated: number
  readonly reordered: number
}

export interface OverheadResult {
  readonly ratioOfMedians: number
  readonly ratioByRound: { readonly min: number; readonly median: number; readonly max: number }
  readonly runs: Readonly<Record<'before' | 'now', readonly OverheadRun[]>>
}

interface OverheadRun {
  readonly cpuSecondsPerGB: number
  /** Of the whole process. */
  readonly cpuSecondsTotal: number
}

interface Times {
  readonly median: number
  readonly p99: number
}

export interface TakeoverResult {
  readonly partitions: number
  readonly sessionTimeoutMs: number
  readonly restart: { readonly takeovers: number; readonly firstMs: Times; readonly processMs: Times }
  readonly standby: { readonly takeovers: number; readonly firstMs?: Times }
}

interface Lags {
  readonly untouched: { readonly records: number; readonly latencyMs: { readonly p99: number } }
}

export interface RollingRestartResult {
  readonly goalMs: number
  readonly load: { readonly recordsPerSecond: number; readonly replicas: number }
  /** Without and with static membership. */
  readonly dynamic: Lags
  readonly static: Lags
}

const count = (number: number): string => number.toLocaleString('en-US')
const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, one) => total + one, 0)
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`

/** What else the machine does only ever adds to a run: the best one is the least disturbed. */
const best = (runs: readonly OverheadRun[]): number =>
  Math.min(...runs.map(({ cpuSecondsPerGB }) => cpuSecondsPerGB))

/** The median of whole processes. */
const totalOf = (runs: readonly OverheadRun[]): number =>
  spreadOf(runs.map(({ cpuSecondsTotal }) => cpuSecondsTotal)).median

function overheadRow(
  what: string,
  { runs, ratioOfMedians, ratioByRound }: OverheadResult,
): readonly string[] {
  const bestRuns = percent(best(runs.now) / best(runs.before))
  const byRound = `by round ${percent(ratioByRound.min)} to ${percent(ratioByRound.max)}, median ${percent(ratioByRound.median)}`
  const whole = percent(totalOf(runs.now) / totalOf(runs.before))
  return [
    `${what} (${runs.now.length} alternating rounds)`,
    `${percent(ratioOfMedians)} (medians), ${bestRuns} (best runs), ${byRound}; of the whole process with its start ${whole}`,
    '<= 3 %',
  ]
}

/** Rows of Markdown, one for each result. */
export function exactlyOnceTable(results: {
  readonly kills: KillsResult
  /** Of exactly-once alone, and of the offset maps alone. */
  readonly overhead: OverheadResult
  readonly maps: OverheadResult
  readonly takeover: TakeoverResult
  readonly rolling: RollingRestartResult
}): string {
  const { kills, overhead, maps, takeover, rolling } = results
  const { restart, standby, partitions } = takeover
  const rows = [
    [
      `${sum(kills.kills)} \`kill -9\`s of the replicator and ${sum(kills.brokerRestarts)} broker restarts under load`,
      `${count(kills.records.target)} records: ${kills.lost} lost, ${kills.duplicated} duplicated, ${kills.reordered} reordered`,
      '0',
    ],
    [
      `\`kill -9\` to the first new record, ${count(partitions)} partitions, restarted at once (${restart.takeovers} times)`,
      `median ${seconds(restart.firstMs.median)}, p99 ${seconds(restart.firstMs.p99)}, of which the process takes ${seconds(restart.processMs.median)} to start`,
      'p99 <= 3 s',
    ],
    ...(standby.firstMs === undefined
      ? []
      : [
          [
            `the same with a standby replica (${standby.takeovers} times), session timeout ${seconds(takeover.sessionTimeoutMs)}`,
            `median ${seconds(standby.firstMs.median)}, p99 ${seconds(standby.firstMs.p99)}`,
            '-',
          ],
        ]),
    [
      `lag of shards that stay, while ${rolling.load.replicas} replicas restart one by one at ${count(rolling.load.recordsPerSecond)} records/s`,
      `p99 ${seconds(rolling.dynamic.untouched.latencyMs.p99)}; as static members ${seconds(rolling.static.untouched.latencyMs.p99)}`,
      `p99 < ${rolling.goalMs / 1000} s`,
    ],
    overheadRow('CPU per GB of exactly-once, against copying at least once', overhead),
    overheadRow('CPU per GB of keeping offset maps', maps),
  ]
  return [
    '| | measured | goal |',
    '| --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')
}
