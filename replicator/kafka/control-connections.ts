import { abortable } from './abortable.ts'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.ts'
import { ControlConnection, type ControlConnectionOptions } from './control-connection.ts'
import { type KafkaError, transportError } from './errors.ts'

/** At most one control connection per address, opened when it is needed. */
export class ControlConnections {
  readonly #options: ControlConnectionOptions
  readonly #connections = new Map<string, Promise<ControlConnection>>()
  readonly #usable = new Map<string, ControlConnection>()
  readonly #lifetime = new AbortController()

  constructor(options: ControlConnectionOptions) {
    this.#options = options
  }

  /** Whether a connection is open now. */
  has(address: BrokerAddress): boolean {
    return this.#usable.get(formatBrokerAddress(address))?.usable ?? false
  }

  /**
   * The open connection to the address, or a new one. Callers share the opening; each waits as long as its signal
   * allows.
   * @throws KafkaError, or the signal's reason
   */
  async get(address: BrokerAddress, signal: AbortSignal): Promise<ControlConnection> {
    const lifetime = this.#lifetime.signal
    lifetime.throwIfAborted()
    const key = formatBrokerAddress(address)
    const open = this.#usable.get(key)
    if (open?.usable) return open

    let opening = open === undefined ? this.#connections.get(key) : undefined
    if (opening === undefined) {
      opening = ControlConnection.open(address, this.#options, lifetime)
      this.#connections.set(key, opening)
      this.#track(key, opening)
    }
    return await abortable(opening, signal)
  }

  /** Cuts every connection; later calls of {@link get} fail. Idempotent. */
  destroy(): void {
    this.#lifetime.abort(closedError(this.#options.cluster))
    for (const connection of this.#usable.values()) connection.destroy()
    this.#usable.clear()
    this.#connections.clear()
  }

  #track(key: string, opening: Promise<ControlConnection>): void {
    const forget = () => {
      if (this.#connections.get(key) === opening) {
        this.#connections.delete(key)
        this.#usable.delete(key)
      }
    }
    opening.then((connection) => {
      if (this.#lifetime.signal.aborted) return connection.destroy()
      connection.onClosed(() => {
        forget()
        connection.destroy()
      })
      if (this.#connections.get(key) === opening) this.#usable.set(key, connection)
    }, forget)
  }
}

/** What calls on a cluster that was closed end with. */
export function closedError(cluster: ControlConnectionOptions['cluster']): KafkaError {
  return transportError('closed', 'the connection to the cluster was closed on this side', { cluster })
}
