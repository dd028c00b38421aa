import { type BackoffPolicy, backoffMs } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { BrokerChannel, Cluster, ProducerIdentity } from '../kafka/cluster.ts'
import { isRetriable, KafkaError, protocolError } from '../kafka/errors.ts'
import { sequenceAfter } from '../records/batch-header.ts'
import type { RecordContent } from '../records/decode.ts'
import { encodeBatch } from '../records/encode.ts'
import { isFenced } from './fenced.ts'
import { mayBeAppended } from './may-be-appended.ts'

const PRODUCE_TIMEOUT_MS = 30_000
const LEADER_NOT_AVAILABLE = 5
const DUPLICATE_SEQUENCE = 46
/** The broker and we do not agree on what was written last. */
const sequenceErrors = [45, DUPLICATE_SEQUENCE, 59]

/**
 * `written`: it is on the target. `fenced`: somebody else has taken the shard over. `forgotten`: the broker no longer
 * knows our sequences, so it is unknown whether this was written; a new epoch helps.
 */
export type AppendOutcome = 'written' | 'fenced' | 'forgotten'

export interface ShardJournalOptions {
  readonly cluster: Cluster
  /** The progress topic, and the shard's partition of it. */
  readonly topic: string
  readonly partition: number
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/**
 * Appends to a shard's partition of the progress topic under the shard's own producer id: whoever takes the shard over
 * fences these appends together with the data. One append at a time.
 */
export class ShardJournal {
  readonly #options: ShardJournalOptions
  #channel: BrokerChannel | undefined
  #producer: ProducerIdentity | undefined
  #sequence = 0
  /** What was sent last may have got in without an answer: its sequence number must not be used for anything else. */
  #isUncertain = false

  constructor(options: ShardJournalOptions) {
    this.#options = options
  }

  /** From now on writes as this producer, whose marker must stand in the partition already. */
  become(producer: ProducerIdentity): void {
    this.#producer = producer
    this.#sequence = 0
    this.#isUncertain = false
  }

  /**
   * Appends the records as one batch; tries until the broker says what became of it.
   * @param mayWrite asked before every attempt: whether the broker is still sure to refuse us if we were fenced
   * @throws KafkaError for what no retry mends; the signal's reason
   */
  async append(
    records: readonly RecordContent[],
    mayWrite: () => boolean,
    signal: AbortSignal,
  ): Promise<AppendOutcome> {
    const { topic, partition, clock, random, backoff } = this.#options
    if (this.#producer === undefined) throw new Error('The journal has no producer yet')
    const producer = { ...this.#producer, baseSequence: this.#sequence }
    const batch = encodeBatch(records, { producer })
    if (this.#isUncertain) return 'forgotten'
    for (let attempt = 0; ; attempt++) {
      if (!mayWrite()) return 'forgotten'
      try {
        const channel = await this.#channelToLeader(signal)
        // Finding the leader may have taken long.
        if (!mayWrite()) return 'forgotten'
        const { results } = await channel.produce(
          { timeoutMs: PRODUCE_TIMEOUT_MS, batches: [{ topic, partition, batch }] },
          signal,
        )
        const result = results[0]?.result
        if (result === undefined) throw new Error('Produce answered nothing')
        if (!result.ok) throw result.error
        this.#sequence = sequenceAfter(this.#sequence, records.length)
        this.#isUncertain = false
        return 'written'
      } catch (error) {
        this.#disconnect()
        this.#isUncertain ||= mayBeAppended(error)
        signal.throwIfAborted()
        if (isFenced(error)) return 'fenced'
        if (error instanceof KafkaError && sequenceErrors.includes(error.code ?? 0)) return 'forgotten'
        if (!isRetriable(error)) throw error
        await clock.sleep(backoffMs(backoff, attempt, random), signal)
      }
    }
  }

  close(): void {
    this.#disconnect()
  }

  #disconnect(): void {
    this.#channel?.destroy()
    this.#channel = undefined
  }

  async #channelToLeader(signal: AbortSignal): Promise<BrokerChannel> {
    if (this.#channel !== undefined) return this.#channel
    const { cluster, topic, partition } = this.#options
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    const leader = lookup?.kind === 'found' ? lookup.topic.partitions[partition]?.leader : undefined
    if (leader === undefined)
      throw protocolError(LEADER_NOT_AVAILABLE, { cluster: cluster.alias, topic, partition })
    this.#channel = await cluster.openChannel(leader, signal)
    return this.#channel
  }
}
