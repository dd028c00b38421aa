import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { ResumedPartition, ResumeReport } from '../flow/resume/resume-flow.ts'
import { ResumeRefusedError } from '../flow/resume/resume-topics.ts'
import { parseResumeFrom, type ResumeEffect, type ResumeFrom } from '../flow/resume-plan.ts'
import { KafkaError } from '../kafka/errors.ts'
import { resume } from '../processes/resume.ts'
import { topicRules } from '../topics/topic-rules.ts'
import type { Flow } from '../topology/model.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { openOutput } from './output.ts'
import { formatCount } from './progress-line.ts'
import { readConfig } from './read-config.ts'

/** The command line of `causeway flow resume`. */
export interface FlowResumeArguments {
  readonly place: string
  readonly config: string
  readonly from: string
  readonly flow?: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

/**
 * Decides where stopped partitions go on.
 * @returns the exit code
 * @throws CommandFailure when nothing of it can be done
 */
export async function runFlowResume(args: FlowResumeArguments): Promise<number> {
  const output = openOutput()
  const config = readConfig(args.config, output)
  const { topic, partition } = placeOf(args.place)
  const from = fromOf(args.from)
  const flow = flowOf(config, topic, args.flow)
  const dryRun = args.dryRun === true
  const report = await carryOut(config, flow, { topic, partition, from, dryRun })
  if (args.json === true) output.json({ flow: flow.id, dryRun, ...plain(report) })
  else for (const line of describe(flow, report, dryRun)) output.line(line)
  return report.partitions.every(({ kind }) => kind === 'resumed') ? exitCode.ok : exitCode.failed
}

async function carryOut(
  config: CausewayConfig,
  flow: Flow,
  request: Parameters<typeof resume>[1],
): Promise<ResumeReport> {
  const stop = new AbortController()
  try {
    return await resume({ config, flow, clock: systemClock, random: systemRandom }, request, stop.signal)
  } catch (error) {
    const isExpected = error instanceof ResumeRefusedError || error instanceof KafkaError
    if (isExpected) throw new CommandFailure(exitCode.failed, error.message, { cause: error })
    throw error
  }
}

function placeOf(text: string): { topic: string; partition: number | undefined } {
  const [, topic, partition] = /^([\w.-]+)(?:\/(\d+))?$/.exec(text) ?? []
  if (topic === undefined)
    throw new CommandFailure(exitCode.usage, `${text}: write TOPIC or TOPIC/PARTITION, such as orders/3`)
  return { topic, partition: partition === undefined ? undefined : Number(partition) }
}

function fromOf(text: string): ResumeFrom {
  const from = parseResumeFrom(text)
  if (from !== undefined) return from
  throw new CommandFailure(
    exitCode.usage,
    `--from ${text}: write next, earliest, latest, an offset, or a time with its zone such as 2026-05-01T12:00:00Z`,
  )
}

function flowOf({ topology }: CausewayConfig, topic: string, id: string | undefined): Flow {
  const ids = topology.flows.map((flow) => flow.id).join(', ')
  if (id !== undefined) {
    const flow = topology.flows.find((candidate) => candidate.id === id)
    if (flow !== undefined) return flow
    throw new CommandFailure(exitCode.usage, `--flow ${id}: no such flow; the topology has ${ids}`)
  }
  const aliases = topology.regions.map(({ alias }) => alias)
  const taking = topology.flows.filter((flow) => topicRules(flow, aliases).select(topic) !== undefined)
  const [flow] = taking
  if (flow === undefined)
    throw new CommandFailure(exitCode.usage, `no flow takes topic "${topic}"; give its name on the source`)
  if (taking.length === 1) return flow
  const several = taking.map((one) => one.id).join(', ')
  throw new CommandFailure(exitCode.usage, `"${topic}" is taken by ${several}: choose with --flow`)
}

function describe(flow: Flow, report: ResumeReport, dryRun: boolean): readonly string[] {
  const { topic, targetTopic, createsTarget, partitions } = report
  const created = dryRun ? 'would be created' : 'was created'
  return [
    `${flow.id}  ${topic} -> ${targetTopic}${createsTarget ? ` (which ${created})` : ''}`,
    ...partitions.map((partition) => `  ${line(partition, dryRun)}`),
    dryRun
      ? 'Nothing was changed.'
      : 'A process that replicates the flow goes on from there within seconds; otherwise the next start does.',
  ]
}

function line(partition: ResumedPartition, dryRun: boolean): string {
  const name = `partition ${partition.partition}`
  if (partition.kind === 'refused') return `${name} stays stopped: ${partition.reason}`
  const goesOn = dryRun ? 'would go on' : 'goes on'
  return `${name} ${goesOn} at source offset ${partition.sourceNext}: ${effectText(partition.effect, partition.records)}`
}

function effectText(effect: ResumeEffect, records: number | undefined): string {
  switch (effect.kind) {
    case 'exact':
      return 'right behind what was copied'
    case 'unknown':
      return `what that leaves out or repeats is not known, for ${effect.why}`
    default: {
      const count =
        records === undefined
          ? 'many records'
          : records === 1
            ? '1 record'
            : `${formatCount(records)} records`
      const offsets = `offsets ${effect.fromOffset} to ${effect.toOffset - 1n}`
      return effect.kind === 'skips'
        ? `leaves out ${offsets}, of which the source still has ${count}`
        : `copies ${count} once more, ${offsets}`
    }
  }
}

/** Offsets as text: JSON numbers are not exact. */
function plain(report: ResumeReport): object {
  const text = JSON.stringify(report, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return JSON.parse(text) as object
}
