import type { Clock } from '../clock/clock.ts'
import type { Replicator } from './replicate.ts'

const names = ['SIGTERM', 'SIGINT'] as const
type SignalName = (typeof names)[number]

/** How long cutting may take, in milliseconds: whoever asks twice does not want to wait. */
const CUT_MS_MAX = 2000

/** Why the way down begins; a failure's error is thrown at the end of it. */
export type StoppingReason =
  | { readonly kind: 'signal' }
  | { readonly kind: 'failure'; readonly error: unknown }

export interface UntilSignalledOptions {
  readonly replicator: Pick<Replicator, 'ended' | 'drain' | 'destroy'>
  /** Usually `process`. */
  readonly signals: {
    on(name: SignalName, listener: () => void): unknown
    off(name: SignalName, listener: () => void): unknown
  }
  readonly drainTimeoutMs: number
  readonly clock: Clock
  /** Told once the way down begins. */
  readonly onStopping: (why: StoppingReason) => void
}

/**
 * Waits for SIGTERM or SIGINT, then drains; a second one cuts. When a flow fails by a fault of its own the others are
 * drained as well.
 * @returns how it ended
 * @throws what a flow failed with, before or while draining
 */
export async function runUntilSignalled(options: UntilSignalledOptions): Promise<'drained' | 'cut'> {
  const { replicator, signals, drainTimeoutMs, clock, onStopping } = options
  const first = Promise.withResolvers<StoppingReason>()
  const second = Promise.withResolvers<'cut'>()
  let seen = 0
  const onSignal = (): void => {
    seen++
    first.resolve({ kind: 'signal' })
    if (seen > 1) second.resolve('cut')
  }
  for (const name of names) signals.on(name, onSignal)
  try {
    const failed = replicator.ended.then(
      (): Promise<StoppingReason> => first.promise,
      (error: unknown): StoppingReason => ({ kind: 'failure', error }),
    )
    onStopping(await Promise.race([first.promise, failed]))
    const drained = replicator.drain(drainTimeoutMs).then(() => 'drained' as const)
    const outcome = await Promise.race([drained, second.promise])
    if (outcome === 'cut') await cut(replicator, clock, drained)
    // A failure is told even when the rest went well.
    else await replicator.ended
    return outcome
  } finally {
    for (const name of names) signals.off(name, onSignal)
  }
}

async function cut(
  replicator: Pick<Replicator, 'destroy'>,
  clock: Clock,
  drained: Promise<unknown>,
): Promise<void> {
  // Draining fails when it is cut.
  drained.catch(() => {})
  const enough = new AbortController()
  const timer = clock.sleep(CUT_MS_MAX, enough.signal).catch(() => {})
  await Promise.race([replicator.destroy().catch(() => {}), timer])
  enough.abort()
  await timer
}
