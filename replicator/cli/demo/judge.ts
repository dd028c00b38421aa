import type { Difference, PartitionVerdict, VerifyReport } from '../../verify/report.ts'
import type { ReadPartition } from './read-again.ts'

/** A topic that was copied under its own name, and how many committed records it should hold where that is known. */
export interface CopiedTopic {
  readonly name: string
  readonly partitions: number
  readonly committed?: number
}

/** What the two readers found on both sides. */
export interface Findings {
  readonly report: VerifyReport
  readonly kafkajs: { readonly source: readonly ReadPartition[]; readonly target: readonly ReadPartition[] }
}

/** The answer about one topic. */
export interface TopicVerdict {
  readonly topic: string
  readonly partitions: number
  /** Committed records on either side. */
  readonly source: number
  readonly target: number
  readonly verdict: 'identical' | 'different' | 'unreadable'
}

/** The demo's answer. Plain data, so that JSON carries it. */
export interface DemoVerdict {
  /** Both readers found both sides equal, and the source holds what was written. */
  readonly identical: boolean
  readonly source: string
  readonly target: string
  readonly records: { readonly source: number; readonly target: number }
  readonly topics: readonly TopicVerdict[]
  /** What is wrong, with topic, partition and offset; empty when identical. */
  readonly problems: readonly string[]
}

/** Judges what was found. */
export function judge(topics: readonly CopiedTopic[], findings: Findings): DemoVerdict {
  const { report } = findings
  const verdicts = topics.map((topic) => judgeTopic(topic, report))
  const problems = [
    ...(topics.length === 0 ? ['No topic was compared'] : []),
    ...report.partitions.flatMap((partition) => comparisonProblems(partition, report)),
    ...topics.flatMap((topic) => partitionProblems(topic, report)),
    ...topics.flatMap((topic) => workloadProblems(topic, report)),
    ...report.partitions.flatMap((partition) => kafkajsProblems(partition, findings)),
  ]
  const { source, target, records } = report
  return {
    identical: report.identical && problems.length === 0,
    source,
    target,
    records,
    topics: verdicts,
    problems,
  }
}

function judgeTopic({ name, partitions }: CopiedTopic, report: VerifyReport): TopicVerdict {
  const its = report.partitions.filter(({ sourceTopic }) => sourceTopic === name)
  const verdicts = new Set(its.map(({ verdict }) => verdict))
  return {
    topic: name,
    partitions,
    source: its.reduce((sum, { source }) => sum + source.records, 0),
    target: its.reduce((sum, { target }) => sum + target.records, 0),
    verdict: verdicts.has('different')
      ? 'different'
      : verdicts.has('unreadable') || its.length !== partitions
        ? 'unreadable'
        : 'identical',
  }
}

function comparisonProblems(partition: PartitionVerdict, report: VerifyReport): readonly string[] {
  const { verdict, problem, first, differences } = partition
  const place = `${partition.sourceTopic} partition ${partition.partition}`
  if (verdict === 'identical') return []
  if (problem !== undefined) return [`${place} could not be read to its end: ${problem}`]
  const counts = Object.entries(differences)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ')
  if (first === undefined) return [`${place}: ${verdict}`]
  return [`${place}: ${counts}; first at ${offsetsOf(first, report)}: ${first.detail}`]
}

function partitionProblems({ name, partitions }: CopiedTopic, report: VerifyReport): readonly string[] {
  const compared = report.partitions.filter(({ sourceTopic }) => sourceTopic === name).length
  return compared === partitions ? [] : [`${name}: ${compared} of ${partitions} partitions were compared`]
}

function offsetsOf({ sourceOffset, targetOffset }: Difference, { source, target }: VerifyReport): string {
  const parts = [
    sourceOffset === undefined ? '' : `${source} offset ${sourceOffset}`,
    targetOffset === undefined ? '' : `${target} offset ${targetOffset}`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}

function workloadProblems({ name, committed }: CopiedTopic, report: VerifyReport): readonly string[] {
  const held = report.partitions
    .filter(({ sourceTopic }) => sourceTopic === name)
    .reduce((sum, { source }) => sum + source.records, 0)
  if (committed === undefined || held === committed) return []
  return [`${name}: ${committed} records were committed, but ${report.source} holds ${held}`]
}

function kafkajsProblems(partition: PartitionVerdict, { report, kafkajs }: Findings): readonly string[] {
  const place = `${partition.sourceTopic} partition ${partition.partition}`
  const read = (records: readonly ReadPartition[], topic: string) =>
    records.find((one) => one.topic === topic && one.partition === partition.partition)
  const source = read(kafkajs.source, partition.sourceTopic)
  const target = read(kafkajs.target, partition.targetTopic)
  const counted = [
    { alias: report.source, seen: source, records: partition.source.records },
    { alias: report.target, seen: target, records: partition.target.records },
  ]
  const miscounts = counted
    .filter(({ seen, records }) => (seen?.records ?? 0) !== records)
    .map(
      ({ alias, seen, records }) =>
        `${place}: kafkajs reads ${seen?.records ?? 0} records of ${records} on ${alias}`,
    )
  // Where the comparison has found a difference already, a second finding of it says nothing new.
  if (partition.verdict !== 'identical' || miscounts.length > 0)
    return partition.verdict === 'identical' ? miscounts : []
  if (source?.digest === target?.digest) return []
  return [`${place}: kafkajs reads other content on ${report.target} than on ${report.source}`]
}
