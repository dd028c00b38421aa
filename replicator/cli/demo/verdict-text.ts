import { alignColumns } from '../output.ts'
import type { DemoResult } from './demo-result.ts'
import type { DemoVerdict } from './judge.ts'
import type { WorkloadTally } from './run-workload.ts'

/** `12,345`. */
export const grouped = (count: number): string => count.toLocaleString('en-US')

/** `1 record`, `2 records`. */
export const counted = (count: number, noun: string): string =>
  `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`

/** `0.4 s`. */
export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** The table of topics; what was written is left out where it is not known. */
export function verdictTable(
  verdict: DemoVerdict,
  tally: Pick<WorkloadTally, 'topics'> | undefined,
): readonly string[] {
  const written = (topic: string) => tally?.topics.get(topic) ?? { written: 0, aborted: 0 }
  const sum = (of: (row: DemoVerdict['topics'][number]) => number) =>
    verdict.topics.reduce((total, row) => total + of(row), 0)
  const head = ['written', 'aborted']
  const numbers = [
    ['partitions', ...(tally === undefined ? [] : head), verdict.source, verdict.target],
    ...verdict.topics.map(({ topic, partitions, source, target }) => {
      const { written: all, aborted } = written(topic)
      return [partitions, ...(tally === undefined ? [] : [all, aborted]), source, target].map(grouped)
    }),
    [
      sum(({ partitions }) => partitions),
      ...(tally === undefined
        ? []
        : [sum(({ topic }) => written(topic).written), sum(({ topic }) => written(topic).aborted)]),
      sum(({ source }) => source),
      sum(({ target }) => target),
    ].map(grouped),
  ]
  const widths =
    numbers[0]?.map((_, column) => Math.max(...numbers.map((row) => row[column]?.length ?? 0))) ?? []
  const right = (row: readonly string[]) => row.map((cell, column) => cell.padStart(widths[column] ?? 0))
  const first = ['topic', ...verdict.topics.map(({ topic }) => topic), 'all']
  const last = [
    'verdict',
    ...verdict.topics.map((topic) => topic.verdict),
    verdict.identical ? 'identical' : 'different',
  ]
  const rows = numbers.map((row, index) => [first[index] ?? '', ...right(row), last[index] ?? ''])
  const lines = alignColumns(rows)
  const rule = '-'.repeat(Math.max(...lines.map((line) => line.length)))
  return [lines[0] ?? '', rule, ...lines.slice(1, -1), rule, lines.at(-1) ?? '']
}

const problemsShown = 10

/** What is wrong, one line each. */
export function problemLines({ problems }: DemoVerdict): readonly string[] {
  const more = problems.length - problemsShown
  return [...problems.slice(0, problemsShown), ...(more > 0 ? [`and ${counted(more, 'more problem')}`] : [])]
}

/** The answer in one line. */
export function conclusion({ identical, records, topics, source, target, problems }: DemoVerdict): string {
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions, 0)
  if (identical) {
    return `IDENTICAL: ${counted(records.source, 'record')} in ${counted(partitions, 'partition')}, equal in order, key, value, headers and timestamp`
  }
  const wrong = topics.filter(({ verdict }) => verdict !== 'identical').map(({ topic }) => topic)
  const where = wrong.length === 0 ? `${counted(problems.length, 'problem')}, see above` : wrong.join(', ')
  return `DIFFERENT: ${target} is not what ${source} is (${where})`
}

/** What just happened, in a few sentences that the table does not say. */
export function story(result: DemoResult): readonly string[] {
  const { workload, replication, source, target, coldStartMs } = result
  const { transactions } = workload
  const reencoded = Object.values(replication.reencoded).reduce((sum, count) => sum + count, 0)
  const untouched = replication.batches - reencoded
  return [
    `Aborted records never left ${source.alias}: ${grouped(workload.aborted)} of them, in ${grouped(transactions.aborted)} of ${counted(transactions.committed + transactions.aborted, 'transaction')}.`,
    `${grouped(untouched)} batches passed through as they came, lz4, gzip or plain; ${reencoded === 0 ? 'none was' : `${grouped(reencoded)} were`} re-encoded.`,
    ...result.lateTopics.map(
      ({ topic, copiedAfterMs }) =>
        `${topic} was created while all this ran; ${target.alias} had it ${seconds(copiedAfterMs)} later, from its first record on.`,
    ),
    `kafkajs, a client of another hand, read both sides too: ${
      result.kafkajs.source === result.kafkajs.target
        ? `${counted(result.kafkajs.source, 'record')} each.`
        : `${grouped(result.kafkajs.source)} and ${counted(result.kafkajs.target, 'record')}.`
    }`,
    `Cold start: ${seconds(coldStartMs)} from starting the brokers to the first record in ${target.alias}.`,
  ]
}
