import { KafkaError } from '../kafka/errors.ts'
import type { VisitedBatch, WalkRequest } from '../logs/log-walk.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import type { ForwardingRule, Origins } from '../provenance/origins.ts'
import { lastOffset, producerId } from '../records/batch-header.ts'
import { alignStretches } from './align-stretches.ts'
import { sourceBatchOf, targetBatchOf } from './batches-of-walks.ts'
import type { CoarseSpan, ExactRun } from './offset-map.ts'
import { probeTarget, type TargetWalk } from './probe-target.ts'
import { SourceStretch } from './source-stretch.ts'
import { type TargetBatch, TargetStretch } from './target-stretch.ts'

const OFFSET_OUT_OF_RANGE = 1
/** Retention may move a log's start between two requests. */
const ATTEMPTS = 3
const defaultBytesMax = 64 * 1024 * 1024
/** Of each log; a piece takes some 60 bytes, and where there are many of them the parts are as many. */
const PIECES_MAX = 100_000

/** One partition's log. */
export interface WalkedLog {
  readonly walks: Pick<LogWalks, 'walk' | 'bounds'>
  readonly topic: string
  readonly partition: number
}

export interface RefineTools {
  readonly source: WalkedLog
  readonly target: WalkedLog
  /** Under which the span was copied. */
  readonly rule: ForwardingRule
  /** Of the source; needed where the rule is not `everything`. */
  readonly origins: Origins | undefined
  /**
   * Producer ids that the flow ever wrote with on the target; `everybody` where nobody else writes to the topic;
   * `undefined` when it is not known.
   */
  readonly producers: ReadonlySet<bigint> | 'everybody' | undefined
  /** Of both logs together, walked in one call. Default 64 MiB. What it does not reach stays coarse: refine that again. */
  readonly bytesMax?: number
}

/**
 * `cleaned`: compaction has taken records of both logs or transactions' markers, so that counting is ambiguous;
 * `gone`: retention has taken a part of it; `not-reached`: the budget was used up, or a log ends before the span does;
 * `contradiction`: the logs are not those that were copied, or not under this rule; `origins-unknown`,
 * `producers-unknown`: nobody could tell.
 */
export type CoarseReason =
  | 'cleaned'
  | 'gone'
  | 'not-reached'
  | 'contradiction'
  | 'origins-unknown'
  | 'producers-unknown'

/** `refined`: give the parts to `OffsetMap.refined`; `coarse` says why some of them, if any, are not exact. */
export type Refinement =
  | {
      readonly kind: 'refined'
      readonly parts: readonly (ExactRun | CoarseSpan)[]
      readonly coarse: CoarseReason | undefined
    }
  | { readonly kind: 'stays-coarse'; readonly reason: CoarseReason }

/**
 * Finds out from both logs which offset of a coarse span is which: the k-th record that the flow forwards is the k-th of
 * the flow's on the target. Never says more than the logs do, whatever was cleaned of them.
 *
 * @throws KafkaError when a log cannot be read; the signal's reason
 */
export async function refineSpan(
  span: CoarseSpan,
  tools: RefineTools,
  signal: AbortSignal,
): Promise<Refinement> {
  const { rule, origins, producers } = tools
  if (producers === undefined) return stays('producers-unknown')
  const forwarding = forwardingOf(rule, origins)
  if (forwarding === undefined) return stays('origins-unknown')
  const isOurs = (id: bigint): boolean => producers === 'everybody' || producers.has(id)
  const describe = (batch: VisitedBatch) => targetBatchOf(batch, isOurs(idOf(batch)))
  const source = new SourceStretch(Number(span.sourceFrom), Number(span.sourceTo))
  const probed = await probeEnds(span, tools.target, describe, signal)
  const target = probed ?? new TargetStretch(Number(span.targetFrom), Number(span.targetTo))
  if (probed !== undefined && isEveryOffset(span, probed)) source.addAll()
  // What one log needs no more is left to the other.
  const bytesMax = Math.ceil((tools.bytesMax ?? defaultBytesMax) / (probed === undefined ? 2 : 1))
  const begins = await walkBoth(
    [
      source.reached < Number(span.sourceTo) && {
        log: tools.source,
        from: span.sourceFrom,
        first: span.sourceFrom,
        bytesMax,
        isolation: 'read_committed',
        prepare: forwarding.prepare,
        take: (batch) =>
          limited(source, source.add(sourceBatchOf(batch, forwarding.takes(idOf(batch)), source.reached))),
      },
      probed === undefined && {
        log: tools.target,
        // The batch before it tells which sequence number follows.
        from: span.targetFrom > 0n ? span.targetFrom - 1n : 0n,
        first: span.targetFrom,
        bytesMax,
        isolation: 'read_uncommitted',
        take: (batch) => limited(target, target.add(describe(batch))),
      },
    ],
    signal,
  )
  return alignedOf(span, source, target, begins.includes('gone'))
}

/** What both stretches tell together, and why they tell no more. */
function alignedOf(
  span: CoarseSpan,
  source: SourceStretch,
  target: TargetStretch,
  isGone: boolean,
): Refinement {
  const isReached = source.reached >= Number(span.sourceTo) && target.reached >= Number(span.targetTo)
  const reason = isGone ? 'gone' : isReached ? 'cleaned' : 'not-reached'
  if (target.isContradicted) return stays('contradiction')
  const alignment = alignStretches(source.pieces(), target.pieces())
  if (alignment.kind === 'contradiction') return stays('contradiction')
  const { parts } = alignment
  const [only] = parts
  if (parts.length === 1 && only !== undefined && isSame(only, span)) return stays(reason)
  return { kind: 'refined', parts, coarse: parts.some((part) => !('count' in part)) ? reason : undefined }
}

/** Walks both logs at once; when one fails, the other is given up. */
async function walkBoth(
  wanted: readonly (Walking | false)[],
  signal: AbortSignal,
): Promise<readonly ('whole' | 'gone')[]> {
  const either = new AbortController()
  const both = AbortSignal.any([signal, either.signal])
  const walks = wanted.filter((one) => one !== false).map((one) => walkLog(one, both))
  try {
    return await Promise.all(walks)
  } catch (error) {
    either.abort(error)
    await Promise.allSettled(walks)
    throw error
  }
}

async function probeEnds(
  { targetFrom, targetTo }: CoarseSpan,
  { walks, topic, partition }: WalkedLog,
  describe: (batch: VisitedBatch) => TargetBatch,
  signal: AbortSignal,
): Promise<TargetStretch | undefined> {
  const rest = { topic, partition, isolation: 'read_uncommitted', atEnd: 'stop' } as const
  const walk: TargetWalk<VisitedBatch> = async (from, visit) => {
    await walks.walk({ ...rest, from, visit }, signal)
  }
  try {
    return await probeTarget(targetFrom, targetTo, walk, describe)
  } catch (error) {
    if (!isOutOfRange(error)) throw error
    return undefined
  }
}

const isEveryOffset = ({ sourceFrom, sourceTo }: CoarseSpan, target: TargetStretch): boolean =>
  target.pieces().reduce((sum, { min }) => sum + min, 0) === Number(sourceTo - sourceFrom)

interface Walking {
  readonly log: WalkedLog
  /** Where reading begins, and where the span does. */
  readonly from: bigint
  readonly first: bigint
  readonly bytesMax: number
  readonly isolation: WalkRequest['isolation']
  readonly prepare?: WalkRequest['prepare'] | undefined
  readonly take: (batch: VisitedBatch) => 'on' | 'enough'
}

/** @returns `gone` when the log's start lies inside the span, or behind it */
async function walkLog(
  { log: { walks, topic, partition }, from, first, bytesMax, isolation, prepare, take }: Walking,
  signal: AbortSignal,
): Promise<'whole' | 'gone'> {
  let bytes = 0
  const visit = (batch: VisitedBatch): 'on' | 'enough' => {
    // What lies before the span is no progress: without that a small budget would never get on.
    if (lastOffset(batch.raw.buffer, batch.raw.at) >= first) bytes += batch.raw.bytes
    return take(batch) === 'enough' || bytes >= bytesMax ? 'enough' : 'on'
  }
  const rest = { topic, partition, isolation, atEnd: 'stop' as const, visit, ...(prepare && { prepare }) }
  for (let at = from, attempt = 1; ; attempt++) {
    try {
      await walks.walk({ ...rest, from: at }, signal)
      return at > first ? 'gone' : 'whole'
    } catch (error) {
      if (!isOutOfRange(error) || attempt === ATTEMPTS) throw error
    }
    const { start, end } = await walks.bounds(topic, partition, signal)
    // It ends before the span: all of it is unknown.
    if (end < first) return 'whole'
    at = start
  }
}

/** What the flow forwards; `undefined` when nobody can tell. */
function forwardingOf(rule: ForwardingRule, origins: Origins | undefined) {
  if (rule === 'everything') return { takes: () => true, prepare: undefined }
  if (origins === undefined) return undefined
  return {
    takes: (id: bigint) => origins.isForwarded(id, rule),
    prepare: (records: Buffer, signal: AbortSignal) => origins.learn(records, signal),
  }
}

const limited = ({ size }: { readonly size: number }, verdict: 'on' | 'enough'): 'on' | 'enough' =>
  size >= PIECES_MAX ? 'enough' : verdict

const idOf = ({ raw: { buffer, at } }: VisitedBatch): bigint => producerId(buffer, at)

const isSame = (part: ExactRun | CoarseSpan, span: CoarseSpan): boolean =>
  !('count' in part) &&
  part.sourceFrom === span.sourceFrom &&
  part.sourceTo === span.sourceTo &&
  part.targetFrom === span.targetFrom &&
  part.targetTo === span.targetTo

const isOutOfRange = (error: unknown): boolean =>
  error instanceof KafkaError && error.code === OFFSET_OUT_OF_RANGE

const stays = (reason: CoarseReason): Refinement => ({ kind: 'stays-coarse', reason })
