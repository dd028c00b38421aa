/** Time, as a seam: production runs on {@link systemClock}, simulation on a clock it steps itself. */
export interface Clock {
  /** Wall time in milliseconds since the epoch; may jump. For stamps that people or brokers read. */
  wallMs(): number
  /** Milliseconds that only ever grow. For deadlines and durations. */
  monotonicMs(): number
  /**
   * Resolves after `ms`.
   * @throws the signal's reason as soon as it aborts.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}
