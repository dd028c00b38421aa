import type { BackoffPolicy } from '../clock/backoff.ts'
import { backoffMs } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { BrokerChannel, BrokerId, Cluster, ProduceResult } from '../kafka/cluster.ts'
import { KafkaError, transportError } from '../kafka/errors.ts'
import type { FlowLimits } from './flow-limits.ts'
import type { Outgoing } from './partition-window.ts'

/** A partition as a lane sees it. */
export interface Sender {
  readonly targetTopic: string
  readonly partition: number
  /** It has a batch for which there is room in flight; whether it may be sent, {@link send} decides. */
  readonly wantsToSend: boolean
  /** The next batch, if there is one that may be sent now. */
  send(): Outgoing | undefined
  /** The broker cannot be reached for now. */
  shrink(): void
  /** The broker's answer about a batch that {@link send} gave. */
  settled(outgoing: Outgoing, result: ProduceResult['result']): void
}

export interface LaneContext {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
  readonly limits: FlowLimits
  /** The broker cannot be reached or broke off; `undefined` when it answers again. */
  readonly onTrouble: (broker: BrokerId, error: KafkaError | undefined) => void
  /** Something is about to be sent, or an answer to be taken. */
  readonly beginTurn: () => void
  /** Ask again who leads what. */
  readonly refreshLeaders: () => void
}

/**
 * One connection to a target broker. Whatever is ready goes out in one request, one batch per partition; while
 * requests are in flight more gets ready, so requests grow with the load by themselves.
 */
export class TargetLane {
  readonly #broker: BrokerId
  readonly #context: LaneContext
  readonly #ready: Sender[] = []
  readonly #queued = new Set<Sender>()
  #channel: BrokerChannel | undefined
  #opening: Promise<void> | undefined
  readonly #settling = new Set<Promise<void>>()
  #requests = 0
  #attempt = 0
  readonly #stop = new AbortController()

  constructor(broker: BrokerId, context: LaneContext) {
    this.#broker = broker
    this.#context = context
  }

  get broker(): BrokerId {
    return this.#broker
  }

  /** The sender may have batches to send. Cheap, and safe to call at any time. */
  offer(sender: Sender): void {
    if (!this.#queued.has(sender)) {
      this.#queued.add(sender)
      this.#ready.push(sender)
    }
    this.#pump()
  }

  /** The sender goes elsewhere. Its batches in flight still settle. */
  withdraw(sender: Sender): void {
    if (!this.#queued.delete(sender)) return
    const at = this.#ready.indexOf(sender)
    if (at !== -1) this.#ready.splice(at, 1)
  }

  /** Cuts the connection: what is in flight settles as refused. */
  async destroy(): Promise<void> {
    this.#stop.abort(new Error('the lane was closed'))
    this.#channel?.destroy()
    await this.#opening
    await Promise.all(this.#settling)
  }

  #pump(): void {
    if (this.#channel === undefined) {
      if (this.#ready.length > 0 && !this.#stop.signal.aborted) this.#opening ??= this.#open()
      return
    }
    while (this.#requests < this.#context.limits.produceRequestsMax && this.#ready.length > 0) {
      const batches = this.#gather()
      if (batches.length === 0) return
      const settling = this.#request(this.#channel, batches)
      this.#settling.add(settling)
      void settling.then(() => this.#settling.delete(settling))
    }
  }

  #gather(): { sender: Sender; outgoing: Outgoing }[] {
    this.#context.beginTurn()
    const gathered: { sender: Sender; outgoing: Outgoing }[] = []
    const again: Sender[] = []
    let bytes = 0
    while (this.#ready.length > 0 && bytes < this.#context.limits.produceBytesMax) {
      const sender = this.#ready.shift()!
      const outgoing = sender.send()
      if (outgoing !== undefined) {
        gathered.push({ sender, outgoing })
        bytes += outgoing.batch.length
      }
      if (outgoing !== undefined && sender.wantsToSend) again.push(sender)
      else this.#queued.delete(sender)
    }
    this.#ready.push(...again)
    return gathered
  }

  async #request(channel: BrokerChannel, batches: { sender: Sender; outgoing: Outgoing }[]): Promise<void> {
    this.#requests++
    try {
      const { results } = await channel.produce({
        timeoutMs: this.#context.limits.produceTimeoutMs,
        batches: batches.map(({ sender, outgoing }) => ({
          topic: sender.targetTopic,
          partition: sender.partition,
          batch: outgoing.batch,
        })),
      })
      this.#attempt = 0
      this.#context.beginTurn()
      batches.forEach(({ sender, outgoing }, index) => {
        const result = results[index]
        if (result === undefined)
          throw new Error(`Produce answered ${results.length} of ${batches.length} batches`)
        sender.settled(outgoing, result.result)
      })
    } catch (cause) {
      const error = asKafkaError(cause)
      this.#lost(channel, error)
      for (const { sender, outgoing } of batches) sender.settled(outgoing, { ok: false, error })
    } finally {
      this.#requests--
      for (const { sender } of batches) {
        if (sender.wantsToSend && !this.#queued.has(sender)) {
          this.#queued.add(sender)
          this.#ready.push(sender)
        }
      }
      this.#pump()
    }
  }

  #lost(channel: BrokerChannel, error: KafkaError): void {
    channel.destroy(error)
    if (this.#channel !== channel) return
    this.#channel = undefined
    if (this.#stop.signal.aborted) return
    this.#context.onTrouble(this.#broker, error)
    this.#context.refreshLeaders()
  }

  async #open(): Promise<void> {
    const { cluster, clock, random, backoff, onTrouble, refreshLeaders } = this.#context
    const signal = this.#stop.signal
    try {
      while (this.#ready.length > 0) {
        if (this.#attempt > 0) await clock.sleep(backoffMs(backoff, this.#attempt - 1, random), signal)
        this.#attempt++
        try {
          const channel = await cluster.openChannel(this.#broker, signal)
          this.#channel = channel
          onTrouble(this.#broker, undefined)
          return
        } catch (error) {
          signal.throwIfAborted()
          onTrouble(this.#broker, asKafkaError(error))
          for (const sender of this.#ready) sender.shrink()
          refreshLeaders()
        }
      }
      // Nobody needs this broker any more, so nobody will hear that it is back.
      onTrouble(this.#broker, undefined)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#opening = undefined
      this.#pump()
    }
  }
}

function asKafkaError(cause: unknown): KafkaError {
  return cause instanceof KafkaError ? cause : transportError('connection', 'The request failed', {}, cause)
}
