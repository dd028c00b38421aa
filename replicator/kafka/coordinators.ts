import type { Result } from './answers.ts'
import { type CoordinatorKeyType, findCoordinatorApi, findCoordinatorsApi, groupKey } from './api-versions.ts'
import { type BrokerAddress, formatBrokerAddress } from './broker-address.ts'
import { KafkaError, protocolError, transportError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retrying, retryingEach } from './retrying.ts'

/** Keeps requests and answers within a few hundred kilobytes. */
const keysPerRequest = 1000

/** Clients may make up group ids for ever: beyond this many all coordinators are forgotten, and found again. */
const coordinatorsKnownMax = 100_000

/** How long groups whose coordinator does not answer may hold up the answers about the others. */
const coordinatorPatienceMs = 1000

/**
 * Where the coordinators of groups or transactional ids listen now (FindCoordinator): many in one request with
 * brokers since 3.0, one by one with older ones.
 * @throws KafkaError when no broker can be asked, or the signal's reason
 */
export async function findCoordinators(
  requests: Requests,
  keyType: CoordinatorKeyType,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Result<BrokerAddress>>> {
  const found = new Map<string, Result<BrokerAddress>>()
  for (const chunk of chunks(keys, keysPerRequest)) {
    for (const [key, result] of await findSome(requests, keyType, chunk, signal)) found.set(key, result)
  }
  return found
}

/**
 * The same for one key.
 * @throws KafkaError also when the answer is an error
 */
export async function findCoordinator(
  requests: Requests,
  keyType: CoordinatorKeyType,
  key: string,
  signal: AbortSignal,
): Promise<BrokerAddress> {
  const result = await findOne(requests, keyType, key, signal)
  if (!result.ok) throw result.error
  return result.value
}

async function findSome(
  requests: Requests,
  keyType: CoordinatorKeyType,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Result<BrokerAddress>>> {
  const found = new Map<string, Result<BrokerAddress>>()
  try {
    const request = { keyType, keys: [...keys] }
    const { coordinators } = await requests.toAny(findCoordinatorsApi, request, signal)
    for (const coordinator of coordinators) found.set(coordinator.key, read(requests, coordinator))
  } catch (error) {
    if (!isUnsupported(error)) throw error
    for (const key of keys) found.set(key, await findOne(requests, keyType, key, signal))
  }
  return found
}

async function findOne(
  requests: Requests,
  keyType: CoordinatorKeyType,
  key: string,
  signal: AbortSignal,
): Promise<Result<BrokerAddress>> {
  const { coordinators } = await requests.toAny(findCoordinatorApi, { keyType, keys: [key] }, signal)
  const [coordinator] = coordinators
  if (coordinator !== undefined) return read(requests, coordinator)
  throw transportError('malformed', 'the answer names no coordinator', placeOf(requests))
}

interface AnsweredCoordinator extends BrokerAddress {
  readonly errorCode: number
  readonly errorMessage?: string | null | undefined
}

function read(requests: Requests, answer: AnsweredCoordinator): Result<BrokerAddress> {
  const { errorCode, errorMessage, host, port } = answer
  if (errorCode === 0) return { ok: true, value: { host, port } }
  return { ok: false, error: protocolError(errorCode, placeOf(requests), errorMessage) }
}

const placeOf = (requests: Requests) => ({ cluster: requests.cluster, during: 'FindCoordinator' })

/** The broker speaks no version of the request that we have, or does not know it: nothing was sent. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof KafkaError && error.kind === 'unsupported-version'
}

/** Whoever answers with this code is no coordinator, or not yet (14 to 16). */
export function isCoordinatorCode(code: number | undefined): boolean {
  return code !== undefined && code >= 14 && code <= 16
}

/** What is asked about one group. */
export interface OfGroup {
  readonly group: string
}

/** Sends one request about some of a coordinator's groups; those that it leaves out are asked for again. */
type AskCoordinator<Item, Value> = (
  coordinator: BrokerAddress,
  items: readonly Item[],
  signal: AbortSignal,
) => Promise<ReadonlyMap<Item, Result<Value>>>

/** Remembers groups' coordinators until one of them says that it is none, or does not answer. */
export class GroupCoordinators {
  readonly #requests: Requests
  readonly #known = new Map<string, BrokerAddress>()

  constructor(requests: Requests) {
    this.#requests = requests
  }

  /**
   * Asks the groups' coordinators. What fails for a reason that passes is asked again for a second; then its error is
   * the answer.
   * @param itemsPerRequest how many items `send` gets at once, at most
   * @returns an answer for each item, in their order
   * @throws KafkaError when no broker can be asked at all, or the signal's reason
   */
  async ask<Item extends OfGroup, Value>(
    during: string,
    items: readonly Item[],
    itemsPerRequest: number,
    signal: AbortSignal,
    send: AskCoordinator<Item, Value>,
  ): Promise<readonly Result<Value>[]> {
    const { cluster, retry } = this.#requests
    const place = { cluster, during }
    const policy = { ...retry, patienceMs: Math.min(retry.patienceMs, coordinatorPatienceMs) }
    const results = await retryingEach<Item, Value>(policy, place, signal, items, async (pending, inner) => {
      const answers = new Map<Item, Result<Value>>()
      const byCoordinator = await this.#group(pending, answers, inner)
      const asking = [...byCoordinator].flatMap(([, { address, asked }]) =>
        [...chunks(asked, itemsPerRequest)].map((chunk) => this.#askOne(address, chunk, inner, send)),
      )
      for (const some of await Promise.all(asking))
        for (const [item, result] of some) answers.set(item, result)
      return answers
    })
    return items.map((item) => results.get(item) ?? { ok: false, error: leftOut(place) })
  }

  /** By coordinator. Groups without one are answered with why. */
  async #group<Item extends OfGroup, Value>(
    items: readonly Item[],
    answers: Map<Item, Result<Value>>,
    signal: AbortSignal,
  ) {
    if (this.#known.size > coordinatorsKnownMax) this.#known.clear()
    const missing = new Set(items.map(({ group }) => group).filter((group) => !this.#known.has(group)))
    const place = { cluster: this.#requests.cluster, during: 'FindCoordinator' }
    const found = await retrying(this.#requests.retry, place, signal, (inner) =>
      findCoordinators(this.#requests, groupKey, [...missing], inner),
    )
    const byCoordinator = new Map<string, { readonly address: BrokerAddress; readonly asked: Item[] }>()
    for (const item of items) {
      const told = found.get(item.group)
      const address = told === undefined ? this.#known.get(item.group) : told.ok ? told.value : undefined
      if (address === undefined) {
        if (told?.ok === false) answers.set(item, told)
        continue
      }
      this.#known.set(item.group, address)
      const key = formatBrokerAddress(address)
      const known = byCoordinator.get(key)
      if (known === undefined) byCoordinator.set(key, { address, asked: [item] })
      else known.asked.push(item)
    }
    return byCoordinator
  }

  /** A coordinator that cannot be reached fails its groups, not those of others. */
  async #askOne<Item extends OfGroup, Value>(
    coordinator: BrokerAddress,
    items: readonly Item[],
    signal: AbortSignal,
    send: AskCoordinator<Item, Value>,
  ): Promise<ReadonlyMap<Item, Result<Value>>> {
    try {
      const answers = await send(coordinator, items, signal)
      for (const [{ group }, result] of answers) {
        if (!result.ok && isCoordinatorCode(result.error.code)) this.#known.delete(group)
      }
      return answers
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      const failed: Result<Value> = { ok: false, error }
      for (const { group } of items) this.#known.delete(group)
      return new Map(items.map((item) => [item, failed]))
    }
  }
}

function leftOut(place: { readonly cluster: Requests['cluster']; readonly during: string }): KafkaError {
  return transportError('malformed', 'the broker left the group out of its answer', place)
}

function* chunks<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size)
}
