import type { Clock } from '../../clock/clock.ts'
import { KafkaError } from '../../kafka/errors.ts'

/**
 * Looks after each pause of `intervalMs` until the signal aborts, then returns. A look that fails because the cluster
 * does not answer is no trouble of its own: discovery and the lanes say that it is away, and it is asked again.
 * @throws what a look throws, unless it is a KafkaError
 */
export async function keepLooking(
  clock: Clock,
  intervalMs: number,
  look: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  while (true) {
    try {
      await clock.sleep(intervalMs, signal)
      await look(signal)
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof KafkaError)) throw error
    }
  }
}
