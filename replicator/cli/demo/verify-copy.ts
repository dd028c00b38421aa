import { exitCode } from '../exit-codes.ts'
import type { Output } from '../output.ts'
import { type CompareCopyOptions, compareCopy } from './compare-copy.ts'
import { type DemoVerdict, type Findings, judge } from './judge.ts'
import { kafkajsClient } from './kafkajs-client.ts'
import { type ReadPartition, readThroughKafkajs } from './read-again.ts'
import type { WorkloadTally } from './run-workload.ts'
import type { Steps } from './steps.ts'
import { conclusion, counted, grouped, problemLines, verdictTable } from './verdict-text.ts'

/** The demo's answer, and what it rests on. */
export interface VerifiedCopy extends Findings {
  readonly verdict: DemoVerdict
}

/**
 * Compares the copy with its source twice: record by record with our own reader, then by what kafkajs consumers, which
 * share no code with it, find on either side.
 * @throws KafkaError or kafkajs's error when a cluster does not answer; the signal's reason
 */
export async function verifyCopy(
  options: Omit<CompareCopyOptions, 'onProgress'>,
  steps: Steps,
): Promise<VerifiedCopy> {
  const { source, target, topics, clock, signal } = options
  const comparing = steps.begin('Comparing record by record')
  const report = await compareCopy({
    ...options,
    onProgress: ({ partitionsDone, partitionsTotal, sourceRecords }) =>
      comparing.update(
        `Comparing record by record: ${counted(sourceRecords, 'record')}, ${partitionsDone} of ${partitionsTotal} partitions`,
      ),
  })
  comparing.done('Compared record by record', `${counted(report.partitions.length, 'partition')}`)

  const reading = steps.begin(`Reading ${source.alias} and ${target.alias} again with kafkajs`)
  const names = topics.map(({ name }) => name)
  const read = ({ alias, bootstrap }: typeof source) =>
    readThroughKafkajs({
      client: kafkajsClient(`demo-reader-${alias}`, bootstrap),
      topics: names,
      clock,
      signal,
    })
  // Both are waited for, so that a failure of one leaves no consumer of the other behind.
  const outcomes = await Promise.allSettled([read(source), read(target)])
  const [onSource = [], onTarget = []] = outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  })
  const kafkajs = { source: onSource, target: onTarget }
  reading.done(
    'Read again by kafkajs consumers',
    `${source.alias} ${grouped(recordsIn(onSource))}, ${target.alias} ${grouped(recordsIn(onTarget))}`,
  )
  return { report, kafkajs, verdict: judge(topics, { report, kafkajs }) }
}

/** How many records a client read in all. */
export function recordsIn(partitions: readonly ReadPartition[]): number {
  return partitions.reduce((sum, { records }) => sum + records, 0)
}

/** Prints the table and what is wrong; the conclusion is for the caller to print last. */
export function printVerdict(
  output: Output,
  verdict: DemoVerdict,
  tally?: Pick<WorkloadTally, 'topics'>,
): void {
  output.line('')
  for (const line of verdictTable(verdict, tally)) {
    const coloured = line.replace(/(identical|different|unreadable)$/, (word) =>
      output.styled(word === 'identical' ? 'green' : 'red', word),
    )
    output.line(coloured)
  }
  if (verdict.problems.length === 0) return
  output.line('')
  for (const line of problemLines(verdict)) output.line(output.styled('red', line))
}

/** Prints the answer in one line. @returns the exit code that says the same */
export function conclude(output: Output, verdict: DemoVerdict): number {
  output.line('')
  output.line(output.styled(['bold', verdict.identical ? 'green' : 'red'], conclusion(verdict)))
  return verdict.identical ? exitCode.ok : exitCode.failed
}
