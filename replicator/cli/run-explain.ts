import { type ExplainedGroup, explainGroup } from '../app/explain-group.ts'
import { KafkaError, MapFormatError } from '../app/offset-lookup.ts'
import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import { topicRules } from '../topics/topic-rules.ts'
import { internalTopics } from '../topology/internal-names.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { copiesAmongOthers } from '../topology/writes-alone.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { type ExplainNames, groupLines, partitionLines } from './explain-lines.ts'
import { reasonText } from './explain-reasons.ts'
import { flowOf, openLookup, settingsOf, sourceNameOf } from './offsets-flow.ts'
import { type Output, openOutput } from './output.ts'
import { readConfig } from './read-config.ts'

/** The command line of `causeway offsets explain`. */
export interface OffsetsExplainArguments {
  readonly config: string
  readonly group: string
  readonly flow?: string
  readonly json?: boolean
}

/** A source that is away is given up soon: the target tells without it. In milliseconds. */
const SOURCE_PATIENCE_MS = 5_000

/**
 * Tells why a group stands where it does on a flow's target.
 * @returns the exit code
 * @throws CommandFailure when there is nothing to tell, or the target does not answer
 */
export async function runOffsetsExplain(args: OffsetsExplainArguments): Promise<number> {
  const output = openOutput()
  const { group } = args
  const config = readConfig(args.config, output)
  const flow = flowOf(config, args.flow, [], false)
  const names: ExplainNames = {
    group,
    source: flow.source,
    target: flow.target,
    groupsTopic: internalTopics(config.topology).groups,
  }
  try {
    const explained = await explain(config, flow, names)
    if (args.json === true) output.json(asJson(flow, explained, names))
    else print(output, flow, explained, names)
    const { leftAlone, partitions } = explained
    return leftAlone === undefined && partitions.every(({ isInStep }) => isInStep)
      ? exitCode.ok
      : exitCode.failed
  } catch (error) {
    if (error instanceof KafkaError || error instanceof MapFormatError)
      throw new CommandFailure(exitCode.failed, error.message, { cause: error })
    throw error
  }
}

async function explain(config: CausewayConfig, flow: Flow, names: ExplainNames): Promise<ExplainedGroup> {
  const { topology } = config
  const connect = (alias: RegionAlias, patienceMs?: number): Cluster =>
    createKafkaCluster({
      alias,
      settings: settingsOf(config, alias),
      clock: systemClock,
      random: systemRandom,
      ...(patienceMs !== undefined && { patienceMs }),
    })
  const source = connect(flow.source, SOURCE_PATIENCE_MS)
  const target = connect(flow.target)
  const lookup = openLookup(config, flow)
  const aliases = topology.regions.map(({ alias }) => alias)
  const rules = topicRules(flow, aliases)
  try {
    const explained = await explainGroup(
      {
        ...names,
        flow,
        isShared: copiesAmongOthers(topology, flow),
        source,
        target,
        lookup,
        names: {
          select: (topic) => rules.select(topic),
          targetNameOf: (topic) => rules.targetNameOf(topic),
          sourceNameOf: sourceNameOf(flow, rules),
        },
        clock: systemClock,
        random: systemRandom,
      },
      new AbortController().signal,
    )
    if (explained.partitions.length === 0 && explained.leftAlone === undefined)
      throw new CommandFailure(exitCode.failed, nothingText(explained, names))
    return explained
  } finally {
    await Promise.all([lookup.close(), source.close(), target.close()])
  }
}

function nothingText({ source, leftOut }: ExplainedGroup, names: ExplainNames): string {
  const others = leftOut.length === 0 ? '' : ' of what this flow copies'
  return source.kind === 'known'
    ? `group ${names.group} has committed nothing on ${names.source} and nothing on ${names.target}${others}`
    : `group ${names.group} has committed nothing on ${names.target}${others}, and ${names.source} cannot be asked: ${source.reason}`
}

function print(output: Output, flow: Flow, explained: ExplainedGroup, names: ExplainNames): void {
  output.line(`${names.group}  ${flow.id}`)
  for (const line of groupLines(explained, names)) output.line(line)
  for (const one of explained.leftAlone === undefined ? explained.partitions : []) {
    const { place, verdict, style, details } = partitionLines(one, names)
    output.line(`${place}  ${output.styled(style, verdict)}`)
    for (const detail of details) output.line(detail)
  }
  const { leftOut } = explained
  if (leftOut.length > 0)
    output.note(`left out, because the flow does not write them on ${names.target}: ${leftOut.join(', ')}`)
}

/** Offsets as text: JSON numbers are not exact. */
function asJson(flow: Flow, explained: ExplainedGroup, names: ExplainNames): object {
  const { group, source, target, leftAlone, partitions, leftOut } = explained
  const result = {
    group,
    flow: flow.id,
    from: flow.source,
    to: flow.target,
    source,
    target,
    leftAlone,
    partitions: partitions.map((one) => {
      const { topic, partition, targetTopic, reason, isInStep, whose, facts } = one
      return {
        topic,
        partition,
        targetTopic,
        reason,
        isInStep,
        source: facts.source.kind === 'known' ? facts.source.value.commit : undefined,
        place: facts.place,
        target: facts.target.commit,
        whose,
        ...(reason === 'in-step' ? {} : reasonText(one, names)),
      }
    }),
    leftOut,
  }
  const text = JSON.stringify(result, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return JSON.parse(text) as object
}
