import type { Clock } from '../../clock/clock.ts'
import type { RegionAlias } from '../../topology/model.ts'
import { abortable } from '../abortable.ts'
import type {
  BrokerChannel,
  BrokerId,
  FetchRequest,
  FetchResponse,
  ProduceRequest,
  ProduceResponse,
} from '../cluster.ts'
import { defaultConnectTimeoutMs, defaultRequestTimeoutMs } from '../connection-options.ts'
import { type ErrorPlace, KafkaError, transportError } from '../errors.ts'
import type { ConnectionSettings } from '../settings.ts'
import { BrokerConnection } from './broker-connection.ts'
import { ByteBuilder } from './byte-builder.ts'
import { ByteCursor } from './byte-cursor.ts'
import { FETCH_API_KEY, planFetch, readFetch, writeFetch } from './fetch-codec.ts'
import type { FramePool } from './frame-pool.ts'
import { logIn, type NegotiatedVersions, negotiateVersions } from './log-in.ts'
import { layOutProduce, PRODUCE_API_KEY, readProduce } from './produce-codec.ts'

/** A channel stops taking requests after this share of its SASL session, so that none meets an expired one. */
const SESSION_SHARE = 0.8

export interface HotChannelRequest {
  readonly cluster: RegionAlias
  readonly broker: BrokerId
  readonly host: string
  readonly port: number
  readonly settings: ConnectionSettings
  readonly clock: Clock
  readonly pool: FramePool
}

/**
 * Opens the connection that fetched and produced bytes travel on: its own socket, receive buffers that are leased
 * instead of allocated, vectored writes. Log-in and version negotiation are the wire library's, over the same socket.
 *
 * @throws KafkaError `connection`, `tls`, `authentication`, `timeout`, `unsupported-version`, or the signal's reason
 */
export async function openHotChannel(
  request: HotChannelRequest,
  signal?: AbortSignal,
): Promise<BrokerChannel> {
  const { cluster, broker, host, port, settings, clock, pool } = request
  const place: ErrorPlace = { cluster, broker, address: `${host}:${port}`, during: 'opening a connection' }
  const limit = new AbortController()
  const timeoutMs = settings.connectTimeoutMs ?? defaultConnectTimeoutMs
  const done = new AbortController()
  const watchdog = clock
    .sleep(timeoutMs, done.signal)
    .then(() => limit.abort(transportError('timeout', `No connection within ${timeoutMs} ms`, place)))
    .catch(() => {})
  const within = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal])
  let connection: BrokerConnection | undefined
  const onAbort = (): void =>
    connection?.destroy(
      within.reason instanceof KafkaError
        ? within.reason
        : transportError('aborted', 'Opening was given up', place),
    )
  within.addEventListener('abort', onAbort)
  try {
    const wire = { host, port, tls: settings.tls, place, clientId: settings.clientId }
    const requestTimeoutMs = settings.requestTimeoutMs ?? defaultRequestTimeoutMs
    connection = await BrokerConnection.open({ ...wire, requestTimeoutMs }, clock, pool, within)
    // Cutting the connection does not end everything that a log-in waits for, such as whoever gives tokens.
    const versions = await abortable(negotiateVersions(connection), within)
    const { sasl } = settings
    const sessionMs = sasl === undefined ? undefined : await abortable(logIn(connection, sasl), within)
    return new HotChannel(broker, { cluster, broker }, connection, versions, clock, sessionMs)
  } catch (error) {
    connection?.destroy(transportError('closed', 'The connection was given up', place))
    signal?.throwIfAborted()
    throw error
  } finally {
    within.removeEventListener('abort', onAbort)
    done.abort()
    await watchdog
  }
}

class HotChannel implements BrokerChannel {
  readonly broker: BrokerId
  readonly #place: ErrorPlace
  readonly #connection: BrokerConnection
  readonly #versions: NegotiatedVersions
  readonly #clock: Clock
  readonly #usableUntilMs: number
  readonly #ended = new AbortController()
  /** While the broker throttles: settles when the last of those who wait has sent its request. */
  #turn: Promise<void> | undefined

  constructor(
    broker: BrokerId,
    place: ErrorPlace,
    connection: BrokerConnection,
    versions: NegotiatedVersions,
    clock: Clock,
    sessionMs: number | undefined,
  ) {
    this.broker = broker
    this.#place = place
    this.#connection = connection
    this.#versions = versions
    this.#clock = clock
    this.#usableUntilMs =
      sessionMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + sessionMs * SESSION_SHARE
    void connection.ended.then(() => this.#ended.abort())
  }

  get closed(): Promise<void> {
    return this.#connection.ended
  }

  async fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse> {
    const version = this.#versions.fetch
    const plan = planFetch(request.partitions)
    const body = new ByteBuilder(96 + plan.size * 256 + request.partitions.length * 40)
    writeFetch(body, version, request, plan)
    const { frame, answer } = await this.#inTurn(signal, () =>
      this.#connection.leased(
        { key: FETCH_API_KEY, version },
        [body.view()],
        request.waitMaxMs,
        (frame, start, end) => {
          try {
            const cursor = new ByteCursor(frame.memory.subarray(0, end), start)
            cursor.skipTags()
            return { frame, answer: readFetch(cursor, version, plan, this.#place) }
          } catch (error) {
            frame.release()
            throw error
          }
        },
      ),
    )
    this.#throttle(answer.throttleMs)
    if (answer.error !== undefined) {
      frame.release()
      throw answer.error
    }
    return { frame, partitions: answer.partitions }
  }

  async produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse> {
    const { pieces } = layOutProduce(request)
    const api = { key: PRODUCE_API_KEY, version: this.#versions.produce }
    const answer = await this.#inTurn(signal, () =>
      this.#connection.lent(api, pieces, request.timeoutMs, (buffer, start, end) => {
        const cursor = new ByteCursor(buffer.subarray(0, end), start)
        cursor.skipTags()
        return readProduce(cursor, request.batches, this.#place)
      }),
    )
    this.#throttle(answer.throttleMs)
    return { results: answer.results }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  destroy(reason?: Error): void {
    this.#connection.destroy(
      reason instanceof KafkaError
        ? reason
        : transportError('connection', 'The channel was cut by this side', this.#place, reason),
    )
  }

  /** KIP-219: after a throttled answer it is the client that waits, before its next request on this connection. */
  #throttle(throttleMs: number): void {
    if (throttleMs <= 0) return
    const over = this.#clock.sleep(throttleMs, this.#ended.signal).catch(() => {})
    this.#lineUp(Promise.all([this.#turn, over]).then(() => {}))
  }

  #inTurn<T>(signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> {
    const before = this.#turn
    if (before !== undefined) return this.#afterTurn(before, signal, send)
    this.#requireSession()
    return this.#abortable(signal, send)
  }

  /** Requests that wait go out in the order they came: each behind the one before, even if that one was given up. */
  async #afterTurn<T>(
    before: Promise<void>,
    signal: AbortSignal | undefined,
    send: () => Promise<T>,
  ): Promise<T> {
    const mine = Promise.withResolvers<void>()
    this.#lineUp(mine.promise)
    try {
      await (signal === undefined ? before : abortable(before, signal))
      this.#requireSession()
      return this.#abortable(signal, send)
    } finally {
      void before.then(mine.resolve)
    }
  }

  #lineUp(turn: Promise<void>): void {
    this.#turn = turn
    void turn.then(() => {
      if (this.#turn === turn) this.#turn = undefined
    })
  }

  #requireSession(): void {
    if (this.#clock.monotonicMs() < this.#usableUntilMs) return
    void this.#connection.close()
    throw transportError(
      'connection',
      'The log-in session of this connection ends; open another',
      this.#place,
    )
  }

  /**
   * An abandoned request's bytes may still be on their way out, and its answer would block those behind it: the
   * only safe way to give one request up is to cut the connection.
   */
  async #abortable<T>(signal: AbortSignal | undefined, send: () => Promise<T>): Promise<T> {
    if (signal === undefined) return send()
    signal.throwIfAborted()
    const onAbort = (): void =>
      this.destroy(
        transportError('connection', 'A request on this connection was given up by this side', this.#place),
      )
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await send()
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
