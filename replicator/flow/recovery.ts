import { backoffMs } from '../clock/backoff.ts'
import type { FetchedPartition } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import { sourceOffset } from '../records/offsets.ts'
import type { ShardProducers } from '../shards/shard-producers.ts'
import { fetchVerdict } from './fetch-verdict.ts'
import type { FlowOptions } from './flow-options.ts'
import type { LeaderBook } from './leader-book.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { produceVerdict } from './produce-verdict.ts'
import { readTargetRules } from './target-rules.ts'

/** How long until something that a person may lift is tried again, in milliseconds. */
const WAIT_RETRY_MS = 5000

export interface RecoveryContext {
  readonly options: FlowOptions
  readonly producers: ShardProducers
  readonly shardOf: (partition: PartitionFlow) => number
  readonly sourceLeaders: LeaderBook
  readonly targetLeaders: LeaderBook
  readonly offer: (partition: PartitionFlow) => void
}

/** Brings partitions back after a refusal, on either side. One recovery of a partition at a time per side. */
export class Recovery {
  readonly #context: RecoveryContext
  readonly #attempts = new WeakMap<PartitionFlow, number>()

  constructor(context: RecoveryContext) {
    this.#context = context
  }

  /** The partition made progress: the next trouble is a first one. */
  succeeded(partition: PartitionFlow): void {
    if (this.#attempts.has(partition)) this.#attempts.delete(partition)
  }

  /** The target refused the partition's first batch in flight; every other one in flight has settled too. */
  async afterRefusal(partition: PartitionFlow, error: KafkaError, signal: AbortSignal): Promise<void> {
    const { options, producers, targetLeaders, offer } = this.#context
    const verdict = produceVerdict(error)
    switch (verdict.kind) {
      case 'already-there':
      case 'resend':
        await this.#pause(partition, signal)
        await targetLeaders.refresh(signal)
        partition.window.rewind()
        break
      case 'new-producer': {
        await this.#pause(partition, signal)
        const renewed = await producers.renewed(
          this.#context.shardOf(partition),
          partition.window.producer,
          signal,
        )
        partition.window.restart(renewed)
        break
      }
      case 'split': {
        const rules = await readTargetRules(options.target, [partition.targetTopic], signal)
        if (!partition.splitHead(rules.get(partition.targetTopic) ?? partition.rules)) return
        break
      }
      case 'wait':
        partition.wait(error.message, verdict.wayOut)
        await options.clock.sleep(WAIT_RETRY_MS, signal)
        partition.window.rewind()
        partition.carryOn()
        break
      case 'stop':
        partition.stop(error.message, verdict.wayOut)
        return
    }
    offer(partition)
  }

  /** The source refused to be read at the partition's position. */
  async afterFetchError(
    partition: PartitionFlow,
    answer: FetchedPartition,
    error: KafkaError,
    signal: AbortSignal,
  ): Promise<void> {
    const { options, sourceLeaders } = this.#context
    const verdict = fetchVerdict(error)
    switch (verdict.kind) {
      case 'retry':
        partition.hold(error.message)
        await this.#pause(partition, signal)
        await sourceLeaders.refresh(signal)
        partition.carryOn()
        return
      case 'wait':
        partition.wait(error.message, verdict.wayOut)
        await options.clock.sleep(WAIT_RETRY_MS, signal)
        partition.carryOn()
        return
      case 'out-of-range':
        partition.hold(error.message)
        await this.#outOfRange(partition, answer, signal)
        return
      case 'stop':
        partition.stop(error.message, verdict.wayOut)
    }
  }

  async #outOfRange(partition: PartitionFlow, answer: FetchedPartition, signal: AbortSignal): Promise<void> {
    const { source, acceptsGap, announce, flow } = this.#context.options
    const { sourceTopic } = partition.place
    const place = { topic: sourceTopic, partition: partition.partition }
    const answers = await source.listOffsets(
      [
        { ...place, at: 'earliest' },
        { ...place, at: 'latest' },
      ],
      signal,
    )
    const [earliest, latest] = answers.map(({ result }) => (result.ok ? result.value.offset : undefined))
    if (earliest === undefined || latest === undefined || answer.error === undefined) {
      await this.#pause(partition, signal)
      partition.carryOn()
      return
    }
    const { position } = partition
    if (position >= earliest && position <= latest) {
      // A follower that had just become leader did not know its own end yet.
      await this.#pause(partition, signal)
      partition.carryOn()
    } else if (
      position < earliest &&
      partition.window.isEmpty &&
      (partition.isFresh || acceptsGap(sourceTopic, partition.partition))
    ) {
      // A partition that has forwarded nothing begins wherever its source begins: nothing of it was promised yet.
      if (!partition.isFresh)
        announce({ flow: flow.id, ...place, kind: 'gap-accepted', fromOffset: position, toOffset: earliest })
      partition.moveTo(sourceOffset(earliest))
      partition.carryOn()
    } else if (position < earliest) {
      partition.stop(
        `${sourceTopic} partition ${partition.partition}: the source deleted offsets ${position} to ${earliest - 1n} before they were copied`,
        `Restart with --accept-gap ${sourceTopic}/${partition.partition} to go on at ${earliest} without them; raise the source's retention to keep it from happening again.`,
      )
    } else {
      partition.stop(
        `${sourceTopic} partition ${partition.partition}: the source ends at offset ${latest}, before ${position} that was already copied`,
        'The source lost records (an unclean leader election, or a restored cluster). Compare both sides before going on: the target holds records that the source no longer has.',
      )
    }
  }

  async #pause(partition: PartitionFlow, signal: AbortSignal): Promise<void> {
    const { clock, random, backoff } = this.#context.options
    const attempt = this.#attempts.get(partition) ?? 0
    this.#attempts.set(partition, attempt + 1)
    await clock.sleep(backoffMs(backoff, attempt, random), signal)
  }
}
