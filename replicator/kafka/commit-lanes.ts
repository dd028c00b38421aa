import type { VersionedApi } from './api-versions.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { ControlConnectionOptions } from './control-connection.ts'
import { ControlConnections } from './control-connections.ts'
import { KafkaError } from './errors.ts'

/** Seen with one 4.3 broker on a busy machine: 1 000 commits took 3.2 s or more over one lane, 2 s over eight. */
const lanesMax = 8

/**
 * Connections for commits alone. A broker works on a connection's requests one at a time, and a commit takes until it
 * is replicated and, since 4.0, up to 5 ms in which others may be written with it (`group.coordinator.append.linger.ms`):
 * over one connection a thousand groups take seconds, whose other requests would wait meanwhile. All commits of a group
 * share a lane, so that they arrive in the order in which they were sent. A lane opens when it is first used.
 */
export class CommitLanes {
  readonly #lanes: readonly ControlConnections[]

  constructor(options: ControlConnectionOptions) {
    this.#lanes = Array.from({ length: lanesMax }, () => new ControlConnections(options))
  }

  /** @throws KafkaError when there is no answer, or the signal's reason */
  async send<
    Request extends { readonly group: string },
    Response extends { readonly throttleTimeMs: number },
  >(
    coordinator: BrokerAddress,
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    const lane = this.#lanes[laneOf(request.group)]
    if (lane === undefined) throw new Error('Unreachable: every group has a lane')
    const connection = await lane.get(coordinator, signal)
    try {
      return await connection.send(api, request, signal)
    } catch (error) {
      // The next commit must not wait behind one that is never answered.
      if (error instanceof KafkaError) connection.destroy()
      throw error
    }
  }

  /** Cuts every connection. Idempotent. */
  destroy(): void {
    for (const lane of this.#lanes) lane.destroy()
  }
}

/** Spreads groups evenly (FNV-1a). */
function laneOf(group: string): number {
  let hash = 0x811c_9dc5
  for (let at = 0; at < group.length; at++) hash = Math.imul(hash ^ group.charCodeAt(at), 0x0100_0193)
  return ((hash >>> 16) ^ (hash & 0xffff)) % lanesMax
}
