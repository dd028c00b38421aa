import type {
  BrokerChannel,
  BrokerId,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
  ProduceRequest,
  ProduceResponse,
} from '../../replicator/kafka/cluster.ts'
import { type ErrorPlace, KafkaError, protocolError, transportError } from '../../replicator/kafka/errors.ts'
import { type Answer, errorCode, refused } from './broker-answer.ts'
import type { LeaseLedger } from './counted-lease.ts'
import type { Fault, RequestKind } from './faults.ts'
import { answerFetch, type PartitionRead } from './fetching.ts'
import type { Appended, SimulatedBrokers } from './simulated-brokers.ts'

export interface MemoryChannelOptions {
  readonly brokers: SimulatedBrokers
  readonly broker: BrokerId
  readonly place: ErrorPlace
  readonly leases: LeaseLedger
  readonly requestTimeoutMs: number
  readonly decide: (kind: RequestKind) => Fault
}

interface Pending {
  readonly reject: (error: Error) => void
  readonly stopTimer: () => void
}

/**
 * A connection to a simulated broker. The broker takes one request at a time, so a fetch that waits for records
 * holds up what was sent after it, as on a real connection. Produced bytes are read when the broker gets to them: a
 * caller that gives them away too early is found out by the checksum.
 */
export class MemoryChannel implements BrokerChannel {
  readonly broker: BrokerId
  readonly #options: MemoryChannelOptions
  readonly #ended = Promise.withResolvers<void>()
  /** Once closing: settles with the last pending request. */
  readonly #drained = Promise.withResolvers<void>()
  readonly #pending = new Set<Pending>()
  #failure: KafkaError | undefined
  #turn: Promise<void> = Promise.resolve()
  #closing = false
  /** Nothing that was sent later reaches the broker either: bytes on a connection arrive in order or not at all. */
  #severed = false
  /** When a request came or an answer went last. */
  #usedMs: number
  #stopIdleTimer = (): void => {}

  constructor(options: MemoryChannelOptions) {
    this.broker = options.broker
    this.#options = options
    this.#usedMs = options.brokers.clock.monotonicMs()
    this.#watchIdleness()
  }

  get closed(): Promise<void> {
    return this.#ended.promise
  }

  async produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    const keys = new Set(request.batches.map(({ topic, partition }) => `${topic}/${partition}`))
    if (keys.size < request.batches.length) throw new Error('two batches for one partition in one request')
    const fault = this.#options.decide('produce')
    const sent = fault.arrivesAnyway ? copyOf(request) : request
    const act = async (): Promise<ProduceResponse> => ({ results: await this.#append(sent) })
    return this.#send(fault, act, (response) => response, request.timeoutMs, signal)
  }

  async fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    const { brokers, broker } = this.#options
    if (request.partitions.some(({ topicId }) => topicId === undefined)) {
      throw new Error('fetching by topic id needs its id')
    }
    const act = () => answerFetch(brokers, broker, request, this.#ended.promise)
    const fault = this.#options.decide('fetch')
    return this.#send(fault, act, (reads) => this.#frame(reads), request.waitMaxMs, signal)
  }

  async close(): Promise<void> {
    this.#closing = true
    // Not the broker's turn: a request that it never sees is pending until its time is up.
    if (this.#pending.size > 0 && this.#failure === undefined) await this.#drained.promise
    this.#end(transportError('closed', 'The connection was closed by this side', this.#options.place))
  }

  destroy(reason?: Error): void {
    this.#end(
      reason instanceof KafkaError
        ? reason
        : transportError('connection', 'The channel was cut by this side', this.#options.place, reason),
    )
  }

  #end(error: KafkaError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const pending of this.#pending) {
      pending.stopTimer()
      pending.reject(error)
    }
    this.#pending.clear()
    this.#stopIdleTimer()
    this.#drained.resolve()
    this.#ended.resolve()
  }

  /** @param receive takes what the broker's `act` answered, should anybody still wait for it */
  #send<A, T>(
    fault: Fault,
    act: () => Promise<A>,
    receive: (answer: A) => T,
    extraTimeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted()
    if (this.#failure !== undefined) throw this.#failure
    const { clock } = this.#options.brokers
    if (this.#closing) throw transportError('closed', 'The connection is closing', this.#options.place)
    const settled = Promise.withResolvers<T>()
    const timeoutMs = this.#options.requestTimeoutMs + extraTimeoutMs
    const pending: Pending = {
      reject: (error) => {
        signal?.removeEventListener('abort', onAbort)
        settled.reject(signal?.aborted ? signal.reason : error)
      },
      stopTimer: clock.after(timeoutMs, () =>
        this.#end(transportError('timeout', `No answer within ${timeoutMs} ms`, this.#options.place)),
      ),
    }
    // Answers come in order, so giving one up means to cut the connection.
    const onAbort = () => this.destroy(new Error('a request was given up'))
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#pending.add(pending)
    this.#usedMs = clock.monotonicMs()
    const deliver = (answer: A) => {
      if (!this.#pending.delete(pending)) return
      pending.stopTimer()
      signal?.removeEventListener('abort', onAbort)
      settled.resolve(receive(answer))
      this.#noteAnswered()
    }
    this.#turn = this.#turn
      .then(() => this.#serve(fault, act, deliver))
      .catch((error) => {
        this.#pending.delete(pending)
        pending.stopTimer()
        pending.reject(error)
        this.#noteAnswered()
      })
    return settled.promise
  }

  /** The broker closes a connection that nobody uses, whether or not the process at its other end runs. */
  #watchIdleness(): void {
    const { clock, connectionIdleMaxMs } = this.#options.brokers
    const idleMs = clock.monotonicMs() - this.#usedMs
    if (idleMs >= connectionIdleMaxMs && this.#pending.size === 0) {
      this.#break('The broker closed an idle connection')
      return
    }
    const leftMs = Math.max(1, connectionIdleMaxMs - idleMs)
    this.#stopIdleTimer = clock.after(leftMs, () => this.#watchIdleness())
  }

  #noteAnswered(): void {
    this.#usedMs = this.#options.brokers.clock.monotonicMs()
    if (this.#closing && this.#pending.size === 0) this.#drained.resolve()
  }

  /** The broker's side of one request. */
  async #serve<A>(fault: Fault, act: () => Promise<A>, deliver: (answer: A) => void): Promise<void> {
    await this.#wait(fault.requestDelayMs)
    if (fault.breakChannel === 'before') this.#break()
    if (fault.lose === 'request') {
      this.#severed = true
      await this.#ended.promise
    }
    // What was sent before this side cut the connection may still reach the broker.
    if (this.#failure !== undefined && !fault.arrivesAnyway) this.#severed = true
    if (this.#severed || !this.#options.brokers.isUp(this.broker)) return
    let answer = await act()
    if (fault.duplicate) answer = await act()
    if (fault.breakChannel === 'after') this.#break()
    if (fault.lose === 'answer') await this.#ended.promise
    await this.#wait(fault.answerDelayMs)
    deliver(answer)
  }

  async #wait(ms: number | undefined): Promise<void> {
    if (ms === undefined) return
    const timer = Promise.withResolvers<void>()
    const cancel = this.#options.brokers.clock.after(ms, timer.resolve)
    await Promise.race([timer.promise, this.#ended.promise])
    cancel()
  }

  #break(how = 'The connection broke'): void {
    this.#severed = true
    this.#end(transportError('connection', how, this.#options.place))
  }

  async #append(request: ProduceRequest): Promise<ProduceResponse['results']> {
    const { brokers, broker, place } = this.#options
    const answers = brokers.produce(broker, request.batches)
    const results = request.batches.map(async ({ topic, partition }, index) => {
      const answer = await this.#replicated(
        { topic, partition },
        answers[index] as Answer<Appended>,
        request.timeoutMs,
      )
      if (answer.ok) return { topic, partition, result: { ok: true, value: answer.value } as const }
      const error = protocolError(answer.code, { ...place, topic, partition }, answer.detail)
      return { topic, partition, result: { ok: false, error } as const }
    })
    return Promise.all(results)
  }

  /** acks=all: an append counts when the high watermark has passed it. */
  async #replicated(
    at: { readonly topic: string; readonly partition: number },
    answer: Answer<Appended>,
    timeoutMs: number,
  ): Promise<Answer<Appended>> {
    const { brokers } = this.#options
    if (!answer.ok) return answer
    const deadlineMs = brokers.clock.monotonicMs() + timeoutMs
    const log = brokers.log(at)
    while (log.highWatermark <= answer.value.baseOffset && this.#failure === undefined) {
      const leftMs = deadlineMs - brokers.clock.monotonicMs()
      if (leftMs <= 0) return refused(errorCode.REQUEST_TIMED_OUT)
      const timer = Promise.withResolvers<void>()
      const cancel = brokers.clock.after(leftMs, timer.resolve)
      await Promise.race([timer.promise, log.changed, this.#ended.promise])
      cancel()
    }
    return answer
  }

  /** Lays the answer out in one piece of memory, as it would have been received. */
  #frame(reads: readonly PartitionRead[]): FetchResponse {
    const memory = Buffer.alloc(reads.reduce((sum, read) => sum + read.bytes, 0))
    let at = 0
    const partitions = reads.map((read): FetchedPartition => {
      const records = memory.subarray(at, at + read.bytes)
      let written = 0
      for (const batch of read.batches) {
        if (written >= read.bytes) break
        written += batch.copy(records, written)
      }
      at += read.bytes
      const { topic, partition } = read.asked
      const place = { ...this.#options.place, topic, partition }
      return {
        topic,
        partition,
        error: read.code === 0 ? undefined : protocolError(read.code, place),
        highWatermark: read.highWatermark,
        lastStableOffset: read.lastStableOffset,
        logStartOffset: read.logStartOffset,
        aborted: read.aborted,
        records,
      }
    })
    return { frame: this.#options.leases.lease(memory), partitions }
  }
}

/** The bytes as they went onto the wire. */
const copyOf = (request: ProduceRequest): ProduceRequest => ({
  ...request,
  batches: request.batches.map((batch) => ({ ...batch, batch: Buffer.from(batch.batch) })),
})
