import type { BrokerId, Result, TopicLookup, TopicPartition } from './cluster.ts'
import { KafkaError, protocolError, transportError } from './errors.ts'
import { metadataOnce, readTopic } from './metadata.ts'
import type { Requests } from './requests.ts'
import { retrying, retryingEach } from './retrying.ts'

/** What is asked about one partition, and the leader epoch under which metadata showed its leader. */
export interface Led<Item> {
  readonly item: Item
  readonly leaderEpoch: number
}

/** What a leader says about one partition. */
export interface LeaderAnswer<Value> extends TopicPartition {
  /** 0 when `value` means something. */
  readonly errorCode: number
  readonly detail?: string | null
  readonly value: Value
}

type AskLeader<Item, Value> = (
  leader: BrokerId,
  led: readonly Led<Item>[],
  signal: AbortSignal,
) => Promise<readonly LeaderAnswer<Value>[]>

interface LeaderBatch<Item> {
  readonly leader: BrokerId
  /** By {@link partitionKey}: no partition twice in one request. */
  readonly led: Map<string, Led<Item>>
}

const unknownTopicOrPartition = 3
const leaderNotAvailable = 5

/** How long partitions that have no usable leader may hold up the answers about the others. */
const leaderPatienceMs = 1000

/**
 * Asks the partitions' leaders, as the newest metadata names them, with one request to each. What fails for a reason
 * that passes is asked again for a second; then its error is the answer.
 * @throws KafkaError when no metadata can be had, or the signal's reason
 */
export async function askLeaders<Item extends TopicPartition, Value>(
  requests: Requests,
  during: string,
  items: readonly Item[],
  signal: AbortSignal | undefined,
  ask: AskLeader<Item, Value>,
): Promise<readonly (TopicPartition & { readonly result: Result<Value> })[]> {
  const place = { cluster: requests.cluster, during }
  const policy = { ...requests.retry, patienceMs: Math.min(requests.retry.patienceMs, leaderPatienceMs) }
  const results = await retryingEach(policy, place, signal, items, async (pending, inner) => {
    const names = [...new Set(pending.map(({ topic }) => topic))]
    const metadata = await retrying(requests.retry, place, inner, (once) =>
      metadataOnce(requests, names, once),
    )
    const lookups = new Map(
      metadata.topics.map((topic) => [topic.name ?? '', readTopic(topic, { cluster: requests.cluster })]),
    )
    const { batches, failed } = groupByLeader<Item, Value>(requests, during, pending, lookups)
    const answers = await Promise.all(batches.map((batch) => askOne(requests, during, batch, ask, inner)))
    return new Map([...failed, ...answers.flatMap((each) => [...each])])
  })
  return items.map((item) => {
    const { topic, partition } = item
    const result = results.get(item)
    if (result !== undefined) return { topic, partition, result }
    const there = { ...place, topic, partition }
    const error = transportError('malformed', 'the broker left the partition out of its answer', there)
    return { topic, partition, result: { ok: false, error } }
  })
}

/** Partitions by topic, as requests list them. */
export function byTopic<Item extends TopicPartition>(items: Iterable<Item>): ReadonlyMap<string, Item[]> {
  const topics = new Map<string, Item[]>()
  for (const item of items) {
    const list = topics.get(item.topic)
    if (list === undefined) topics.set(item.topic, [item])
    else list.push(item)
  }
  return topics
}

export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

function groupByLeader<Item extends TopicPartition, Value>(
  requests: Requests,
  during: string,
  items: readonly Item[],
  lookups: ReadonlyMap<string, TopicLookup>,
): {
  readonly batches: readonly LeaderBatch<Item>[]
  readonly failed: ReadonlyMap<Item, Result<Value>>
} {
  const failed = new Map<Item, Result<Value>>()
  const byLeader = new Map<BrokerId, LeaderBatch<Item>[]>()
  for (const item of items) {
    const { topic, partition } = item
    const place = { cluster: requests.cluster, topic, partition, during }
    const lookup = lookups.get(topic)
    const known = lookup?.kind === 'found' ? lookup.topic.partitions[partition] : undefined
    if (lookup?.kind === 'failed') {
      failed.set(item, { ok: false, error: lookup.error })
    } else if (known === undefined) {
      failed.set(item, { ok: false, error: protocolError(unknownTopicOrPartition, place) })
    } else if (known.leader === undefined) {
      failed.set(item, { ok: false, error: protocolError(leaderNotAvailable, place) })
    } else {
      const { leader, leaderEpoch } = known
      const key = partitionKey(item)
      const batches = byLeader.get(leader) ?? []
      byLeader.set(leader, batches)
      let batch = batches.find(({ led }) => !led.has(key))
      if (batch === undefined) {
        batch = { leader, led: new Map() }
        batches.push(batch)
      }
      batch.led.set(key, { item, leaderEpoch })
    }
  }
  return { batches: [...byLeader.values()].flat(), failed }
}

/** Answers everything of the batch; a leader that cannot be reached fails its partitions, not those of others. */
async function askOne<Item, Value>(
  requests: Requests,
  during: string,
  { leader, led }: LeaderBatch<Item>,
  ask: AskLeader<Item, Value>,
  signal: AbortSignal,
): Promise<ReadonlyMap<Item, Result<Value>>> {
  const results = new Map<Item, Result<Value>>()
  try {
    for (const answer of await ask(leader, [...led.values()], signal)) {
      const asked = led.get(partitionKey(answer))
      if (asked === undefined) continue
      const { topic, partition, errorCode, detail, value } = answer
      const place = { cluster: requests.cluster, topic, partition, broker: leader, during }
      results.set(
        asked.item,
        errorCode === 0
          ? { ok: true, value }
          : { ok: false, error: protocolError(errorCode, place, detail ?? null) },
      )
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof KafkaError)) throw error
    for (const { item } of led.values()) results.set(item, { ok: false, error })
  }
  return results
}
