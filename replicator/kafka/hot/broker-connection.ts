import type net from 'node:net'
import { type Callback, type Connection, Reader, type ResponseParser, type Writer } from '@platformatic/kafka'
import type { Clock } from '../../clock/clock.ts'
import { type ErrorPlace, KafkaError, transportError } from '../errors.ts'
import { type AnswerReceiver, AnswerStream } from './answer-stream.ts'
import { ByteBuilder } from './byte-builder.ts'
import type { Frame, FramePool } from './frame-pool.ts'
import { openSocket, type SocketRequest, socketError } from './socket.ts'

/** How often the age of the oldest unanswered request is looked at, in milliseconds. */
const WATCH_INTERVAL_MS = 1000

export interface ConnectionRequest extends SocketRequest {
  readonly clientId: string
  readonly requestTimeoutMs: number
}

/** One request on the wire; exactly one of the three is called, once. */
interface Pending {
  readonly sentMs: number
  readonly deadlineMs: number
  readonly takes: 'lent' | 'leased'
  onLent?(buffer: Buffer, start: number, end: number): void
  onLeased?(frame: Frame, start: number, end: number): void
  onError(error: KafkaError): void
}

/**
 * One TCP connection to a broker: requests out, in order, as vectored writes; answers in, cut by
 * {@link AnswerStream} and matched by correlation id. When it breaks, every pending request fails with one error.
 */
export class BrokerConnection implements AnswerReceiver {
  readonly #request: ConnectionRequest
  readonly #clock: Clock
  readonly #stream: AnswerStream
  readonly #pending = new Map<number, Pending>()
  readonly #ended = Promise.withResolvers<void>()
  readonly #watch = new AbortController()
  #socket: net.Socket | undefined
  #correlationId = 0
  #failure: KafkaError | undefined
  #onIdle: (() => void) | undefined

  private constructor(request: ConnectionRequest, clock: Clock, pool: FramePool) {
    this.#request = request
    this.#clock = clock
    this.#stream = new AnswerStream(this, pool)
  }

  /** @throws KafkaError `connection`, `tls`, or the signal's reason. */
  static async open(
    request: ConnectionRequest,
    clock: Clock,
    pool: FramePool,
    signal: AbortSignal,
  ): Promise<BrokerConnection> {
    const connection = new BrokerConnection(request, clock, pool)
    const target = {
      nextBuffer: () => connection.#stream.nextBuffer(),
      received: (bytes: number) => connection.#received(bytes),
    }
    const socket = await openSocket(request, target, signal)
    connection.#socket = socket
    socket.on('error', (error) => connection.destroy(socketError(request, error)))
    socket.on('close', () => connection.destroy(connection.#broken('The broker closed the connection')))
    // What happened to the socket since it was opened has told nobody.
    if (socket.destroyed) throw connection.#broken('The broker closed the connection')
    void connection.#watchTimeouts()
    return connection
  }

  get place(): ErrorPlace {
    return this.#request.place
  }

  /** Resolves when the connection has ended, for whichever reason. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  get pendingRequests(): number {
    return this.#pending.size
  }

  /** Sends a request with a flexible header whose answer is lent: `read` must take what it needs before it returns. */
  lent<T>(
    api: ApiVersion,
    body: readonly Buffer[],
    extraTimeoutMs: number,
    read: AnswerReader<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#send(api, true, body, {
        ...this.#deadline(extraTimeoutMs),
        takes: 'lent',
        onLent: (buffer, start, end) => settle(() => read(buffer, start + 4, end), resolve, reject, this),
        onError: reject,
      })
    })
  }

  /** As {@link lent}, for answers that are received into a frame of their own. `read` owns the frame's reference. */
  leased<T>(
    api: ApiVersion,
    body: readonly Buffer[],
    extraTimeoutMs: number,
    read: (frame: Frame, start: number, end: number) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#send(api, true, body, {
        ...this.#deadline(extraTimeoutMs),
        takes: 'leased',
        onLeased: (frame, start, end) => settle(() => read(frame, start + 4, end), resolve, reject, this),
        onError: reject,
      })
    })
  }

  /**
   * The wire library's view of a connection, so that its own requests (ApiVersions, SASL) run over this socket.
   * Only `send` is there: that is all its request functions use.
   */
  asLibraryConnection(): Connection {
    const send = <T>(
      apiKey: number,
      apiVersion: number,
      createPayload: () => Writer,
      parse: ResponseParser<T>,
      flexibleRequest: boolean,
      flexibleResponse: boolean,
      callback: Callback<T>,
    ): void => {
      const api = { key: apiKey, version: apiVersion }
      this.#send(api, flexibleRequest, [createPayload().buffer], {
        ...this.#deadline(0),
        takes: 'lent',
        onLent: (buffer, start, end) => {
          const bodyStart = start + 4 + (flexibleResponse ? 1 : 0)
          const body = Buffer.from(buffer.subarray(bodyStart, end))
          settle(
            () => parse(0, apiKey, apiVersion, Reader.from(body)),
            (value) => callback(null, value as T),
            (error) => callback(error),
          )
        },
        onError: (error) => callback(error),
      })
    }
    return { send } as unknown as Connection
  }

  /** Lets pending requests end, then closes. */
  async close(): Promise<void> {
    if (this.#failure === undefined && this.#pending.size > 0) {
      await Promise.race([new Promise<void>((resolve) => (this.#onIdle = resolve)), this.ended])
    }
    this.destroy(transportError('closed', 'The connection was closed by this side', this.place))
  }

  /** Cuts the connection; pending requests fail with `error`. */
  destroy(error: KafkaError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    this.#watch.abort()
    this.#socket?.destroy()
    this.#stream.end()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const request of pending) request.onError(error)
    this.#ended.resolve()
  }

  leases(correlationId: number): boolean {
    return this.#pending.get(correlationId)?.takes === 'leased'
  }

  onLentAnswer(buffer: Buffer, start: number, end: number): void {
    this.#take(buffer.readInt32BE(start)).onLent?.(buffer, start, end)
    this.#signalIdle()
  }

  onLeasedAnswer(frame: Frame, start: number, end: number): void {
    this.#take(frame.memory.readInt32BE(start)).onLeased?.(frame, start, end)
    this.#signalIdle()
  }

  #take(correlationId: number): Pending {
    const pending = this.#pending.get(correlationId)
    if (pending === undefined) throw new RangeError(`An answer came for the unknown request ${correlationId}`)
    this.#pending.delete(correlationId)
    return pending
  }

  #signalIdle(): void {
    if (this.#pending.size > 0) return
    this.#onIdle?.()
    this.#onIdle = undefined
  }

  #send(api: ApiVersion, flexible: boolean, body: readonly Buffer[], pending: Pending): void {
    const socket = this.#socket
    if (this.#failure !== undefined || socket === undefined) {
      pending.onError(this.#failure ?? this.#broken('The connection is not open'))
      return
    }
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    const header = new ByteBuilder(64 + this.#request.clientId.length)
      .int32(0)
      .int16(api.key)
      .int16(api.version)
      .int32(this.#correlationId)
      .shortString(this.#request.clientId)
    if (flexible) header.noTags()
    const head = header.view()
    let bytes = head.length - 4
    for (const piece of body) bytes += piece.length
    head.writeInt32BE(bytes, 0)
    this.#pending.set(this.#correlationId, pending)
    socket.cork()
    socket.write(head)
    for (const piece of body) socket.write(piece)
    socket.uncork()
  }

  #received(bytes: number): void {
    if (this.#failure !== undefined) return
    try {
      this.#stream.received(bytes)
    } catch (error) {
      this.destroy(
        transportError('malformed', 'The broker sent an answer that makes no sense', this.place, error),
      )
    }
  }

  #deadline(extraTimeoutMs: number): { sentMs: number; deadlineMs: number } {
    const sentMs = this.#clock.monotonicMs()
    return { sentMs, deadlineMs: sentMs + this.#request.requestTimeoutMs + extraTimeoutMs }
  }

  async #watchTimeouts(): Promise<void> {
    while (this.#failure === undefined) {
      try {
        await this.#clock.sleep(WATCH_INTERVAL_MS, this.#watch.signal)
      } catch {
        return
      }
      const now = this.#clock.monotonicMs()
      for (const { sentMs, deadlineMs } of this.#pending.values()) {
        if (now < deadlineMs) continue
        const waited = Math.round(now - sentMs)
        this.destroy(transportError('timeout', `The broker did not answer within ${waited} ms`, this.place))
        return
      }
    }
  }

  #broken(message: string): KafkaError {
    return transportError('connection', message, this.place)
  }
}

export interface ApiVersion {
  readonly key: number
  readonly version: number
}

/** Reads an answer's body, which lies from `start` to `end`. */
export type AnswerReader<T> = (buffer: Buffer, start: number, end: number) => T

function settle<T>(
  read: () => T,
  resolve: (value: T) => void,
  reject: (error: Error) => void,
  connection?: BrokerConnection,
): void {
  let value: T
  try {
    value = read()
  } catch (cause) {
    if (connection === undefined || cause instanceof KafkaError) {
      reject(cause as Error)
      return
    }
    const error = transportError('malformed', 'An answer cannot be read', connection.place, cause)
    reject(error)
    connection.destroy(error)
    return
  }
  resolve(value)
}
