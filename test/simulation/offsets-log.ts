import type { ProducerIdentity, TopicPartition } from '../../replicator/kafka/cluster.ts'
import type { GroupOffsetCommit } from '../../replicator/kafka/consumer-groups.ts'
import { ByteBuilder } from '../../replicator/kafka/hot/byte-builder.ts'
import { offsetsTopic } from '../../replicator/kafka/offsets-topic-records.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'
import { buildBatch, type TestRecord } from './record-batches.ts'
import type { SimulatedTopics } from './simulated-topics.ts'

/** As `offsets.topic.num.partitions`, but few: each is a log of its own to whoever follows them. */
const offsetsPartitions = 2

export interface OffsetsLogOptions {
  readonly topics: SimulatedTopics
  readonly brokerCount: number
  readonly wallMs: () => number
}

/** The offsets topic of one simulated cluster, made when it is first needed. */
export class OffsetsLog {
  readonly #options: OffsetsLogOptions
  /** By producer and partition, of its transactional commits. Real coordinators write these without sequences. */
  readonly #sequences = new Map<string, number>()

  constructor(options: OffsetsLogOptions) {
    this.#options = options
  }

  /** Where a group's commits go. */
  partitionOf(group: string): TopicPartition {
    const { topics, brokerCount } = this.#options
    if (topics.byName(offsetsTopic) === undefined) {
      const configs = new Map([['cleanup.policy', 'compact']])
      const wanted = {
        name: offsetsTopic,
        partitions: offsetsPartitions,
        replicationFactor: brokerCount,
        configs,
      }
      topics.create(wanted, true)
    }
    return { topic: offsetsTopic, partition: partitionOfGroup(group) }
  }

  /** Whether anybody coordinates the group now: whoever leads its partition does. */
  hasCoordinator(group: string): boolean {
    const topic = this.#options.topics.byName(offsetsTopic)
    return topic === undefined || topic.partitions[partitionOfGroup(group)]?.leader !== undefined
  }

  /** Appends one batch, as part of the producer's transaction where there is one. */
  append(group: string, records: readonly TestRecord[], producer?: ProducerIdentity): Answer<void> {
    const { topics, wallMs } = this.#options
    const at = this.partitionOf(group)
    const topic = topics.byName(at.topic)
    const partition = topic?.partitions[at.partition]
    if (topic === undefined || partition?.leader === undefined)
      return refused(errorCode.COORDINATOR_NOT_AVAILABLE)
    const batch = buildBatch(
      records,
      producer === undefined ? {} : this.#inTransaction(at, records, producer),
    )
    const answer = partition.log.append(batch, topics.limitsOf(topic), partition.leaderEpoch, wallMs())
    return answer.ok ? answered(undefined) : refused(answer.code, answer.detail)
  }

  #inTransaction({ partition }: TopicPartition, records: readonly TestRecord[], producer: ProducerIdentity) {
    const key = `${producer.producerId}/${producer.producerEpoch}/${partition}`
    const baseSequence = this.#sequences.get(key) ?? 0
    this.#sequences.set(key, baseSequence + records.length)
    return { ...producer, transactional: true, baseSequence }
  }
}

/** The partition that keeps a group, by Java's `String.hashCode`, as `GroupMetadataManager.partitionFor` has it. */
function partitionOfGroup(group: string): number {
  let hash = 0
  for (let i = 0; i < group.length; i++) hash = (Math.imul(hash, 31) + group.charCodeAt(i)) | 0
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % offsetsPartitions
}

/** One record of the offsets topic for each commit, as Kafka 4.3 writes them: keys of type 1, values of version 4. */
export function commitRecords(
  group: string,
  commits: readonly GroupOffsetCommit[],
  timestampMs: number,
  topicIdOf: (topic: string) => string | undefined,
): readonly TestRecord[] {
  return commits.map(({ topic, partition, offset, leaderEpoch, metadata }, offsetDelta) => {
    const value = new ByteBuilder(64)
      .int16(4)
      .int64(offset)
      .int32(leaderEpoch ?? -1)
      .string(metadata)
      .int64(BigInt(timestampMs))
    const topicId = topicIdOf(topic)
    if (topicId === undefined) value.noTags()
    else value.uvarint(1).uvarint(0).uvarint(16).uuid(topicId)
    const key = commitKey(group, topic, partition)
    return { offsetDelta, timestampMs, key, value: Buffer.from(value.view()), headers: [] }
  })
}

/** Tombstones of commits that were deleted. */
export function removalRecords(
  group: string,
  partitions: readonly { readonly topic: string; readonly partition: number }[],
  timestampMs: number,
): readonly TestRecord[] {
  return partitions.map(({ topic, partition }, offsetDelta) => {
    const key = commitKey(group, topic, partition)
    return { offsetDelta, timestampMs, key, value: null, headers: [] }
  })
}

function commitKey(group: string, topic: string, partition: number): Buffer {
  const key = new ByteBuilder(64).int16(1).shortString(group).shortString(topic).int32(partition)
  return Buffer.from(key.view())
}
