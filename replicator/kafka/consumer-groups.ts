import type { PartitionOutcome, Result, TopicPartition } from './answers.ts'
import type { KafkaError } from './errors.ts'

/**
 * The part of the Cluster port that is about other people's consumer groups: who they are, and where they stand.
 * Requests go to the groups' coordinators, many groups to one request; what fails for a reason that passes (a
 * coordinator that moves or loads) is asked again for a second, then its error is the answer.
 */
export interface ConsumerGroups {
  /**
   * Every group of the cluster that the principal may describe (ListGroups), told by the coordinators: all brokers
   * that are up.
   * @throws KafkaError when no broker can be asked
   */
  listGroups(signal?: AbortSignal): Promise<GroupListing>
  /**
   * What kind the groups are and who is in them (ConsumerGroupDescribe, DescribeGroups), in the order of the ids.
   * @throws KafkaError when no broker can be asked
   */
  describeGroups(groups: readonly string[], signal?: AbortSignal): Promise<readonly GroupDescription[]>
  /**
   * What the groups have committed (OffsetFetch), in the order of the queries. Groups that are not known have
   * committed nothing. Share groups keep their offsets elsewhere: they show nothing here.
   * @throws KafkaError when no broker can be asked
   */
  groupOffsets(
    queries: readonly GroupOffsetsQuery[],
    options: GroupOffsetsOptions,
    signal?: AbortSignal,
  ): Promise<readonly GroupOffsetsAnswer[]>
  /**
   * OffsetCommit as a group's members do not send it: without a generation and a member id. Coordinators take such
   * commits only while the group has no members, and decide that themselves: no check of ours can be outrun by a
   * member that joins. The first commit makes the group.
   * @throws KafkaError when the coordinator refuses the whole request for another reason than members
   */
  commitGroupOffsets(
    group: string,
    commits: readonly GroupOffsetCommit[],
    signal?: AbortSignal,
  ): Promise<GroupCommitOutcome>
  /**
   * OffsetDelete, for each partition by itself: the coordinator keeps those of topics that members have subscribed to
   * (GROUP_SUBSCRIBED_TO_TOPIC, 86). A partition without a commit is deleted.
   * @throws KafkaError when the coordinator refuses the whole request: 69 when it does not know the group, 68 when
   *   members are there and it cannot tell what they subscribed to
   */
  deleteGroupOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]>
}

/**
 * What a group is since KIP-848. `share` (KIP-932): it has no committed offsets that could be followed; `streams`
 * (KIP-1071): it commits as consumers do. Later types keep the broker's word, in lower case.
 */
export type GroupType = 'classic' | 'consumer' | 'share' | 'streams' | (string & {})

export interface ListedGroup {
  readonly group: string
  /** `consumer` for consumers of either protocol, `connect` for workers, empty for groups that only ever committed. */
  readonly protocolType: string
  readonly state: GroupState
  /** `undefined` where the broker does not tell: before 3.8, where next to nobody had other than classic groups. */
  readonly type: GroupType | undefined
}

/** Kafka's own words, such as `Empty`, which has no members, `Stable` or `PreparingRebalance`. */
export type GroupState = string

export interface GroupListing {
  readonly groups: readonly ListedGroup[]
  /** One for each broker that did not answer: the groups that it coordinates may be missing. */
  readonly silent: readonly KafkaError[]
}

export interface GroupDescription {
  readonly group: string
  readonly result: Result<GroupView>
}

export type GroupView =
  | {
      readonly kind: 'classic' | 'consumer'
      readonly state: GroupState
      readonly protocolType: string
      /** None in the state `Empty`, in which {@link ConsumerGroups.commitGroupOffsets} works. */
      readonly members: readonly DescribedMember[]
    }
  /** Neither classic nor of the consumer protocol; nobody asked who is in it. */
  | { readonly kind: 'other'; readonly type: GroupType; readonly state: GroupState }
  | { readonly kind: 'missing' }

export interface DescribedMember {
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly clientId: string
  /** As the coordinator sees it, such as `/10.0.0.1`. */
  readonly host: string
}

export interface GroupOffsetsQuery {
  readonly group: string
  /** `all`: every partition that the group has committed. */
  readonly partitions: readonly TopicPartition[] | 'all'
}

export interface GroupOffsetsOptions {
  /**
   * Partitions with a commit in an open transaction answer UNSTABLE_OFFSET_COMMIT (88) (KIP-447). Without it they
   * answer with what was committed before.
   */
  readonly requireStable: boolean
}

export interface GroupOffsetsAnswer {
  readonly group: string
  readonly result: Result<readonly GroupOffsetAnswer[]>
}

export interface GroupOffsetAnswer extends TopicPartition {
  /** `undefined`: the group has committed nothing there. */
  readonly result: Result<CommittedOffset | undefined>
}

export interface CommittedOffset {
  /** The next offset to read. */
  readonly offset: bigint
  /** Of the last record that was consumed; `undefined` when the client did not say. */
  readonly leaderEpoch: number | undefined
  /** What the client attached; empty when it attached nothing. */
  readonly metadata: string
}

export interface GroupOffsetCommit extends TopicPartition, CommittedOffset {}

export type GroupCommitOutcome =
  /** One outcome per commit, in their order. */
  | { readonly kind: 'answered'; readonly partitions: readonly PartitionOutcome[] }
  /** The group has members, who commit for themselves: nothing was committed. */
  | { readonly kind: 'group-is-used' }
