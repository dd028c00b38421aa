import type { PartitionOutcome, Result, TopicPartition } from './answers.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { CommitLanes } from './commit-lanes.ts'
import {
  type OffsetFetchAnswer,
  type OffsetFetchGroup,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
  offsetFetchOfOneApi,
} from './consumer-group-apis.ts'
import type {
  CommittedOffset,
  GroupCommitOutcome,
  GroupOffsetAnswer,
  GroupOffsetCommit,
  GroupOffsetsAnswer,
  GroupOffsetsOptions,
  GroupOffsetsQuery,
} from './consumer-groups.ts'
import { type GroupCoordinators, isUnsupported } from './coordinators.ts'
import { KafkaError, protocolError, transportError } from './errors.ts'
import { byTopic, partitionKey } from './partition-leaders.ts'
import type { Requests } from './requests.ts'

/** Keeps an answer about groups with a hundred partitions each within a few megabytes. */
const groupsPerRequest = 500

/** OffsetFetch, of the groups' coordinators: many groups in one request with brokers since 3.0. */
export async function groupOffsets(
  requests: Requests,
  coordinators: GroupCoordinators,
  queries: readonly GroupOffsetsQuery[],
  { requireStable }: GroupOffsetsOptions,
  signal: AbortSignal,
): Promise<readonly GroupOffsetsAnswer[]> {
  const results = await coordinators.ask<GroupOffsetsQuery, readonly GroupOffsetAnswer[]>(
    'OffsetFetch',
    queries,
    groupsPerRequest,
    signal,
    async (coordinator, asked, inner) => {
      const answers = new Map<GroupOffsetsQuery, Result<readonly GroupOffsetAnswer[]>>()
      const told = await fetchOffsets(requests, coordinator, asked, requireStable, inner)
      for (const query of asked) {
        // A group that is asked about twice is answered twice, in the same order.
        const answer = told.get(query.group)?.shift()
        if (answer !== undefined) answers.set(query, readOffsets(requests, query, answer))
      }
      return answers
    },
  )
  return queries.map(({ group }, at) => ({ group, result: answerAt(results, at) }))
}

/** The answers about each group, in one request where the broker can. */
async function fetchOffsets(
  requests: Requests,
  coordinator: BrokerAddress,
  queries: readonly GroupOffsetsQuery[],
  requireStable: boolean,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, FetchedOffsets[]>> {
  const groups = queries.map(fetchedGroup)
  try {
    const answer = await requests.toAddress(coordinator, offsetFetchApi, { requireStable, groups }, signal)
    return Map.groupBy(answer.groups, ({ groupId }) => groupId)
  } catch (error) {
    if (!isUnsupported(error)) throw error
  }
  const told = new Map<string, FetchedOffsets[]>()
  for (const group of groups) {
    const request = { requireStable, groups: [group] }
    const answer = await requests.toAddress(coordinator, offsetFetchOfOneApi, request, signal)
    told.set(group.groupId, [...(told.get(group.groupId) ?? []), answer])
  }
  return told
}

/** OffsetCommit without a generation. */
export async function commitGroupOffsets(
  requests: Requests,
  coordinators: GroupCoordinators,
  lanes: CommitLanes,
  group: string,
  commits: readonly GroupOffsetCommit[],
  signal: AbortSignal,
): Promise<GroupCommitOutcome> {
  if (commits.length === 0) return { kind: 'answered', partitions: [] }
  const topics = [...byTopic(commits)].map(([name, items]) => ({
    name,
    partitions: items.map(({ partition, offset, leaderEpoch, metadata }) => ({
      partitionIndex: partition,
      committedOffset: offset,
      committedLeaderEpoch: leaderEpoch ?? -1,
      committedMetadata: metadata,
    })),
  }))
  const question = { requests, coordinators, during: 'OffsetCommit', group, partitions: commits, signal }
  try {
    const partitions = await askAboutPartitions(question, async (coordinator, inner) => {
      const answer = await lanes.send(coordinator, offsetCommitApi, { group, topics }, inner)
      return answer.topics
    })
    return { kind: 'answered', partitions }
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code === undefined || !memberCodes.includes(error.code))
      throw error
    return { kind: 'group-is-used' }
  }
}

/** OffsetDelete. */
export async function deleteGroupOffsets(
  requests: Requests,
  coordinators: GroupCoordinators,
  group: string,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<readonly PartitionOutcome[]> {
  if (partitions.length === 0) return []
  const during = 'OffsetDelete'
  const topics = [...byTopic(partitions)].map(([name, items]) => ({
    name,
    partitions: items.map(({ partition }) => ({ partitionIndex: partition })),
  }))
  const question = { requests, coordinators, during, group, partitions, signal }
  return await askAboutPartitions(question, async (coordinator, inner) => {
    const answer = await requests.toAddress(coordinator, offsetDeleteApi, { group, topics }, inner)
    if (answer.errorCode !== 0) throw protocolError(answer.errorCode, { cluster: requests.cluster, during })
    return answer.topics
  })
}

interface PartitionsQuestion {
  readonly requests: Requests
  readonly coordinators: GroupCoordinators
  readonly during: string
  readonly group: string
  readonly partitions: readonly TopicPartition[]
  readonly signal: AbortSignal
}

type AnsweredTopics = readonly {
  readonly name: string
  readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
}[]

/** A simple commit is refused with one of them when the group has members: which one depends on its state. */
const memberCodes: readonly number[] = [22, 25, 27]

/**
 * What a coordinator says about single partitions: too much metadata, unknown, with an impossible name, a commit too
 * large, not authorised, subscribed to. Every other code is about the group, and so about all of them.
 */
const partitionCodes: readonly number[] = [0, 3, 12, 17, 28, 29, 86]

/** One request about one group, which answers its partitions one by one. */
async function askAboutPartitions(
  question: PartitionsQuestion,
  send: (coordinator: BrokerAddress, signal: AbortSignal) => Promise<AnsweredTopics>,
): Promise<readonly PartitionOutcome[]> {
  const { requests, coordinators, during, group, partitions, signal } = question
  const place = { cluster: requests.cluster, during }
  const item = { group }
  const results = await coordinators.ask<typeof item, readonly PartitionOutcome[]>(
    during,
    [item],
    1,
    signal,
    async (coordinator, _, inner) => {
      const codes = new Map<string, number>()
      for (const { name, partitions: answered } of await send(coordinator, inner)) {
        for (const { partitionIndex, errorCode } of answered)
          codes.set(partitionKey({ topic: name, partition: partitionIndex }), errorCode)
      }
      const ofGroup = [...codes.values()].find((code) => !partitionCodes.includes(code))
      if (ofGroup !== undefined) throw protocolError(ofGroup, place)
      const value = partitions.map(({ topic, partition }): PartitionOutcome => {
        const there = { ...place, topic, partition }
        const code = codes.get(partitionKey({ topic, partition }))
        if (code === 0) return { topic, partition, result: { ok: true, value: undefined } }
        const error = code === undefined ? leftOut(there) : protocolError(code, there)
        return { topic, partition, result: { ok: false, error } }
      })
      return new Map([[item, { ok: true, value }]])
    },
  )
  const answer = answerAt(results, 0)
  if (!answer.ok) throw answer.error
  return answer.value
}

function fetchedGroup({ group, partitions }: GroupOffsetsQuery): OffsetFetchGroup {
  if (partitions === 'all') return { groupId: group, topics: null }
  const topics = [...byTopic(partitions)].map(([name, items]) => ({
    name,
    partitionIndexes: items.map(({ partition }) => partition),
  }))
  return { groupId: group, topics }
}

type FetchedOffsets = Pick<OffsetFetchAnswer['groups'][number], 'topics' | 'errorCode'>
type FetchedPartition = FetchedOffsets['topics'][number]['partitions'][number]

function readOffsets(
  requests: Requests,
  { partitions }: GroupOffsetsQuery,
  { topics, errorCode }: FetchedOffsets,
): Result<readonly GroupOffsetAnswer[]> {
  const place = { cluster: requests.cluster, during: 'OffsetFetch' }
  if (errorCode !== 0) return { ok: false, error: protocolError(errorCode, place) }
  const answers = topics.flatMap(({ name: topic, partitions: answered }) =>
    answered.map((told): GroupOffsetAnswer => {
      const there = { topic, partition: told.partitionIndex }
      if (told.errorCode === 0) return { ...there, result: { ok: true, value: readOffset(told) } }
      return { ...there, result: { ok: false, error: protocolError(told.errorCode, { ...place, ...there }) } }
    }),
  )
  if (partitions === 'all') return { ok: true, value: answers }
  const byKey = new Map(answers.map((answer) => [partitionKey(answer), answer]))
  const value = partitions.map(({ topic, partition }): GroupOffsetAnswer => {
    const answer = byKey.get(partitionKey({ topic, partition }))
    if (answer !== undefined) return answer
    const error = leftOut({ ...place, topic, partition })
    return { topic, partition, result: { ok: false, error } }
  })
  return { ok: true, value }
}

function readOffset({
  committedOffset,
  committedLeaderEpoch,
  metadata,
}: FetchedPartition): CommittedOffset | undefined {
  if (committedOffset < 0n) return undefined
  return {
    offset: committedOffset,
    leaderEpoch: committedLeaderEpoch < 0 ? undefined : committedLeaderEpoch,
    metadata: metadata ?? '',
  }
}

const leftOut = (place: Parameters<typeof transportError>[2]) =>
  transportError('malformed', 'the broker left the partition out of its answer', place)

function answerAt<T>(results: readonly Result<T>[], at: number): Result<T> {
  const result = results[at]
  if (result === undefined) throw new Error('Unreachable: each group has its answer')
  return result
}
