/**
 * How long until the next heartbeat, in milliseconds; 0 when it is due.
 * @param lastMs by a monotonic clock; `undefined` when there was none
 */
export function heartbeatDueInMs(lastMs: number | undefined, nowMs: number, intervalMs: number): number {
  return lastMs === undefined ? 0 : Math.max(0, lastMs + intervalMs - nowMs)
}
