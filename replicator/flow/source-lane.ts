import { type BackoffPolicy, backoffMs } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type {
  BrokerChannel,
  BrokerId,
  Cluster,
  FetchedPartition,
  FetchResponse,
  Lease,
} from '../kafka/cluster.ts'
import { KafkaError, transportError } from '../kafka/errors.ts'
import { BarrenReads } from './barren-reads.ts'
import { BudgetedLease, type ByteBudget } from './byte-budget.ts'
import { nextFetchBytes, partitionFetchBytes } from './fetch-sizing.ts'
import type { FlowLimits } from './flow-limits.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { Wakeup } from './wakeup.ts'

export interface SourceLaneContext {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  readonly limits: FlowLimits
  readonly budget: ByteBudget
  /** Learns who wrote fetched batches before they are taken; `undefined` where it is known or does not matter. */
  readonly learnOrigins: (records: Buffer, signal: AbortSignal) => Promise<void> | undefined
  /** The broker cannot be reached or broke off; `undefined` when it answers again. */
  readonly onTrouble: (broker: BrokerId, error: KafkaError | undefined) => void
  readonly refreshLeaders: () => void
  /** One partition's own failure: what to do about it is the flow's decision. */
  readonly onPartitionError: (partition: PartitionFlow, error: KafkaError) => void
}

/**
 * One connection to a source broker, fetching some partitions in a loop: a partition is not fetched again until what
 * it delivered was taken, and bytes are reserved before they are asked for.
 */
export class SourceLane {
  readonly broker: BrokerId
  readonly #context: SourceLaneContext
  readonly #partitions = new Map<string, PartitionFlow>()
  readonly #wakeup = new Wakeup()
  #channel: BrokerChannel | undefined
  #fetchBytes: number
  readonly #barren = new BarrenReads<PartitionFlow>()
  #rotation = 0
  #attempt = 0

  constructor(broker: BrokerId, context: SourceLaneContext) {
    this.broker = broker
    this.#context = context
    this.#fetchBytes = context.limits.fetchBytesMin
  }

  get size(): number {
    return this.#partitions.size
  }

  add(partition: PartitionFlow): void {
    this.#partitions.set(keyOf(partition.place.sourceTopic, partition.partition), partition)
    this.#wakeup.wake()
  }

  remove(partition: PartitionFlow): void {
    this.#partitions.delete(keyOf(partition.place.sourceTopic, partition.partition))
    if (this.#partitions.size === 0) this.#wakeup.wake()
  }

  /** A partition may be fetched again. */
  wake(): void {
    this.#wakeup.wake()
  }

  /** Fetches until the signal aborts, then returns. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (true) {
        const wanted = this.#wanted()
        if (wanted.length > 0) await this.#round(wanted, signal)
        else await this.#rest(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#channel?.destroy()
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    // Nobody asks this broker any more, so nobody will hear that it is back.
    if (this.#partitions.size === 0) this.#context.onTrouble(this.broker, undefined)
    await this.#wakeup.wait(signal)
  }

  async #round(wanted: readonly Wanted[], signal: AbortSignal): Promise<void> {
    const { budget, clock, random, backoff, onTrouble, refreshLeaders } = this.#context
    const asked = this.#fetchBytes
    await budget.reserve(asked, signal)
    let response: FetchResponse
    try {
      response = await this.#fetch(wanted, asked, signal)
    } catch (error) {
      budget.release(asked)
      signal.throwIfAborted()
      this.#channel?.destroy()
      this.#channel = undefined
      if (!(error instanceof KafkaError)) throw error
      onTrouble(this.broker, error)
      refreshLeaders()
      // What a retry does not mend, a person may: ask again, but gently.
      const patience = error.retriable ? 1 : 5
      await clock.sleep(patience * backoffMs(backoff, this.#attempt++, random), signal)
      return
    }
    this.#attempt = 0
    onTrouble(this.broker, undefined)
    budget.take(response.frame.bytes)
    budget.release(asked)
    this.#fetchBytes = nextFetchBytes(asked, response.frame.bytes, {
      min: this.#context.limits.fetchBytesMin,
      max: this.#context.limits.fetchBytesMax,
    })
    try {
      await this.#distribute(wanted, response, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      // Whose the batches are is not known: they are fetched again when it can be.
      onTrouble(this.broker, error)
      await clock.sleep(backoffMs(backoff, this.#attempt++, random), signal)
    }
  }

  async #fetch(wanted: readonly Wanted[], bytesMax: number, signal: AbortSignal): Promise<FetchResponse> {
    const { cluster, limits } = this.#context
    this.#channel ??= await cluster.openChannel(this.broker, signal)
    const partitionBytes = partitionFetchBytes(bytesMax, wanted.length)
    return this.#channel.fetch(
      {
        partitions: wanted.map(({ partition, offset }) => ({
          topic: partition.place.sourceTopic,
          topicId: partition.place.sourceTopicId,
          partition: partition.partition,
          offset,
          leaderEpoch: undefined,
          bytesMax: partitionBytes,
        })),
        waitMaxMs: limits.fetchWaitMaxMs,
        bytesMin: 1,
        bytesMax,
        isolation: 'read_committed',
      },
      signal,
    )
  }

  async #distribute(wanted: readonly Wanted[], response: FetchResponse, signal: AbortSignal): Promise<void> {
    const lease = new BudgetedLease(response.frame, this.#context.budget)
    try {
      for (const answer of response.partitions) {
        const learning =
          answer.error === undefined ? this.#context.learnOrigins(answer.records, signal) : undefined
        if (learning !== undefined) await learning
      }
      this.#handOut(wanted, response, lease)
    } finally {
      lease.release()
    }
  }

  #handOut(wanted: readonly Wanted[], response: FetchResponse, lease: Lease): void {
    const asked = new Map(wanted.map(({ partition, offset }) => [partition, offset]))
    for (const [index, answer] of response.partitions.entries()) {
      const partition = this.#partitions.get(keyOf(answer.topic, answer.partition))
      // Moved to another lane, stopped, or put elsewhere while the fetch was under way: not this answer's business.
      if (partition === undefined || asked.get(partition) !== partition.position) continue
      const error = answer.error ?? this.#barrenness(partition, answer, index === 0)
      if (error === undefined) partition.take(answer, lease)
      else this.#context.onPartitionError(partition, error)
    }
  }

  /** Only a request's first partition gets a batch of any size: others come back empty when the answer is full. */
  #barrenness(partition: PartitionFlow, answer: FetchedPartition, isFirst: boolean): KafkaError | undefined {
    if (answer.records.length > 0 || answer.lastStableOffset <= partition.position) {
      this.#barren.somethingCame(partition)
      return undefined
    }
    if (!isFirst || !this.#barren.nothingCame(partition, this.#context.clock.monotonicMs())) return undefined
    const { topic, partition: number } = answer
    const place = { cluster: this.#context.cluster.alias, topic, partition: number, broker: this.broker }
    return transportError('malformed', 'nothing comes back from there, although the log goes on', place)
  }

  /** The partitions to fetch, starting with another one each time: brokers fill answers front to back. */
  #wanted(): Wanted[] {
    const { partitionBufferBytesMax } = this.#context.limits
    const wanted: Wanted[] = []
    for (const partition of this.#partitions.values()) {
      if (partition.wantsFetch(partitionBufferBytesMax))
        wanted.push({ partition, offset: partition.position })
    }
    const from = wanted.length === 0 ? 0 : this.#rotation++ % wanted.length
    return from === 0 ? wanted : [...wanted.slice(from), ...wanted.slice(0, from)]
  }
}

/** A partition and the offset that this fetch asks for: an answer to an older question is not taken. */
interface Wanted {
  readonly partition: PartitionFlow
  readonly offset: bigint
}

const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`
