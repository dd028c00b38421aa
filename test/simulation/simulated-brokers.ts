import {
  type BrokerId,
  brokerId,
  type LeaderEpochQuery,
  type OffsetQuery,
  type ProduceBatch,
  type ProducerIdentity,
  type RememberedProducer,
  type TopicPartition,
  type TransactionEnd,
} from '../../replicator/kafka/cluster.ts'
import { offsetsTopic } from '../../replicator/kafka/offsets-topic-records.ts'
import { checkRequestBytes, needsTransaction } from './batch-checks.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'
import { brokerConfigs } from './broker-configs.ts'
import { compact } from './compaction.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import type { EpochEnd } from './leader-epoch-history.ts'
import { OffsetsLog } from './offsets-log.ts'
import { defaultProducerExpiry, type PartitionLog, type ProducerExpiry } from './partition-log.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedAcls } from './simulated-acls.ts'
import type { SimulatedClock } from './simulated-clock.ts'
import { SimulatedOffsets } from './simulated-offsets.ts'
import { type SimulatedPartition, type SimulatedTopic, SimulatedTopics } from './simulated-topics.ts'
import {
  defaultTransactionalIdExpiry,
  type TransactionalIdExpiry,
  TransactionCoordinator,
} from './transaction-coordinator.ts'

export interface SimulatedBrokersOptions {
  readonly clock: SimulatedClock
  /** Decides about topic ids. Default 1. */
  readonly seed?: number
  /** Default 1. Their node ids are 1, 2, 3 ... */
  readonly brokers?: number
  /** Broker-wide values of topic configs. */
  readonly configs?: ReadonlyMap<string, string>
  readonly producerExpiry?: ProducerExpiry
  readonly transactionalIdExpiry?: TransactionalIdExpiry
  /** Longest way of a coordinator's markers to a partition's leader, in milliseconds. Default 30. */
  readonly markerDelayMaxMs?: number
  /** Default: dropped, as by brokers with KRaft. */
  readonly leaderlessMarkers?: 'dropped' | 'delayed'
  /** Replaces what brokers tell of their own configs. */
  readonly brokerConfigs?: ReadonlyMap<string, string>
  /** `connections.max.idle.ms`. Default ten minutes. */
  readonly connectionIdleMaxMs?: number
  /** `group.initial.rebalance.delay.ms`. Default 0. */
  readonly initialRebalanceDelayMs?: number
}

export interface Appended {
  readonly baseOffset: bigint
  readonly logAppendTimeMs: number | undefined
}

/** Where no record is as young as the time asked for, the log's end. */
export interface FoundOffset {
  readonly offset: bigint
  readonly leaderEpoch: number | undefined
}

/**
 * The brokers of one simulated cluster: what happens to requests, and what a test may do to the cluster. Several
 * clients can be connected to it (`connectMemoryCluster`). It keeps running when they go, as real brokers do.
 */
export class SimulatedBrokers {
  readonly clock: SimulatedClock
  readonly acls = new SimulatedAcls()
  readonly topics: SimulatedTopics
  readonly transactions: TransactionCoordinator
  readonly groups: GroupCoordinator
  readonly offsets: SimulatedOffsets
  readonly offsetsLog: OffsetsLog
  readonly clusterId: string
  readonly configs: ReadonlyMap<string, string>
  readonly brokerConfigs: ReadonlyMap<string, string>
  readonly connectionIdleMaxMs: number
  readonly #clientMarkers = new Set<string>()
  readonly #up = new Set<BrokerId>()
  readonly #stopListeners = new Set<(broker: BrokerId) => void>()

  constructor(options: SimulatedBrokersOptions) {
    const { clock, brokers = 1, seed = 1 } = options
    this.clock = clock
    this.clusterId = `simulated-${seed}`
    this.configs = options.configs ?? new Map()
    this.connectionIdleMaxMs = options.connectionIdleMaxMs ?? 600_000
    for (let id = 1; id <= brokers; id++) this.#up.add(brokerId(id))
    this.topics = new SimulatedTopics({
      random: new SeededRandom(seed),
      brokerCount: brokers,
      brokerDefaults: this.configs,
      producerExpiry: options.producerExpiry ?? defaultProducerExpiry,
      nowMs: () => clock.wallMs(),
      isUp: (broker) => this.#up.has(broker),
      onLeaderChange: () => this.transactions.leadersChanged(),
    })
    const transactionalIdExpiry = options.transactionalIdExpiry ?? defaultTransactionalIdExpiry
    this.brokerConfigs =
      options.brokerConfigs ??
      brokerConfigs(transactionalIdExpiry, options.producerExpiry ?? defaultProducerExpiry)
    // A generator of its own, so that topic ids do not depend on transactions.
    const random = new SeededRandom(seed).fork()
    const delayMaxMs = options.markerDelayMaxMs ?? 30
    this.transactions = new TransactionCoordinator(
      {
        writeMarker: (at, producer, end, coordinatorEpoch) =>
          this.writeMarker(at, producer, end, coordinatorEpoch),
        leaderOf: (at) => (this.#find(at) === undefined ? 'unknown' : this.#find(at)?.leader),
        after: (ms, fire) => clock.after(ms, fire),
        markerDelayMs: () => random.between(0, delayMaxMs),
        wallMs: () => clock.wallMs(),
        leaderlessMarkers: options.leaderlessMarkers ?? 'dropped',
      },
      transactionalIdExpiry,
    )
    this.groups = new GroupCoordinator({
      after: (ms, fire) => clock.after(ms, fire),
      isUp: () => this.#up.size > 0,
      initialRebalanceDelayMs: options.initialRebalanceDelayMs ?? 0,
    })
    const wallMs = () => clock.wallMs()
    this.offsetsLog = new OffsetsLog({ topics: this.topics, brokerCount: brokers, wallMs })
    this.offsets = new SimulatedOffsets({
      log: this.offsetsLog,
      isKnown: (at) => this.#find(at) !== undefined,
      topicIdOf: (topic) => this.topics.byName(topic)?.id,
      viewOf: (group) => this.groups.viewOf(group),
      wallMs,
    })
  }

  /** Brokers that are up, in the order of their ids. */
  get brokers(): readonly BrokerId[] {
    return [...this.#up].sort((a, b) => a - b)
  }

  isUp(broker: BrokerId): boolean {
    return this.#up.has(broker)
  }

  /** Calls back when a broker stops; the returned function ends that. */
  onStop(listener: (broker: BrokerId) => void): () => void {
    this.#stopListeners.add(listener)
    return () => this.#stopListeners.delete(listener)
  }

  // What happens to requests

  /** A Produce request without a transactional id, acks=all. Replication is not waited for here. */
  produce(broker: BrokerId, batches: readonly ProduceBatch[]): readonly Answer<Appended>[] {
    if (batches.some(({ batch }) => needsTransaction(batch))) {
      return batches.map(() => refused(errorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
    }
    return batches.map((batch) => this.#append(broker, batch))
  }

  /** A transactional batch, as a producer with a transactional id sends it. */
  produceTransactional(batch: ProduceBatch, producer: ProducerIdentity): Answer<Appended> {
    if (!this.transactions.verifies(producer, batch)) return refused(errorCode.INVALID_TXN_STATE)
    const leader = this.#find(batch)?.leader
    return leader === undefined ? refused(errorCode.LEADER_NOT_AVAILABLE) : this.#append(leader, batch)
  }

  #append(broker: BrokerId, batch: ProduceBatch): Answer<Appended> {
    const topic = this.topics.byName(batch.topic)
    const partition = topic?.partitions[batch.partition]
    if (topic === undefined || partition === undefined) return refused(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    const malformed = checkRequestBytes(batch.batch)
    if (malformed !== undefined) return refused(malformed.code, malformed.detail)
    if (topic.internal) return refused(errorCode.INVALID_TOPIC_EXCEPTION)
    if (partition.leader !== broker) return refused(errorCode.NOT_LEADER_OR_FOLLOWER)
    if (!this.#hasEnoughReplicas(topic, partition)) return refused(errorCode.NOT_ENOUGH_REPLICAS)
    const answer = partition.log.append(
      batch.batch,
      this.topics.limitsOf(topic),
      partition.leaderEpoch,
      this.clock.wallMs(),
    )
    if (!answer.ok) return refused(answer.code, answer.detail)
    return answered({ baseOffset: answer.baseOffset, logAppendTimeMs: answer.logAppendTimeMs })
  }

  #hasEnoughReplicas(topic: SimulatedTopic, { replicas }: SimulatedPartition): boolean {
    const inSync = replicas.filter((replica) => this.#up.has(replica)).length
    return inSync >= Math.min(Number(this.topics.configOf(topic, 'min.insync.replicas')), replicas.length)
  }

  /** WriteTxnMarkers, for one partition. Returns an error code, 0 when the marker was written. */
  writeMarker(
    at: TopicPartition,
    producer: ProducerIdentity,
    end: TransactionEnd,
    coordinatorEpoch: number,
  ): number {
    const topic = this.topics.byName(at.topic)
    const partition = topic?.partitions[at.partition]
    if (topic === undefined || partition === undefined) return errorCode.UNKNOWN_TOPIC_OR_PARTITION
    if (partition.leader === undefined) return errorCode.LEADER_NOT_AVAILABLE
    if (!this.#hasEnoughReplicas(topic, partition)) return errorCode.NOT_ENOUGH_REPLICAS
    const answer = partition.log.appendMarker(
      { producerId: producer.producerId, epoch: producer.producerEpoch },
      end,
      coordinatorEpoch,
      partition.leaderEpoch,
      this.clock.wallMs(),
    )
    if (answer.ok && at.topic === offsetsTopic) this.offsets.ended(producer.producerId, end)
    return answer.ok ? 0 : answer.code
  }

  /** WriteTxnMarkers by a client that has learnt the coordinator epoch it needs. */
  fence(at: TopicPartition, producer: ProducerIdentity, end: TransactionEnd): Answer<void> {
    const epoch = this.#find(at)?.log.producers.coordinatorEpochOf(producer.producerId) ?? -1
    const code = this.writeMarker(at, producer, end, epoch)
    if (code !== 0) return refused(code)
    this.#clientMarkers.add(keyOf(at, this.log(at).logEnd - 1n))
    return answered(undefined)
  }

  /** Whether the marker at this offset was written by a client, and by no coordinator. */
  isClientMarker(at: TopicPartition, offset: bigint): boolean {
    return this.#clientMarkers.has(keyOf(at, offset))
  }

  describeProducers(at: TopicPartition): Answer<readonly RememberedProducer[]> {
    const led = this.#led(at)
    if (!led.ok) return led
    led.value.log.expireProducers(this.clock.wallMs())
    return answered(led.value.log.producers.remembered())
  }

  endOfEpoch(query: LeaderEpochQuery): Answer<EpochEnd | undefined> {
    const led = this.#led(query)
    return led.ok ? answered(led.value.log.endOfEpoch(query.leaderEpoch)) : led
  }

  listOffset(query: OffsetQuery): Answer<FoundOffset> {
    const led = this.#led(query)
    if (!led.ok) return led
    const { log, leaderEpoch } = led.value
    if (query.at === 'earliest') return answered({ offset: log.logStart, leaderEpoch })
    if (query.at === 'latest') return answered({ offset: log.highWatermark, leaderEpoch })
    if (query.at === 'last-stable') return answered({ offset: log.lastStable, leaderEpoch })
    const found = log.offsetAt(query.at.timestampMs, log.highWatermark)
    return answered({ offset: found ?? log.highWatermark, leaderEpoch })
  }

  // What a test may do to the cluster

  /** @throws Error when there is no such partition */
  partition(at: TopicPartition): SimulatedPartition {
    const partition = this.#find(at)
    if (partition === undefined) throw new Error(`no partition ${at.topic}-${at.partition}`)
    return partition
  }

  /** @throws Error when there is no such partition */
  log(at: TopicPartition): PartitionLog {
    return this.partition(at).log
  }

  /** Kills a broker: its channels break, and its partitions go to another replica or stay without a leader. */
  stopBroker(broker: BrokerId): void {
    this.#up.delete(broker)
    for (const listener of [...this.#stopListeners]) listener(broker)
    this.topics.electLeaders()
  }

  startBroker(broker: BrokerId): void {
    this.#up.add(broker)
    this.topics.electLeaders()
    this.transactions.leadersChanged()
  }

  /** @throws Error when the broker holds no replica of the partition */
  moveLeader(at: TopicPartition, to: BrokerId): void {
    const partition = this.partition(at)
    if (!partition.replicas.includes(to)) throw new Error(`broker ${to} holds no replica`)
    this.topics.lead(partition, to)
  }

  /** Leaves a partition without a leader until the next election: a broker that stops or starts, or {@link moveLeader}. */
  loseLeader(at: TopicPartition): void {
    this.topics.lead(this.partition(at), undefined)
  }

  deleteTopic(name: string): void {
    this.topics.delete(name)
    this.transactions.leadersChanged()
  }

  deleteRecords(at: TopicPartition, before: bigint): void {
    const log = this.log(at)
    log.moveLogStart(before < log.highWatermark ? before : log.highWatermark)
  }

  /** Runs the cleaner once over a partition. */
  compact(at: TopicPartition, options: { readonly dropTombstones?: boolean } = {}): void {
    const retentionMs = Number(this.topics.configOf(this.#topic(at), 'delete.retention.ms'))
    compact(this.log(at), { ...options, deleteHorizonMs: this.clock.wallMs() + retentionMs })
  }

  /** Applies `retention.ms` to every partition now. */
  applyRetention(): void {
    for (const topic of this.topics.all) {
      const retentionMs = Number(this.topics.configOf(topic, 'retention.ms'))
      if (retentionMs < 0 || !this.topics.configOf(topic, 'cleanup.policy').includes('delete')) continue
      for (const { log } of topic.partitions) log.retain(this.clock.wallMs() - retentionMs)
    }
  }

  #topic(at: TopicPartition): SimulatedTopic {
    const topic = this.topics.byName(at.topic)
    if (topic === undefined) throw new Error(`no topic ${at.topic}`)
    return topic
  }

  #led(at: TopicPartition): Answer<SimulatedPartition> {
    const partition = this.#find(at)
    if (partition === undefined) return refused(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    return partition.leader === undefined ? refused(errorCode.LEADER_NOT_AVAILABLE) : answered(partition)
  }

  #find(at: TopicPartition): SimulatedPartition | undefined {
    return this.topics.byName(at.topic)?.partitions[at.partition]
  }
}

const keyOf = ({ topic, partition }: TopicPartition, offset: bigint): string =>
  `${topic}/${partition}/${offset}`
