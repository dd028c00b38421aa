import type { RegionAlias } from '../topology/model.ts'
import type { TopicAcl, TopicAclFilter } from './acl-binding.ts'
import type { Outcome, PartitionOutcome, Result, TopicPartition } from './answers.ts'
import type { ConsumerGroups } from './consumer-groups.ts'
import type { KafkaError } from './errors.ts'

export type { Outcome, PartitionOutcome, Result, TopicPartition } from './answers.ts'

/**
 * The seam to one Kafka cluster. Two implementations: `KafkaCluster` (real brokers) and the simulated one in
 * test/simulation; one contract suite runs against both.
 *
 * Requests that name several topics or partitions answer each one by itself: a partition's failure is data in the
 * answer, never an exception for the others. An exception means that the whole request failed; it is a KafkaError.
 */
export interface Cluster extends ConsumerGroups {
  readonly alias: RegionAlias

  /** Every topic the principal may describe, internal ones included. Always asks a broker. */
  listTopics(signal?: AbortSignal): Promise<readonly TopicMetadata[]>
  /** The named topics, as a broker knows them now. */
  describeTopics(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, TopicLookup>>
  /** Node ids of the brokers that are up, and the cluster's own id. */
  describeCluster(signal?: AbortSignal): Promise<ClusterDescription>

  createTopics(topics: readonly NewTopic[], signal?: AbortSignal): Promise<ReadonlyMap<string, Outcome>>
  /** Raises partition counts. Kafka never lowers them. */
  growTopics(totals: ReadonlyMap<string, number>, signal?: AbortSignal): Promise<ReadonlyMap<string, Outcome>>
  describeTopicConfigs(
    topics: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Result<readonly TopicConfigEntry[]>>>
  /** IncrementalAlterConfigs (KIP-339): configs that are not named stay as they are. */
  alterTopicConfigs(
    changes: ReadonlyMap<string, readonly TopicConfigChange[]>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Outcome>>

  /** Rules about topics. Not being allowed to ask (31), and having no authorizer (54), are answers. */
  describeAcls(filter: TopicAclFilter, signal?: AbortSignal): Promise<Result<readonly TopicAcl[]>>
  /** Answers in the rules' order. A rule that is there already is made. */
  createAcls(acls: readonly TopicAcl[], signal?: AbortSignal): Promise<readonly Outcome[]>
  /** Takes away exactly these. A rule that is not there is taken away. */
  deleteAcls(acls: readonly TopicAcl[], signal?: AbortSignal): Promise<readonly Outcome[]>

  listOffsets(queries: readonly OffsetQuery[], signal?: AbortSignal): Promise<readonly OffsetAnswer[]>
  /** Where leader epochs end in the leader's log (OffsetForLeaderEpoch, KIP-320): before what was read means truncation. */
  offsetsForLeaderEpochs(
    queries: readonly LeaderEpochQuery[],
    signal?: AbortSignal,
  ): Promise<readonly LeaderEpochAnswer[]>
  /** Broker-wide configs as any broker tells them. Those that it withholds, or that it may not tell us, are left out. */
  describeBrokerConfigs(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, string>>

  /**
   * InitProducerId. With a transactional id the epoch is bumped, an open transaction is aborted and predecessors are
   * fenced at the coordinator. With `current` only while that is the latest identity of the transactional id (KIP-360).
   * @throws KafkaError with code 90 (or 47) when `current` is no longer the latest
   */
  initProducerId(
    transactionalId: string | undefined,
    signal?: AbortSignal,
    current?: ProducerIdentity,
  ): Promise<ProducerIdentity>
  /**
   * AddPartitionsToTxn v3. A broker that refuses one partition adds none of them and answers the others with
   * OPERATION_NOT_ATTEMPTED (55).
   * @throws KafkaError with code 47, 49 or 90 when the identity is no longer the transactional id's
   */
  addPartitionsToTransaction(
    transaction: Transaction,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]>
  /**
   * EndTxn v4 at most: the epoch stays. Answers before the markers are written. Brokers with KRaft (seen with 4.3)
   * complete the transaction without a marker for a partition that has no leader just then: it takes another fence.
   * @throws KafkaError, as {@link addPartitionsToTransaction}
   */
  endTransaction(transaction: Transaction, end: TransactionEnd, signal?: AbortSignal): Promise<void>
  /**
   * WriteTxnMarkers to the partitions' leaders: fences a producer id that no transactional id leads to any more. Never
   * for one that still has a coordinator, whose own markers of an older epoch would then be refused, and its
   * transactional id be stuck. Needs CLUSTER_ACTION, and DESCRIBE on the topics.
   */
  writeTransactionMarkers(
    identity: ProducerIdentity,
    end: TransactionEnd,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]>
  /** What the partitions' leaders remember of the producers that wrote to them (DescribeProducers). */
  describeProducers(
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly ProducersAnswer[]>

  /**
   * Joins a group by the classic protocol and waits until its members are known. Asks again with the member id that
   * the coordinator gives (KIP-394).
   * @throws KafkaError with code 25, 26, 23, 82 ... as the coordinator says
   */
  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): Promise<JoinedGroup>
  /** The leader brings every member's assignment; each member gets its own. @throws KafkaError, as {@link joinGroup} */
  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<Buffer>
  /** @throws KafkaError with code 27 when the group rebalances, 22, 25 or 82 when this member is no longer one */
  heartbeatGroup(member: GroupMember, signal?: AbortSignal): Promise<void>
  leaveGroup(member: Omit<GroupMember, 'generation'>, signal?: AbortSignal): Promise<void>

  /**
   * Opens one ordered connection to one broker, for fetching and producing. Requests on a channel are answered in
   * order. A channel never reconnects: when it breaks, every pending request rejects with a retriable KafkaError
   * and the owner opens another, to whichever broker leads by then.
   */
  openChannel(broker: BrokerId, signal?: AbortSignal): Promise<BrokerChannel>

  /** Lets pending requests end, then closes every connection. Idempotent. */
  close(): Promise<void>
  /** Cuts every connection at once. Idempotent. */
  destroy(): void
}

declare const brand: unique symbol
/** A broker's node id. */
export type BrokerId = number & { readonly [brand]: 'BrokerId' }
export const brokerId = (value: number): BrokerId => value as BrokerId

export interface TopicMetadata {
  readonly name: string
  /** The topic's UUID in canonical text form; `undefined` on brokers before 2.8 / metadata v10. */
  readonly id: string | undefined
  readonly internal: boolean
  /** Ordered by partition number, without holes. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface PartitionMetadata {
  readonly partition: number
  /** `undefined` while the partition has no leader. */
  readonly leader: BrokerId | undefined
  readonly leaderEpoch: number
  readonly replicas: readonly BrokerId[]
}

export type TopicLookup =
  | { readonly kind: 'found'; readonly topic: TopicMetadata }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly error: KafkaError }

export interface ClusterDescription {
  readonly clusterId: string
  readonly brokers: readonly BrokerId[]
}

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number | 'broker-default'
  readonly configs: ReadonlyMap<string, string>
}

/** Where a config's value comes from (KIP-226). */
export type ConfigSource =
  | 'topic'
  | 'broker-dynamic'
  | 'broker-dynamic-default'
  | 'broker-static'
  | 'default'
  | 'unknown'

export interface TopicConfigEntry {
  readonly name: string
  /** `undefined` for sensitive values, which brokers withhold. */
  readonly value: string | undefined
  readonly source: ConfigSource
  readonly readOnly: boolean
  readonly sensitive: boolean
}

export type TopicConfigChange =
  | { readonly kind: 'set'; readonly name: string; readonly value: string }
  | { readonly kind: 'delete'; readonly name: string }

export interface OffsetQuery extends TopicPartition {
  /**
   * `last-stable` is what a read_committed reader may reach; a time asks for the first record at or after it, or for
   * the log's end where there is none.
   */
  readonly at: 'earliest' | 'latest' | 'last-stable' | { readonly timestampMs: number }
}

export interface OffsetAnswer extends TopicPartition {
  readonly result: Result<{ readonly offset: bigint; readonly leaderEpoch: number | undefined }>
}

export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface LeaderEpochQuery extends TopicPartition {
  readonly leaderEpoch: number
}

export interface LeaderEpochAnswer extends TopicPartition {
  /**
   * The largest epoch not above the one asked for, and where the log goes on after it; `undefined` when the leader
   * knows none.
   */
  readonly result: Result<{ readonly leaderEpoch: number; readonly endOffset: bigint } | undefined>
}

export interface Transaction {
  readonly transactionalId: string
  readonly identity: ProducerIdentity
}

export type TransactionEnd = 'commit' | 'abort'

export interface ProducersAnswer extends TopicPartition {
  readonly result: Result<readonly RememberedProducer[]>
}

export interface RememberedProducer extends ProducerIdentity {
  /** `undefined` when nothing but markers of this epoch is known. */
  readonly lastSequence: number | undefined
  readonly lastTimestampMs: number
  /** First offset of an open transaction. */
  readonly transactionStart: bigint | undefined
}

export interface JoinGroupRequest {
  readonly group: string
  /** From an earlier join; `undefined` at first. */
  readonly memberId: string | undefined
  /** `group.instance.id` (KIP-345): keeps its place while it restarts within the session timeout. */
  readonly instanceId: string | undefined
  readonly protocolType: string
  /** In the order of preference; the coordinator takes one that all members have. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Buffer }[]
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
}

export interface JoinedGroup {
  readonly memberId: string
  readonly generation: number
  readonly protocol: string
  readonly leaderId: string
  /** Of every member when this one is the leader, otherwise empty. */
  readonly members: readonly {
    readonly memberId: string
    readonly instanceId: string | undefined
    readonly metadata: Buffer
  }[]
}

export interface GroupMember {
  readonly group: string
  readonly memberId: string
  readonly instanceId: string | undefined
  readonly generation: number
}

export interface SyncGroupRequest extends GroupMember {
  readonly protocolType: string
  readonly protocol: string
  /** Empty for members that do not lead. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[]
}

/** One ordered connection to one broker. */
export interface BrokerChannel {
  readonly broker: BrokerId
  /** At most one batch per partition, on partitions led by this broker; acks=all. The bytes stay untouched and owned by the request until it settles. */
  produce(request: ProduceRequest, signal?: AbortSignal): Promise<ProduceResponse>
  /** The answer's frame holds the fetched bytes: release it once per reference. */
  fetch(request: FetchRequest, signal?: AbortSignal): Promise<FetchResponse>
  /** Lets pending requests end, then closes. Idempotent. */
  close(): Promise<void>
  /** Cuts at once; pending requests reject. Idempotent. */
  destroy(reason?: Error): void
  /** Settles when the channel can no longer be used; never rejects. */
  readonly closed: Promise<void>
}

export interface FetchRequest {
  /** Without duplicates. Brokers fill answers in this order until `bytesMax`: rotate it. */
  readonly partitions: readonly FetchPartition[]
  /** How long the broker may wait for `bytesMin`, in milliseconds. */
  readonly waitMaxMs: number
  readonly bytesMin: number
  /** Soft: the first batch of the first non-empty partition is sent however large it is. */
  readonly bytesMax: number
  readonly isolation: 'read_committed' | 'read_uncommitted'
}

export interface FetchPartition extends TopicPartition {
  /** Required by brokers that fetch by topic id (v13, Kafka 3.1+). */
  readonly topicId: string | undefined
  readonly offset: bigint
  /** The leader epoch known from metadata, or `undefined` to let any leader answer. */
  readonly leaderEpoch: number | undefined
  readonly bytesMax: number
}

export interface FetchResponse {
  readonly frame: Lease
  readonly partitions: readonly FetchedPartition[]
}

/** Counted references to the memory that an answer was received into. It starts with one reference, the receiver's. */
export interface Lease {
  /** Bytes of memory held. */
  readonly bytes: number
  retain(): void
  /** Giving back the last reference lets the memory be overwritten. One release too many throws. */
  release(): void
}

export interface FetchedPartition extends TopicPartition {
  /** `undefined` when the partition answered; its offsets below are only meaningful then. */
  readonly error: KafkaError | undefined
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly logStartOffset: bigint
  /** Aborted transactions overlapping `records` (read_committed only), ordered by first offset. */
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches as stored; may begin before the asked offset and may end inside a batch. */
  readonly records: Buffer
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface ProduceRequest {
  readonly batches: readonly ProduceBatch[]
  /** How long the broker may wait for the in-sync replicas, in milliseconds. */
  readonly timeoutMs: number
}

export interface ProduceBatch extends TopicPartition {
  /** One record batch, base offset 0. */
  readonly batch: Buffer
}

export interface ProduceResponse {
  /** One per batch, in the request's order. */
  readonly results: readonly ProduceResult[]
}

export interface ProduceResult extends TopicPartition {
  readonly result: Result<{ readonly baseOffset: bigint; readonly logAppendTimeMs: number | undefined }>
}
