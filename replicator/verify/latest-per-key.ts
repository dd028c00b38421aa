import type { TopicPartition } from '../kafka/cluster.ts'
import type { RecordFingerprint } from '../records/record-fingerprint.ts'
import { committedRanges, type OffsetRange } from './committed-ranges.ts'
import { committedRecords, type Takes } from './partition-reader.ts'
import type { ReaderContext } from './reader-context.ts'
import type { Difference } from './report.ts'

/** What one side of a compacted partition says about a key. */
interface Latest {
  /** The last record that counts; `undefined` when others alone wrote the key. */
  readonly own: RecordFingerprint | undefined
  /** Where the last record of others is. */
  readonly otherAt: bigint | undefined
}

export interface LatestSide {
  readonly at: TopicPartition
  readonly context: ReaderContext
  readonly takes: Takes
}

/**
 * Compares two compacted partitions by what counts there: the last record of each key. The cleaner of either side may
 * have removed any record that a later one of its key replaces, and a delete some time after it. Keys that change
 * while they are read are left out. Takes memory for every key.
 * @param until where the source ended when the comparison began
 * @returns every difference, in the order of the source
 * @throws UnreadableError, KafkaError when a side cannot be read
 */
export async function compareLatest(
  source: LatestSide,
  target: LatestSide,
  until: bigint,
): Promise<readonly Difference[]> {
  // The target first: whatever it holds by now lies within what is then read of the source.
  const onTarget = await latestOf(target)
  const onSource = await latestOf(source)
  const differences: Difference[] = []
  for (const key of new Set([...onSource.keys(), ...onTarget.keys()])) {
    const here = onSource.get(key)
    const isChanging = here?.own !== undefined && here.own.offset >= until
    const difference = isChanging ? undefined : differenceOf(here, onTarget.get(key))
    if (difference !== undefined) differences.push(difference)
  }
  return differences
}

function differenceOf(source: Latest | undefined, target: Latest | undefined): Difference | undefined {
  const [expected, actual] = [source?.own, target?.own]
  if (expected?.whole === actual?.whole) return undefined
  // Where somebody else has replaced the key since, the cleaner owes neither side anything.
  if (isReplaced(source) || isReplaced(target)) return undefined
  if (expected === undefined || actual === undefined) {
    const only = expected ?? actual
    if (only === undefined || only.valueBytes === undefined) return undefined
  }
  const offsets = {
    ...(expected === undefined ? {} : { sourceOffset: `${expected.offset}` }),
    ...(actual === undefined ? {} : { targetOffset: `${actual.offset}` }),
  }
  if (actual === undefined)
    return { kind: 'missing', ...offsets, detail: 'the last record of its key is not on the target' }
  if (expected === undefined)
    return { kind: 'extra', ...offsets, detail: 'the source has no record of its key' }
  return { kind: 'altered', ...offsets, detail: 'the last records of their key differ' }
}

function isReplaced(latest: Latest | undefined): boolean {
  if (latest?.otherAt === undefined) return false
  return latest.own === undefined || latest.otherAt > latest.own.offset
}

async function latestOf({ at, context, takes }: LatestSide): Promise<ReadonlyMap<string, Latest>> {
  const [answer] = await committedRanges([at], context)
  if (answer?.kind === 'failed') throw answer.error
  const range: OffsetRange = answer?.range ?? { from: 0n, until: 0n }
  const latest = new Map<string, Latest>()
  for await (const piece of committedRecords(at, range, context, takes))
    for (const record of piece) latest.set(record.key, { own: record, otherAt: undefined })
  for await (const piece of committedRecords(at, range, context, (id) => !takes(id)))
    for (const { key, offset } of piece) latest.set(key, { own: latest.get(key)?.own, otherAt: offset })
  return latest
}
