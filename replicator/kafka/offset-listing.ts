import type { listOffsetsV9 } from '@platformatic/kafka'
import { listOffsetsApi } from './api-versions.ts'
import type { BrokerId, OffsetAnswer, OffsetQuery, Result, TopicLookup } from './cluster.ts'
import { KafkaError, protocolError, transportError } from './errors.ts'
import { metadataOnce, readTopic } from './metadata.ts'
import type { Requests } from './requests.ts'
import { retryingEach } from './retrying.ts'

type Listed = { readonly offset: bigint; readonly leaderEpoch: number | undefined }
type ListedResults = Map<OffsetQuery, Result<Listed>>

/** One ListOffsets request: one leader, one isolation level, each partition once. */
interface Batch {
  readonly leader: BrokerId
  readonly isolation: 0 | 1
  /** The leader epoch that metadata told, by query. */
  readonly epochs: Map<OffsetQuery, number>
  readonly partitions: Set<string>
}

const unknownTopicOrPartition = 3
const leaderNotAvailable = 5
const latestTimestamp = -1n
const earliestTimestamp = -2n

/**
 * ListOffsets of the partitions' leaders, as the newest metadata names them. A time that no record has reached is
 * answered with the log's end: where a reader that starts at that time would start.
 */
export async function listOffsets(
  requests: Requests,
  queries: readonly OffsetQuery[],
  signal: AbortSignal | undefined,
): Promise<readonly OffsetAnswer[]> {
  const place = { cluster: requests.cluster, during: 'ListOffsets' }
  const results = await retryingEach(requests.retry, place, signal, queries, async (pending, inner) => {
    const names = [...new Set(pending.map(({ topic }) => topic))]
    const metadata = await metadataOnce(requests, names, inner)
    const lookups = new Map(
      metadata.topics.map((topic) => [topic.name ?? '', readTopic(topic, { cluster: requests.cluster })]),
    )
    const { batches, failed } = groupByLeader(requests, pending, lookups)
    const parts = await Promise.all(batches.map((batch) => askLeader(requests, batch, inner)))
    return new Map([...failed, ...parts.flatMap((part) => [...part])])
  })
  return queries.map((query) => {
    const { topic, partition } = query
    const result = results.get(query)
    if (result !== undefined) return { topic, partition, result }
    const error = transportError('malformed', 'the broker left the partition out of its answer', {
      ...place,
      topic,
      partition,
    })
    return { topic, partition, result: { ok: false, error } }
  })
}

function groupByLeader(
  requests: Requests,
  queries: readonly OffsetQuery[],
  lookups: ReadonlyMap<string, TopicLookup>,
): { readonly batches: readonly Batch[]; readonly failed: ListedResults } {
  const failed: ListedResults = new Map()
  const batches: Batch[] = []
  for (const query of queries) {
    const { topic, partition, at } = query
    const place = { cluster: requests.cluster, topic, partition, during: 'ListOffsets' }
    const lookup = lookups.get(topic)
    const known = lookup?.kind === 'found' ? lookup.topic.partitions[partition] : undefined
    if (lookup?.kind === 'failed') {
      failed.set(query, { ok: false, error: lookup.error })
    } else if (known === undefined) {
      failed.set(query, { ok: false, error: protocolError(unknownTopicOrPartition, place) })
    } else if (known.leader === undefined) {
      failed.set(query, { ok: false, error: protocolError(leaderNotAvailable, place) })
    } else {
      const { leader } = known
      const isolation = at === 'last-stable' ? 1 : 0
      const key = `${topic}/${partition}`
      let batch = batches.find(
        (each) => each.leader === leader && each.isolation === isolation && !each.partitions.has(key),
      )
      if (batch === undefined) {
        batch = { leader, isolation, epochs: new Map(), partitions: new Set() }
        batches.push(batch)
      }
      batch.partitions.add(key)
      batch.epochs.set(query, known.leaderEpoch)
    }
  }
  return { batches, failed }
}

/** Answers every query of the batch; a leader that cannot be reached fails them, not those of other leaders. */
async function askLeader(requests: Requests, batch: Batch, signal: AbortSignal): Promise<ListedResults> {
  const asked = [...batch.epochs].map(([query, epoch]) => ({ query, epoch, timestamp: timestampOf(query) }))
  try {
    const results = await askOnce(requests, batch, asked, signal)
    const beyondEnd = asked.filter(({ query, timestamp }) => {
      const result = results.get(query)
      return timestamp >= 0n && result?.ok === true && result.value.offset < 0n
    })
    if (beyondEnd.length > 0) {
      const atEnd = beyondEnd.map((each) => ({ ...each, timestamp: latestTimestamp }))
      for (const [query, result] of await askOnce(requests, batch, atEnd, signal)) results.set(query, result)
    }
    return results
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof KafkaError)) throw error
    return new Map(asked.map(({ query }) => [query, { ok: false, error }]))
  }
}

interface Asked {
  readonly query: OffsetQuery
  readonly epoch: number
  readonly timestamp: bigint
}

async function askOnce(
  requests: Requests,
  { leader, isolation }: Batch,
  asked: readonly Asked[],
  signal: AbortSignal,
): Promise<ListedResults> {
  const byTopic = new Map<string, listOffsetsV9.ListOffsetsRequestPartition[]>()
  for (const { query, epoch, timestamp } of asked) {
    const partitions = byTopic.get(query.topic) ?? []
    partitions.push({ partitionIndex: query.partition, currentLeaderEpoch: epoch, timestamp })
    byTopic.set(query.topic, partitions)
  }
  const topics = [...byTopic].map(([name, partitions]) => ({ name, partitions }))
  const answer = await requests.toBroker(leader, listOffsetsApi, { isolation, topics }, signal)
  const answered = new Map(
    answer.topics.map(({ name, partitions }) => [
      name,
      new Map(partitions.map((each) => [each.partitionIndex, each])),
    ]),
  )
  const results: ListedResults = new Map()
  for (const { query } of asked) {
    const { topic, partition } = query
    const found = answered.get(topic)?.get(partition)
    if (found === undefined) continue
    const place = { cluster: requests.cluster, topic, partition, broker: leader, during: 'ListOffsets' }
    results.set(
      query,
      found.errorCode === 0
        ? { ok: true, value: readOffset(found) }
        : { ok: false, error: protocolError(found.errorCode, place) },
    )
  }
  return results
}

function readOffset({ offset, leaderEpoch }: listOffsetsV9.ListOffsetResponsePartition): Listed {
  return { offset, leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch }
}

function timestampOf({ at }: OffsetQuery): bigint {
  if (at === 'earliest') return earliestTimestamp
  if (at === 'latest' || at === 'last-stable') return latestTimestamp
  return BigInt(Math.max(0, Math.trunc(at.timestampMs)))
}
