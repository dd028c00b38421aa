import type { Clock } from '../../clock/clock.ts'
import type { Cluster, ProducerIdentity } from '../../kafka/cluster.ts'
import { KafkaError } from '../../kafka/errors.ts'
import type { LogWalks } from '../../logs/log-walks.ts'
import { producerEpoch, producerId } from '../../records/batch-header.ts'
import { timeLimited } from '../time-limit.ts'
import { keepLooking } from './keep-looking.ts'

/** A shard that this process owns, as far as it knows. */
export interface WatchedShard {
  readonly index: number
  /** `undefined` until it was taken. */
  readonly identity: ProducerIdentity | undefined
}

export interface ShardWatchContext {
  readonly target: Cluster
  readonly clock: Clock
  readonly walks: Pick<LogWalks, 'walk'>
  /** Pause between two looks, in milliseconds. */
  readonly intervalMs: number
  readonly progressTopic: string
  readonly shards: () => readonly WatchedShard[]
  readonly onDoubt: (shard: number) => void
}

const WALK_TIMEOUT_MS = 5000

/**
 * Looks whether somebody else wrote to the progress of shards that this process owns. Whoever writes is fenced when it
 * has lost a shard; a process whose partitions all rest, or have stopped, would notice only when it next proves its
 * ownership, minutes later.
 */
export class ShardWatch {
  readonly #context: ShardWatchContext
  readonly #ends = new Map<number, bigint>()

  constructor(context: ShardWatchContext) {
    this.#context = context
  }

  /** Looks until the signal aborts, then returns. A target that does not answer is asked again. */
  run(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#context
    return keepLooking(clock, intervalMs, (until) => this.look(until), signal)
  }

  /** @throws KafkaError when the target does not answer */
  async look(signal: AbortSignal): Promise<void> {
    const { target, progressTopic: topic, shards, onDoubt } = this.#context
    const owned = shards().filter(({ identity }) => identity !== undefined)
    if (owned.length === 0) return
    const answers = await target.listOffsets(
      owned.map(({ index }) => ({ topic, partition: index, at: 'latest' as const })),
      signal,
    )
    await Promise.all(
      owned.map(async ({ index }, at) => {
        const result = answers[at]?.result
        if (result?.ok !== true || this.#ends.get(index) === result.value.offset) return
        this.#ends.set(index, result.value.offset)
        const last = await this.#lastWriter(index, result.value.offset, signal)
        const identity = shards().find((shard) => shard.index === index)?.identity
        if (last === undefined || identity === undefined) return
        const isOurs = last.producerId === identity.producerId && last.producerEpoch <= identity.producerEpoch
        if (!isOurs) onDoubt(index)
      }),
    )
  }

  async #lastWriter(
    partition: number,
    end: bigint,
    signal: AbortSignal,
  ): Promise<ProducerIdentity | undefined> {
    const { walks, clock, progressTopic: topic } = this.#context
    if (end === 0n) return undefined
    let found: ProducerIdentity | undefined
    try {
      await timeLimited(WALK_TIMEOUT_MS, clock, signal, (limited) =>
        walks.walk(
          {
            topic,
            partition,
            from: end - 1n,
            isolation: 'read_uncommitted',
            atEnd: 'stop',
            visit: ({ raw: { buffer, at } }) => {
              found = { producerId: producerId(buffer, at), producerEpoch: producerEpoch(buffer, at) }
              return 'on'
            },
          },
          limited,
        ),
      )
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
    }
    return found
  }
}
