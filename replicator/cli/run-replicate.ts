import { readFileSync } from 'node:fs'
import pino from 'pino'
import type { Clock } from '../clock/clock.ts'
import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import { formatProblem } from '../config/config-problem.ts'
import { type CausewayConfig, loadConfig } from '../config/load-config.ts'
import type { FlowSnapshot } from '../flow/snapshot.ts'
import { startHealthServer } from '../http/health-server.ts'
import { type LogLine, logLineOf } from '../processes/event-log.ts'
import { flowsAt, type Replicator, startReplicator } from '../processes/replicate.ts'
import { refusals } from '../topology/refusals.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { type Output, openOutput } from './output.ts'
import { progressLine } from './progress-line.ts'

/** The command line of `causeway replicate`. */
export interface ReplicateArguments {
  readonly config: string
  readonly at?: string
  readonly acceptGap: readonly string[]
  readonly drainTimeout: number
}

const PROGRESS_INTERVAL_MS = 1000

/**
 * Runs the flows of a configuration until a signal ends them.
 * @returns the exit code
 */
export async function runReplicate(args: ReplicateArguments): Promise<number> {
  const output = openOutput()
  const config = readConfig(args.config, output)
  const log = output.interactive ? terminalLog(output) : jsonLog()
  const chosen = flowsAt(config, undefined).length
  const at = config.topology.regions.find(({ alias }) => alias === args.at)?.alias
  if (args.at !== undefined && at === undefined) {
    const known = config.topology.regions.map(({ alias }) => alias).join(', ')
    throw new CommandFailure(exitCode.usage, `--at ${args.at}: no such region; the topology has ${known}`)
  }
  if (flowsAt(config, at).length === 0) {
    const where =
      at === undefined ? 'The topology declares no flow' : `None of the ${chosen} flows is placed at ${at}`
    throw new CommandFailure(exitCode.usage, `${where}: there is nothing to replicate`)
  }
  const replicator = startReplicator({
    config,
    ...(at === undefined ? {} : { at }),
    clock: systemClock,
    random: systemRandom,
    announce: (event) => log(logLineOf(event)),
    acceptsGap: (topic, partition) =>
      args.acceptGap.includes(topic) || args.acceptGap.includes(`${topic}/${partition}`),
  })
  const stopProgress = new AbortController()
  const progress = output.interactive
    ? showProgress(output, replicator, systemClock, stopProgress.signal)
    : undefined
  try {
    const health = await startHealthServer(config.http, replicator).catch(async (error: Error) => {
      await replicator.destroy()
      throw new CommandFailure(exitCode.environment, error.message)
    })
    log({
      level: 'info',
      message: `health on port ${health.port}`,
      fields: { event: 'health', port: health.port },
    })
    const code = await untilSignalled(replicator, args.drainTimeout * 1000, log)
    await health.close()
    return code
  } finally {
    stopProgress.abort()
    await progress
  }
}

function readConfig(path: string, output: Output): CausewayConfig {
  const loaded = loadConfig({ path, readFile: (file) => readFileSync(file), environment: process.env })
  if (!loaded.ok) throw new CommandFailure(exitCode.usage, loaded.problems.map(formatProblem).join('\n'))
  for (const warning of loaded.warnings)
    output.note(`${output.styledNote('yellow', 'warning:')} ${formatProblem(warning)}`)
  const refused = refusals(loaded.config.topology)
  if (refused.length > 0) {
    const lines = refused.map(({ message, hint }) => `${path}: ${message}; ${hint}`)
    throw new CommandFailure(exitCode.usage, lines.join('\n'))
  }
  return loaded.config
}

/** The first signal drains, the second cuts. */
async function untilSignalled(
  replicator: Replicator,
  drainTimeoutMs: number,
  log: (line: LogLine) => void,
): Promise<number> {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const first = Promise.withResolvers<'signal'>()
  const second = Promise.withResolvers<'second'>()
  let seen = 0
  const onSignal = (): void => {
    seen++
    if (seen === 1) first.resolve('signal')
    else second.resolve('second')
  }
  for (const name of signals) process.on(name, onSignal)
  const say = (message: string): void => log({ level: 'info', message, fields: { event: 'stopping' } })
  try {
    const failed = replicator.ended.then(() => 'ended' as const)
    await Promise.race([first.promise, failed])
    say('stopping: settling what is in flight; a second signal cuts')
    const outcome = await Promise.race([
      replicator.drain(drainTimeoutMs).then(() => 'drained' as const),
      second.promise,
    ])
    if (outcome === 'drained') {
      say('stopped: everything fetched was acknowledged or is left for the next start')
      return exitCode.ok
    }
    await replicator.destroy()
    return exitCode.cut
  } catch (error) {
    await replicator.destroy()
    throw error
  } finally {
    for (const name of signals) process.off(name, onSignal)
  }
}

function jsonLog(): (line: LogLine) => void {
  const logger = pino({
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  })
  return ({ level, message, fields }) => logger[level](fields, message)
}

function terminalLog(output: Output): (line: LogLine) => void {
  const colours = { info: 'dim', warn: 'yellow', error: 'red' } as const
  return ({ level, message }) => output.note(output.styledNote(colours[level], message))
}

async function showProgress(
  output: Output,
  replicator: Pick<Replicator, 'snapshots'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let before: readonly FlowSnapshot[] = []
  let beforeMs = clock.monotonicMs()
  while (!signal.aborted) {
    await clock.sleep(PROGRESS_INTERVAL_MS, signal).catch(() => {})
    const now = replicator.snapshots()
    const nowMs = clock.monotonicMs()
    const lines = now.map((snapshot, index) => progressLine(before[index], snapshot, nowMs - beforeMs))
    output.status(signal.aborted ? '' : lines.join('  |  '))
    before = now
    beforeMs = nowMs
  }
}
