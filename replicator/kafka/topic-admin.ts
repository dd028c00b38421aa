import { backoffMs } from '../clock/backoff.ts'
import { createPartitionsApi, createTopicsApi } from './api-versions.ts'
import type { NewTopic, Outcome, TopicLookup } from './cluster.ts'
import { protocolError } from './errors.ts'
import { describeTopics } from './metadata.ts'
import type { Requests } from './requests.ts'
import { retryingEach } from './retrying.ts'

/** How long the controller may wait until brokers know of the change. */
const controllerTimeoutMs = 15_000
/** Lets the broker choose: its `default.replication.factor`. */
const brokerDefault = -1
const invalidPartitions = 37
/** Six waits: at least 1.5 s. */
const knownAttempts = 6

/**
 * CreateTopics. A topic that exists is TOPIC_ALREADY_EXISTS, also when it was our own earlier attempt whose answer got
 * lost: callers that must know look at the topic.
 */
export async function createTopics(
  requests: Requests,
  topics: readonly NewTopic[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Outcome>> {
  const byName = new Map(topics.map((topic) => [topic.name, topic]))
  const place = { cluster: requests.cluster, during: 'CreateTopics' }
  const results = await retryingEach(
    requests.retry,
    place,
    signal,
    [...byName.keys()],
    async (names, inner) => {
      const wanted = names.map((name) => byName.get(name)).filter((topic) => topic !== undefined)
      const request = {
        timeoutMs: controllerTimeoutMs,
        topics: wanted.map((topic) => ({
          name: topic.name,
          numPartitions: topic.partitions,
          replicationFactor:
            topic.replicationFactor === 'broker-default' ? brokerDefault : topic.replicationFactor,
          assignments: [],
          configs: [...topic.configs].map(([name, value]) => ({ name, value })),
        })),
      }
      const answer = await requests.toController(createTopicsApi, request, inner)
      return outcomes(requests, 'CreateTopics', answer.topics)
    },
  )
  await untilKnown(
    requests,
    new Map(topics.map(({ name, partitions }) => [name, partitions])),
    results,
    signal,
  )
  return results
}

/** CreatePartitions. */
export async function growTopics(
  requests: Requests,
  totals: ReadonlyMap<string, number>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Outcome>> {
  const place = { cluster: requests.cluster, during: 'CreatePartitions' }
  const results = await retryingEach(
    requests.retry,
    place,
    signal,
    [...totals.keys()],
    async (names, inner, attempt) => {
      const topics = names.map((name) => ({ name, count: totals.get(name) ?? 0, assignments: null }))
      const request = { topics, timeoutMs: controllerTimeoutMs }
      const answer = await requests.toController(createPartitionsApi, request, inner)
      const answered = outcomes(requests, 'CreatePartitions', answer.results)
      // An earlier attempt may have grown the topic and lost its answer; brokers call the second one invalid.
      return attempt === 0 ? answered : await forgiveGrown(requests, totals, answered, inner)
    },
  )
  await untilKnown(requests, totals, results, signal)
  return results
}

/**
 * Brokers learn of a change after the controller has answered. Waits until the broker that is asked next knows all
 * the partitions and their leaders, so that callers do not find their own topics missing; gives up quietly, because
 * the change itself was made.
 */
async function untilKnown(
  requests: Requests,
  totals: ReadonlyMap<string, number>,
  results: ReadonlyMap<string, Outcome>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { clock, random, backoff } = requests.retry
  let unknown = [...totals].filter(([name]) => results.get(name)?.ok)
  for (let attempt = 0; unknown.length > 0; attempt++) {
    const names = unknown.map(([name]) => name)
    const lookups = await describeTopics(requests, names, signal).catch(() => undefined)
    signal?.throwIfAborted()
    if (lookups === undefined) return
    unknown = unknown.filter(([name, total]) => !isReady(lookups.get(name), total))
    if (unknown.length === 0 || attempt === knownAttempts) return
    await clock.sleep(backoffMs(backoff, attempt, random), signal)
  }
}

function isReady(lookup: TopicLookup | undefined, total: number): boolean {
  if (lookup?.kind !== 'found') return false
  const { partitions } = lookup.topic
  return partitions.length >= total && partitions.every(({ leader }) => leader !== undefined)
}

async function forgiveGrown(
  requests: Requests,
  totals: ReadonlyMap<string, number>,
  results: ReadonlyMap<string, Outcome>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Outcome>> {
  const doubtful = [...results].filter(([, result]) => !result.ok && result.error.code === invalidPartitions)
  if (doubtful.length === 0) return results
  const lookups = await describeTopics(
    requests,
    doubtful.map(([name]) => name),
    signal,
  )
  const forgiven = new Map(results)
  for (const [name] of doubtful) {
    const lookup = lookups.get(name)
    if (lookup?.kind === 'found' && lookup.topic.partitions.length === totals.get(name)) {
      forgiven.set(name, done)
    }
  }
  return forgiven
}

const done: Outcome = { ok: true, value: undefined }

interface AnsweredTopic {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage?: string | null | undefined
}

function outcomes(
  requests: Requests,
  during: string,
  topics: readonly AnsweredTopic[],
): ReadonlyMap<string, Outcome> {
  const results = new Map<string, Outcome>()
  for (const { name, errorCode, errorMessage } of topics) {
    if (errorCode === 0) {
      results.set(name, done)
      continue
    }
    const error = protocolError(errorCode, { cluster: requests.cluster, topic: name, during }, errorMessage)
    if (error.refreshMetadata) requests.directory.markStale()
    results.set(name, { ok: false, error })
  }
  return results
}
