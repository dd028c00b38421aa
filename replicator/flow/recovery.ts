import { backoffMs } from '../clock/backoff.ts'
import { KafkaError } from '../kafka/errors.ts'
import { listBounds } from '../kafka/list-bounds.ts'
import { sourceOffset } from '../records/offsets.ts'
import { fetchVerdict } from './fetch-verdict.ts'
import type { FlowOptions } from './flow-options.ts'
import { judgeBounds, sourceStop } from './judge-source.ts'
import type { LeaderBook } from './leader-book.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { produceVerdict } from './produce-verdict.ts'
import { readTargetRules } from './target-rules.ts'

/** How long until something that a person may lift is tried again, in milliseconds. */
const WAIT_RETRY_MS = 5000

/** After this many failures in a row a partition's buffered batches give their memory to others. */
const PATIENCE = 3

export interface RecoveryContext {
  readonly options: FlowOptions
  /** Another process owns the partition's shard. */
  readonly onFenced: (partition: PartitionFlow) => void
  readonly sourceLeaders: LeaderBook
  readonly targetLeaders: LeaderBook
  readonly offer: (partition: PartitionFlow) => void
  /** A cluster did not answer while a partition was being brought back; it is asked again. */
  readonly onTrouble: (error: KafkaError) => void
}

/**
 * Brings partitions back after a refusal, on either side. One recovery of a partition at a time per side; each goes on
 * until the partition moves again or has ended: a cluster that does not answer meanwhile is asked again.
 */
export class Recovery {
  readonly #context: RecoveryContext

  constructor(context: RecoveryContext) {
    this.#context = context
  }

  /** The target refused the partition's first batch in flight; every other one in flight has settled too. */
  afterRefusal(partition: PartitionFlow, error: KafkaError, signal: AbortSignal): Promise<void> {
    return this.#untilDone(partition, 'sending', signal, () => this.#bringBack(partition, error, signal))
  }

  /** The source refused to be read at the partition's position. */
  afterFetchError(partition: PartitionFlow, error: KafkaError, signal: AbortSignal): Promise<void> {
    return this.#untilDone(partition, 'reading', signal, () => this.#readAgain(partition, error, signal))
  }

  async #bringBack(partition: PartitionFlow, error: KafkaError, signal: AbortSignal): Promise<void> {
    const { options, onFenced, targetLeaders, offer } = this.#context
    const { window } = partition
    const verdict = produceVerdict(error)
    switch (verdict.kind) {
      case 'resend':
        await this.#pauseSending(partition, signal)
        await targetLeaders.refresh(signal)
        window.rewind()
        break
      case 'take-anew':
        partition.takeAnew()
        return
      case 'fenced':
        onFenced(partition)
        return
      case 'split': {
        const rules = await readTargetRules(options.target, [partition.targetTopic], signal)
        if (partition.isEnded || !partition.splitHead(rules.get(partition.targetTopic) ?? partition.rules))
          return
        break
      }
      case 'wait':
        partition.wait('target', error.message, verdict.wayOut)
        partition.shrink()
        await options.clock.sleep(WAIT_RETRY_MS, signal)
        window.rewind()
        partition.carryOn()
        break
      case 'stop':
        partition.stop(error.message, verdict.wayOut)
        return
    }
    if (!partition.isEnded) offer(partition)
  }

  async #readAgain(partition: PartitionFlow, error: KafkaError, signal: AbortSignal): Promise<void> {
    const { options, sourceLeaders } = this.#context
    const verdict = fetchVerdict(error)
    switch (verdict.kind) {
      case 'retry':
        partition.hold(error.message)
        await this.#pause(partition, 'reading', signal)
        await sourceLeaders.refresh(signal)
        break
      case 'wait':
        partition.wait('source', error.message, verdict.wayOut)
        await options.clock.sleep(WAIT_RETRY_MS, signal)
        break
      case 'damaged':
        partition.wait('source', `at source offset ${partition.position}: ${error.message}`, verdict.wayOut)
        await options.clock.sleep(WAIT_RETRY_MS, signal)
        await sourceLeaders.refresh(signal)
        break
      case 'out-of-range':
        partition.hold(error.message)
        await this.#outOfRange(partition, signal)
        break
      case 'stop':
        partition.stopReading(error.message, verdict.wayOut)
    }
    partition.carryOn()
  }

  async #untilDone(
    partition: PartitionFlow,
    side: keyof PartitionFlow['failures'],
    signal: AbortSignal,
    attempt: () => Promise<void>,
  ): Promise<void> {
    while (!partition.isEnded) {
      try {
        await attempt()
        return
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof KafkaError)) throw error
        this.#context.onTrouble(error)
        await this.#pause(partition, side, signal)
      }
    }
  }

  async #outOfRange(partition: PartitionFlow, signal: AbortSignal): Promise<void> {
    const { source, acceptsGap, announce, flow } = this.#context.options
    const { sourceTopic } = partition.place
    const place = { topic: sourceTopic, partition: partition.partition }
    const [listed] = await listBounds(source, [place], 'earliest', signal)
    const [earliest, latest] = [listed?.start, listed?.end].map((end) =>
      end?.ok === true ? end.value.offset : undefined,
    )
    const { position } = partition
    if (earliest === undefined || latest === undefined || (position >= earliest && position <= latest)) {
      // A follower that had just become leader did not know its own end yet.
      await this.#pause(partition, 'reading', signal)
    } else if (position < earliest && (partition.isFresh || acceptsGap(sourceTopic, partition.partition))) {
      if (!partition.window.isEmpty) {
        // What was read before the gap goes out first.
        await this.#pause(partition, 'reading', signal)
        return
      }
      // A partition that has forwarded nothing begins wherever its source begins: nothing of it was promised yet.
      if (!partition.isFresh)
        announce({ flow: flow.id, ...place, kind: 'gap-accepted', fromOffset: position, toOffset: earliest })
      partition.moveTo(sourceOffset(earliest))
    } else {
      const finding = judgeBounds(position, { start: earliest, end: latest }, false)
      if (finding === undefined) throw new Error('Unreachable: the position lies outside of the log')
      const { reason, wayOut } = sourceStop(finding, { flow: flow.id, ...place })
      partition.stopReading(reason, wayOut)
    }
  }

  async #pauseSending(partition: PartitionFlow, signal: AbortSignal): Promise<void> {
    if (partition.failures.sending >= PATIENCE) partition.shrink()
    await this.#pause(partition, 'sending', signal)
  }

  async #pause(
    partition: PartitionFlow,
    side: keyof PartitionFlow['failures'],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, random, backoff } = this.#context.options
    await clock.sleep(backoffMs(backoff, partition.failures[side]++, random), signal)
  }
}
