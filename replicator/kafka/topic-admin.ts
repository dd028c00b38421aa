import { createPartitionsApi, createTopicsApi } from './api-versions.ts'
import type { NewTopic, Outcome } from './cluster.ts'
import { protocolError } from './errors.ts'
import { describeTopics } from './metadata.ts'
import type { Requests } from './requests.ts'
import { retryingEach } from './retrying.ts'

/** How long the controller may wait until brokers know of the change. */
const controllerTimeoutMs = 15_000
/** Lets the broker choose: its `default.replication.factor`. */
const brokerDefault = -1
const invalidPartitions = 37

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
  return await retryingEach(requests.retry, place, signal, [...byName.keys()], async (names, inner) => {
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
  })
}

/** CreatePartitions. */
export async function growTopics(
  requests: Requests,
  totals: ReadonlyMap<string, number>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Outcome>> {
  const place = { cluster: requests.cluster, during: 'CreatePartitions' }
  return await retryingEach(
    requests.retry,
    place,
    signal,
    [...totals.keys()],
    async (names, inner, attempt) => {
      const topics = names.map((name) => ({ name, count: totals.get(name) ?? 0, assignments: null }))
      const request = { topics, timeoutMs: controllerTimeoutMs }
      const answer = await requests.toController(createPartitionsApi, request, inner)
      const results = outcomes(requests, 'CreatePartitions', answer.results)
      // An earlier attempt may have grown the topic and lost its answer; brokers call the second one invalid.
      return attempt === 0 ? results : await forgiveGrown(requests, totals, results, inner)
    },
  )
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
