import type { describeProducersV0 } from '@platformatic/kafka'
import { describeProducersApi, writeTxnMarkersApi } from './api-versions.ts'
import type {
  PartitionOutcome,
  ProducerIdentity,
  ProducersAnswer,
  RememberedProducer,
  TopicPartition,
  TransactionEnd,
} from './cluster.ts'
import { askLeaders, byTopic, type Led } from './partition-leaders.ts'
import type { Requests } from './requests.ts'

/** Of requests that come from no coordinator. */
const noCoordinatorEpoch = -1

/** WriteTxnMarkers, of the partitions' leaders. A repeat writes another marker, which changes nothing more. */
export async function writeTransactionMarkers(
  requests: Requests,
  identity: ProducerIdentity,
  end: TransactionEnd,
  partitions: readonly TopicPartition[],
  signal: AbortSignal | undefined,
): Promise<readonly PartitionOutcome[]> {
  return await askLeaders<TopicPartition, void>(
    requests,
    'WriteTxnMarkers',
    partitions,
    signal,
    async (leader, led, inner) => {
      const request = {
        ...identity,
        commit: end === 'commit',
        coordinatorEpoch: noCoordinatorEpoch,
        topics: partitionsByTopic(led).map(({ name, indexes }) => ({ name, partitions: indexes })),
      }
      const answer = await requests.toBroker(leader, writeTxnMarkersApi, request, inner)
      return answer.topics.flatMap(({ name, partitions: answered }) =>
        answered.map(({ partitionIndex, errorCode }) => ({
          topic: name,
          partition: partitionIndex,
          errorCode,
          value: undefined,
        })),
      )
    },
  )
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
      const topics = partitionsByTopic(led).map(({ name, indexes }) => ({ name, partitionIndexes: indexes }))
      const answer = await requests.toBroker(leader, describeProducersApi, topics, inner)
      return answer.topics.flatMap(({ name, partitions: answered }) =>
        answered.map(({ partitionIndex, errorCode, errorMessage, activeProducers }) => ({
          topic: name,
          partition: partitionIndex,
          errorCode,
          detail: errorMessage ?? null,
          value: activeProducers.map(readProducer),
        })),
      )
    },
  )
}

function partitionsByTopic(led: readonly Led<TopicPartition>[]) {
  return [...byTopic(led.map(({ item }) => item))].map(([name, items]) => ({
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
