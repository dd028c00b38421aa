import type { DifferenceKind, PartitionVerdict, VerifyReport } from './report.ts'

const kinds: readonly DifferenceKind[] = ['missing', 'extra', 'duplicated', 'reordered', 'altered']
const leftAligned = new Set(['topic', 'copy', 'digest', 'verdict'])
/** Enough to tell two contents apart; the report has all of it. */
const DIGEST_LENGTH = 8

/** The report as an aligned table, what is wrong below it, and the verdict as the last line. No final newline. */
export function formatVerdict(report: VerifyReport): string {
  const header = ['topic', 'copy', 'partition', report.source, report.target, 'digest', 'verdict']
  const rows = report.partitions.map((partition) => [
    partition.sourceTopic,
    partition.targetTopic,
    `${partition.partition}`,
    grouped(partition.source.records),
    grouped(partition.target.records),
    digestOf(partition),
    verdictOf(partition),
  ])
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return leftAligned.has(header[column] ?? '') ? cell.padEnd(width) : cell.padStart(width)
      })
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [line(header), rule, ...rows.map(line), ...explanations(report), '', conclusion(report)].join('\n')
}

function verdictOf({ verdict, differences, by }: PartitionVerdict): string {
  if (verdict === 'identical' && by === 'key') return 'identical by key'
  if (verdict !== 'different') return verdict
  const counts = kinds
    .filter((kind) => differences[kind] > 0)
    .map((kind) => `${grouped(differences[kind])} ${kind}`)
  return counts.join(', ')
}

/** One digest where both sides agree. */
function digestOf({ source, target }: PartitionVerdict): string {
  const [a, b] = [source, target].map(({ digest }) => digest.slice(0, DIGEST_LENGTH))
  return source.digest === target.digest ? `${a}` : `${a} ${b}`
}

function explanations(report: VerifyReport): readonly string[] {
  const lines = report.partitions.flatMap((partition) => {
    const place = `${partition.sourceTopic}-${partition.partition}`
    if (partition.problem !== undefined) return [`${place}: ${partition.problem}`]
    return [...olderLines(place, partition, report), ...differenceLines(place, partition, report)]
  })
  return lines.length === 0 ? [] : ['', ...lines]
}

function olderLines(place: string, { source, target }: PartitionVerdict, report: VerifyReport): string[] {
  const lines: string[] = []
  const records = (count: number) => `${grouped(count)} older record${count === 1 ? '' : 's'}`
  if (target.older !== undefined)
    lines.push(
      `${place}: ${report.target} still has ${records(target.older)} that ${report.source} has deleted`,
    )
  if (source.older !== undefined)
    lines.push(`${place}: ${report.source} has ${records(source.older)} from before the copy was begun`)
  return lines
}

function differenceLines(place: string, { first }: PartitionVerdict, report: VerifyReport): string[] {
  if (first === undefined) return []
  const at = [
    first.sourceOffset === undefined ? undefined : `${report.source} offset ${first.sourceOffset}`,
    first.targetOffset === undefined ? undefined : `${report.target} offset ${first.targetOffset}`,
  ].filter((part) => part !== undefined)
  return [`${place}: first difference at ${at.join(', ')}: ${first.kind}; ${first.detail}`]
}

function conclusion(report: VerifyReport): string {
  const { partitions, records } = report
  const counted = (count: number, noun: string) => `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
  const all = counted(partitions.length, 'partition')
  if (report.identical) {
    const byKey = partitions.filter(({ by }) => by === 'key').length
    const cleaned = byKey === 0 ? '' : `; ${grouped(byKey)} compacted, by the last record of each key`
    return `IDENTICAL: ${counted(records.source, 'record')} in ${all}, equal in order, key, value, headers and timestamp${cleaned}`
  }
  const different = partitions.filter(({ verdict }) => verdict === 'different').length
  const unreadable = partitions.filter(({ verdict }) => verdict === 'unreadable').length
  const parts = [
    different > 0 ? `${grouped(different)} of ${all} differ` : undefined,
    unreadable > 0 ? `${grouped(unreadable)} of ${all} could not be read to the end` : undefined,
    partitions.length === 0 ? 'nothing was compared' : undefined,
  ].filter((part) => part !== undefined)
  return `${different > 0 ? 'DIFFERENT' : 'NOT VERIFIED'}: ${parts.join('; ')}`
}

/** Thousands apart, without a locale's surprises. */
function grouped(count: number): string {
  return `${count}`.replaceAll(/\B(?=(\d{3})+$)/g, ' ')
}
