import type { describeProducersV0 } from '@platformatic/kafka'
import { describeProducersApi, writeTxnMarkersApi } from './api-versions.ts'
import type {
  BrokerId,
  PartitionOutcome,
  ProducerIdentity,
  ProducersAnswer,
  RememberedProducer,
  TopicPartition,
  TransactionEnd,
} from './cluster.ts'
import { askLeaders, byTopic, type LeaderAnswer } from './partition-leaders.ts'
import type { Requests } from './requests.ts'

/** Of requests that come from no coordinator. */
const noCoordinatorEpoch = -1
const transactionCoordinatorFenced = 52

/** One marker, for every partition that it is sent to. */
interface Marker extends ProducerIdentity {
  readonly commit: boolean
}

/**
 * WriteTxnMarkers, of the partitions' leaders. A repeat writes another marker, which changes nothing more.
 *
 * A leader refuses (52) an older coordinator epoch than that of the last marker it has for the producer, and our own
 * former ids have such markers: it is asked which epoch that was, and the marker sent again with that one, as Kafka's
 * own tool for hanging transactions does (KIP-664).
 */
export async function writeTransactionMarkers(
  requests: Requests,
  identity: ProducerIdentity,
  end: TransactionEnd,
  partitions: readonly TopicPartition[],
  signal: AbortSignal | undefined,
): Promise<readonly PartitionOutcome[]> {
  const marker = { ...identity, commit: end === 'commit' }
  return await askLeaders<TopicPartition, void>(
    requests,
    'WriteTxnMarkers',
    partitions,
    signal,
    async (leader, led, inner) => {
      const asked = led.map(({ item }) => item)
      const answers = await writeMarkers(requests, leader, marker, noCoordinatorEpoch, asked, inner)
      const fenced = answers.filter(({ errorCode }) => errorCode === transactionCoordinatorFenced)
      if (fenced.length === 0) return answers
      const epochs = await coordinatorEpochs(requests, leader, marker.producerId, fenced, inner)
      const again: LeaderAnswer<void>[] = []
      for (const [epoch, known] of epochs) {
        again.push(...(await writeMarkers(requests, leader, marker, epoch, known, inner)))
      }
      return [...answers, ...again]
    },
  )
}

async function writeMarkers(
  requests: Requests,
  leader: BrokerId,
  marker: Marker,
  coordinatorEpoch: number,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<readonly LeaderAnswer<void>[]> {
  const topics = partitionsByTopic(partitions).map(({ name, indexes }) => ({ name, partitions: indexes }))
  const request = { ...marker, coordinatorEpoch, topics }
  const answer = await requests.toBroker(leader, writeTxnMarkersApi, request, signal)
  return answer.topics.flatMap(({ name, partitions: answered }) =>
    answered.map(({ partitionIndex, errorCode }) => ({
      topic: name,
      partition: partitionIndex,
      errorCode,
      value: undefined,
    })),
  )
}

/** The partitions, by the coordinator epoch of the last marker that their leader has for the producer. */
async function coordinatorEpochs(
  requests: Requests,
  leader: BrokerId,
  producerId: bigint,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, readonly TopicPartition[]>> {
  const epochs = new Map<number, TopicPartition[]>()
  for (const { topic, partition, activeProducers } of await ask(requests, leader, partitions, signal)) {
    const epoch = activeProducers.find((each) => each.producerId === producerId)?.coordinatorEpoch
    if (epoch === undefined) continue
    epochs.set(epoch, [...(epochs.get(epoch) ?? []), { topic, partition }])
  }
  return epochs
}

/** DescribeProducers, of the partitions' leaders. */
export async function describeProducers(
  requests: Requests,
  partitions: readonly TopicPartition[],
  signal: AbortSignal | undefined,
): Promise<readonly ProducersAnswer[]> {
  return await askLeaders<TopicPartition, readonly RememberedProducer[]>(
    requests,
    'DescribeProducers',
    partitions,
    signal,
    async (leader, led, inner) => {
      const asked = led.map(({ item }) => item)
      const answers = await ask(requests, leader, asked, inner)
      return answers.map(({ topic, partition, errorCode, errorMessage, activeProducers }) => ({
        topic,
        partition,
        errorCode,
        detail: errorMessage ?? null,
        value: activeProducers.map(readProducer),
      }))
    },
  )
}

type Described = TopicPartition & describeProducersV0.DescribeProducersResponsePartition

async function ask(
  requests: Requests,
  leader: BrokerId,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<readonly Described[]> {
  const topics = partitionsByTopic(partitions).map(({ name, indexes }) => ({
    name,
    partitionIndexes: indexes,
  }))
  const answer = await requests.toBroker(leader, describeProducersApi, topics, signal)
  return answer.topics.flatMap(({ name, partitions: answered }) =>
    answered.map((each) => ({ ...each, topic: name, partition: each.partitionIndex })),
  )
}

function partitionsByTopic(partitions: readonly TopicPartition[]) {
  return [...byTopic(partitions)].map(([name, items]) => ({
    name,
    indexes: items.map(({ partition }) => partition),
  }))
}

function readProducer(
  producer: describeProducersV0.DescribeProducersResponsePartitionProducer,
): RememberedProducer {
  const { producerId, producerEpoch, lastSequence, lastTimestamp, currentTxnStartOffset } = producer
  return {
    producerId,
    producerEpoch,
    lastSequence: lastSequence < 0 ? undefined : lastSequence,
    lastTimestampMs: Number(lastTimestamp),
    transactionStart: currentTxnStartOffset < 0n ? undefined : currentTxnStartOffset,
  }
}
