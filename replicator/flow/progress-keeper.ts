import { backoffMs } from '../clock/backoff.ts'
import { abortable } from '../kafka/abortable.ts'
import { KafkaError } from '../kafka/errors.ts'
import { ProgressLog } from '../shards/progress-log.ts'
import type { Progress } from '../shards/progress-record.ts'
import { shardOf } from '../shards/shard-of.ts'
import type { FlowOptions } from './flow-options.ts'
import type { PartitionFlow } from './partition-flow.ts'

/** Loads where partitions stand, and writes how far they got. A late write costs copying again, never a record. */
export class ProgressKeeper {
  readonly #options: FlowOptions
  readonly #log: ProgressLog
  readonly #written = new WeakMap<PartitionFlow, Progress>()
  #writing: Promise<void> = Promise.resolve()

  constructor(options: FlowOptions) {
    this.#options = options
    const { target: cluster, progressTopic: topic, clock, random, backoff, flow } = options
    const { shards, replicationFactor } = flow
    this.#log = new ProgressLog({ cluster, topic, clock, random, backoff, shards, replicationFactor })
  }

  /** Everything known from earlier runs, by `topic/partition`. Tries until the target answers. */
  async open(
    onTrouble: (error: KafkaError | undefined) => void,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Progress>> {
    const { clock, backoff, random, flow } = this.#options
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#log.prepare(signal)
        const loaded = await this.#log.load(flow.id, signal)
        onTrouble(undefined)
        return loaded
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof KafkaError)) throw error
        onTrouble(error)
        await clock.sleep((error.retriable ? 1 : 5) * backoffMs(backoff, attempt, random), signal)
      }
    }
  }

  /** Writes the given partitions' progress, unless it is what was written last. One write at a time: the last counts. */
  write(partitions: Iterable<PartitionFlow>, signal: AbortSignal): Promise<void> {
    const earlier = this.#writing
    const writing = abortable(earlier, signal).then(() => this.#write(partitions, signal))
    this.#writing = Promise.allSettled([earlier, writing]).then(() => {})
    return writing
  }

  async #write(partitions: Iterable<PartitionFlow>, signal: AbortSignal): Promise<void> {
    const { flow } = this.#options
    const byShard = Map.groupBy(
      [...partitions].filter((partition) => this.#moved(partition)),
      ({ place }) => shardOf(place.sourceTopic, place.partition, flow.shards),
    )
    for (const [shard, moved] of byShard) {
      const entries = moved.map((partition) => {
        const { sourceTopic: topic, sourceTopicId: topicId, partition: index } = partition.place
        const progress = { topicId, ...partition.window.acknowledged }
        return { partition, key: { flow: flow.id, topic, partition: index }, progress }
      })
      await this.#log.write(shard, entries, signal)
      for (const { partition, progress } of entries) this.#written.set(partition, progress)
    }
  }

  /** Writes what moved at each interval until the signal aborts. Failures are announced; the next write makes up. */
  async run(partitions: () => Iterable<PartitionFlow>, signal: AbortSignal): Promise<void> {
    const { clock, limits, announce, flow } = this.#options
    while (true) {
      try {
        await clock.sleep(limits.progressIntervalMs, signal)
        await this.write(partitions(), signal)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof KafkaError)) throw error
        announce({ flow: flow.id, kind: 'progress-not-written', reason: error.message })
      }
    }
  }

  async close(): Promise<void> {
    await this.#writing
    await this.#log.close()
  }

  #moved(partition: PartitionFlow): boolean {
    const written = this.#written.get(partition)
    const { sourceNext, targetNext } = partition.window.acknowledged
    return written === undefined || written.sourceNext !== sourceNext || written.targetNext !== targetNext
  }
}
