/** What exactly-once survives and costs, as the README shows it: from the committed results alone. Pure. */

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
  readonly runs: { readonly now: readonly unknown[] }
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

const count = (number: number): string => number.toLocaleString('en-US')
const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, one) => total + one, 0)
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`

/** Rows of Markdown, one for each result. */
export function exactlyOnceTable(results: {
  readonly kills: KillsResult
  readonly overhead: OverheadResult
  readonly takeover: TakeoverResult
}): string {
  const { kills, overhead, takeover } = results
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
      `CPU per GB against copying at least once (${overhead.runs.now.length} alternating rounds)`,
      `${percent(overhead.ratioOfMedians)} (ratio of medians), by round ${percent(overhead.ratioByRound.min)} to ${percent(overhead.ratioByRound.max)}, median ${percent(overhead.ratioByRound.median)}`,
      '<= 3 %',
    ],
  ]
  return [
    '| | measured | goal |',
    '| --- | --- | --- |',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')
}
