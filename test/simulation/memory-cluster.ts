import type { TopicAcl, TopicAclFilter } from '../../replicator/kafka/acl-binding.ts'
import type {
  BrokerChannel,
  BrokerId,
  Cluster,
  ClusterDescription,
  GroupMember,
  JoinedGroup,
  JoinGroupRequest,
  LeaderEpochAnswer,
  LeaderEpochQuery,
  NewTopic,
  OffsetAnswer,
  OffsetQuery,
  Outcome,
  PartitionOutcome,
  ProducerIdentity,
  ProducersAnswer,
  Result,
  SyncGroupRequest,
  TopicConfigChange,
  TopicConfigEntry,
  TopicLookup,
  TopicMetadata,
  TopicPartition,
  Transaction,
  TransactionEnd,
} from '../../replicator/kafka/cluster.ts'
import type {
  GroupCommitOutcome,
  GroupDescription,
  GroupListing,
  GroupOffsetCommit,
  GroupOffsetsAnswer,
  GroupOffsetsOptions,
  GroupOffsetsQuery,
} from '../../replicator/kafka/consumer-groups.ts'
import { transportError } from '../../replicator/kafka/errors.ts'
import type { RegionAlias } from '../../replicator/topology/model.ts'
import { type Answer, errorCode, refused } from './broker-answer.ts'
import { LeaseLedger } from './counted-lease.ts'
import { type DecideFault, noFaults } from './faults.ts'
import { describeGroup, listOf } from './group-views.ts'
import { MemoryChannel } from './memory-channel.ts'
import { MemoryRequests } from './memory-requests.ts'
import type { SimulatedBrokers } from './simulated-brokers.ts'
import { metadataOf } from './simulated-topics.ts'
import { configEntries } from './topic-configs.ts'

export interface MemoryClusterOptions {
  readonly alias: RegionAlias
  /** What goes wrong with which request. Default: nothing. */
  readonly faults?: DecideFault
  /** How long a request waits for an answer that got lost. Default 30 000. */
  readonly requestTimeoutMs?: number
}

/**
 * A client's connection to simulated brokers: the Cluster port without sockets. Its requests reach any broker that is
 * up and are not retried: what a real client would retry comes back as a retriable error.
 */
export class MemoryCluster implements Cluster {
  readonly alias: RegionAlias
  /** Fetch answers that were not given back yet. */
  readonly leases = new LeaseLedger()
  readonly #brokers: SimulatedBrokers
  readonly #requests: MemoryRequests
  readonly #requestTimeoutMs: number
  readonly #channels = new Set<MemoryChannel>()
  readonly #stopListening: () => void

  constructor(brokers: SimulatedBrokers, options: MemoryClusterOptions) {
    this.alias = options.alias
    this.#brokers = brokers
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    this.#requests = new MemoryRequests({
      alias: this.alias,
      brokers,
      faults: options.faults ?? noFaults,
      requestTimeoutMs: this.#requestTimeoutMs,
    })
    this.#stopListening = brokers.onStop((stopped) => {
      for (const channel of this.#channels) {
        if (channel.broker !== stopped) continue
        channel.destroy(
          transportError('connection', 'The broker went away', this.#requests.place({ broker: stopped })),
        )
      }
    })
  }

  listTopics(signal?: AbortSignal): Promise<readonly TopicMetadata[]> {
    return this.#requests.ask('list-topics', () => this.#brokers.topics.all.map(metadataOf), signal)
  }

  describeTopics(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, TopicLookup>> {
    const look = (name: string): TopicLookup => {
      const topic = this.#brokers.topics.byName(name)
      return topic === undefined ? { kind: 'missing' } : { kind: 'found', topic: metadataOf(topic) }
    }
    return this.#requests.ask(
      'describe-topics',
      () => new Map(names.map((name) => [name, look(name)])),
      signal,
    )
  }

  describeCluster(signal?: AbortSignal): Promise<ClusterDescription> {
    const { clusterId } = this.#brokers
    return this.#requests.ask(
      'describe-cluster',
      () => ({ clusterId, brokers: this.#brokers.brokers }),
      signal,
    )
  }

  createTopics(topics: readonly NewTopic[], signal?: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const create = (topic: NewTopic): [string, Outcome] => [
      topic.name,
      this.#requests.result(this.#brokers.topics.create(topic), { topic: topic.name }),
    ]
    return this.#requests.ask('create-topics', () => new Map(topics.map(create)), signal)
  }

  growTopics(
    totals: ReadonlyMap<string, number>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Outcome>> {
    const grow = ([topic, total]: [string, number]): [string, Outcome] => [
      topic,
      this.#requests.result(this.#brokers.topics.grow(topic, total), { topic }),
    ]
    return this.#requests.ask('grow-topics', () => new Map([...totals].map(grow)), signal)
  }

  describeTopicConfigs(
    topics: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Result<readonly TopicConfigEntry[]>>> {
    const describe = (name: string): [string, Result<readonly TopicConfigEntry[]>] => {
      const topic = this.#brokers.topics.byName(name)
      const answer: Answer<readonly TopicConfigEntry[]> =
        topic === undefined
          ? refused(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
          : { ok: true, value: configEntries(topic.overrides, this.#brokers.configs) }
      return [name, this.#requests.result(answer, { topic: name })]
    }
    return this.#requests.ask('describe-configs', () => new Map(topics.map(describe)), signal)
  }

  alterTopicConfigs(
    changes: ReadonlyMap<string, readonly TopicConfigChange[]>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Outcome>> {
    const alter = ([topic, wanted]: [string, readonly TopicConfigChange[]]): [string, Outcome] => [
      topic,
      this.#requests.result(this.#brokers.topics.alter(topic, wanted), { topic }),
    ]
    return this.#requests.ask('alter-configs', () => new Map([...changes].map(alter)), signal)
  }

  describeAcls(filter: TopicAclFilter, signal?: AbortSignal): Promise<Result<readonly TopicAcl[]>> {
    const look = () => this.#requests.result(this.#brokers.acls.describe(filter), {})
    return this.#requests.ask('describe-acls', look, signal)
  }

  createAcls(acls: readonly TopicAcl[], signal?: AbortSignal): Promise<readonly Outcome[]> {
    const create = (acl: TopicAcl) => this.#requests.result(this.#brokers.acls.create(acl), {})
    return this.#requests.ask('create-acls', () => acls.map(create), signal)
  }

  deleteAcls(acls: readonly TopicAcl[], signal?: AbortSignal): Promise<readonly Outcome[]> {
    const remove = (acl: TopicAcl) => this.#requests.result(this.#brokers.acls.delete(acl), {})
    return this.#requests.ask('delete-acls', () => acls.map(remove), signal)
  }

  listOffsets(queries: readonly OffsetQuery[], signal?: AbortSignal): Promise<readonly OffsetAnswer[]> {
    return this.#requests.askEach('list-offsets', queries, (query) => this.#brokers.listOffset(query), signal)
  }

  initProducerId(
    transactionalId: string | undefined,
    signal?: AbortSignal,
    current?: ProducerIdentity,
  ): Promise<ProducerIdentity> {
    const act = () => this.#brokers.transactions.initProducerId(transactionalId, current)
    return this.#requests.askWhole('init-producer-id', act, signal)
  }

  offsetsForLeaderEpochs(
    queries: readonly LeaderEpochQuery[],
    signal?: AbortSignal,
  ): Promise<readonly LeaderEpochAnswer[]> {
    const look = (query: LeaderEpochQuery) => this.#brokers.endOfEpoch(query)
    return this.#requests.askEach('offsets-for-leader-epochs', queries, look, signal)
  }

  describeBrokerConfigs(
    names: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const look = () => new Map([...this.#brokers.brokerConfigs].filter(([name]) => names.includes(name)))
    return this.#requests.ask('describe-broker-configs', look, signal)
  }

  async addPartitionsToTransaction(
    { transactionalId, identity }: Transaction,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]> {
    const act = () => this.#brokers.transactions.addPartitions(transactionalId, identity, partitions)
    const codes = await this.#requests.askWhole('add-partitions-to-txn', act, signal)
    return this.#requests.outcomes(partitions, codes)
  }

  endTransaction(
    { transactionalId, identity }: Transaction,
    end: TransactionEnd,
    signal?: AbortSignal,
  ): Promise<void> {
    const act = () => this.#brokers.transactions.endTransaction(transactionalId, identity, end)
    return this.#requests.askWhole('end-txn', act, signal)
  }

  writeTransactionMarkers(
    identity: ProducerIdentity,
    end: TransactionEnd,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]> {
    const write = (at: TopicPartition) => this.#brokers.fence(at, identity, end)
    return this.#requests.askEach('write-txn-markers', partitions, write, signal)
  }

  describeProducers(
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly ProducersAnswer[]> {
    const look = (at: TopicPartition) => this.#brokers.describeProducers(at)
    return this.#requests.askEach('describe-producers', partitions, look, signal)
  }

  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): Promise<JoinedGroup> {
    const act = () => this.#brokers.groups.join(request)
    return this.#requests.askGroup('join-group', act, request.rebalanceTimeoutMs + 5000, signal)
  }

  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<Buffer> {
    const act = () => this.#brokers.groups.sync(request)
    return this.#requests.askGroup('sync-group', act, this.#requestTimeoutMs, signal)
  }

  heartbeatGroup(member: GroupMember, signal?: AbortSignal): Promise<void> {
    const act = async () => this.#brokers.groups.heartbeat(member)
    return this.#requests.askGroup('heartbeat-group', act, this.#requestTimeoutMs, signal)
  }

  leaveGroup(member: Omit<GroupMember, 'generation'>, signal?: AbortSignal): Promise<void> {
    const act = async () => this.#brokers.groups.leave(member)
    return this.#requests.askGroup('leave-group', act, this.#requestTimeoutMs, signal)
  }

  listGroups(signal?: AbortSignal): Promise<GroupListing> {
    return this.#requests.ask('list-groups', () => listOf(this.#brokers), signal)
  }

  describeGroups(groups: readonly string[], signal?: AbortSignal): Promise<readonly GroupDescription[]> {
    const describe = (group: string): GroupDescription => ({
      group,
      result: { ok: true, value: describeGroup(this.#brokers, group) },
    })
    return this.#requests.ask('describe-groups', () => groups.map(describe), signal)
  }

  groupOffsets(
    queries: readonly GroupOffsetsQuery[],
    { requireStable }: GroupOffsetsOptions,
    signal?: AbortSignal,
  ): Promise<readonly GroupOffsetsAnswer[]> {
    const fetch = (query: GroupOffsetsQuery): GroupOffsetsAnswer => {
      const { group } = query
      const fetched = this.#requests.result(this.#brokers.offsets.fetch(query, requireStable), {})
      if (!fetched.ok) return { group, result: fetched }
      const value = fetched.value.map(({ answer, ...at }) => ({
        ...at,
        result: this.#requests.result(answer, at),
      }))
      return { group, result: { ok: true, value } }
    }
    return this.#requests.ask('group-offsets', () => queries.map(fetch), signal)
  }

  async commitGroupOffsets(
    group: string,
    commits: readonly GroupOffsetCommit[],
    signal?: AbortSignal,
  ): Promise<GroupCommitOutcome> {
    const act = () => this.#brokers.offsets.commit(group, commits)
    const answer = await this.#requests.ask('commit-group-offsets', act, signal)
    if (!answer.ok && answer.code === errorCode.UNKNOWN_MEMBER_ID) return { kind: 'group-is-used' }
    const codes = this.#requests.whole(answer, 'commit-group-offsets')
    return { kind: 'answered', partitions: this.#requests.outcomes(commits, codes) }
  }

  async deleteGroupOffsets(
    group: string,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]> {
    const act = () => this.#brokers.offsets.delete(group, partitions)
    return this.#requests.outcomes(
      partitions,
      await this.#requests.askWhole('delete-group-offsets', act, signal),
    )
  }

  async openChannel(broker: BrokerId, signal?: AbortSignal): Promise<BrokerChannel> {
    return this.#requests.ask(
      'open-channel',
      () => {
        if (!this.#brokers.isUp(broker)) {
          throw transportError('connection', 'Nothing listens there', this.#requests.place({ broker }))
        }
        const channel = new MemoryChannel({
          brokers: this.#brokers,
          broker,
          place: this.#requests.place({ broker }),
          leases: this.leases,
          requestTimeoutMs: this.#requestTimeoutMs,
          decide: (kind) => this.#requests.decide(kind, broker),
        })
        this.#channels.add(channel)
        void channel.closed.then(() => this.#channels.delete(channel))
        return channel
      },
      signal,
    )
  }

  /** Breaks every connection to a broker: what was sent and not answered may have been done or not. */
  cutConnections(): void {
    for (const channel of this.#channels)
      channel.destroy(transportError('connection', 'The network was cut', this.#requests.place({})))
  }

  async close(): Promise<void> {
    this.#requests.close()
    await Promise.allSettled([
      ...this.#requests.pending,
      ...[...this.#channels].map((channel) => channel.close()),
    ])
    this.destroy()
  }

  destroy(): void {
    this.#requests.destroy()
    this.#stopListening()
    for (const channel of this.#channels) channel.destroy()
  }
}
