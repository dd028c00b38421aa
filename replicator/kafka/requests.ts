import type { RegionAlias } from '../topology/model.ts'
import { metadataApi, type VersionedApi } from './api-versions.ts'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.ts'
import { addressesToTry, type BrokerDirectory } from './broker-directory.ts'
import type { BrokerId } from './cluster.ts'
import type { ControlConnection } from './control-connection.ts'
import type { ControlConnections } from './control-connections.ts'
import { KafkaError, transportError, withPlace } from './errors.ts'
import type { RetryPolicy } from './retrying.ts'

export interface RequestsOptions {
  readonly cluster: RegionAlias
  /** In the order in which they were configured. */
  readonly bootstrap: readonly BrokerAddress[]
  readonly connections: ControlConnections
  readonly directory: BrokerDirectory
  readonly retry: RetryPolicy
}

type Answer = { readonly throttleTimeMs: number }

/** Sends control requests, each once, to whichever broker it is for. Retrying is the callers' business. */
export class Requests {
  readonly cluster: RegionAlias
  readonly retry: RetryPolicy
  readonly directory: BrokerDirectory
  readonly #bootstrap: readonly BrokerAddress[]
  readonly #connections: ControlConnections
  /** By address, on the monotonic clock. */
  readonly #failures = new Map<string, number>()

  constructor(options: RequestsOptions) {
    this.cluster = options.cluster
    this.retry = options.retry
    this.directory = options.directory
    this.#bootstrap = options.bootstrap
    this.#connections = options.connections
  }

  /** To the broker that is easiest to reach. @throws KafkaError, or the signal's reason */
  async toAny<Request, Response extends Answer>(
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const connection = await this.#anyConnection(signal)
    return await this.#send(connection, api, request, signal)
  }

  /** To one broker, at the place it advertises now. @throws KafkaError, or the signal's reason */
  async toBroker<Request, Response extends Answer>(
    broker: BrokerId,
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const address = await this.addressOf(broker, signal)
    try {
      return await this.toAddress(address, api, request, signal)
    } catch (error) {
      throw error instanceof KafkaError ? withPlace(error, { broker }) : error
    }
  }

  /** To the controller, or to a broker that forwards to it. @throws KafkaError, or the signal's reason */
  async toController<Request, Response extends Answer>(
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    if (this.directory.stale) await this.refresh(signal)
    const { controller } = this.directory
    if (controller === undefined) {
      this.directory.markStale()
      const place = { cluster: this.cluster, during: api.name }
      throw transportError('connection', 'the cluster has no controller now', place)
    }
    return await this.toBroker(controller, api, request, signal)
  }

  async toAddress<Request, Response extends Answer>(
    address: BrokerAddress,
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const connection = await this.#connect(address, signal)
    return await this.#send(connection, api, request, signal)
  }

  /** Asks who is in the cluster. @throws KafkaError, or the signal's reason */
  async refresh(signal: AbortSignal): Promise<void> {
    this.directory.adopt(await this.toAny(metadataApi, { topics: [] }, signal))
  }

  /**
   * Where the broker listens, as far as the newest metadata says.
   * @throws KafkaError (retriable) when it is not up
   */
  async addressOf(broker: BrokerId, signal: AbortSignal): Promise<BrokerAddress> {
    if (this.directory.stale || !this.directory.brokers.has(broker)) await this.refresh(signal)
    const address = this.directory.brokers.get(broker)
    if (address !== undefined) return address
    this.directory.markStale()
    throw transportError('connection', 'the broker is not up', { cluster: this.cluster, broker })
  }

  async #anyConnection(signal: AbortSignal): Promise<ControlConnection> {
    const addresses = addressesToTry(
      this.directory.brokers.values(),
      this.#bootstrap,
      (address) => this.#connections.has(address),
      this.#failures,
    )
    const errors: KafkaError[] = []
    for (const address of addresses) {
      try {
        return await this.#connect(address, signal)
      } catch (error) {
        signal.throwIfAborted()
        // Wrong credentials are wrong everywhere, and every further log-in counts towards a lock-out.
        if (!(error instanceof KafkaError) || error.kind === 'authentication' || error.kind === 'closed')
          throw error
        errors.push(error)
      }
    }
    throw nobodyAnswered(this.cluster, errors)
  }

  async #connect(address: BrokerAddress, signal: AbortSignal): Promise<ControlConnection> {
    try {
      return await this.#connections.get(address, signal)
    } catch (error) {
      signal.throwIfAborted()
      this.#failed(address)
      throw error
    }
  }

  async #send<Request, Response extends Answer>(
    connection: ControlConnection,
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    try {
      return await connection.send(api, request, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof KafkaError && error.refreshMetadata) this.#failed(connection.address)
      throw error
    }
  }

  #failed(address: BrokerAddress): void {
    this.directory.markStale()
    this.#failures.set(formatBrokerAddress(address), this.retry.clock.monotonicMs())
  }
}

/** One error for all addresses: the only one as it is, several in one sentence. */
function nobodyAnswered(cluster: RegionAlias, errors: readonly KafkaError[]): KafkaError {
  const [first] = errors
  if (first === undefined)
    return transportError('connection', 'no address to connect to is known', { cluster })
  if (errors.length === 1) return first
  const kind = errors.every((error) => error.kind === first.kind) ? first.kind : 'connection'
  const reasons = errors.map((error) => `${error.address ?? 'unknown address'}: ${error.summary}`)
  return new KafkaError({
    cluster,
    during: 'opening a connection',
    code: undefined,
    kind,
    summary: `none of ${errors.length} addresses could be used; ${reasons.join('; ')}`,
    retriable: errors.some((error) => error.retriable),
    refreshMetadata: true,
    wayOut: first.wayOut,
    cause: first,
  })
}
