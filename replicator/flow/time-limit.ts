import type { Clock } from '../clock/clock.ts'

/**
 * Runs work whose signal aborts after `ms`. Leaves no timer behind.
 * @returns `undefined` when the time was over first
 * @throws what the work throws before that; the signal's reason
 */
export async function timeLimited<T>(
  ms: number,
  clock: Clock,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  signal.throwIfAborted()
  const limit = new AbortController()
  const done = new AbortController()
  const timer = clock.sleep(ms, AbortSignal.any([signal, done.signal])).then(
    () => limit.abort(new Error(`not done after ${ms} ms`)),
    () => {},
  )
  try {
    return await work(AbortSignal.any([signal, limit.signal]))
  } catch (error) {
    if (signal.aborted || !limit.signal.aborted) throw error
    return undefined
  } finally {
    done.abort()
    await timer
  }
}
