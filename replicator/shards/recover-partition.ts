import type { ProducerIdentity } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { LogBounds } from '../kafka/list-bounds.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import type { ForwardingRule, Origins } from '../provenance/origins.ts'
import { baseOffset, isProducedBy, producerId } from '../records/batch-header.ts'
import { type SourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import { alignByContent } from './align-content.ts'
import { ForwardedContents, SurvivorContents } from './content-walks.ts'
import type { Progress } from './progress-record.ts'
import { SourceCount, type SourceEnd } from './source-count.ts'
import { type TargetTail, TargetTailReader } from './target-tail.ts'

const OFFSET_OUT_OF_RANGE = 1
/** Brokers drop the marker of a partition that has no leader at that moment: it is fenced once more then. */
const MARKER_WAIT = { waitMs: 10_000 }

/** The two ends of a partition, as they are now. */
export interface RecoveredPlace {
  readonly sourceTopic: string
  readonly sourceTopicId: string | undefined
  readonly targetTopic: string
  readonly targetTopicId: string | undefined
  readonly partition: number
  /** The target stamps records itself, so that timestamps differ. */
  readonly targetStamps: boolean
}

/** What is known of a partition that was just fenced. */
export interface RecoveryCase {
  readonly place: RecoveredPlace
  readonly progress: Progress | undefined
  /** Whose marker stands in the target partition, or will. */
  readonly marker: ProducerIdentity
  /** Where the target log began and ended before the marker was written. Read where there is no progress. */
  readonly before: LogBounds | undefined
  /** Producer ids that the flow ever wrote with on the target. */
  readonly formerIds: ReadonlySet<bigint>
  /** The progress topic is another one than the flow once wrote to. */
  readonly progressLost: boolean
}

export interface RecoveryTools {
  readonly source: LogWalks
  readonly target: LogWalks
  /** Of the source; needed where a rule is not `everything`. */
  readonly origins: Origins | undefined
}

/**
 * Where a partition goes on. `never-started`: nothing of it was ever forwarded; `how` says what a resume rests on:
 * `exact`: nothing was forwarded after progress was written; `counted`, `aligned`: so many records were.
 */
export type Recovered =
  | {
      readonly kind: 'resume'
      readonly sourceNext: SourceOffset
      readonly targetNext: TargetOffset
      readonly how: 'exact' | 'counted' | 'aligned'
      readonly records: number
    }
  | { readonly kind: 'never-started'; readonly targetNext: TargetOffset }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Our marker has not come: the partition must be fenced once more. */
  | { readonly kind: 'unmarked' }

/**
 * Finds out, from both logs, where a fenced partition stands. Waits until our marker is in the target log: everything
 * that a predecessor got in lies before it, and nothing of it comes after.
 * @throws KafkaError when a log cannot be read; the signal's reason
 */
export async function recoverPartition(
  known: RecoveryCase,
  tools: RecoveryTools,
  signal: AbortSignal,
): Promise<Recovered> {
  const { progress, place } = known
  if (progress === undefined) return await withoutProgress(known, tools, signal)
  if (isAnother(progress.targetTopicId, place.targetTopicId))
    return refused('the target topic was re-created: what was copied before is gone')
  const tail = await readTail(progress, known, tools, signal)
  switch (tail.kind) {
    case 'out-of-range':
      return refused(
        `the target log spans offsets ${tail.from} to ${tail.to}, but was written up to ${progress.targetNext} before: it lost records`,
      )
    case 'unmarked':
      return tail
    case 'stranger':
      return refused(
        `the target holds a batch of this flow at offset ${tail.at} by producer ${tail.producer.producerId} epoch ${tail.producer.producerEpoch}, which progress does not name`,
      )
    case 'disorder':
      return refused(
        `the target's batch at offset ${tail.at} has sequence number ${tail.sequence} where ${tail.expected} follows: records were overtaken or repeated`,
      )
    case 'uncertain':
      return refused(
        `target offsets from ${tail.at} on are missing, so that it cannot be told how much was copied since the last progress`,
      )
  }
  const { targetNext, records } = tail
  if (records === 0)
    return { kind: 'resume', sourceNext: progress.sourceNext, targetNext, how: 'exact', records }
  if (progress.rule !== 'everything' && tools.origins === undefined)
    return refused('it was copied by a flow that left records out, and nobody tells origins any more')
  const end = await countOnSource(progress, records, place, tools, signal)
  switch (end.kind) {
    case 'reached':
      return { kind: 'resume', sourceNext: end.sourceNext, targetNext, how: 'counted', records }
    case 'short':
      return refused(
        `the target holds ${end.missing} records more than the source does up to offset ${end.end}: the source lost records`,
      )
  }
  const alignment = await align(progress, records, known, tools, signal)
  if (alignment.kind === 'ambiguous')
    return refused(
      `the source has a gap at offset ${end.at} and contents do not tell how far copying got: ${alignment.reason}`,
    )
  return { kind: 'resume', sourceNext: alignment.sourceNext, targetNext, how: 'aligned', records }
}

async function withoutProgress(
  known: RecoveryCase,
  { target }: RecoveryTools,
  signal: AbortSignal,
): Promise<Recovered> {
  const { place, marker, formerIds, progressLost } = known
  const { before } = known
  if (before === undefined) throw new Error('Without progress the log must be measured before it is fenced')
  let former: bigint | undefined
  const found = await target.walk(
    {
      topic: place.targetTopic,
      partition: place.partition,
      // The flow wrote here before: all of the log must be searched for it.
      from: formerIds.size > 0 ? before.start : before.end,
      isolation: 'read_uncommitted',
      atEnd: MARKER_WAIT,
      visit({ raw: { buffer, at }, verdict }) {
        if (verdict === 'control') return isProducedBy(buffer, at, marker) ? 'enough' : 'on'
        if (!formerIds.has(producerId(buffer, at))) return 'on'
        former = baseOffset(buffer, at)
        return 'enough'
      },
    },
    signal,
  )
  if (found.kind === 'end') return { kind: 'unmarked' }
  if (former !== undefined)
    return refused(
      `there is no progress of it, but the target holds records that this flow copied (offset ${former})`,
    )
  // A log that never held anything cannot have lost anything of ours.
  if (progressLost && before.end > 0n)
    return refused('the progress topic was deleted or re-created, and the target partition is not empty')
  return { kind: 'never-started', targetNext: targetOffset(found.next) }
}

type ReadTail =
  | TargetTail
  | { readonly kind: 'unmarked' }
  | { readonly kind: 'out-of-range'; readonly from: bigint; readonly to: bigint }

async function readTail(
  progress: Progress,
  known: RecoveryCase,
  { target }: RecoveryTools,
  signal: AbortSignal,
): Promise<ReadTail> {
  const { topic, partition } = targetOf(known.place)
  const walkFrom = async (from: bigint): Promise<ReadTail> => {
    const reader = new TargetTailReader(progress, known.marker, known.formerIds)
    const { kind } = await target.walk(
      {
        topic,
        partition,
        from,
        isolation: 'read_uncommitted',
        atEnd: MARKER_WAIT,
        visit: (batch) => reader.visit(batch),
      },
      signal,
    )
    return kind === 'end' ? { kind: 'unmarked' } : reader.result
  }
  try {
    return await walkFrom(progress.targetNext)
  } catch (error) {
    if (!isOutOfRange(error)) throw error
  }
  const { start, end } = await target.bounds(topic, partition, signal)
  // Retention took what had been copied: whatever is left starts later.
  if (start > progress.targetNext) return await walkFrom(start)
  return { kind: 'out-of-range', from: start, to: end }
}

async function countOnSource(
  progress: Progress,
  records: number,
  place: RecoveredPlace,
  tools: RecoveryTools,
  signal: AbortSignal,
): Promise<SourceEnd> {
  const count = new SourceCount(progress.sourceNext, records)
  const rule = ruleOf(progress.rule, tools.origins)
  try {
    await tools.source.walk(
      {
        topic: place.sourceTopic,
        partition: place.partition,
        from: progress.sourceNext,
        isolation: 'read_committed',
        atEnd: 'stop',
        ...rule.preparation,
        visit: (batch) => count.visit(batch, rule.forwards(producerId(batch.raw.buffer, batch.raw.at))),
      },
      signal,
    )
  } catch (error) {
    if (!isOutOfRange(error)) throw error
    const { start, end } = await tools.source.bounds(place.sourceTopic, place.partition, signal)
    if (start > progress.sourceNext) return { kind: 'gap', at: progress.sourceNext }
    return { kind: 'short', missing: records, end }
  }
  return count.result
}

async function align(
  progress: Progress,
  records: number,
  { place, marker }: RecoveryCase,
  tools: RecoveryTools,
  signal: AbortSignal,
): Promise<ReturnType<typeof alignByContent>> {
  const forwarded = new ForwardedContents(progress, marker, records, !place.targetStamps)
  const rule = ruleOf(progress.rule, tools.origins)
  const survivors = new SurvivorContents(records + 1, !place.targetStamps, rule.forwards)
  const at = targetOf(place)
  await fromStart(at, progress.targetNext, tools.target, 'read_uncommitted', signal, (from) => ({
    from,
    atEnd: MARKER_WAIT,
    visit: (batch) => forwarded.visit(batch),
  }))
  const source = { topic: place.sourceTopic, partition: place.partition }
  await fromStart(source, progress.sourceNext, tools.source, 'read_committed', signal, (from) => ({
    from,
    atEnd: 'stop',
    ...rule.preparation,
    visit: (batch) => survivors.visit(batch, from),
  }))
  return alignByContent(progress.sourceNext, forwarded.contents, survivors.survivors)
}

type WalkFrom = Pick<Parameters<LogWalks['walk']>[0], 'from' | 'atEnd' | 'visit' | 'prepare'>

/** Walks from an offset, or from the log's start where that is later by now. */
async function fromStart(
  at: { readonly topic: string; readonly partition: number },
  from: bigint,
  walks: LogWalks,
  isolation: 'read_committed' | 'read_uncommitted',
  signal: AbortSignal,
  request: (from: bigint) => WalkFrom,
): Promise<void> {
  try {
    await walks.walk({ ...at, isolation, ...request(from) }, signal)
    return
  } catch (error) {
    if (!isOutOfRange(error)) throw error
  }
  const { start } = await walks.bounds(at.topic, at.partition, signal)
  await walks.walk({ ...at, isolation, ...request(start) }, signal)
}

/** @throws Error when the rule needs to know origins and nobody can tell them */
function ruleOf(
  rule: ForwardingRule,
  origins: Origins | undefined,
): {
  readonly forwards: (producerId: bigint) => boolean
  readonly preparation: { readonly prepare?: Origins['learn'] }
} {
  if (rule === 'everything') return { forwards: () => true, preparation: {} }
  if (origins === undefined) throw new Error('A flow that leaves records out needs to know their origins')
  return {
    forwards: (id) => origins.isForwarded(id, rule),
    preparation: { prepare: (records, signal) => origins.learn(records, signal) },
  }
}

const targetOf = ({ targetTopic, partition }: RecoveredPlace) => ({ topic: targetTopic, partition })
const refused = (reason: string): Recovered => ({ kind: 'refused', reason })
const isOutOfRange = (error: unknown): boolean =>
  error instanceof KafkaError && error.code === OFFSET_OUT_OF_RANGE
const isAnother = (then: string | undefined, now: string | undefined): boolean =>
  then !== undefined && now !== undefined && then !== now
