import { apiVersionsV3, Connection, ConnectionStatuses } from '@platformatic/kafka'
import type { Clock } from '../clock/clock.ts'
import type { RegionAlias } from '../topology/model.ts'
import { abortable } from './abortable.ts'
import { chooseVersion, type VersionedApi, type VersionRange } from './api-versions.ts'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.ts'
import { connectionFailure } from './connection-failure.ts'
import { connectionOptions } from './connection-options.ts'
import { type ErrorPlace, type KafkaError, protocolError, transportError } from './errors.ts'
import type { ConnectionSettings } from './settings.ts'

export interface ControlConnectionOptions {
  readonly cluster: RegionAlias
  readonly settings: ConnectionSettings
  readonly clock: Clock
}

/** What the socket said; pending requests are only told that the connection closed. */
interface Trouble {
  error: unknown
}

function explain(error: unknown, trouble: Trouble): unknown {
  return trouble.error === undefined || trouble.error === error
    ? error
    : new AggregateError([trouble.error, error])
}

/** How we show ourselves to brokers (KIP-511). */
const software = { name: 'causeway', version: '0.1.0' }

/** One connection for requests that carry no records. It never reconnects. */
export class ControlConnection {
  readonly address: BrokerAddress
  readonly #options: ControlConnectionOptions
  readonly #connection: Connection
  readonly #ranges: ReadonlyMap<number, VersionRange>
  readonly #trouble: Trouble
  #answered = false
  #throttledUntilMs = 0

  private constructor(
    address: BrokerAddress,
    options: ControlConnectionOptions,
    connection: Connection,
    ranges: ReadonlyMap<number, VersionRange>,
    trouble: Trouble,
  ) {
    this.address = address
    this.#options = options
    this.#connection = connection
    this.#ranges = ranges
    this.#trouble = trouble
  }

  /**
   * Connects, logs in and asks for the broker's versions.
   * @throws KafkaError, or the signal's reason
   */
  static async open(
    address: BrokerAddress,
    options: ControlConnectionOptions,
    signal: AbortSignal,
  ): Promise<ControlConnection> {
    const { settings, cluster } = options
    const place = { cluster, address: formatBrokerAddress(address), during: 'opening a connection' }
    signal.throwIfAborted()
    const scene = { place, tls: settings.tls !== undefined, sasl: settings.sasl !== undefined }
    const trouble: Trouble = { error: undefined }
    let connection: Connection | undefined
    try {
      connection = new Connection(settings.clientId, connectionOptions(settings, address.host))
      // Every failure reaches us through the pending call as well; without a listener the event would end the process.
      connection.on('error', (error) => {
        trouble.error ??= error
      })
      const connecting = Promise.resolve(connection.connect(address.host, address.port))
      connection.socket.on('error', () => {})
      await abortable(connecting, signal)
      const answer = await abortable(
        apiVersionsV3.api.async(connection, software.name, software.version),
        signal,
      )
      const ranges = answer.apiKeys.map(
        (each) => [each.apiKey, { min: each.minVersion, max: each.maxVersion }] as const,
      )
      return new ControlConnection(address, options, connection, new Map(ranges), trouble)
    } catch (error) {
      if (connection) cut(connection)
      signal.throwIfAborted()
      throw (
        refusedVersions(error, place) ??
        connectionFailure(explain(error, trouble), { ...scene, answered: false })
      )
    }
  }

  get usable(): boolean {
    const { status } = this.#connection
    return status === ConnectionStatuses.CONNECTED || status === ConnectionStatuses.REAUTHENTICATING
  }

  /** Runs once when the connection can no longer be used. */
  onClosed(listener: () => void): void {
    this.#connection.once('close', listener)
    this.#connection.once('error', listener)
  }

  /**
   * Sends one request in the newest common version. Waits first where the broker has asked for it.
   * Answers that hold errors are answers: see the codes in them.
   * @throws KafkaError when there is no answer, or the signal's reason
   */
  async send<Request, Response extends { readonly throttleTimeMs: number }>(
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const { cluster, clock, settings } = this.#options
    const place: ErrorPlace = { cluster, address: formatBrokerAddress(this.address), during: api.name }
    const choice = chooseVersion(api, this.#ranges.get(api.key))
    if (choice.kind === 'none') throw transportError('unsupported-version', choice.reason, place)

    const waitMs = this.#throttledUntilMs - clock.monotonicMs()
    if (waitMs > 0) await clock.sleep(waitMs, signal)
    try {
      // Until a renewed log-in has ended, a broker takes no other requests (KIP-368).
      if (this.#connection.status === ConnectionStatuses.REAUTHENTICATING) {
        await abortable(this.#connection.ready(), signal)
      }
      const response = await abortable(answerOf(choice.api.send(this.#connection, request)), signal)
      this.#answered = true
      this.#throttledUntilMs = clock.monotonicMs() + Math.max(0, response.throttleTimeMs)
      return response
    } catch (error) {
      signal.throwIfAborted()
      const malformed = unreadable(error, place)
      if (malformed) throw malformed
      throw connectionFailure(explain(error, this.#trouble), {
        place,
        tls: settings.tls !== undefined,
        sasl: settings.sasl !== undefined,
        answered: this.#answered,
      })
    }
  }

  /** Cuts the connection; pending requests fail. Idempotent. */
  destroy(): void {
    cut(this.#connection)
  }
}

/**
 * The wire library throws the parsed answer away into an error as soon as one of its parts holds an error code;
 * the answer is what we want.
 */
async function answerOf<Response>(sent: Promise<Response>): Promise<Response> {
  try {
    return await sent
  } catch (error) {
    const response = responseIn(error)
    if (response === undefined) throw error
    return response as Response
  }
}

function responseIn(error: unknown): object | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error) || !('response' in error))
    return undefined
  const { code, response } = error
  return code === 'PLT_KFK_RESPONSE' && typeof response === 'object' && response !== null
    ? response
    : undefined
}

/** Brokers before 2.4 refuse this version of ApiVersions. */
function refusedVersions(error: unknown, place: ErrorPlace): KafkaError | undefined {
  const response = responseIn(error)
  if (response === undefined || !('errorCode' in response) || !('apiKeys' in response)) return undefined
  return protocolError(Number(response.errorCode), { ...place, during: 'ApiVersions' })
}

/** Errors without a code, and those of buffers that end too early, come from reading an answer. */
function unreadable(error: unknown, place: ErrorPlace): KafkaError | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  if (code !== '' && !/OUT_OF_(RANGE|BOUNDS)|^ERR_BUFFER/.test(code)) return undefined
  return transportError('malformed', `the answer cannot be read (${String(error)})`, place, error)
}

function cut(connection: Connection): void {
  // `close` stops the timer that renews the log-in; after a failed log-in it leaves the socket open.
  void connection.close()
  connection.socket?.destroy()
}
