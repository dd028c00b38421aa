import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster, TopicPartition } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { BrokerChannels, UnreadableError } from './broker-channels.ts'
import { committedRanges, type OffsetRange, type RangeAnswer } from './committed-ranges.ts'
import { PartitionComparison } from './partition-comparison.ts'
import { committedRecords } from './partition-reader.ts'
import type { ReaderContext } from './reader-context.ts'
import type { PartitionVerdict, VerifyReport } from './report.ts'

export interface ComparedPair {
  readonly sourceTopic: string
  readonly targetTopic: string
  readonly partitions: readonly number[]
}

export interface CompareProgress {
  readonly partitionsDone: number
  readonly partitionsTotal: number
  readonly sourceRecords: number
  readonly targetRecords: number
}

export interface CompareOptions {
  readonly source: Cluster
  readonly target: Cluster
  readonly pairs: readonly ComparedPair[]
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  /** Called after every piece that was read. */
  readonly onProgress?: (progress: CompareProgress) => void
  /** Partitions compared at the same time; 4 by default. Each takes some MiB, more where the sides differ. */
  readonly concurrency?: number
}

const concurrencyDefault = 4

/**
 * Compares target topics with their sources, record by record and in order: key, value, headers and timestamp.
 * Both sides are read as a read_committed consumer reads them, from their beginning up to the last stable offsets at
 * the start of the comparison; so the answer is about a copy that had caught up by then.
 *
 * A partition that cannot be read is part of the report.
 * @throws the signal's reason once it aborts; KafkaError when a cluster does not tell its offsets at all
 */
export async function compareTopics(options: CompareOptions): Promise<VerifyReport> {
  const { source, target, clock, random } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  signal.throwIfAborted()
  const sides: Sides = {
    source: { channels: new BrokerChannels(source, signal), clock, random, signal },
    target: { channels: new BrokerChannels(target, signal), clock, random, signal },
  }
  try {
    return reportOf(options, await compareAll(options, sides, (error) => stop.abort(error)))
  } finally {
    stop.abort(new Error('the comparison is over'))
    await Promise.all([sides.source.channels.close(), sides.target.channels.close()])
  }
}

interface Task {
  readonly source: TopicPartition
  readonly target: TopicPartition
}

interface Sides {
  readonly source: ReaderContext
  readonly target: ReaderContext
}

type CountRecords = (side: 'source' | 'target', records: number) => void

async function compareAll(
  { pairs, onProgress, concurrency = concurrencyDefault }: CompareOptions,
  sides: Sides,
  stop: (error: unknown) => void,
): Promise<readonly PartitionVerdict[]> {
  const tasks = pairs.flatMap(({ sourceTopic, targetTopic, partitions }) =>
    partitions.map(
      (partition): Task => ({
        source: { topic: sourceTopic, partition },
        target: { topic: targetTopic, partition },
      }),
    ),
  )
  const progress = { partitionsDone: 0, partitionsTotal: tasks.length, sourceRecords: 0, targetRecords: 0 }
  const [sourceRanges, targetRanges] = await Promise.all(
    (['source', 'target'] as const).map((side) =>
      committedRanges(
        tasks.map((task) => task[side]),
        sides[side],
      ),
    ),
  )
  const count: CountRecords = (side, records) => {
    progress[side === 'source' ? 'sourceRecords' : 'targetRecords'] += records
    onProgress?.({ ...progress })
  }
  const verdicts = new Array<PartitionVerdict>(tasks.length)
  const queue = tasks.entries()
  const worker = async () => {
    for (const [index, task] of queue) {
      const source = sourceRanges?.[index]
      const target = targetRanges?.[index]
      if (source === undefined || target === undefined) throw new Error('a partition without its ranges')
      sides.source.signal.throwIfAborted()
      verdicts[index] = await comparePartition(task, sides, { source, target }, count)
      progress.partitionsDone++
      onProgress?.({ ...progress })
    }
  }
  // A failing worker stops the others, and all of them are waited for, so that nothing reads on afterwards.
  const workers = Array.from({ length: concurrency }, worker)
  for (const working of workers) working.catch(stop)
  for (const outcome of await Promise.allSettled(workers)) {
    if (outcome.status === 'rejected') sides.source.signal.throwIfAborted()
  }
  return verdicts
}

async function comparePartition(
  task: Task,
  sides: Sides,
  ranges: { readonly source: RangeAnswer; readonly target: RangeAnswer },
  count: CountRecords,
): Promise<PartitionVerdict> {
  const comparison = new PartitionComparison()
  let problem: string | undefined
  try {
    await feed(comparison, task, sides, ranges, count)
  } catch (error) {
    sides.source.signal.throwIfAborted()
    if (!(error instanceof UnreadableError) && !(error instanceof KafkaError)) throw error
    problem = error.message
  }
  const { source, target, differences, first } = comparison.result()
  const verdict = problem !== undefined ? 'unreadable' : first !== undefined ? 'different' : 'identical'
  return {
    sourceTopic: task.source.topic,
    targetTopic: task.target.topic,
    partition: task.source.partition,
    verdict,
    source,
    target,
    differences,
    ...(first === undefined ? {} : { first }),
    ...(problem === undefined ? {} : { problem }),
  }
}

async function feed(
  comparison: PartitionComparison,
  task: Task,
  sides: Sides,
  ranges: { readonly source: RangeAnswer; readonly target: RangeAnswer },
  count: CountRecords,
): Promise<void> {
  const records = {
    source: committedRecords(task.source, readable(ranges.source), sides.source),
    target: committedRecords(task.target, readable(ranges.target), sides.target),
  }
  for (let need = comparison.advance(); need !== 'nothing'; need = comparison.advance()) {
    sides.source.signal.throwIfAborted()
    const piece = await records[need].next()
    if (piece.done) {
      comparison.end(need)
    } else {
      comparison.offer(need, piece.value)
      count(need, piece.value.length)
    }
  }
}

function readable(answer: RangeAnswer): OffsetRange {
  if (answer.kind === 'failed') throw answer.error
  return answer.range
}

function reportOf({ source, target }: CompareOptions, verdicts: readonly PartitionVerdict[]): VerifyReport {
  const sum = (side: 'source' | 'target') =>
    verdicts.reduce((total, verdict) => total + verdict[side].records, 0)
  return {
    identical: verdicts.length > 0 && verdicts.every(({ verdict }) => verdict === 'identical'),
    source: source.alias,
    target: target.alias,
    records: { source: sum('source'), target: sum('target') },
    partitions: verdicts,
  }
}
