import type { Cluster, OffsetQuery } from '../kafka/cluster.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { alignTail, type CopiedTail } from './align-tail.ts'
import { type PartitionRefusal, refused } from './refusal.ts'
import { readRecords, type TimedRecord } from './tail-records.ts'

/** Both ends of a partition, and where MirrorMaker 2 would go on. */
export interface CopiedPartition {
  readonly sourceTopic: string
  readonly targetTopic: string
  readonly partition: number
  /** `undefined`: it has stored nothing, so that it began at the source's start. */
  readonly storedNext: bigint | undefined
  /** The target gives records timestamps of its own. */
  readonly targetStamps: boolean
  /** The target's cleaner may have taken copies. */
  readonly targetIsCompacted: boolean
}

export type FoundCopies =
  | {
      readonly kind: 'found'
      readonly sourceNext: bigint
      /** Records from {@link CopiedPartition.storedNext} on that are on the target already. */
      readonly beyond: number
      /** Where the target log ended when it was read: what comes later was written by somebody else. */
      readonly targetEnd: bigint
    }
  | PartitionRefusal

export interface CopyFinderParts {
  readonly source: Pick<Cluster, 'listOffsets'>
  readonly target: Pick<Cluster, 'listOffsets'>
  readonly walks: { readonly source: Pick<LogWalks, 'walk'>; readonly target: Pick<LogWalks, 'walk'> }
}

/** Records that are compared of a partition, on each side: what a flush interval holds, many times over. */
export const TAIL_RECORDS_MAX = 1_000_000
/** Offsets before the stored one among which the youngest record is where the comparison begins. */
const ANCHOR_OFFSETS = 100n
/** Source records whose times bound where a compacted target is read from. */
const EARLY_RECORDS = 1000

const CLEAN_STOP =
  'start MirrorMaker 2 once more, let it catch up, and end it with SIGTERM, so that it stores where it stands; then try again (partitions that were taken over before must go back first: causeway migrate to-mm2). Or decide where to go on with causeway flow resume'

/** Finds how far a partition was copied: from what is stored, and from the contents of both logs behind it. */
export class CopyFinder {
  readonly #parts: CopyFinderParts

  constructor(parts: CopyFinderParts) {
    this.#parts = parts
  }

  /** @throws KafkaError when a log cannot be read */
  async find(at: CopiedPartition, signal: AbortSignal): Promise<FoundCopies> {
    const source = await this.#ends('source', at.sourceTopic, at.partition, signal)
    const target = await this.#ends('target', at.targetTopic, at.partition, signal)
    const from = at.storedNext ?? source.start
    if (target.stable < target.end)
      return refused(
        `its copy has an open transaction at offset ${target.stable}`,
        'MirrorMaker 2 still writes, or was killed less than its transaction timeout ago (a minute by default): try again then',
      )
    if (from > source.end)
      return refused(
        `MirrorMaker 2 has stored that source offset ${from} is next, and the source ends at ${source.end}: the topic was re-created or cut`,
        'decide where to go on with causeway flow resume',
      )
    if (target.end === 0n && from > source.start)
      return refused(
        `MirrorMaker 2 has stored that source offset ${from} is next, and its copy never held anything: the copy was re-created`,
        'to copy it all again, decide so with causeway flow resume --from earliest',
      )
    const reading = new TailReading(this.#parts, at, { from, source, target })
    const tail = await reading.read(signal)
    if ('kind' in tail) return tail
    const found = alignTail(tail)
    if (found.kind === 'ambiguous') return refused(found.reason, CLEAN_STOP)
    if (found.kind === 'contradictory')
      return refused(
        found.reason,
        'see that the offsets topic and the names of copies are those of this MirrorMaker 2, and compare both sides with causeway verify; or decide where to go on with causeway flow resume',
      )
    if (found.sourceNext < source.start)
      return refused(
        `the source deleted offsets ${found.sourceNext} to ${source.start - 1n} before they were copied, as far as can be seen`,
        'to go on behind them, decide so with causeway flow resume --from earliest',
      )
    return { kind: 'found', sourceNext: found.sourceNext, beyond: found.found, targetEnd: target.end }
  }

  async #ends(side: 'source' | 'target', topic: string, partition: number, signal: AbortSignal) {
    const ask = (at: OffsetQuery['at']) => offsetAt(this.#parts[side], { topic, partition, at }, signal)
    const [start, stable, end] = [await ask('earliest'), await ask('last-stable'), await ask('latest')]
    return { start, stable, end }
  }
}

interface LogEnds {
  readonly start: bigint
  /** What a read_committed reader may reach. */
  readonly stable: bigint
  readonly end: bigint
}

/** Reads what {@link alignTail} compares, and no more of either log than it needs. */
class TailReading {
  readonly #parts: CopyFinderParts
  readonly #at: CopiedPartition
  readonly #from: bigint
  readonly #source: LogEnds
  readonly #target: LogEnds
  readonly #elsewhere = new Set<string>()

  constructor(
    parts: CopyFinderParts,
    at: CopiedPartition,
    logs: { readonly from: bigint; readonly source: LogEnds; readonly target: LogEnds },
  ) {
    this.#parts = parts
    this.#at = at
    this.#from = logs.from
    this.#source = logs.source
    this.#target = logs.target
  }

  async read(signal: AbortSignal): Promise<CopiedTail | PartitionRefusal> {
    const anchor = await this.#anchor(signal)
    const first = anchor?.offset ?? this.#from
    const early = await this.#sourceRecords(first, EARLY_RECORDS, signal)
    const targetFrom = await this.#targetFrom(anchor, early, signal)
    if (targetFrom === undefined) return noTimes
    if (this.#target.end - targetFrom > BigInt(TAIL_RECORDS_MAX)) return this.#tooMany('target')
    const { targetTopic: topic, partition, targetStamps, targetIsCompacted } = this.#at
    const target = await readRecords(
      this.#parts.walks.target,
      { topic, partition, from: targetFrom, to: this.#target.end },
      { isolation: 'read_committed', withTimestamps: !targetStamps },
      signal,
    )
    const wanted = target.length + Number(ANCHOR_OFFSETS) + 1
    const source =
      wanted <= EARLY_RECORDS || early.length < EARLY_RECORDS
        ? early
        : await this.#sourceRecords(first, wanted, signal)
    const held = new Set(target.map(({ content }) => content))
    const isKnown = await this.#learnTwins(
      first,
      source.filter(({ content }) => held.has(content)),
      signal,
    )
    if (!isKnown) return this.#tooMany('source')
    const isCut = this.#target.start > 0n && targetFrom === this.#target.start
    return {
      from: this.#from,
      source,
      elsewhere: this.#elsewhere,
      target: target.map(({ content }) => content),
      holds: targetIsCompacted ? 'survivors' : isCut ? 'its-end' : 'everything',
    }
  }

  /**
   * A record that was copied for sure, as MirrorMaker 2 says, and is still there. Of several the youngest: the target
   * is read from its time on.
   */
  async #anchor(signal: AbortSignal): Promise<TimedRecord | undefined> {
    const { start } = this.#source
    const from = this.#from - ANCHOR_OFFSETS > start ? this.#from - ANCHOR_OFFSETS : start
    const before = await this.#committed({ from, to: this.#from }, undefined, signal)
    return before.reduce<TimedRecord | undefined>(
      (best, record) => (best === undefined || record.timestamp >= best.timestamp ? record : best),
      undefined,
    )
  }

  /** Records from `from` on, in the order in which MirrorMaker 2 met them. */
  async #sourceRecords(from: bigint, max: number, signal: AbortSignal): Promise<readonly TimedRecord[]> {
    const { stable, end } = this.#source
    const committed = await this.#committed({ from, to: stable }, max, signal)
    if (committed.length >= max || stable >= end) return committed
    // It may have copied what nobody has committed or aborted yet.
    const { sourceTopic: topic, partition, targetStamps } = this.#at
    const open = await readRecords(
      this.#parts.walks.source,
      { topic, partition, from: from > stable ? from : stable, to: end },
      { isolation: 'read_uncommitted', withTimestamps: !targetStamps, max: max - committed.length },
      signal,
    )
    return [...committed, ...open]
  }

  async #committed(
    { from, to }: { readonly from: bigint; readonly to: bigint },
    max: number | undefined,
    signal: AbortSignal,
  ): Promise<readonly TimedRecord[]> {
    const { sourceTopic: topic, partition, targetStamps } = this.#at
    const { start, stable } = this.#source
    const stretch = { topic, partition, from: from > start ? from : start, to: to < stable ? to : stable }
    return await readRecords(
      this.#parts.walks.source,
      stretch,
      {
        isolation: 'read_committed',
        withTimestamps: !targetStamps,
        ...(max === undefined ? {} : { max }),
        // MirrorMaker 2 copies them unless it is told otherwise; nobody else does.
        onAborted: ({ content }) => this.#elsewhere.add(content),
      },
      signal,
    )
  }

  /** Before the copies of the anchor and of whatever follows it; `undefined` when times do not tell. */
  async #targetFrom(
    anchor: TimedRecord | undefined,
    early: readonly TimedRecord[],
    signal: AbortSignal,
  ): Promise<bigint | undefined> {
    const { targetTopic: topic, partition, targetStamps, targetIsCompacted } = this.#at
    if (targetStamps) return this.#target.start
    // MirrorMaker 2 gives them another one, and -1 would mean something else to the broker.
    if (early.some((record) => record.timestamp < 0n)) return undefined
    // First copies stand in the source's order, so the first of them bounds all; but a cleaner may have taken it.
    const first = anchor ?? early[0]
    if (first === undefined) return this.#target.end
    const timestamp = leastTime(targetIsCompacted ? [first, ...early] : [first])
    if (timestamp < 0n) return undefined
    const at = { timestampMs: Number(timestamp) }
    const found = await offsetAt(this.#parts.target, { topic, partition, at }, signal)
    return found < this.#target.start ? this.#target.start : found
  }

  /**
   * Learns which of the records that the target seems to hold have equals before `first`, whose copies say nothing.
   * @returns whether it could be learnt
   */
  async #learnTwins(first: bigint, held: readonly TimedRecord[], signal: AbortSignal): Promise<boolean> {
    if (held.length === 0) return true
    const { sourceTopic: topic, partition, targetStamps } = this.#at
    let from = this.#source.start
    // Equal records are of one time.
    if (!targetStamps) {
      const at = { timestampMs: Number(leastTime(held)) }
      from = await offsetAt(this.#parts.source, { topic, partition, at }, signal)
    }
    if (first - from > BigInt(TAIL_RECORDS_MAX)) return false
    const contents = new Set(held.map(({ content }) => content))
    for (const { content } of await this.#committed({ from, to: first }, undefined, signal)) {
      if (contents.has(content)) this.#elsewhere.add(content)
    }
    return true
  }

  #tooMany(side: 'source' | 'target'): PartitionRefusal {
    const why = this.#at.targetStamps
      ? 'the target gives records timestamps of its own, so that all of it must be compared'
      : 'their timestamps are out of order, or MirrorMaker 2 stored its offsets long before it ended'
    return refused(
      `more than ${TAIL_RECORDS_MAX} records of the ${side} would have to be compared: ${why}`,
      CLEAN_STOP,
    )
  }
}

const noTimes = refused(
  'records of it have no timestamp, so that their copies cannot be told apart',
  'decide where to go on with causeway flow resume',
)

const leastTime = (records: readonly TimedRecord[]): bigint =>
  records.reduce(
    (least, { timestamp }) => (timestamp < least ? timestamp : least),
    records[0]?.timestamp ?? 0n,
  )

async function offsetAt(
  cluster: Pick<Cluster, 'listOffsets'>,
  query: OffsetQuery,
  signal: AbortSignal,
): Promise<bigint> {
  const [answer] = await cluster.listOffsets([query], signal)
  if (answer === undefined) throw new Error('ListOffsets answered less than it was asked')
  if (!answer.result.ok) throw answer.result.error
  return answer.result.value.offset
}
