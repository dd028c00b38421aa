import type { BrokerId, PartitionOutcome, Result, TopicPartition } from '../../replicator/kafka/cluster.ts'
import {
  type ErrorPlace,
  type KafkaError,
  protocolError,
  transportError,
} from '../../replicator/kafka/errors.ts'
import type { RegionAlias } from '../../replicator/topology/model.ts'
import { type Answer, answered, refused } from './broker-answer.ts'
import type { DecideFault, Fault, RequestKind } from './faults.ts'
import type { SimulatedBrokers } from './simulated-brokers.ts'

export interface MemoryRequestsOptions {
  readonly alias: RegionAlias
  readonly brokers: SimulatedBrokers
  readonly faults: DecideFault
  readonly requestTimeoutMs: number
}

/** What one client asks simulated brokers, and what goes wrong with it. Nothing is retried. */
export class MemoryRequests {
  readonly #options: MemoryRequestsOptions
  readonly #asking = new Set<Promise<unknown>>()
  readonly #cut = new AbortController()
  #sent = 0
  #closing = false

  constructor(options: MemoryRequestsOptions) {
    this.#options = options
  }

  get pending(): readonly Promise<unknown>[] {
    return [...this.#asking]
  }

  /** No further requests; those under way go on. */
  close(): void {
    this.#closing = true
  }

  /** Fails the requests under way. */
  destroy(): void {
    this.#closing = true
    this.#cut.abort(transportError('closed', 'The client was closed', this.place({})))
  }

  /** A request that the coordinator may answer when others have come; `patienceMs` is how long that may take. */
  async askGroup<T>(
    kind: RequestKind,
    act: () => Promise<Answer<T>>,
    patienceMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const waited = await this.ask(kind, () => ({ answer: act() }), signal)
    const timer = new AbortController()
    const until = AbortSignal.any([this.#cut.signal, ...(signal === undefined ? [] : [signal])])
    const late = this.#options.brokers.clock.sleep(patienceMs, AbortSignal.any([until, timer.signal]))
    try {
      const answer = await Promise.race([waited.answer, late])
      until.throwIfAborted()
      if (answer === undefined)
        throw transportError('timeout', `No answer within ${patienceMs} ms`, this.place({}))
      if (!answer.ok) throw protocolError(answer.code, this.place({}), answer.detail)
      return answer.value
    } finally {
      timer.abort()
      await late.catch(() => {})
    }
  }

  /** A request that is answered about each partition by itself. */
  askEach<Item extends TopicPartition, T>(
    kind: RequestKind,
    items: readonly Item[],
    act: (item: Item) => Answer<T>,
    signal: AbortSignal | undefined,
  ): Promise<(TopicPartition & { readonly result: Result<T> })[]> {
    const answer = (item: Item) => {
      const { topic, partition } = item
      return { topic, partition, result: this.result(act(item), { topic, partition }) }
    }
    return this.ask(kind, () => items.map(answer), signal)
  }

  /** A request whose refusal is the whole answer. */
  async askWhole<T>(kind: RequestKind, act: () => Answer<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.whole(await this.ask(kind, act, signal), kind)
  }

  /** @throws KafkaError when the answer is a refusal */
  whole<T>(answer: Answer<T>, kind: RequestKind): T {
    if (answer.ok) return answer.value
    throw protocolError(answer.code, this.place({ during: kind }), answer.detail)
  }

  /** An outcome for each partition, of its code. */
  outcomes(partitions: readonly TopicPartition[], codes: readonly number[]): readonly PartitionOutcome[] {
    return partitions.map(({ topic, partition }, index) => {
      const code = codes[index] ?? 0
      const answer = code === 0 ? answered(undefined) : refused(code)
      return { topic, partition, result: this.result(answer, { topic, partition }) }
    })
  }

  /** Any other request: `act` is what the brokers do with it. */
  ask<T>(kind: RequestKind, act: () => T, signal: AbortSignal | undefined): Promise<T> {
    const asked = this.#answer(kind, act, signal)
    this.#asking.add(asked)
    const forget = () => this.#asking.delete(asked)
    asked.then(forget, forget)
    return asked
  }

  async #answer<T>(kind: RequestKind, act: () => T, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted()
    if (this.#closing) throw transportError('closed', 'The client was closed', this.place({}))
    const fault = this.decide(kind, undefined)
    const until = signal === undefined ? this.#cut.signal : AbortSignal.any([signal, this.#cut.signal])
    const delayMs = fault.requestDelayMs ?? 0
    if (fault.arrivesAnyway && delayMs > 0) return this.#arrive(act, delayMs, until)
    await this.#wait(delayMs, until)
    if (this.#options.brokers.brokers.length === 0 || fault.breakChannel === 'before')
      throw this.#unreachable()
    if (fault.lose === 'request') throw await this.#timedOut(until)
    let answer = act()
    if (fault.duplicate) answer = act()
    if (fault.breakChannel === 'after') throw this.#unreachable()
    if (fault.lose === 'answer') throw await this.#timedOut(until)
    await this.#wait(fault.answerDelayMs ?? 0, until)
    return answer
  }

  /** A request that is on its way already: the brokers act on it although its client may be gone by then. */
  async #arrive<T>(act: () => T, delayMs: number, until: AbortSignal): Promise<T> {
    const arrived = Promise.withResolvers<T>()
    this.#options.brokers.clock.after(delayMs, () => {
      if (this.#options.brokers.brokers.length === 0) return arrived.reject(this.#unreachable())
      try {
        arrived.resolve(act())
      } catch (error) {
        arrived.reject(error)
      }
    })
    arrived.promise.catch(() => {})
    const gone = Promise.withResolvers<never>()
    const onAbort = () => gone.reject(until.reason)
    until.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([arrived.promise, gone.promise])
    } finally {
      until.removeEventListener('abort', onAbort)
    }
  }

  async #wait(ms: number, until: AbortSignal): Promise<void> {
    if (ms > 0) await this.#options.brokers.clock.sleep(ms, until)
    until.throwIfAborted()
  }

  async #timedOut(until: AbortSignal): Promise<KafkaError> {
    await this.#wait(this.#options.requestTimeoutMs, until)
    return transportError('timeout', `No answer within ${this.#options.requestTimeoutMs} ms`, this.place({}))
  }

  #unreachable(): KafkaError {
    return transportError('connection', 'No broker can be reached', this.place({}))
  }

  decide(kind: RequestKind, broker: BrokerId | undefined): Fault {
    return this.#options.faults({ cluster: this.#options.alias, kind, broker, number: this.#sent++ }) ?? {}
  }

  place(place: ErrorPlace): ErrorPlace {
    return { cluster: this.#options.alias, ...place }
  }

  result<T>(answer: Answer<T>, place: ErrorPlace): Result<T> {
    if (answer.ok) return { ok: true, value: answer.value }
    return { ok: false, error: protocolError(answer.code, this.place(place), answer.detail) }
  }
}
