import type { BackoffPolicy } from '../../clock/backoff.ts'
import type { Clock } from '../../clock/clock.ts'
import type { Random } from '../../clock/random.ts'
import type { Cluster } from '../../kafka/cluster.ts'
import { KafkaError } from '../../kafka/errors.ts'
import { OneAtATime } from '../../kafka/one-at-a-time.ts'
import type { LogWalks } from '../../logs/log-walks.ts'
import { MapChunkIndex } from '../../offsets/map-chunk-index.ts'
import { allOutdated, type MapTopicIds } from '../../offsets/map-chunks.ts'
import { MapFormatError } from '../../offsets/map-format-error.ts'
import { readChunks } from '../../offsets/read-chunks.ts'
import type { Shard } from '../../shards/shard.ts'
import { LedgerRefusedError, ShardLedger } from '../../shards/shard-ledger.ts'
import type { FlowId } from '../../topology/model.ts'
import { partitionKey } from '../partition-key.ts'
import type { Started } from '../partition-starter.ts'
import { PartitionMap } from './partition-map.ts'

/** A takeover has better to do at first, in milliseconds. */
const FIRST_AFTER_MS = 2000
/** Each attempt takes an epoch of the shard's: after a failure the next one waits for so many intervals. */
const RETRY_INTERVALS = 6

export interface ShardMapsOptions {
  readonly flow: FlowId
  readonly shard: Shard
  readonly target: Cluster
  readonly mapTopic: string
  /** Makes the map topic if it is not there yet. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
  /** Through the target's logs. */
  readonly walks: LogWalks
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  /** How often what has changed is written, in milliseconds. */
  readonly intervalMs: number
  /** Runs that all maps of the shard may keep together. */
  readonly runsMax: number
  /** Told what keeps maps from being read or written, and `undefined` when nothing does any more. */
  readonly onTrouble: (reason: string | undefined) => void
}

/**
 * The offset maps of the partitions that a shard copies, kept in the shard's own partition of the map topic. That is
 * fenced like any partition the shard writes to, so a former owner adds nothing behind what was read; but nothing that
 * is copied waits for it. What a crash leaves unwritten is a coarse span later, never a wrong answer.
 */
export class ShardMaps {
  readonly #options: ShardMapsOptions
  readonly #ledger: ShardLedger
  readonly #maps = new Map<string, PartitionMap>()
  /** What was read, and no map has joined yet. */
  #found: MapChunkIndex | undefined
  readonly #turns = new OneAtATime()

  constructor(options: ShardMapsOptions) {
    this.#options = options
    this.#ledger = new ShardLedger({ ...options, cluster: options.target, topic: options.mapTopic })
  }

  of(topic: string, partition: number): PartitionMap | undefined {
    return this.#maps.get(partitionKey(topic, partition))
  }

  /** A partition starts, for the first time here or once more. */
  start({ newcomer: { pair, partition }, sourceNext, targetNext }: Started): PartitionMap {
    const topic = pair.source.name
    const ids = { topicId: pair.source.id, targetTopicId: pair.target.id }
    const at = { source: sourceNext, target: targetNext }
    const name = partitionKey(topic, partition)
    const known = this.#maps.get(name)
    if (known !== undefined && isSame(known.ids, ids)) {
      known.goOn(at)
      return known
    }
    const map = new PartitionMap({ flow: this.#options.flow, topic, partition }, ids, at)
    this.#maps.set(name, map)
    this.#join(map)
    return map
  }

  /** Reads what was written before, then writes what changes, until the signal aborts. @throws ShardLostError */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options
    await clock.sleep(Math.min(FIRST_AFTER_MS, intervalMs), signal)
    while (true) {
      const isDone = await this.#attempt(signal)
      await clock.sleep(isDone ? intervalMs : RETRY_INTERVALS * intervalMs, signal)
    }
  }

  /** Writes everything that changed, before the shard goes to somebody else. @throws ShardLostError; the signal's reason */
  async flush(signal: AbortSignal): Promise<void> {
    if (this.#maps.size > 0) await this.#attempt(signal)
  }

  close(): void {
    this.#ledger.close()
  }

  /** One at a time: two appends under way would have the same sequence number. */
  #attempt(signal: AbortSignal): Promise<boolean> {
    return this.#turns.run(() => this.#readAndWrite(signal))
  }

  async #readAndWrite(signal: AbortSignal): Promise<boolean> {
    const { onTrouble } = this.#options
    try {
      if (this.#found === undefined) await this.#read(signal)
      await this.#write(signal)
      onTrouble(undefined)
      return true
    } catch (error) {
      signal.throwIfAborted()
      const isExpected = [KafkaError, MapFormatError, LedgerRefusedError].some(
        (kind) => error instanceof kind,
      )
      if (!isExpected || !(error instanceof Error)) throw error
      onTrouble(error.message)
      return false
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const found = new MapChunkIndex(this.#options.flow)
    if (!(await this.#ledger.read((record) => found.add(record), signal))) return
    this.#found = found
    for (const map of this.#maps.values()) this.#join(map)
  }

  #join(map: PartitionMap): void {
    if (this.#found === undefined || map.isWhole) return
    const chunks = this.#found.take(map.key)
    try {
      map.join(readChunks(chunks, map.ids))
    } catch (error) {
      if (!(error instanceof MapFormatError)) throw error
      this.#options.onTrouble(`${map.key.topic} partition ${map.key.partition}: ${error.message}`)
      // What a newer Causeway wrote is left to it; what contradicts itself is written over.
      if (!error.isNewer) map.join({ map: undefined, written: allOutdated(chunks.keys()), damaged: [] })
    }
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { runsMax } = this.#options
    const spansMax = Math.max(1000, Math.floor(runsMax / Math.max(1, this.#maps.size)))
    for (const map of this.#maps.values()) {
      map.map.coarsen({ spansMax })
      const plan = map.plan()
      if (plan === undefined || plan.records.length === 0) continue
      try {
        await this.#ledger.append(plan.records, signal)
      } catch (error) {
        map.wrote(plan, false)
        throw error
      }
      map.wrote(plan, true)
    }
  }
}

const isSame = (one: MapTopicIds, other: MapTopicIds): boolean =>
  one.topicId === other.topicId && one.targetTopicId === other.targetTopicId
