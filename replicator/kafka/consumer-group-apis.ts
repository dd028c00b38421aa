import {
  type Connection,
  consumerGroupDescribeV0,
  describeGroupsV5,
  listGroupsV4,
  listGroupsV5,
  offsetCommitV8,
  offsetCommitV9,
  offsetDeleteV0,
  offsetFetchV7,
  offsetFetchV8,
  offsetFetchV9,
} from '@platformatic/kafka'
import { versioned } from './api-versions.ts'

/** `types` (empty: all) is passed over by brokers before 3.8, which do not tell types either. */
export const listGroupsApi = versioned<{ readonly types: string[] }, listGroupsV5.ListGroupsResponse>(
  'ListGroups',
  16,
  {
    4: async (connection) => {
      const { groups, ...answer } = await listGroupsV4.api.async(connection, [], [])
      return { ...answer, groups: groups.map((group) => ({ ...group, groupType: '' })) }
    },
    5: (connection, { types }) => listGroupsV5.api.async(connection, [], types),
  },
)

/** Version 6 names groups that do not exist by an error instead of the state `Dead`. */
export const describeGroupsApi = versioned<string[], describeGroupsV5.DescribeGroupsResponse>(
  'DescribeGroups',
  15,
  { 5: (connection, groups) => describeGroupsV5.api.async(connection, groups, false) },
)

/** Groups under the consumer protocol (KIP-848, Kafka 3.7). */
export const consumerGroupDescribeApi = versioned<
  string[],
  consumerGroupDescribeV0.ConsumerGroupDescribeResponse
>('ConsumerGroupDescribe', 69, {
  0: (connection, groups) => consumerGroupDescribeV0.api.async(connection, groups, false),
})

export interface OffsetFetch {
  readonly requireStable: boolean
  readonly groups: readonly OffsetFetchGroup[]
}

export interface OffsetFetchGroup {
  readonly groupId: string
  /** `null`: every partition with a commit. */
  readonly topics: { readonly name: string; readonly partitionIndexes: number[] }[] | null
}

export type OffsetFetchAnswer = offsetFetchV9.OffsetFetchResponse

/** Who asks is no member (KIP-848). */
const noMember = { memberId: null, memberEpoch: -1 }

const groupsOf = ({ groups }: OffsetFetch) =>
  groups.map(({ groupId, topics }) => ({ ...noMember, groupId, topics }))

/** Many groups in one request (KIP-709, Kafka 3.0). */
export const offsetFetchApi = versioned<OffsetFetch, OffsetFetchAnswer>('OffsetFetch', 9, {
  8: (connection, request) => offsetFetchV8.api.async(connection, groupsOf(request), request.requireStable),
  9: (connection, request) => offsetFetchV9.api.async(connection, groupsOf(request), request.requireStable),
})

/** The first group of the request alone; its answer does not name it. */
export const offsetFetchOfOneApi = versioned<OffsetFetch, offsetFetchV7.OffsetFetchResponse>(
  'OffsetFetch',
  9,
  {
    7: (connection, request) => offsetFetchV7.api.async(connection, groupsOf(request), request.requireStable),
  },
)

export interface SimpleOffsetCommit {
  readonly group: string
  readonly topics: offsetCommitV9.OffsetCommitRequestTopic[]
}

/** Of nobody: no generation, no member, no instance. */
const commitFields = ({ group, topics }: SimpleOffsetCommit): offsetCommitV9.OffsetCommitRequest => [
  group,
  -1,
  '',
  null,
  topics,
]

/** Version 10 names topics by id. */
export const offsetCommitApi = versioned<SimpleOffsetCommit, offsetCommitV9.OffsetCommitResponse>(
  'OffsetCommit',
  8,
  {
    8: (connection, request) => offsetCommitV8.api.async(connection, ...commitFields(request)),
    9: (connection, request) => offsetCommitV9.api.async(connection, ...commitFields(request)),
  },
)

export interface OffsetDelete {
  readonly group: string
  readonly topics: { readonly name: string; readonly partitions: { readonly partitionIndex: number }[] }[]
}

export const offsetDeleteApi = versioned<OffsetDelete, offsetDeleteV0.OffsetDeleteResponse>(
  'OffsetDelete',
  47,
  {
    0: (connection: Connection, { group, topics }) => offsetDeleteV0.api.async(connection, group, topics),
  },
)
