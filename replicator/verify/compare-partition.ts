import type { TopicPartition } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { UnreadableError } from './broker-channels.ts'
import type { OffsetRange, RangeAnswer } from './committed-ranges.ts'
import { lateRecords } from './late-records.ts'
import { compareLatest } from './latest-per-key.ts'
import { PartitionComparison } from './partition-comparison.ts'
import { committedRecords, type Takes } from './partition-reader.ts'
import type { ReaderContext } from './reader-context.ts'
import { RecordStream } from './record-stream.ts'
import type { Difference, DifferenceCounts, DifferenceKind, PartitionVerdict } from './report.ts'

/** A source partition and the one it is copied to. */
export interface ComparedPartition {
  readonly source: TopicPartition
  readonly target: TopicPartition
}

export interface Sides {
  readonly source: ReaderContext
  readonly target: ReaderContext
}

export type CountRecords = (side: 'source' | 'target', records: number) => void

export interface PartitionTask {
  readonly task: ComparedPartition
  readonly sides: Sides
  readonly ranges: { readonly source: RangeAnswer; readonly target: RangeAnswer }
  readonly takes: { readonly source: Takes; readonly target: Takes }
  /** By the monotonic clock: until when the target is asked for more; `undefined` for not at all. */
  readonly settledByMs: number | undefined
  readonly mayBeginLater: boolean
  /** Asked when records differ: cleaners do not run at one time on both sides. */
  readonly isCompacted: () => Promise<boolean>
  readonly count: CountRecords
}

/** How many records are looked for to know where two logs of different beginnings meet. */
const ANCHORS_MAX = 1000

/**
 * Compares one partition. One that cannot be read is a verdict.
 * @throws the signal's reason once it aborts
 */
export async function comparePartition(options: PartitionTask): Promise<PartitionVerdict> {
  const { task, sides } = options
  const comparison = new PartitionComparison()
  let older: Older = {}
  let problem: string | undefined
  let byKey: readonly Difference[] | undefined
  try {
    older = await feed(comparison, options)
    if (comparison.result().first !== undefined && (await options.isCompacted()))
      byKey = await compareByKey(options)
  } catch (error) {
    sides.source.signal.throwIfAborted()
    if (!(error instanceof UnreadableError) && !(error instanceof KafkaError)) throw error
    problem = error.message
  }
  const inOrder = comparison.result()
  const { source, target } = inOrder
  const differences = byKey === undefined ? inOrder.differences : countsOf(byKey)
  const first = byKey === undefined ? inOrder.first : byKey[0]
  const verdict = problem !== undefined ? 'unreadable' : first !== undefined ? 'different' : 'identical'
  return {
    sourceTopic: task.source.topic,
    targetTopic: task.target.topic,
    partition: task.source.partition,
    verdict,
    ...(byKey === undefined ? {} : { by: 'key' as const }),
    source: { ...source, ...older.source },
    target: { ...target, ...older.target },
    differences,
    ...(first === undefined ? {} : { first }),
    ...(problem === undefined ? {} : { problem }),
  }
}

function compareByKey({ task, sides, ranges, takes }: PartitionTask): Promise<readonly Difference[]> {
  const side = (name: 'source' | 'target') => ({ at: task[name], context: sides[name], takes: takes[name] })
  return compareLatest(side('source'), side('target'), readable(ranges.source).until)
}

function countsOf(differences: readonly Difference[]): DifferenceCounts {
  const count = (kind: DifferenceKind) => differences.filter((difference) => difference.kind === kind).length
  return {
    missing: count('missing'),
    extra: count('extra'),
    duplicated: count('duplicated'),
    reordered: count('reordered'),
    altered: count('altered'),
  }
}

/** Records of one side from before the other one begins. */
interface Older {
  readonly source?: { readonly older: number }
  readonly target?: { readonly older: number }
}

async function feed(comparison: PartitionComparison, options: PartitionTask): Promise<Older> {
  const { task, sides, ranges, takes, settledByMs, count } = options
  const range = { source: readable(ranges.source), target: readable(ranges.target) }
  const streams = {
    source: new RecordStream(committedRecords(task.source, range.source, sides.source, takes.source)),
    target: new RecordStream(committedRecords(task.target, range.target, sides.target, takes.target)),
  }
  const older = await passOverOlder(streams, range, options)
  const late =
    settledByMs === undefined
      ? undefined
      : lateRecords(task.target, range.target.until, sides.target, takes.target, settledByMs)
  for (let need = comparison.advance(); need !== 'nothing'; need = comparison.advance()) {
    sides.source.signal.throwIfAborted()
    let records = await streams[need].next()
    if (records === undefined && need === 'target' && late !== undefined && !comparison.sourceIsSettled) {
      // One by one: what the source wrote after its range was decided must not be taken for too much.
      const next = await late.next()
      records = next.done ? undefined : [next.value]
    }
    if (records === undefined) {
      comparison.end(need)
    } else {
      comparison.offer(need, records)
      count(need, records.length)
    }
  }
  await late?.return(undefined)
  return older
}

/**
 * Where retention has deleted the source's first records, the target may still hold them; where the copy was begun
 * late, the source holds more. Finds where both logs meet and passes over what comes before.
 */
async function passOverOlder(
  { source, target }: { readonly source: RecordStream; readonly target: RecordStream },
  range: { readonly source: OffsetRange; readonly target: OffsetRange },
  { mayBeginLater }: PartitionTask,
): Promise<Older> {
  if (range.source.from > 0n) {
    const anchors = await source.peek(ANCHORS_MAX)
    const [first] = anchors
    // A target that lost records too may begin later: then only what is older by its time is passed over.
    const isOlder = (timestamp: bigint) =>
      range.target.from === 0n || first === undefined || timestamp < first.timestamp
    const older = await target.passOver(anchors, isOlder)
    if (older > 0) return { target: { older } }
  }
  if (mayBeginLater) {
    const older = await source.passOver(await target.peek(ANCHORS_MAX), () => true)
    if (older > 0) return { source: { older } }
  }
  return {}
}

function readable(answer: RangeAnswer): OffsetRange {
  if (answer.kind === 'failed') throw answer.error
  return answer.range
}
