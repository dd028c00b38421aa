import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { BrokerChannels } from './broker-channels.ts'
import { committedRanges } from './committed-ranges.ts'
import {
  type ComparedPartition,
  type CountRecords,
  comparePartition,
  type Sides,
} from './compare-partition.ts'
import type { Takes } from './partition-reader.ts'
import type { ReaderContext } from './reader-context.ts'
import type { PartitionVerdict, VerifyReport } from './report.ts'

export interface ComparedPair {
  readonly sourceTopic: string
  readonly targetTopic: string
  readonly partitions: readonly number[]
}

/** Which batches are compared: topics of one name can hold what others wrote. */
export interface TakenBatches {
  readonly source: Takes
  readonly target: Takes
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
  /** Asked once it is decided how far the comparison goes, so that it knows every producer up to there. Default: all. */
  readonly takes?: (signal: AbortSignal) => Promise<TakenBatches>
  /**
   * How long the target may take, from the start, to show what the source has, in milliseconds; for flows that are at
   * work. 0 by default: what is not there at the start is missing.
   */
  readonly settleMs?: number
  /** Whether the copy may begin later than its source, as that of a flow that started at the latest records. */
  readonly mayBeginLater?: boolean
  /** Called after every piece that was read. */
  readonly onProgress?: (progress: CompareProgress) => void
  /** Partitions compared at the same time; 4 by default. Each takes some MiB, more where the sides differ. */
  readonly concurrency?: number
}

const concurrencyDefault = 4

/**
 * Compares target topics with their sources, record by record and in order: key, value, headers and timestamp.
 * Both sides are read as a read_committed consumer reads them, from their beginning up to the last stable offsets at
 * the start of the comparison; so the answer is about a copy that had caught up by then, or within `settleMs`.
 * Records at the beginning of the target that its source has deleted are counted and otherwise left out.
 *
 * Where a compacted topic differs, the last record of each key decides: the cleaner may have been at one side only.
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

async function compareAll(
  options: CompareOptions,
  sides: Sides,
  stop: (error: unknown) => void,
): Promise<readonly PartitionVerdict[]> {
  const { pairs, onProgress, concurrency = concurrencyDefault, settleMs = 0, mayBeginLater = false } = options
  const tasks = pairs.flatMap(({ sourceTopic, targetTopic, partitions }) =>
    partitions.map(
      (partition): ComparedPartition => ({
        source: { topic: sourceTopic, partition },
        target: { topic: targetTopic, partition },
      }),
    ),
  )
  const progress = { partitionsDone: 0, partitionsTotal: tasks.length, sourceRecords: 0, targetRecords: 0 }
  const rangesOf = (side: 'source' | 'target') =>
    committedRanges(
      tasks.map((task) => task[side]),
      sides[side],
    )
  // The target first: then whatever it holds by now lies within the source's range.
  const targetRanges = await rangesOf('target')
  const sourceRanges = await rangesOf('source')
  const takes = (await options.takes?.(sides.source.signal)) ?? { source: () => true, target: () => true }
  const settledByMs = settleMs === 0 ? undefined : sides.target.clock.monotonicMs() + settleMs
  const count: CountRecords = (side, records) => {
    progress[side === 'source' ? 'sourceRecords' : 'targetRecords'] += records
    onProgress?.({ ...progress })
  }
  const verdicts = new Array<PartitionVerdict>(tasks.length)
  const queue = tasks.entries()
  const worker = async () => {
    for (const [index, task] of queue) {
      const source = sourceRanges[index]
      const target = targetRanges[index]
      if (source === undefined || target === undefined) throw new Error('a partition without its ranges')
      sides.source.signal.throwIfAborted()
      verdicts[index] = await comparePartition({
        task,
        sides,
        ranges: { source, target },
        takes,
        settledByMs,
        mayBeginLater,
        isCompacted: async () =>
          (await isCompacted(sides.source, task.source.topic)) ||
          (await isCompacted(sides.target, task.target.topic)),
        count,
      })
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

/** Not as far as it is known, where the principal may not see configs. */
async function isCompacted({ channels, signal }: ReaderContext, topic: string): Promise<boolean> {
  const described = (await channels.cluster.describeTopicConfigs([topic], signal)).get(topic)
  if (described?.ok !== true) return false
  const policy = described.value.find(({ name }) => name === 'cleanup.policy')
  return policy?.value?.split(',').includes('compact') === true
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
