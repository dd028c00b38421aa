import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { isControl, isTransactional } from '../../../replicator/records/batch-header.ts'
import type { PartitionLog, StoredBatch } from '../partition-log.ts'
import { readRecords, type TestRecord } from '../record-batches.ts'
import type { SimulatedBrokers } from '../simulated-brokers.ts'
import { CopyChecker, type Strictness } from './copy-checker.ts'
import { SourceLedger } from './source-ledger.ts'
import type { Trace } from './trace.ts'
import { Violation } from './violation.ts'
import { WritersChecker } from './writers-checker.ts'

/** How the flow of a world names things on the target; written down again here, so that it is judged too. */
export interface Names {
  readonly flow: string
  readonly progressTopic: string
  readonly targetPrefix: string
}

/** Who reads what is written to the product's other topics, by topic. */
export type OtherReaders = ReadonlyMap<string, (place: string, batch: StoredBatch) => void>

interface Watched {
  readonly isData: boolean
  readonly log: PartitionLog
  readonly writers: WritersChecker
  readonly see: (batch: StoredBatch) => void
  seenBelow: bigint
}

export interface NamedProgress {
  readonly sourceNext: bigint
  readonly targetNext: bigint | undefined
}

/**
 * Reads the target's logs as they grow, and judges them by what was written to the source. Knows formats and names,
 * and no code of the product's own beyond the view of a batch header.
 */
export class TargetWatch {
  readonly #target: SimulatedBrokers
  readonly #names: Names
  readonly #strictness: Strictness
  readonly #trace: Trace
  readonly #others: OtherReaders
  readonly #watched = new Map<PartitionLog, Watched>()
  readonly #copies = new Map<string, CopyChecker>()
  /** By source partition, then by the progress partition that says it: re-sharding moves it. */
  readonly #progress = new Map<string, Map<string, NamedProgress>>()
  #partitions = -1

  constructor(
    target: SimulatedBrokers,
    names: Names,
    strictness: Strictness,
    trace: Trace,
    others: OtherReaders = new Map(),
  ) {
    this.#others = others
    this.#target = target
    this.#names = names
    this.#strictness = strictness
    this.#trace = trace
  }

  /** The checker of a source partition's copy. */
  copyOf(topic: string, partition: number): CopyChecker {
    const key = `${topic}/${partition}`
    let checker = this.#copies.get(key)
    if (checker === undefined) {
      checker = new CopyChecker(key, new SourceLedger(), this.#strictness)
      this.#copies.set(key, checker)
    }
    return checker
  }

  get copies(): ReadonlyMap<string, CopyChecker> {
    return this.#copies
  }

  /** The checker of what a target partition holds; `undefined` for those that hold no copy. */
  copyIn({ topic, partition }: TopicPartition): CopyChecker | undefined {
    const { targetPrefix } = this.#names
    return topic.startsWith(targetPrefix)
      ? this.copyOf(topic.slice(targetPrefix.length), partition)
      : undefined
  }

  /** The last progress that is written down about a source partition, `topic/partition`. */
  progressOf(place: string): NamedProgress | undefined {
    const named = [...(this.#progress.get(place)?.values() ?? [])]
    return named.reduce<NamedProgress | undefined>(
      (newest, one) => (newest === undefined || isNewer(one, newest) ? one : newest),
      undefined,
    )
  }

  /** Reads what is new. @throws Violation */
  look(): void {
    this.#findLogs()
    for (const watched of this.#watched.values()) {
      const { log } = watched
      if (log.logEnd === watched.seenBelow) continue
      // In the order of the log: data before the progress that speaks of it is what `#findLogs` sees to.
      for (const batch of log.batches.slice(log.indexOf(watched.seenBelow))) {
        if (this.#strictness === 'exactly-once') watched.writers.saw(batch)
        watched.see(batch)
      }
      watched.seenBelow = log.logEnd
    }
  }

  #findLogs(): void {
    const topics = this.#target.topics.all
    const partitions = topics.reduce((sum, topic) => sum + topic.partitions.length, 0)
    if (partitions === this.#partitions) return
    this.#partitions = partitions
    const { progressTopic, targetPrefix } = this.#names
    for (const { name, partitions: logs } of topics) {
      const isProgress = name === progressTopic
      const other = this.#others.get(name)
      if (!isProgress && other === undefined && !name.startsWith(targetPrefix)) continue
      for (const [index, { log }] of logs.entries()) {
        if (this.#watched.has(log)) continue
        const place = `${name}/${index}`
        const see = (batch: StoredBatch): void => {
          if (isProgress) this.#seeProgress(place, batch)
          else if (other !== undefined) other(place, batch)
          else this.#seeData(place, this.copyOf(name.slice(targetPrefix.length), index), batch)
        }
        if (!isProgress && other === undefined) this.copyOf(name.slice(targetPrefix.length), index)
        this.#watched.set(log, {
          isData: !isProgress && other === undefined,
          log,
          writers: new WritersChecker(place, {
            isClientMarker: (offset) =>
              this.#target.isClientMarker({ topic: name, partition: index }, offset),
            isCurrent: (producerId) => this.#target.transactions.leadsTo(producerId),
          }),
          see,
          seenBelow: 0n,
        })
      }
    }
    // Data first: what a look finds in both was in the target when progress, or a map, spoke of it.
    const dataFirst = [...this.#watched].sort(([, a], [, b]) => Number(b.isData) - Number(a.isData))
    this.#watched.clear()
    for (const [log, watched] of dataFirst) this.#watched.set(log, watched)
  }

  #seeData(place: string, copy: CopyChecker, batch: StoredBatch): void {
    const control = isControl(batch.bytes, 0)
    this.#trace.note(`${place} ${batch.baseOffset}-${batch.lastOffset}${control ? ' marker' : ''}`)
    if (control) return
    if (isTransactional(batch.bytes, 0)) throw new Violation('content', `${place}: a transactional batch`)
    for (const record of readRecords(batch.bytes))
      copy.saw(batch.baseOffset + BigInt(record.offsetDelta), record)
  }

  #seeProgress(place: string, batch: StoredBatch): void {
    if (isControl(batch.bytes, 0)) return
    for (const record of readRecords(batch.bytes)) this.#seeProgressRecord(place, record)
  }

  #seeProgressRecord(place: string, { key, value }: TestRecord): void {
    const name = parsed(place, key)
    if (name.flow !== this.#names.flow) throw new Violation('progress', `${place}: of a flow ${name.flow}`)
    // Beside progress, what a shard's owner says of itself.
    const position = name.topic === undefined ? `shard ${name.shard}` : `${name.topic}/${name.partition}`
    this.#trace.note(`${place} ${position} ${value?.toString()}`)
    if (name.topic === undefined) return
    const named = this.#progress.get(position) ?? new Map<string, NamedProgress>()
    this.#progress.set(position, named)
    if (value === null) {
      named.delete(place)
      return
    }
    const said = parsed(place, value)
    const sourceNext = BigInt(String(said.sourceNext))
    const targetNext = said.targetNext === undefined ? undefined : BigInt(String(said.targetNext))
    this.copyOf(String(name.topic), Number(name.partition)).sawProgress(sourceNext, targetNext)
    named.set(place, { sourceNext, targetNext })
  }
}

const isNewer = (one: NamedProgress, other: NamedProgress): boolean =>
  (one.targetNext ?? -1n) > (other.targetNext ?? -1n)

function parsed(place: string, bytes: Buffer | null): Record<string, unknown> {
  if (bytes === null) throw new Violation('progress', `${place}: a record without key`)
  return JSON.parse(bytes.toString()) as Record<string, unknown>
}
