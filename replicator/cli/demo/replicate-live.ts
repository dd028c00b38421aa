import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../clock/clock.ts'
import type { Random } from '../../clock/random.ts'
import { formatProblem } from '../../config/config-problem.ts'
import { type CausewayConfig, loadConfig } from '../../config/load-config.ts'
import type { FlowEvent } from '../../flow/events.ts'
import type { FlowSnapshot } from '../../flow/snapshot.ts'
import { startReplicator } from '../../processes/replicate.ts'
import { CommandFailure } from '../command-failure.ts'
import { exitCode } from '../exit-codes.ts'

/** The demo's topology, checked in. */
export const demoConfigPath = join(import.meta.dirname, 'causeway.yaml')

/**
 * The demo's configuration with the addresses of the clusters, which it takes from the environment.
 * @throws CommandFailure with every problem of the file
 */
export function readDemoConfig(addresses: Readonly<Record<string, readonly string[]>>): CausewayConfig {
  const environment = Object.fromEntries(
    Object.entries(addresses).map(([alias, servers]) => [bootstrapVariable(alias), servers.join(',')]),
  )
  const loaded = loadConfig({ path: demoConfigPath, readFile: (file) => readFileSync(file), environment })
  if (loaded.ok) return loaded.config
  throw new CommandFailure(exitCode.usage, loaded.problems.map(formatProblem).join('\n'))
}

/** The variable that causeway.yaml reads a region's addresses from: `us-east` -> `US_EAST_BOOTSTRAP`. */
export function bootstrapVariable(alias: string): string {
  return `${alias.toUpperCase().replaceAll('-', '_')}_BOOTSTRAP`
}

/** The one flow of the demo, at work in this process. */
export interface LiveReplication {
  readonly snapshot: () => FlowSnapshot
  readonly snapshots: () => readonly FlowSnapshot[]
  readonly isReady: () => boolean
  /** Aborts with the reason when the flow fails by a fault of its own. */
  readonly failed: AbortSignal
  /** @throws the signal's reason; CommandFailure when nothing arrives, with what holds it back */
  untilFirstRecord(signal: AbortSignal): Promise<void>
  /**
   * Waits until the target has acknowledged `records` and nothing is behind, or until nothing has moved for a while:
   * then the comparison says what is missing.
   */
  untilCaughtUp(
    records: number,
    signal: AbortSignal,
    onLook: (snapshot: FlowSnapshot) => void,
  ): Promise<boolean>
  stop(): Promise<void>
}

const lookMs = 50
const standstillMsMax = 20_000
const firstRecordMsMax = 60_000
const drainMsMax = 5_000

/** Starts what `causeway replicate` would run for this configuration. */
export function replicateLive(options: {
  readonly config: CausewayConfig
  readonly clock: Clock
  readonly random: Random
  readonly announce: (event: FlowEvent) => void
}): LiveReplication {
  const { clock } = options
  const replicator = startReplicator({ ...options, acceptsGap: () => false })
  const failure = new AbortController()
  replicator.ended.catch((error: unknown) => failure.abort(error))
  const snapshot = (): FlowSnapshot => {
    const [flow] = replicator.snapshots()
    if (flow === undefined) throw new Error("the demo's topology has no flow")
    return flow
  }
  const pause = (signal: AbortSignal) => clock.sleep(lookMs, AbortSignal.any([signal, failure.signal]))
  return {
    snapshot,
    snapshots: replicator.snapshots,
    isReady: replicator.isReady,
    failed: failure.signal,
    async untilFirstRecord(signal) {
      const deadlineMs = clock.monotonicMs() + firstRecordMsMax
      for (let now = snapshot(); now.records === 0; now = snapshot()) {
        if (clock.monotonicMs() > deadlineMs) throw new CommandFailure(exitCode.failed, whyNothing(now))
        await pause(signal)
      }
    },
    async untilCaughtUp(records, signal, onLook) {
      let seen = -1
      let movedMs = clock.monotonicMs()
      for (;;) {
        const now = snapshot()
        onLook(now)
        if (now.lagRecords === 0 && now.records >= records) return true
        if (now.records !== seen) movedMs = clock.monotonicMs()
        seen = now.records
        if (clock.monotonicMs() - movedMs > standstillMsMax) return false
        await pause(signal)
      }
    },
    async stop() {
      await replicator.drain(drainMsMax).catch(() => replicator.destroy())
    },
  }
}

function whyNothing({ target, trouble, stopped }: FlowSnapshot): string {
  const reasons = stopped.map(
    ({ topic, partition, reason, wayOut }) =>
      `${topic}${partition === undefined ? '' : ` partition ${partition}`}: ${reason} ${wayOut}`,
  )
  const all = [...(trouble === undefined ? [] : [trouble]), ...reasons]
  return [`No record has reached ${target} within ${firstRecordMsMax / 1000} s.`, ...all].join('\n')
}
