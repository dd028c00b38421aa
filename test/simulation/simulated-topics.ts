import {
  type BrokerId,
  brokerId,
  type NewTopic,
  type TopicConfigChange,
  type TopicMetadata,
} from '../../replicator/kafka/cluster.ts'
import type { AppendLimits } from './batch-checks.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'
import { PartitionLog, type ProducerExpiry } from './partition-log.ts'
import type { SeededRandom } from './seeded-random.ts'
import { applyChanges, configProblem, effectiveConfig } from './topic-configs.ts'

export interface SimulatedPartition {
  readonly log: PartitionLog
  readonly replicas: readonly BrokerId[]
  leader: BrokerId | undefined
  leaderEpoch: number
}

export interface SimulatedTopic {
  readonly name: string
  readonly id: string
  readonly internal: boolean
  overrides: ReadonlyMap<string, string>
  readonly partitions: SimulatedPartition[]
}

export interface TopicsOptions {
  readonly random: SeededRandom
  readonly brokerCount: number
  readonly brokerDefaults: ReadonlyMap<string, string>
  readonly producerExpiry: ProducerExpiry
  /** Wall time. */
  readonly nowMs: () => number
  readonly isUp: (broker: BrokerId) => boolean
  /** A partition got another leader, or lost its leader. */
  readonly onLeaderChange: () => void
}

/** Topics, their partitions' leaders and their configs: what a cluster's controller decides about. */
export class SimulatedTopics {
  readonly #topics = new Map<string, SimulatedTopic>()
  readonly #options: TopicsOptions

  constructor(options: TopicsOptions) {
    this.#options = options
  }

  get all(): readonly SimulatedTopic[] {
    return [...this.#topics.values()]
  }

  byName(name: string): SimulatedTopic | undefined {
    return this.#topics.get(name)
  }

  byId(id: string): SimulatedTopic | undefined {
    return this.all.find((topic) => topic.id === id)
  }

  /** In the order of Kafka 4.3's `ReplicationControlManager.createTopics`. */
  create(wanted: NewTopic, internal = false): Answer<void> {
    const name = nameProblem(wanted.name)
    if (name !== undefined) return refused(errorCode.INVALID_TOPIC_EXCEPTION, name)
    if (this.#topics.has(wanted.name)) return refused(errorCode.TOPIC_ALREADY_EXISTS)
    const collision = this.all.find((topic) => collisionForm(topic.name) === collisionForm(wanted.name))
    if (collision !== undefined) {
      return refused(errorCode.INVALID_TOPIC_EXCEPTION, `the name collides with ${collision.name}`)
    }
    const config = configProblem(wanted.configs)
    if (config !== undefined) return refused(errorCode.INVALID_CONFIG, config)
    const factor = wanted.replicationFactor === 'broker-default' ? 1 : wanted.replicationFactor
    if (factor < 1) return refused(errorCode.INVALID_REPLICATION_FACTOR, 'must be larger than 0')
    if (wanted.partitions < 1) return refused(errorCode.INVALID_PARTITIONS, 'must be larger than 0')
    if (factor > this.#options.brokerCount) {
      return refused(errorCode.INVALID_REPLICATION_FACTOR, `only ${this.#options.brokerCount} brokers`)
    }
    const topic: SimulatedTopic = {
      name: wanted.name,
      id: uuid(this.#options.random),
      internal,
      overrides: new Map(wanted.configs),
      partitions: [],
    }
    this.#grow(topic, wanted.partitions, factor)
    this.#topics.set(wanted.name, topic)
    return answered(undefined)
  }

  grow(name: string, total: number): Answer<void> {
    const topic = this.#topics.get(name)
    if (topic === undefined) return refused(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    if (total <= topic.partitions.length) {
      return refused(errorCode.INVALID_PARTITIONS, `the topic has ${topic.partitions.length} partitions`)
    }
    this.#grow(topic, total, topic.partitions[0]?.replicas.length ?? 1)
    return answered(undefined)
  }

  alter(name: string, changes: readonly TopicConfigChange[]): Answer<void> {
    const topic = this.#topics.get(name)
    if (topic === undefined) return refused(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    const problem = configProblem(
      changes.map((change) => [
        change.name,
        change.kind === 'set' ? change.value : effectiveOrNothing(change.name),
      ]),
    )
    if (problem !== undefined) return refused(errorCode.INVALID_CONFIG, problem)
    topic.overrides = applyChanges(topic.overrides, changes)
    return answered(undefined)
  }

  delete(name: string): void {
    const topic = this.#topics.get(name)
    this.#topics.delete(name)
    for (const partition of topic?.partitions ?? []) partition.log.wake()
  }

  /** Gives leaderless partitions and those of unreachable leaders a live replica to lead them, if there is one. */
  electLeaders(): void {
    for (const partition of this.all.flatMap((topic) => topic.partitions)) {
      if (partition.leader !== undefined && this.#options.isUp(partition.leader)) continue
      const next = partition.replicas.find((replica) => this.#options.isUp(replica))
      if (next !== partition.leader) this.lead(partition, next)
    }
  }

  /** Hands a partition to another leader; every change of leader has an epoch of its own. */
  lead(partition: SimulatedPartition, leader: BrokerId | undefined): void {
    partition.leader = leader
    partition.leaderEpoch += 1
    if (leader !== undefined) partition.log.beginEpoch(partition.leaderEpoch)
    partition.log.wake()
    this.#options.onLeaderChange()
  }

  limitsOf(topic: SimulatedTopic): AppendLimits {
    const value = (name: string) => effectiveConfig(name, topic.overrides, this.#options.brokerDefaults)
    return {
      batchBytesMax: Number(value('max.message.bytes')),
      segmentBytes: Number(value('segment.bytes')),
      compacted: value('cleanup.policy').includes('compact'),
      logAppendTime: value('message.timestamp.type') === 'LogAppendTime',
      timestampBeforeMaxMs: Number(value('message.timestamp.before.max.ms')),
      timestampAfterMaxMs: Number(value('message.timestamp.after.max.ms')),
    }
  }

  /** The value in force of one config. */
  configOf(topic: SimulatedTopic, name: string): string {
    return effectiveConfig(name, topic.overrides, this.#options.brokerDefaults)
  }

  #grow(topic: SimulatedTopic, total: number, factor: number): void {
    const { brokerCount, nowMs, producerExpiry, isUp } = this.#options
    for (let index = topic.partitions.length; index < total; index++) {
      const replicas = Array.from({ length: factor }, (_, r) => brokerId(((index + r) % brokerCount) + 1))
      const log = new PartitionLog(nowMs(), producerExpiry)
      log.beginEpoch(0)
      topic.partitions.push({
        log,
        replicas,
        leader: replicas.find(isUp),
        leaderEpoch: 0,
      })
    }
  }
}

/** A topic as a Metadata answer shows it. */
export const metadataOf = (topic: SimulatedTopic): TopicMetadata => ({
  name: topic.name,
  id: topic.id,
  internal: topic.internal,
  partitions: topic.partitions.map((partition, index) => ({
    partition: index,
    leader: partition.leader,
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicas,
  })),
})

/** Kafka's `Topic.validate`. */
function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return `'${name}' is not a topic name`
  if (name.length > 249) return 'the name is longer than 249 characters'
  return /^[a-zA-Z0-9._-]+$/.test(name) ? undefined : 'the name has characters that are not allowed'
}

/** Metric names turn dots into underscores, so Kafka refuses names that would then be the same. */
const collisionForm = (name: string): string => name.replaceAll('.', '_')

function effectiveOrNothing(name: string): string {
  try {
    return effectiveConfig(name, new Map(), new Map())
  } catch {
    return ''
  }
}

function uuid(random: SeededRandom): string {
  const digits = Array.from({ length: 32 }, () => random.between(0, 15).toString(16)).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
