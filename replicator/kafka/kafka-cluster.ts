import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { RegionAlias } from '../topology/model.ts'
import { linkSignals } from './abortable.ts'
import type { TopicAcl, TopicAclFilter } from './acl-binding.ts'
import { createAcls, deleteAcls, describeAcls } from './acls.ts'
import { type BrokerAddress, parseBrokerAddress } from './broker-address.ts'
import { describeBrokerConfigs } from './broker-configs.ts'
import { BrokerDirectory } from './broker-directory.ts'
import type {
  BrokerChannel,
  BrokerId,
  Cluster,
  GroupMember,
  JoinGroupRequest,
  LeaderEpochQuery,
  NewTopic,
  OffsetQuery,
  ProducerIdentity,
  SyncGroupRequest,
  TopicConfigChange,
  TopicPartition,
  Transaction,
  TransactionEnd,
} from './cluster.ts'
import { CommitLanes } from './commit-lanes.ts'
import type { GroupOffsetCommit, GroupOffsetsOptions, GroupOffsetsQuery } from './consumer-groups.ts'
import { ControlConnections, closedError } from './control-connections.ts'
import { GroupCoordinators } from './coordinators.ts'
import { KafkaError } from './errors.ts'
import { describeGroups, listGroups } from './group-descriptions.ts'
import { commitGroupOffsets, deleteGroupOffsets, groupOffsets } from './group-offsets.ts'
import { GroupRequests } from './group-requests.ts'
import { openHotChannel } from './hot/channel.ts'
import { FramePool } from './hot/frame-pool.ts'
import { offsetsForLeaderEpochs } from './leader-epochs.ts'
import { describeCluster, describeTopics, listTopics } from './metadata.ts'
import { listOffsets } from './offset-listing.ts'
import { initProducerId } from './producer-ids.ts'
import { describeProducers, writeTransactionMarkers } from './producer-state.ts'
import { Requests } from './requests.ts'
import { retryPolicy } from './retrying.ts'
import type { ConnectionSettings } from './settings.ts'
import { createTopics, growTopics } from './topic-admin.ts'
import { alterTopicConfigs, describeTopicConfigs } from './topic-configs.ts'
import { addPartitionsToTransaction, endTransaction } from './transactions.ts'

/** Where a channel leads to. */
export interface ChannelRequest {
  readonly cluster: RegionAlias
  readonly broker: BrokerId
  readonly host: string
  readonly port: number
  readonly settings: ConnectionSettings
}

export type OpenChannel = (request: ChannelRequest, signal?: AbortSignal) => Promise<BrokerChannel>

export interface KafkaClusterOptions {
  readonly alias: RegionAlias
  readonly settings: ConnectionSettings
  readonly clock: Clock
  readonly random: Random
  /** Memory that the cluster's channels receive into. Default: a pool of its own. */
  readonly frames?: FramePool
  /** For each call on the control plane, its retries included, in milliseconds. Default 60 000. */
  readonly deadlineMs?: number
  /**
   * After this long a call that keeps failing tells its error instead of beginning another attempt, for owners who
   * report it and call again, in milliseconds. Default: the deadline.
   */
  readonly patienceMs?: number
  /** Default: {@link openHotChannel}. */
  readonly openChannel?: OpenChannel
}

/**
 * A real cluster. Connects when it is first asked for something. Calls are retried by error code with jittered
 * backoff until their deadline; wrong credentials and certificates fail at once.
 * @throws KafkaError when a bootstrap address cannot be read
 */
export function createKafkaCluster(options: KafkaClusterOptions): Cluster {
  return new KafkaCluster(options)
}

class KafkaCluster implements Cluster {
  readonly alias: RegionAlias
  readonly #settings: ConnectionSettings
  readonly #requests: Requests
  readonly #connections: ControlConnections
  readonly #groups: GroupRequests
  readonly #coordinators: GroupCoordinators
  readonly #commitLanes: CommitLanes
  readonly #open: OpenChannel
  readonly #channels = new Set<BrokerChannel>()
  readonly #calls = new Set<Promise<unknown>>()
  readonly #lifetime = new AbortController()
  #closing: Promise<void> | undefined

  constructor(options: KafkaClusterOptions) {
    const { alias, settings, clock, random, frames = new FramePool() } = options
    this.alias = alias
    this.#settings = settings
    this.#connections = new ControlConnections({ cluster: alias, settings, clock })
    this.#requests = new Requests({
      cluster: alias,
      bootstrap: settings.bootstrap.map((text) => readAddress(alias, text)),
      connections: this.#connections,
      directory: new BrokerDirectory(alias),
      retry: retryPolicy(clock, random, options.deadlineMs, options.patienceMs),
    })
    this.#groups = new GroupRequests(this.#requests, { cluster: alias, settings, clock })
    this.#coordinators = new GroupCoordinators(this.#requests)
    this.#commitLanes = new CommitLanes({ cluster: alias, settings, clock })
    this.#open =
      options.openChannel ??
      ((request, signal) => openHotChannel({ ...request, clock, pool: frames }, signal))
  }

  listTopics(signal?: AbortSignal) {
    return this.#call(signal, (inner) => listTopics(this.#requests, inner))
  }

  describeTopics(names: readonly string[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeTopics(this.#requests, names, inner))
  }

  describeCluster(signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeCluster(this.#requests, inner))
  }

  createTopics(topics: readonly NewTopic[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => createTopics(this.#requests, topics, inner))
  }

  growTopics(totals: ReadonlyMap<string, number>, signal?: AbortSignal) {
    return this.#call(signal, (inner) => growTopics(this.#requests, totals, inner))
  }

  describeTopicConfigs(topics: readonly string[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeTopicConfigs(this.#requests, topics, inner))
  }

  alterTopicConfigs(changes: ReadonlyMap<string, readonly TopicConfigChange[]>, signal?: AbortSignal) {
    return this.#call(signal, (inner) => alterTopicConfigs(this.#requests, changes, inner))
  }

  describeAcls(filter: TopicAclFilter, signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeAcls(this.#requests, filter, inner))
  }

  createAcls(acls: readonly TopicAcl[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => createAcls(this.#requests, acls, inner))
  }

  deleteAcls(acls: readonly TopicAcl[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => deleteAcls(this.#requests, acls, inner))
  }

  listOffsets(queries: readonly OffsetQuery[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => listOffsets(this.#requests, queries, inner))
  }

  initProducerId(transactionalId: string | undefined, signal?: AbortSignal, current?: ProducerIdentity) {
    return this.#call(signal, (inner) => initProducerId(this.#requests, transactionalId, inner, current))
  }

  offsetsForLeaderEpochs(queries: readonly LeaderEpochQuery[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => offsetsForLeaderEpochs(this.#requests, queries, inner))
  }

  describeBrokerConfigs(names: readonly string[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeBrokerConfigs(this.#requests, names, inner))
  }

  addPartitionsToTransaction(
    transaction: Transaction,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ) {
    return this.#call(signal, (inner) =>
      addPartitionsToTransaction(this.#requests, transaction, partitions, inner),
    )
  }

  endTransaction(transaction: Transaction, end: TransactionEnd, signal?: AbortSignal) {
    return this.#call(signal, (inner) => endTransaction(this.#requests, transaction, end, inner))
  }

  writeTransactionMarkers(
    identity: ProducerIdentity,
    end: TransactionEnd,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ) {
    return this.#call(signal, (inner) =>
      writeTransactionMarkers(this.#requests, identity, end, partitions, inner),
    )
  }

  describeProducers(partitions: readonly TopicPartition[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeProducers(this.#requests, partitions, inner))
  }

  joinGroup(request: JoinGroupRequest, signal?: AbortSignal) {
    return this.#call(signal, (inner) => this.#groups.join(request, inner))
  }

  syncGroup(request: SyncGroupRequest, signal?: AbortSignal) {
    return this.#call(signal, (inner) => this.#groups.sync(request, inner))
  }

  heartbeatGroup(member: GroupMember, signal?: AbortSignal) {
    return this.#call(signal, (inner) => this.#groups.heartbeat(member, inner))
  }

  leaveGroup(member: Omit<GroupMember, 'generation'>, signal?: AbortSignal) {
    return this.#call(signal, (inner) => this.#groups.leave(member, inner))
  }

  listGroups(signal?: AbortSignal) {
    return this.#call(signal, (inner) => listGroups(this.#requests, inner))
  }

  describeGroups(groups: readonly string[], signal?: AbortSignal) {
    return this.#call(signal, (inner) => describeGroups(this.#requests, this.#coordinators, groups, inner))
  }

  groupOffsets(queries: readonly GroupOffsetsQuery[], options: GroupOffsetsOptions, signal?: AbortSignal) {
    return this.#call(signal, (inner) =>
      groupOffsets(this.#requests, this.#coordinators, queries, options, inner),
    )
  }

  commitGroupOffsets(group: string, commits: readonly GroupOffsetCommit[], signal?: AbortSignal) {
    return this.#call(signal, (inner) =>
      commitGroupOffsets(this.#requests, this.#coordinators, this.#commitLanes, group, commits, inner),
    )
  }

  deleteGroupOffsets(group: string, partitions: readonly TopicPartition[], signal?: AbortSignal) {
    return this.#call(signal, (inner) =>
      deleteGroupOffsets(this.#requests, this.#coordinators, group, partitions, inner),
    )
  }

  openChannel(broker: BrokerId, signal?: AbortSignal): Promise<BrokerChannel> {
    return this.#call(signal, async (inner) => {
      // A broker that was restarted may listen elsewhere, and something else may listen where it was.
      await this.#requests.refresh(inner)
      const { host, port } = await this.#requests.addressOf(broker, inner)
      const request = { cluster: this.alias, broker, host, port, settings: this.#settings }
      const channel = await this.#open(request, inner)
      if (this.#lifetime.signal.aborted) {
        channel.destroy(closedError(this.alias))
        throw closedError(this.alias)
      }
      this.#channels.add(channel)
      void channel.closed.then(() => this.#channels.delete(channel))
      return channel
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain()
    return this.#closing
  }

  destroy(): void {
    this.#closing ??= Promise.resolve()
    const reason = closedError(this.alias)
    this.#lifetime.abort(reason)
    for (const channel of this.#channels) channel.destroy(reason)
    this.#channels.clear()
    this.#connections.destroy()
    this.#groups.destroy()
    this.#commitLanes.destroy()
  }

  async #drain(): Promise<void> {
    // Calls that are under way may still open channels; they are closed with the others.
    await Promise.allSettled(this.#calls)
    await Promise.allSettled([...this.#channels].map((channel) => channel.close()))
    this.destroy()
  }

  async #call<T>(signal: AbortSignal | undefined, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedError(this.alias)
    const link = linkSignals(signal, this.#lifetime.signal)
    const call = run(link.signal)
    this.#calls.add(call)
    try {
      return await call
    } finally {
      this.#calls.delete(call)
      link.release()
    }
  }
}

function readAddress(cluster: RegionAlias, text: string): BrokerAddress {
  const parsed = parseBrokerAddress(text)
  if (parsed.ok) return parsed.address
  throw new KafkaError({
    cluster,
    during: 'reading bootstrap addresses',
    code: undefined,
    kind: 'connection',
    summary: parsed.reason,
    retriable: false,
    refreshMetadata: false,
    wayOut: 'Correct the bootstrap address.',
  })
}
