import type { OffsetAnswer, TopicPartition } from '../kafka/cluster.ts'
import { isRetriable, type KafkaError, protocolError } from '../kafka/errors.ts'
import type { ReaderContext } from './reader-context.ts'

/** The offsets to read: `from` included, `until` not. */
export interface OffsetRange {
  readonly from: bigint
  readonly until: bigint
}

export type RangeAnswer =
  | { readonly kind: 'range'; readonly range: OffsetRange }
  | { readonly kind: 'failed'; readonly error: KafkaError }

const attemptsMax = 10
const looksMax = 5
const retryPauseMs = 200
const UNKNOWN_TOPIC_OR_PARTITION = 3

/**
 * What each partition holds of committed records now: from its log's start to its last stable offset. Answers are in
 * the order of the partitions; one partition's failure is its own.
 * @throws KafkaError when the cluster does not answer at all
 */
export async function committedRanges(
  partitions: readonly TopicPartition[],
  context: ReaderContext,
): Promise<readonly RangeAnswer[]> {
  const absent = await absentAmong(partitions, context)
  const answers = partitions.map((at) => absent.get(at))
  let pending = [...partitions.entries()].filter(([index]) => answers[index] === undefined)
  for (let attempt = 1; pending.length > 0; attempt++) {
    const again: [number, TopicPartition][] = []
    const listed = await listRanges(pending, context)
    for (const [index, at] of pending) {
      const answer = listed.get(index)
      if (answer === undefined) throw new Error(`no answer about "${at.topic}" partition ${at.partition}`)
      answers[index] = answer
      if (answer.kind === 'failed' && isRetriable(answer.error) && attempt < attemptsMax)
        again.push([index, at])
    }
    pending = again
    if (pending.length > 0) await context.clock.sleep(retryPauseMs, context.signal)
  }
  return answers.filter((answer) => answer !== undefined)
}

/**
 * Partitions that the cluster does not have: it would be asked for their offsets for as long as it takes. A topic that
 * was just created may be unknown for a moment.
 */
async function absentAmong(
  partitions: readonly TopicPartition[],
  { channels: { cluster }, clock, signal }: ReaderContext,
): Promise<ReadonlyMap<TopicPartition, RangeAnswer>> {
  const names = [...new Set(partitions.map(({ topic }) => topic))]
  for (let attempt = 1; ; attempt++) {
    const lookups = await cluster.describeTopics(names, signal)
    const isAbsent = ({ topic, partition }: TopicPartition): boolean => {
      const lookup = lookups.get(topic)
      if (lookup?.kind === 'found') return lookup.topic.partitions.length <= partition
      return lookup?.kind === 'missing'
    }
    const absent = partitions.filter(isAbsent)
    if (absent.length === 0 || attempt >= looksMax) {
      const error = ({ topic, partition }: TopicPartition) =>
        protocolError(UNKNOWN_TOPIC_OR_PARTITION, { cluster: cluster.alias, topic, partition })
      return new Map(absent.map((at) => [at, { kind: 'failed', error: error(at) }]))
    }
    await clock.sleep(retryPauseMs, signal)
  }
}

async function listRanges(
  pending: readonly (readonly [number, TopicPartition])[],
  { channels, signal }: ReaderContext,
): Promise<ReadonlyMap<number, RangeAnswer>> {
  const { cluster } = channels
  const starts = await cluster.listOffsets(
    pending.map(([, at]) => ({ ...at, at: 'earliest' })),
    signal,
  )
  const ends = await cluster.listOffsets(
    pending.map(([, at]) => ({ ...at, at: 'last-stable' })),
    signal,
  )
  return new Map(pending.map(([index], i) => [index, rangeOf(starts[i], ends[i])]))
}

function rangeOf(start: OffsetAnswer | undefined, end: OffsetAnswer | undefined): RangeAnswer {
  if (start === undefined || end === undefined) throw new Error('fewer answers than questions')
  if (!start.result.ok) return { kind: 'failed', error: start.result.error }
  if (!end.result.ok) return { kind: 'failed', error: end.result.error }
  return { kind: 'range', range: { from: start.result.value.offset, until: end.result.value.offset } }
}
