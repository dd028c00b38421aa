import type { consumerGroupDescribeV0, listGroupsV5 } from '@platformatic/kafka'
import type { Result } from './answers.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { BrokerId } from './cluster.ts'
import { consumerGroupDescribeApi, describeGroupsApi, listGroupsApi } from './consumer-group-apis.ts'
import type { GroupDescription, GroupListing, GroupView, ListedGroup } from './consumer-groups.ts'
import { type GroupCoordinators, isUnsupported } from './coordinators.ts'
import { KafkaError, protocolError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retrying, retryingEach } from './retrying.ts'

/** Members come with their subscriptions: keeps an answer within a few megabytes. */
const groupsPerRequest = 200

/**
 * What ConsumerGroupDescribe says of groups that it does not know: UNSUPPORTED_VERSION (35) of all of them where the
 * consumer protocol is switched off, otherwise GROUP_ID_NOT_FOUND (69).
 */
const notOfConsumerProtocol: readonly number[] = [35, 69]
/** DescribeGroups' word for groups that do not exist, or are no classic ones. */
const dead = 'Dead'
/** How long brokers that do not answer may hold up the others' answers. */
const brokerPatienceMs = 1000

/** ListGroups, of every broker that is up: each tells the groups that it coordinates. */
export async function listGroups(requests: Requests, signal: AbortSignal): Promise<GroupListing> {
  const place = { cluster: requests.cluster, during: 'ListGroups' }
  await retrying(requests.retry, place, signal, (inner) => requests.refresh(inner))
  const brokers = [...requests.directory.brokers.keys()]
  const policy = { ...requests.retry, patienceMs: Math.min(requests.retry.patienceMs, brokerPatienceMs) }
  const told = await retryingEach(policy, place, signal, brokers, async (pending, inner) => {
    const answers = await Promise.all(
      pending.map(async (broker) => [broker, await listOfBroker(requests, broker, inner)] as const),
    )
    return new Map(answers)
  })
  const groups = new Map<string, ListedGroup>()
  const silent: KafkaError[] = []
  for (const result of told.values()) {
    // A group whose coordinator moves meanwhile may be told twice.
    if (result.ok) for (const listed of result.value) groups.set(listed.group, listed)
    else silent.push(result.error)
  }
  return { groups: [...groups.values()], silent }
}

async function listOfBroker(
  requests: Requests,
  broker: BrokerId,
  signal: AbortSignal,
): Promise<Result<readonly ListedGroup[]>> {
  const place = { cluster: requests.cluster, during: 'ListGroups', broker }
  try {
    const answer = await requests.toBroker(broker, listGroupsApi, { types: [] }, signal)
    if (answer.errorCode !== 0) return { ok: false, error: protocolError(answer.errorCode, place) }
    return { ok: true, value: answer.groups.map(readListed) }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof KafkaError)) throw error
    return { ok: false, error }
  }
}

function readListed(told: listGroupsV5.ListGroupsResponseGroup): ListedGroup {
  const { groupId: group, protocolType, groupState: state, groupType } = told
  return { group, protocolType, state, type: groupType === '' ? undefined : groupType.toLowerCase() }
}

/**
 * ConsumerGroupDescribe; DescribeGroups for those that it does not know; ListGroups for those that are neither: share
 * groups and whatever comes next are told by their names there.
 */
export async function describeGroups(
  requests: Requests,
  coordinators: GroupCoordinators,
  groups: readonly string[],
  signal: AbortSignal,
): Promise<readonly GroupDescription[]> {
  const items = groups.map((group) => ({ group }))
  const results = await coordinators.ask(
    'DescribeGroups',
    items,
    groupsPerRequest,
    signal,
    async (coordinator, asked, inner) => {
      const views = new Map<string, Result<GroupView>>()
      const scene = { requests, coordinator, views, signal: inner }
      const ids = [...new Set(asked.map(({ group }) => group))]
      await lookForConsumerGroups(scene, ids)
      const others = ids.filter((id) => !views.has(id))
      if (others.length > 0) await lookForClassicGroups(scene, others)
      const neither = ids.filter((id) => !views.has(id))
      if (neither.length > 0) await lookForOtherGroups(scene, neither)
      return new Map(
        asked.flatMap((item) => {
          const view = views.get(item.group)
          return view === undefined ? [] : [[item, view] as const]
        }),
      )
    },
  )
  return groups.map((group, at) => {
    const result = results[at]
    if (result === undefined) throw new Error('Unreachable: each group has its answer')
    return { group, result }
  })
}

interface Scene {
  readonly requests: Requests
  readonly coordinator: BrokerAddress
  /** What is known so far. */
  readonly views: Map<string, Result<GroupView>>
  readonly signal: AbortSignal
}

async function lookForConsumerGroups({ requests, coordinator, views, signal }: Scene, ids: string[]) {
  const place = { cluster: requests.cluster, during: 'ConsumerGroupDescribe' }
  try {
    const answer = await requests.toAddress(coordinator, consumerGroupDescribeApi, ids, signal)
    for (const { groupId, errorCode, errorMessage, groupState, members } of answer.groups) {
      if (notOfConsumerProtocol.includes(errorCode)) continue
      views.set(
        groupId,
        errorCode === 0
          ? consumerView(groupState, members)
          : { ok: false, error: protocolError(errorCode, place, errorMessage) },
      )
    }
  } catch (error) {
    // Brokers before 3.7 have no such groups.
    if (!isUnsupported(error)) throw error
  }
}

function consumerView(
  state: string,
  members: consumerGroupDescribeV0.ConsumerGroupDescribeResponse['groups'][number]['members'],
): Result<GroupView> {
  const described = members.map(({ memberId, instanceId, clientId, clientHost }) => ({
    memberId,
    instanceId: instanceId ?? undefined,
    clientId,
    host: clientHost,
  }))
  const value: GroupView = { kind: 'consumer', state, protocolType: 'consumer', members: described }
  return { ok: true, value }
}

async function lookForClassicGroups({ requests, coordinator, views, signal }: Scene, ids: string[]) {
  const place = { cluster: requests.cluster, during: 'DescribeGroups' }
  const answer = await requests.toAddress(coordinator, describeGroupsApi, ids, signal)
  for (const { groupId, errorCode, groupState, protocolType, members } of answer.groups) {
    if (errorCode !== 0) {
      views.set(groupId, { ok: false, error: protocolError(errorCode, place) })
    } else if (groupState !== dead) {
      const described = members.map(({ memberId, groupInstanceId, clientId, clientHost }) => ({
        memberId,
        instanceId: groupInstanceId ?? undefined,
        clientId,
        host: clientHost,
      }))
      const value: GroupView = { kind: 'classic', state: groupState, protocolType, members: described }
      views.set(groupId, { ok: true, value })
    }
  }
}

async function lookForOtherGroups({ requests, coordinator, views, signal }: Scene, ids: string[]) {
  const place = { cluster: requests.cluster, during: 'ListGroups' }
  const answer = await requests.toAddress(coordinator, listGroupsApi, { types: ['share', 'streams'] }, signal)
  if (answer.errorCode !== 0) throw protocolError(answer.errorCode, place)
  const listed = new Map(answer.groups.map((told) => [told.groupId, readListed(told)]))
  for (const id of ids) {
    const told = listed.get(id)
    // Before 3.8 the filter is passed over and classic groups are told, too; those were described already.
    const isOther = told?.type !== undefined && told.type !== 'classic' && told.type !== 'consumer'
    const value: GroupView =
      told !== undefined && told.type !== undefined && isOther
        ? { kind: 'other', type: told.type, state: told.state }
        : { kind: 'missing' }
    views.set(id, { ok: true, value })
  }
}
