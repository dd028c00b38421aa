import { abortable } from './abortable.ts'
import { groupKey, type VersionedApi } from './api-versions.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { GroupMember, JoinedGroup, JoinGroupRequest, SyncGroupRequest } from './cluster.ts'
import { defaultRequestTimeoutMs } from './connection-options.ts'
import { ControlConnection, type ControlConnectionOptions } from './control-connection.ts'
import { ControlConnections } from './control-connections.ts'
import { findCoordinator, isCoordinatorCode } from './coordinators.ts'
import { protocolError } from './errors.ts'
import { heartbeatApi, joinGroupApi, leaveGroupApi, syncGroupApi } from './group-apis.ts'
import type { Requests } from './requests.ts'
import { type RetryPolicy, retrying } from './retrying.ts'

const MEMBER_ID_REQUIRED = 79

/** What a coordinator's answer may come later than the rebalance ends, as the Java client allows; in milliseconds. */
const REBALANCE_MARGIN_MS = 5000

type Answer = { readonly throttleTimeMs: number; readonly errorCode: number }

/** What one group's coordinator was asked last over, and where it was. */
interface GroupLine {
  readonly coordinator: BrokerAddress
  /** For requests that are answered at once. */
  readonly connections: ControlConnections
}

/**
 * The classic group protocol. A broker answers a connection's requests in order and JoinGroup and SyncGroup only when
 * the other members have come too, so each of those two has a connection of its own, while heartbeats go over one that
 * carries nothing else. A connection on which anything failed is not used again: a heartbeat cannot wait behind a
 * request that is never answered.
 */
export class GroupRequests {
  readonly #requests: Requests
  readonly #options: ControlConnectionOptions
  readonly #lines = new Map<string, GroupLine>()

  constructor(requests: Requests, options: ControlConnectionOptions) {
    this.#requests = requests
    this.#options = options
  }

  /** JoinGroup; asks again with the member id that the coordinator gives (KIP-394). */
  async join(request: JoinGroupRequest, signal: AbortSignal): Promise<JoinedGroup> {
    const patienceMs = request.rebalanceTimeoutMs + REBALANCE_MARGIN_MS
    let { memberId } = request
    return await this.#retrying('JoinGroup', patienceMs, signal, async (inner) => {
      const ask = () => this.#askPatiently(joinGroupApi, { ...request, memberId }, patienceMs, inner)
      let answer = await ask()
      if (answer.errorCode === MEMBER_ID_REQUIRED) {
        memberId = answer.memberId
        answer = await ask()
      }
      this.#check('JoinGroup', answer)
      return {
        memberId: answer.memberId,
        generation: answer.generationId,
        protocol: answer.protocolName ?? '',
        leaderId: answer.leader,
        members: answer.members.map((member) => ({
          memberId: member.memberId,
          instanceId: member.groupInstanceId ?? undefined,
          metadata: member.metadata,
        })),
      }
    })
  }

  async sync(request: SyncGroupRequest, signal: AbortSignal): Promise<Buffer> {
    const patienceMs = this.#options.settings.requestTimeoutMs ?? defaultRequestTimeoutMs
    return await this.#retrying('SyncGroup', patienceMs, signal, async (inner) => {
      const answer = await this.#askPatiently(syncGroupApi, request, patienceMs, inner)
      this.#check('SyncGroup', answer)
      return answer.assignment
    })
  }

  async heartbeat(member: GroupMember, signal: AbortSignal): Promise<void> {
    await this.#retrying('Heartbeat', 0, signal, async (inner) => {
      this.#check('Heartbeat', await this.#ask(heartbeatApi, member, inner))
    })
  }

  async leave(member: Omit<GroupMember, 'generation'>, signal: AbortSignal): Promise<void> {
    await this.#retrying('LeaveGroup', 0, signal, async (inner) => {
      const answer = await this.#ask(leaveGroupApi, member, inner)
      this.#check('LeaveGroup', answer)
      for (const left of answer.members) this.#check('LeaveGroup', left)
    })
  }

  /** Cuts every connection. Idempotent. */
  destroy(): void {
    for (const { connections } of this.#lines.values()) connections.destroy()
    this.#lines.clear()
  }

  /** @param patienceMs what one attempt may take by itself */
  async #retrying<T>(
    during: string,
    patienceMs: number,
    signal: AbortSignal,
    attempt: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { cluster, retry } = this.#requests
    const policy: RetryPolicy = { ...retry, deadlineMs: retry.deadlineMs + patienceMs }
    return await retrying(policy, { cluster, during }, signal, attempt)
  }

  async #ask<Request extends { readonly group: string }, Response extends Answer>(
    api: VersionedApi<Request, Response>,
    request: Request,
    signal: AbortSignal,
  ): Promise<Response> {
    return await this.#atCoordinator(request.group, signal, async ({ coordinator, connections }) => {
      const connection = await connections.get(coordinator, signal)
      return await connection.send(api, request, signal)
    })
  }

  /** Over a connection of the request's own, which ends with it: nobody waits behind it, and it waits for nobody. */
  async #askPatiently<Request extends { readonly group: string }, Response extends Answer>(
    api: VersionedApi<Request, Response>,
    request: Request,
    patienceMs: number,
    signal: AbortSignal,
  ): Promise<Response> {
    return await this.#atCoordinator(request.group, signal, async ({ coordinator }) => {
      const settings = { ...this.#options.settings, requestTimeoutMs: patienceMs }
      const connection = await ControlConnection.open(coordinator, { ...this.#options, settings }, signal)
      try {
        return await connection.send(api, request, signal)
      } finally {
        connection.destroy()
      }
    })
  }

  async #atCoordinator<Response extends Answer>(
    group: string,
    signal: AbortSignal,
    send: (line: GroupLine) => Promise<Response>,
  ): Promise<Response> {
    const line = this.#lines.get(group) ?? (await this.#find(group, signal))
    try {
      const answer = await send(line)
      if (isCoordinatorCode(answer.errorCode)) this.#forget(group, line)
      return answer
    } catch (error) {
      this.#forget(group, line)
      throw error
    }
  }

  async #find(group: string, signal: AbortSignal): Promise<GroupLine> {
    const asked = findCoordinator(this.#requests, groupKey, group, signal)
    const coordinator = await abortable(asked, signal)
    // Somebody else may have looked at the same time.
    const known = this.#lines.get(group)
    if (known !== undefined) return known
    const line = { coordinator, connections: new ControlConnections(this.#options) }
    this.#lines.set(group, line)
    return line
  }

  #forget(group: string, line: GroupLine): void {
    line.connections.destroy()
    if (this.#lines.get(group) === line) this.#lines.delete(group)
  }

  #check(during: string, { errorCode }: { readonly errorCode: number }): void {
    if (errorCode !== 0) throw protocolError(errorCode, { cluster: this.#requests.cluster, during })
  }
}
