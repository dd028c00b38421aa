import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import { selectTopics } from '../topics/match-topics.ts'
import { topicRules } from '../topics/topic-rules.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { formatNaming } from '../topology/naming.ts'
import { compareFlow } from '../verify/compare-flow.ts'
import type { ComparedPair, CompareProgress } from '../verify/compare-topics.ts'
import { formatVerdict } from '../verify/format-verdict.ts'
import type { FlowReport } from '../verify/report.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { type Output, openOutput } from './output.ts'
import { formatCount } from './progress-line.ts'
import { readConfig } from './read-config.ts'

/** The command line of `causeway verify`. */
export interface VerifyArguments {
  readonly config: string
  readonly flow?: string
  readonly topic?: readonly string[]
  /** Seconds. */
  readonly settle: number
  readonly json?: boolean
}

/** What `causeway verify --json` prints. */
export interface VerifyResult {
  /** Every flow is. */
  readonly identical: boolean
  readonly flows: readonly FlowReport[]
}

/** How often work is told of where no line can be redrawn. */
const NOTE_INTERVAL_MS = 15_000
const REDRAW_INTERVAL_MS = 100

/**
 * Compares the flows of a configuration once.
 * @returns the exit code
 * @throws CommandFailure when there is nothing of that name, or a cluster does not answer
 */
export async function runVerify(args: VerifyArguments): Promise<number> {
  const output = openOutput()
  const config = readConfig(args.config, output)
  const flows = chosenFlows(config, args)
  const clusters = new Map<RegionAlias, Cluster>()
  const clusterOf = (alias: RegionAlias): Cluster => {
    const settings = config.connections.get(alias)
    if (settings === undefined) throw new Error(`The configuration holds no connection for ${alias}`)
    const cluster =
      clusters.get(alias) ?? createKafkaCluster({ alias, settings, clock: systemClock, random: systemRandom })
    clusters.set(alias, cluster)
    return cluster
  }
  const reports: FlowReport[] = []
  try {
    for (const flow of flows) {
      const source = clusterOf(flow.source)
      const target = clusterOf(flow.target)
      const report = await verifyFlow({ config, flow, source, target }, args, output)
      reports.push(report)
      if (args.json !== true) printReport(output, report, reports.length > 1)
    }
  } catch (error) {
    if (error instanceof KafkaError)
      throw new CommandFailure(exitCode.failed, error.message, { cause: error })
    throw error
  } finally {
    output.status('')
    await Promise.all([...clusters.values()].map((cluster) => cluster.close()))
  }
  const result: VerifyResult = { identical: reports.every(({ identical }) => identical), flows: reports }
  if (args.json === true) output.json(result)
  return result.identical ? exitCode.ok : exitCode.failed
}

/** @throws CommandFailure for a flow that the topology does not have, and for topics that no chosen flow takes */
function chosenFlows({ topology }: CausewayConfig, args: VerifyArguments): readonly Flow[] {
  const known = topology.flows.map(({ id }) => id).join(', ')
  const ofId = topology.flows.filter(({ id }) => args.flow === undefined || id === args.flow)
  if (ofId.length === 0)
    throw new CommandFailure(
      exitCode.usage,
      known === '' ? 'The topology declares no flow' : `--flow ${args.flow}: the flows are ${known}`,
    )
  if (args.topic === undefined) return ofId
  const aliases = topology.regions.map(({ alias }) => alias)
  const takes = (flow: Flow, topic: string) => topicRules(flow, aliases).select(topic) !== undefined
  for (const topic of args.topic)
    if (!ofId.some((flow) => takes(flow, topic)))
      throw new CommandFailure(
        exitCode.usage,
        `--topic ${topic}: ${args.flow ?? 'no flow'} ${args.flow === undefined ? 'takes it' : 'does not take it'}; give its name on the source`,
      )
  return ofId.filter((flow) => args.topic?.some((topic) => takes(flow, topic)))
}

interface FlowAndClusters {
  readonly config: CausewayConfig
  readonly flow: Flow
  readonly source: Cluster
  readonly target: Cluster
}

async function verifyFlow(
  { config, flow, source, target }: FlowAndClusters,
  { topic, settle }: VerifyArguments,
  output: Output,
): Promise<FlowReport> {
  output.status(`${flow.id}: listing topics`)
  const { topology } = config
  return compareFlow({
    topology,
    flow,
    source,
    target,
    pairs: await pairsOf({ config, flow, source }, topic),
    clock: systemClock,
    random: systemRandom,
    // Ctrl-C ends the process: there is nothing to settle.
    signal: new AbortController().signal,
    settleMs: settle * 1000,
    onProgress: progressTeller(flow, output),
  })
}

/** What the flow takes of the source now, paused partitions left out. A named topic that is not there stays in. */
async function pairsOf(
  { config, flow, source }: Omit<FlowAndClusters, 'target'>,
  only: readonly string[] | undefined,
): Promise<readonly ComparedPair[]> {
  const rules = topicRules(
    flow,
    config.topology.regions.map(({ alias }) => alias),
  )
  const isAsked = (name: string) => only?.includes(name) ?? true
  const found = selectTopics(await source.listTopics(), rules).filter(({ name }) => isAsked(name))
  const named = flow.topics.flatMap((selection) => (selection.kind === 'name' ? [selection.name] : []))
  const missing = [...(only ?? []).filter((name) => rules.select(name) !== undefined), ...named]
    .filter((name) => isAsked(name) && !found.some((topic) => topic.name === name))
    .map((name) => ({ name, partitions: [{ partition: 0 }] }))
  const unique = new Map([...found, ...missing].map((one) => [one.name, one]))
  return [...unique.values()]
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, partitions }) => {
      const isPaused = rules.paused(name)
      const isSelected = rules.select(name)
      return {
        sourceTopic: name,
        targetTopic: rules.targetNameOf(name),
        partitions: partitions
          .map(({ partition }) => partition)
          .filter((partition) => isSelected?.(partition) === true && isPaused?.(partition) !== true),
      }
    })
}

function progressTeller(flow: Flow, output: Output): (progress: CompareProgress) => void {
  let toldMs = systemClock.monotonicMs()
  return ({ partitionsDone, partitionsTotal, sourceRecords }) => {
    const nowMs = systemClock.monotonicMs()
    if (nowMs - toldMs < (output.interactive ? REDRAW_INTERVAL_MS : NOTE_INTERVAL_MS)) return
    toldMs = nowMs
    const text = `${flow.id}: ${formatCount(sourceRecords)} records compared, ${partitionsDone} of ${partitionsTotal} partitions done`
    if (output.interactive) output.status(text)
    else output.note(text)
  }
}

function printReport(output: Output, report: FlowReport, isFurther: boolean): void {
  if (isFurther) output.line('')
  const scope = report.scope === 'own' ? `, what ${report.source}'s own clients wrote` : ''
  output.line(`${report.source} -> ${report.target}  ${formatNaming(report.naming)} naming${scope}`)
  const lines = formatVerdict(report).split('\n')
  const verdict = lines.pop() ?? ''
  for (const line of lines) output.line(line)
  output.line(output.styled(['bold', report.identical ? 'green' : 'red'], verdict))
}
