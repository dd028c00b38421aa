import type { metadataV12 } from '@platformatic/kafka'
import { metadataApi } from './api-versions.ts'
import {
  brokerId,
  type ClusterDescription,
  type PartitionMetadata,
  type TopicLookup,
  type TopicMetadata,
} from './cluster.ts'
import { type ErrorPlace, protocolError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retrying } from './retrying.ts'

const unknownTopicOrPartition = 3
const leaderNotAvailable = 5

/** Every topic that the principal may describe. Topics that are just being made or deleted may be left out. */
export async function listTopics(
  requests: Requests,
  signal: AbortSignal | undefined,
): Promise<readonly TopicMetadata[]> {
  const answer = await askForMetadata(requests, null, signal)
  const topics: TopicMetadata[] = []
  for (const topic of answer.topics) {
    const lookup = readTopic(topic, { cluster: requests.cluster })
    if (lookup.kind === 'found') topics.push(lookup.topic)
  }
  return topics
}

/** The named topics, in one request. Names that the answer leaves out count as missing. */
export async function describeTopics(
  requests: Requests,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, TopicLookup>> {
  const lookups = new Map<string, TopicLookup>(names.map((name) => [name, { kind: 'missing' }]))
  if (names.length === 0) return lookups
  const answer = await askForMetadata(requests, [...lookups.keys()], signal)
  for (const topic of answer.topics) {
    if (typeof topic.name === 'string')
      lookups.set(topic.name, readTopic(topic, { cluster: requests.cluster }))
  }
  return lookups
}

export async function describeCluster(
  requests: Requests,
  signal: AbortSignal | undefined,
): Promise<ClusterDescription> {
  const answer = await askForMetadata(requests, [], signal)
  return {
    clusterId: answer.clusterId ?? '',
    brokers: answer.brokers.map(({ nodeId }) => brokerId(nodeId)).sort((a, b) => a - b),
  }
}

async function askForMetadata(
  requests: Requests,
  topics: string[] | null,
  signal: AbortSignal | undefined,
): Promise<metadataV12.MetadataResponse> {
  const place = { cluster: requests.cluster, during: 'Metadata' }
  return await retrying(requests.retry, place, signal, (inner) => metadataOnce(requests, topics, inner))
}

/** One metadata request; what it says about brokers is taken over. */
export async function metadataOnce(
  requests: Requests,
  topics: string[] | null,
  signal: AbortSignal,
): Promise<metadataV12.MetadataResponse> {
  const answer = await requests.toAny(metadataApi, { topics }, signal)
  requests.directory.adopt(answer)
  return answer
}

/** What a broker says about one topic. Pure. */
export function readTopic(topic: metadataV12.MetadataResponseTopic, place: ErrorPlace): TopicLookup {
  const name = topic.name ?? ''
  const there = { ...place, topic: name, during: 'Metadata' }
  if (topic.errorCode === unknownTopicOrPartition) return { kind: 'missing' }
  if (topic.errorCode !== 0) return { kind: 'failed', error: protocolError(topic.errorCode, there) }
  const partitions = topic.partitions
    .map(readPartition)
    .sort((left, right) => left.partition - right.partition)
  if (partitions.length === 0 || partitions.some(({ partition }, index) => partition !== index)) {
    const detail = 'not every partition is known yet'
    return { kind: 'failed', error: protocolError(leaderNotAvailable, there, detail) }
  }
  return { kind: 'found', topic: { name, id: readTopicId(topic), internal: topic.isInternal, partitions } }
}

function readPartition(partition: metadataV12.MetadataResponsePartition): PartitionMetadata {
  return {
    partition: partition.partitionIndex,
    leader: partition.leaderId < 0 ? undefined : brokerId(partition.leaderId),
    leaderEpoch: partition.leaderEpoch,
    replicas: partition.replicaNodes.map(brokerId),
  }
}

/** Brokers answer with the zero UUID, or (before version 10) with nothing, when topics have no ids. */
function readTopicId(topic: metadataV12.MetadataResponseTopic): string | undefined {
  return topic.topicId && !/^[0-]*$/.test(topic.topicId) ? topic.topicId : undefined
}
