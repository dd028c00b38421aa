import type { Clock } from '../clock/clock.ts'
import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { FlowSnapshot } from '../flow/snapshot.ts'
import { type HealthServer, startHealthServer } from '../http/health-server.ts'
import { KafkaError } from '../kafka/errors.ts'
import { flowsAt, type Replicator, startReplicator } from '../processes/replicate.ts'
import { runUntilSignalled, type StoppingReason } from '../processes/run-until-signalled.ts'
import { topicRules } from '../topics/topic-rules.ts'
import { httpPaths } from '../topology/internal-names.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { type Output, openOutput } from './output.ts'
import { fitLines, formatCount, progressLine } from './progress-line.ts'
import { readConfig } from './read-config.ts'
import { jsonLog, type ReplicateLog, terminalLog } from './replicate-log.ts'

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
 * @throws CommandFailure when there is nothing to run or no port for health; what a flow failed with, by its own fault
 */
export async function runReplicate(args: ReplicateArguments): Promise<number> {
  const output = openOutput()
  const config = readConfig(args.config, output, { notes: true })
  const at = regionOf(config, args.at)
  const flows = flowsToRun(config, at)
  const gaps = acceptedGaps(args.acceptGap, config, flows)
  const log = output.interactive && process.stdout.isTTY ? terminalLog(output) : jsonLog()
  const replicator = startReplicator({
    config,
    ...(at === undefined ? {} : { at }),
    clock: systemClock,
    random: systemRandom,
    announce: (event) => log.event(event),
    acceptsGap: gaps,
  })
  const stopProgress = new AbortController()
  const progress = output.interactive
    ? showProgress(output, log, replicator, systemClock, stopProgress.signal)
    : undefined
  let health: HealthServer | undefined
  try {
    health = await serveHealth(config, replicator)
    sayStarted(log, flows, config.http.host, health.port)
    const outcome = await runUntilSignalled({
      replicator,
      signals: process,
      drainTimeoutMs: args.drainTimeout * 1000,
      clock: systemClock,
      onStopping: (why) => sayStopping(log, why, args.drainTimeout),
    })
    sayStopped(log, outcome, replicator.snapshots())
    return outcome === 'cut' ? exitCode.cut : exitCode.ok
  } catch (error) {
    throw error instanceof KafkaError ? new CommandFailure(exitCode.failed, error.message) : error
  } finally {
    stopProgress.abort()
    await progress
    await health?.close()
  }
}

function regionOf({ topology }: CausewayConfig, at: string | undefined): RegionAlias | undefined {
  if (at === undefined) return undefined
  const known = topology.regions.map(({ alias }) => alias)
  const region = known.find((alias) => alias === at)
  if (region !== undefined) return region
  throw new CommandFailure(exitCode.usage, `--at ${at}: no such region; the topology has ${known.join(', ')}`)
}

function flowsToRun(config: CausewayConfig, at: RegionAlias | undefined): readonly Flow[] {
  const flows = flowsAt(config, at)
  if (flows.length > 0) return flows
  const all = config.topology.flows.length
  const where =
    all === 0
      ? 'The topology declares no flow'
      : `None of the topology's flows runs at ${at}; see their placement with \`causeway topology check\``
  throw new CommandFailure(exitCode.usage, `${where}: there is nothing to replicate`)
}

/** @throws CommandFailure for what is no `topic` or `topic/partition` that one of the flows takes */
function acceptedGaps(
  accepted: readonly string[],
  { topology }: CausewayConfig,
  flows: readonly Flow[],
): (topic: string, partition: number) => boolean {
  const aliases = topology.regions.map(({ alias }) => alias)
  for (const text of accepted) {
    const [, topic = '', partition] = /^([\w.-]+)(?:\/(\d+))?$/.exec(text) ?? []
    const refuse = (why: string): CommandFailure =>
      new CommandFailure(exitCode.usage, `--accept-gap ${text}: ${why}`)
    if (topic === '') throw refuse('write TOPIC or TOPIC/PARTITION, such as orders/3')
    const isTaken = flows.some((flow) => {
      const taken = topicRules(flow, aliases).select(topic)
      return taken !== undefined && (partition === undefined || taken(Number(partition)))
    })
    if (!isTaken) throw refuse('no flow takes it; give its name on the source')
  }
  return (topic, partition) => accepted.includes(topic) || accepted.includes(`${topic}/${partition}`)
}

async function serveHealth(config: CausewayConfig, replicator: Replicator): Promise<HealthServer> {
  try {
    return await startHealthServer(config.http, replicator)
  } catch (error) {
    await replicator.destroy()
    throw new CommandFailure(exitCode.environment, error instanceof Error ? error.message : String(error))
  }
}

function sayStarted(log: ReplicateLog, flows: readonly Flow[], host: string, port: number): void {
  const ids = flows.map(({ id }) => id)
  const url = `http://${host === '0.0.0.0' || host === '::' ? 'localhost' : host}:${port}${httpPaths.health}`
  log.line({
    level: 'info',
    message: `replicating ${ids.join(', ')}; health at ${url}`,
    fields: { event: 'started', flows: ids, port },
  })
}

function sayStopping(log: ReplicateLog, why: StoppingReason, drainTimeoutS: number): void {
  const failure = why.kind === 'failure' ? `${failureText(why.error)}, ` : ''
  log.line({
    level: why.kind === 'failure' ? 'error' : 'info',
    message: `${failure}stopping: settling what is in flight, for at most ${drainTimeoutS} s; a second signal cuts`,
    fields: { event: 'stopping' },
  })
}

/** A cluster's last word, such as that another process has this one's place, or a fault of our own. */
function failureText(error: unknown): string {
  if (error instanceof KafkaError) return `a flow cannot go on: ${error.message.replace(/\.$/, '')}`
  return `a flow failed by a fault of Causeway's own (${String(error)})`
}

function sayStopped(log: ReplicateLog, outcome: 'drained' | 'cut', flows: readonly FlowSnapshot[]): void {
  const sum = (of: (flow: FlowSnapshot) => number): number =>
    flows.reduce((total, flow) => total + of(flow), 0)
  const records = sum((flow) => flow.records)
  const lagRecords = sum((flow) => flow.lagRecords)
  const rest =
    outcome === 'cut'
      ? 'cut; what was in flight is copied again by the next start'
      : lagRecords === 0
        ? 'nothing that was seen is left'
        : `${formatCount(lagRecords)} that were seen are left for the next start`
  log.line({
    level: outcome === 'cut' ? 'warn' : 'info',
    message: `stopped after ${formatCount(records)} records; ${rest}`,
    fields: { event: 'stopped', outcome, records, lagRecords },
  })
}

async function showProgress(
  output: Output,
  log: ReplicateLog,
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
    log.flush()
    output.status(signal.aborted ? '' : fitLines(lines, process.stderr.columns))
    before = now
    beforeMs = nowMs
  }
}
