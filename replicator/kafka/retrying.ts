import { type BackoffPolicy, backoffMs, defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { linkSignals } from './abortable.ts'
import type { Result } from './cluster.ts'
import { type ErrorPlace, isRetriable, KafkaError, transportError } from './errors.ts'

/** How long and how often a call to a cluster tries. */
export interface RetryPolicy {
  readonly clock: Clock
  readonly random: Random
  /** For the whole call, in milliseconds. */
  readonly deadlineMs: number
  /** After this long no further attempt is begun: the last error is told as it is. One under way is not cut. */
  readonly patienceMs: number
  readonly backoff: BackoffPolicy
}

/** Kafka's own `default.api.timeout.ms`. */
export const defaultDeadlineMs = 60_000

/** Kafka's own backoff, within {@link defaultDeadlineMs}. */
export function retryPolicy(
  clock: Clock,
  random: Random,
  deadlineMs = defaultDeadlineMs,
  patienceMs = deadlineMs,
): RetryPolicy {
  return { clock, random, deadlineMs, patienceMs, backoff: defaultBackoff }
}

/** Attempts after which problems that are mostly a wrong configuration are reported instead of waited out. */
const suspicionAttempts = 4
const suspicious: readonly string[] = ['hangup', 'dns', 'token']

/** Attempts after which a topic that a broker does not know counts as missing: brokers learn of new ones late. */
const unknownTopicAttempts = 4
const unknownTopic: readonly string[] = ['UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID']

/**
 * Whether attempt number `attempt` (0 is the first) that ended in `error` should be followed by another one, as far
 * as the error decides; deadlines are the caller's.
 */
export function worthAnotherAttempt(error: unknown, attempt: number): boolean {
  if (!isRetriable(error) || !(error instanceof KafkaError)) return false
  if (suspicious.includes(error.kind)) return attempt + 1 < suspicionAttempts
  if (unknownTopic.includes(error.kind)) return attempt + 1 < unknownTopicAttempts
  return true
}

/**
 * Does `attempt` until it succeeds, fails for good, or the deadline passes.
 * @throws the signal's reason, a final error, or one of kind `timeout` that carries the last retriable error
 */
export async function retrying<T>(
  policy: RetryPolicy,
  place: ErrorPlace,
  signal: AbortSignal | undefined,
  attempt: (signal: AbortSignal, number: number) => Promise<T>,
): Promise<T> {
  const progress: { last: unknown } = { last: undefined }
  const isPatient = patience(policy)
  return await withDeadline(policy, place, signal, progress, async (inner) => {
    for (let number = 0; ; number++) {
      try {
        return await attempt(inner, number)
      } catch (error) {
        inner.throwIfAborted()
        if (!worthAnotherAttempt(error, number) || !isPatient()) throw error
        progress.last = error
        await policy.clock.sleep(backoffMs(policy.backoff, number, policy.random), inner)
      }
    }
  })
}

/**
 * The same for a request that is about many things, each answered by itself: only those whose failure is worth it
 * are asked again. When the deadline passes, the others keep the last answer they got.
 * @param attempt answers some of `pending`; those it leaves out are asked again
 * @throws like {@link retrying}, when not even one answer was had
 */
export async function retryingEach<Key, Value>(
  policy: RetryPolicy,
  place: ErrorPlace,
  signal: AbortSignal | undefined,
  keys: readonly Key[],
  attempt: (
    pending: readonly Key[],
    signal: AbortSignal,
    number: number,
  ) => Promise<ReadonlyMap<Key, Result<Value>>>,
): Promise<ReadonlyMap<Key, Result<Value>>> {
  const answers = new Map<Key, Result<Value>>()
  let pending = keys
  const progress: { last: unknown } = { last: undefined }
  const isPatient = patience(policy)
  try {
    await withDeadline(policy, place, signal, progress, async (inner) => {
      for (let number = 0; pending.length > 0; number++) {
        if (number > 0) await policy.clock.sleep(backoffMs(policy.backoff, number - 1, policy.random), inner)
        try {
          for (const [key, result] of await attempt(pending, inner, number)) answers.set(key, result)
          pending = pending.filter((key) => isUnsettled(answers.get(key), number))
          if (!isPatient() && pending.every((key) => answers.has(key))) return
        } catch (error) {
          inner.throwIfAborted()
          if (!worthAnotherAttempt(error, number) || !isPatient()) throw error
          progress.last = error
        }
      }
    })
  } catch (error) {
    if (signal?.aborted || answers.size === 0 || !(error instanceof KafkaError)) throw error
    for (const key of pending) if (!answers.has(key)) answers.set(key, { ok: false, error })
  }
  return answers
}

/** Says whether another attempt may be begun. At the deadline itself nobody needs to ask. */
function patience({ clock, patienceMs, deadlineMs }: RetryPolicy): () => boolean {
  const untilMs = clock.monotonicMs() + patienceMs
  return () => patienceMs >= deadlineMs || clock.monotonicMs() < untilMs
}

function isUnsettled<Value>(answer: Result<Value> | undefined, attempt: number): boolean {
  return answer === undefined || (!answer.ok && worthAnotherAttempt(answer.error, attempt))
}

/** One for all: an abort without a reason makes an error with a stack, for every request. */
const nobodyWaits = new Error('nobody waits for the deadline any more')

/** Runs with a signal that aborts with the caller's reason, or with a `timeout` error at the deadline. */
async function withDeadline<T>(
  policy: RetryPolicy,
  place: ErrorPlace,
  signal: AbortSignal | undefined,
  progress: { readonly last: unknown },
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const deadline = new AbortController()
  const timer = new AbortController()
  const link = linkSignals(signal, deadline.signal)
  policy.clock.sleep(policy.deadlineMs, timer.signal).then(
    () => deadline.abort(deadlineError(policy.deadlineMs, place, progress.last)),
    () => {},
  )
  try {
    return await run(link.signal)
  } finally {
    timer.abort(nobodyWaits)
    link.release()
  }
}

function deadlineError(deadlineMs: number, place: ErrorPlace, last: unknown): KafkaError {
  const within = `no success within ${deadlineMs / 1000} s`
  if (!(last instanceof KafkaError)) return transportError('timeout', within, place)
  const where = last.address === undefined ? '' : ` at ${last.address}`
  return transportError(
    'timeout',
    `${within}; last: ${last.kind}${where}: ${last.summary}`,
    { ...place, topic: last.topic, partition: last.partition, broker: last.broker },
    last,
    last.wayOut,
  )
}
