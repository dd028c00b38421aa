import type { Random } from './random.ts'

/** Exponential backoff with jitter: the n-th wait is uniform in [base*2^n/2, base*2^n], capped. */
export interface BackoffPolicy {
  readonly baseMs: number
  readonly maxMs: number
}

/** Kafka's own client defaults (`retry.backoff.ms`, `retry.backoff.max.ms`, KIP-580). */
export const defaultBackoff: BackoffPolicy = { baseMs: 100, maxMs: 1000 }

/** How long to wait before retry number `attempt` (0 is the first retry), in milliseconds. */
export function backoffMs(policy: BackoffPolicy, attempt: number, random: Random): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(attempt, 30))
  return ceiling / 2 + (ceiling / 2) * random.next()
}
