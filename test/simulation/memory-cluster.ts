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
import {
  type ErrorPlace,
  type KafkaError,
  protocolError,
  transportError,
} from '../../replicator/kafka/errors.ts'
import type { RegionAlias } from '../../replicator/topology/model.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'
import { LeaseLedger } from './counted-lease.ts'
import { type DecideFault, type Fault, noFaults, type RequestKind } from './faults.ts'
import { MemoryChannel } from './memory-channel.ts'
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
  readonly #faults: DecideFault
  readonly #requestTimeoutMs: number
  readonly #channels = new Set<MemoryChannel>()
  readonly #asking = new Set<Promise<unknown>>()
  readonly #cut = new AbortController()
  readonly #stopListening: () => void
  #requests = 0
  #closing = false

  constructor(brokers: SimulatedBrokers, options: MemoryClusterOptions) {
    this.alias = options.alias
    this.#brokers = brokers
    this.#faults = options.faults ?? noFaults
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 30_000
    this.#stopListening = brokers.onStop((stopped) => {
      for (const channel of this.#channels) {
        if (channel.broker !== stopped) continue
        channel.destroy(
          transportError('connection', 'The broker went away', this.#place({ broker: stopped })),
        )
      }
    })
  }

  listTopics(signal?: AbortSignal): Promise<readonly TopicMetadata[]> {
    return this.#ask('list-topics', () => this.#brokers.topics.all.map(metadataOf), signal)
  }

  describeTopics(names: readonly string[], signal?: AbortSignal): Promise<ReadonlyMap<string, TopicLookup>> {
    const look = (name: string): TopicLookup => {
      const topic = this.#brokers.topics.byName(name)
      return topic === undefined ? { kind: 'missing' } : { kind: 'found', topic: metadataOf(topic) }
    }
    return this.#ask('describe-topics', () => new Map(names.map((name) => [name, look(name)])), signal)
  }

  describeCluster(signal?: AbortSignal): Promise<ClusterDescription> {
    const { clusterId } = this.#brokers
    return this.#ask('describe-cluster', () => ({ clusterId, brokers: this.#brokers.brokers }), signal)
  }

  createTopics(topics: readonly NewTopic[], signal?: AbortSignal): Promise<ReadonlyMap<string, Outcome>> {
    const create = (topic: NewTopic): [string, Outcome] => [
      topic.name,
      this.#result(this.#brokers.topics.create(topic), { topic: topic.name }),
    ]
    return this.#ask('create-topics', () => new Map(topics.map(create)), signal)
  }

  growTopics(
    totals: ReadonlyMap<string, number>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Outcome>> {
    const grow = ([topic, total]: [string, number]): [string, Outcome] => [
      topic,
      this.#result(this.#brokers.topics.grow(topic, total), { topic }),
    ]
    return this.#ask('grow-topics', () => new Map([...totals].map(grow)), signal)
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
      return [name, this.#result(answer, { topic: name })]
    }
    return this.#ask('describe-configs', () => new Map(topics.map(describe)), signal)
  }

  alterTopicConfigs(
    changes: ReadonlyMap<string, readonly TopicConfigChange[]>,
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, Outcome>> {
    const alter = ([topic, wanted]: [string, readonly TopicConfigChange[]]): [string, Outcome] => [
      topic,
      this.#result(this.#brokers.topics.alter(topic, wanted), { topic }),
    ]
    return this.#ask('alter-configs', () => new Map([...changes].map(alter)), signal)
  }

  describeAcls(filter: TopicAclFilter, signal?: AbortSignal): Promise<Result<readonly TopicAcl[]>> {
    const look = () => this.#result(this.#brokers.acls.describe(filter), {})
    return this.#ask('describe-acls', look, signal)
  }

  createAcls(acls: readonly TopicAcl[], signal?: AbortSignal): Promise<readonly Outcome[]> {
    const create = (acl: TopicAcl) => this.#result(this.#brokers.acls.create(acl), {})
    return this.#ask('create-acls', () => acls.map(create), signal)
  }

  deleteAcls(acls: readonly TopicAcl[], signal?: AbortSignal): Promise<readonly Outcome[]> {
    const remove = (acl: TopicAcl) => this.#result(this.#brokers.acls.delete(acl), {})
    return this.#ask('delete-acls', () => acls.map(remove), signal)
  }

  listOffsets(queries: readonly OffsetQuery[], signal?: AbortSignal): Promise<readonly OffsetAnswer[]> {
    return this.#askEach('list-offsets', queries, (query) => this.#brokers.listOffset(query), signal)
  }

  initProducerId(
    transactionalId: string | undefined,
    signal?: AbortSignal,
    current?: ProducerIdentity,
  ): Promise<ProducerIdentity> {
    const act = () => this.#brokers.transactions.initProducerId(transactionalId, current)
    return this.#askWhole('init-producer-id', act, signal)
  }

  offsetsForLeaderEpochs(
    queries: readonly LeaderEpochQuery[],
    signal?: AbortSignal,
  ): Promise<readonly LeaderEpochAnswer[]> {
    const look = (query: LeaderEpochQuery) => this.#brokers.endOfEpoch(query)
    return this.#askEach('offsets-for-leader-epochs', queries, look, signal)
  }

  describeBrokerConfigs(
    names: readonly string[],
    signal?: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const look = () => new Map([...this.#brokers.brokerConfigs].filter(([name]) => names.includes(name)))
    return this.#ask('describe-broker-configs', look, signal)
  }

  async addPartitionsToTransaction(
    { transactionalId, identity }: Transaction,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]> {
    const act = () => this.#brokers.transactions.addPartitions(transactionalId, identity, partitions)
    const codes = await this.#askWhole('add-partitions-to-txn', act, signal)
    return partitions.map(({ topic, partition }, index) => {
      const code = codes[index] ?? 0
      const answer = code === 0 ? answered(undefined) : refused(code)
      return { topic, partition, result: this.#result(answer, { topic, partition }) }
    })
  }

  endTransaction(
    { transactionalId, identity }: Transaction,
    end: TransactionEnd,
    signal?: AbortSignal,
  ): Promise<void> {
    const act = () => this.#brokers.transactions.endTransaction(transactionalId, identity, end)
    return this.#askWhole('end-txn', act, signal)
  }

  writeTransactionMarkers(
    identity: ProducerIdentity,
    end: TransactionEnd,
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly PartitionOutcome[]> {
    const write = (at: TopicPartition) => this.#brokers.fence(at, identity, end)
    return this.#askEach('write-txn-markers', partitions, write, signal)
  }

  describeProducers(
    partitions: readonly TopicPartition[],
    signal?: AbortSignal,
  ): Promise<readonly ProducersAnswer[]> {
    const look = (at: TopicPartition) => this.#brokers.describeProducers(at)
    return this.#askEach('describe-producers', partitions, look, signal)
  }

  joinGroup(request: JoinGroupRequest, signal?: AbortSignal): Promise<JoinedGroup> {
    const act = () => this.#brokers.groups.join(request)
    return this.#askGroup('join-group', act, request.rebalanceTimeoutMs + 5000, signal)
  }

  syncGroup(request: SyncGroupRequest, signal?: AbortSignal): Promise<Buffer> {
    const act = () => this.#brokers.groups.sync(request)
    return this.#askGroup('sync-group', act, this.#requestTimeoutMs, signal)
  }

  heartbeatGroup(member: GroupMember, signal?: AbortSignal): Promise<void> {
    const act = async () => this.#brokers.groups.heartbeat(member)
    return this.#askGroup('heartbeat-group', act, this.#requestTimeoutMs, signal)
  }

  leaveGroup(member: Omit<GroupMember, 'generation'>, signal?: AbortSignal): Promise<void> {
    const act = async () => this.#brokers.groups.leave(member)
    return this.#askGroup('leave-group', act, this.#requestTimeoutMs, signal)
  }

  async openChannel(broker: BrokerId, signal?: AbortSignal): Promise<BrokerChannel> {
    return this.#ask(
      'open-channel',
      () => {
        if (!this.#brokers.isUp(broker)) {
          throw transportError('connection', 'Nothing listens there', this.#place({ broker }))
        }
        const channel = new MemoryChannel({
          brokers: this.#brokers,
          broker,
          place: this.#place({ broker }),
          leases: this.leases,
          requestTimeoutMs: this.#requestTimeoutMs,
          decide: (kind) => this.#decide(kind, broker),
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
      channel.destroy(transportError('connection', 'The network was cut', this.#place({})))
  }

  async close(): Promise<void> {
    this.#closing = true
    await Promise.allSettled([...this.#asking, ...[...this.#channels].map((channel) => channel.close())])
    this.destroy()
  }

  destroy(): void {
    this.#closing = true
    this.#cut.abort(transportError('closed', 'The client was closed', this.#place({})))
    this.#stopListening()
    for (const channel of this.#channels) channel.destroy()
  }

  /** A request that the coordinator may answer when others have come; `patienceMs` is how long that may take. */
  async #askGroup<T>(
    kind: RequestKind,
    act: () => Promise<Answer<T>>,
    patienceMs: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const waited = await this.#ask(kind, () => ({ answer: act() }), signal)
    const timer = new AbortController()
    const until = AbortSignal.any([this.#cut.signal, ...(signal === undefined ? [] : [signal])])
    const late = this.#brokers.clock.sleep(patienceMs, AbortSignal.any([until, timer.signal]))
    try {
      const answer = await Promise.race([waited.answer, late])
      until.throwIfAborted()
      if (answer === undefined)
        throw transportError('timeout', `No answer within ${patienceMs} ms`, this.#place({}))
      if (!answer.ok) throw protocolError(answer.code, this.#place({}), answer.detail)
      return answer.value
    } finally {
      timer.abort()
      await late.catch(() => {})
    }
  }

  /** A request that is answered about each partition by itself. */
  #askEach<Item extends TopicPartition, T>(
    kind: RequestKind,
    items: readonly Item[],
    act: (item: Item) => Answer<T>,
    signal: AbortSignal | undefined,
  ): Promise<(TopicPartition & { readonly result: Result<T> })[]> {
    const answer = (item: Item) => {
      const { topic, partition } = item
      return { topic, partition, result: this.#result(act(item), { topic, partition }) }
    }
    return this.#ask(kind, () => items.map(answer), signal)
  }

  /** A request whose refusal is the whole answer. */
  async #askWhole<T>(kind: RequestKind, act: () => Answer<T>, signal: AbortSignal | undefined): Promise<T> {
    const answer = await this.#ask(kind, act, signal)
    if (!answer.ok) throw protocolError(answer.code, this.#place({ during: kind }), answer.detail)
    return answer.value
  }

  #ask<T>(kind: RequestKind, act: () => T, signal: AbortSignal | undefined): Promise<T> {
    const asked = this.#answer(kind, act, signal)
    this.#asking.add(asked)
    const forget = () => this.#asking.delete(asked)
    asked.then(forget, forget)
    return asked
  }

  async #answer<T>(kind: RequestKind, act: () => T, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted()
    if (this.#closing) throw transportError('closed', 'The client was closed', this.#place({}))
    const fault = this.#decide(kind, undefined)
    const until = signal === undefined ? this.#cut.signal : AbortSignal.any([signal, this.#cut.signal])
    const delayMs = fault.requestDelayMs ?? 0
    if (fault.arrivesAnyway && delayMs > 0) return this.#arrive(act, delayMs, until)
    await this.#wait(delayMs, until)
    if (this.#brokers.brokers.length === 0 || fault.breakChannel === 'before') throw this.#unreachable()
    if (fault.lose === 'request') throw await this.#timedOut(until)
    let answer = act()
    if (fault.duplicate) answer = act()
    if (fault.breakChannel === 'after') throw this.#unreachable()
    if (fault.lose === 'answer') throw await this.#timedOut(until)
    await this.#wait(fault.answerDelayMs ?? 0, until)
    return answer
  }

  /** A request that is on its way already: the brokers act on it although its client may be gone by then. */
  async #arrive<T>(act: () => T, delayMs: number, until: AbortSignal): Promise<T> {
    const arrived = Promise.withResolvers<T>()
    this.#brokers.clock.after(delayMs, () => {
      if (this.#brokers.brokers.length === 0) return arrived.reject(this.#unreachable())
      try {
        arrived.resolve(act())
      } catch (error) {
        arrived.reject(error)
      }
    })
    arrived.promise.catch(() => {})
    const gone = Promise.withResolvers<never>()
    const onAbort = () => gone.reject(until.reason)
    until.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([arrived.promise, gone.promise])
    } finally {
      until.removeEventListener('abort', onAbort)
    }
  }

  async #wait(ms: number, until: AbortSignal): Promise<void> {
    if (ms > 0) await this.#brokers.clock.sleep(ms, until)
    until.throwIfAborted()
  }

  async #timedOut(until: AbortSignal): Promise<KafkaError> {
    await this.#wait(this.#requestTimeoutMs, until)
    return transportError('timeout', `No answer within ${this.#requestTimeoutMs} ms`, this.#place({}))
  }

  #unreachable(): KafkaError {
    return transportError('connection', 'No broker can be reached', this.#place({}))
  }

  #decide(kind: RequestKind, broker: BrokerId | undefined): Fault {
    return this.#faults({ cluster: this.alias, kind, broker, number: this.#requests++ }) ?? {}
  }

  #place(place: ErrorPlace): ErrorPlace {
    return { cluster: this.alias, ...place }
  }

  #result<T>(answer: Answer<T>, place: ErrorPlace): Result<T> {
    if (answer.ok) return { ok: true, value: answer.value }
    return { ok: false, error: protocolError(answer.code, this.#place(place), answer.detail) }
  }
}
