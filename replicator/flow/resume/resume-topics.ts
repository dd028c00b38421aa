import type { Cluster, TopicMetadata } from '../../kafka/cluster.ts'
import { configExclusion } from '../../topics/plan-configs.ts'
import { carryOut, waitForLeaders } from '../../topics/target-topics.ts'
import type { Flow } from '../../topology/model.ts'
import type { FlowOptions } from '../flow-options.ts'

/** What a person asked for cannot be done; nothing was changed. */
export class ResumeRefusedError extends Error {
  override readonly name = 'ResumeRefusedError'
}

/** The ends of a flow's topic, and which of its partitions are meant. */
export interface ResumeTopics {
  readonly source: TopicMetadata
  readonly targetName: string
  /** `undefined` when the copy does not exist (any more). */
  readonly target: TopicMetadata | undefined
  /** Ascending. */
  readonly partitions: readonly number[]
}

/**
 * Looks the topics up.
 * @param partition `undefined`: all that the flow takes
 * @throws ResumeRefusedError, KafkaError
 */
export async function lookUpTopics(
  { flow, source, target, rules }: Pick<FlowOptions, 'flow' | 'source' | 'target' | 'rules'>,
  topic: string,
  partition: number | undefined,
  signal: AbortSignal,
): Promise<ResumeTopics> {
  const isSelected = rules.select(topic)
  if (isSelected === undefined) throw new ResumeRefusedError(`${flow.id} does not take topic "${topic}"`)
  const found = await lookUp(source, topic, signal)
  if (found === undefined) throw new ResumeRefusedError(`${flow.source} has no topic "${topic}"`)
  const taken = found.partitions.map((one) => one.partition).filter((index) => isSelected(index))
  const partitions = partition === undefined ? taken : taken.filter((index) => index === partition)
  if (partitions.length === 0)
    throw new ResumeRefusedError(
      `${flow.id} takes partitions ${taken.join(', ')} of "${topic}", not ${partition}`,
    )
  const targetName = rules.targetNameOf(topic)
  return { source: found, targetName, target: await lookUp(target, targetName, signal), partitions }
}

/**
 * Creates the copy of a topic, as the flow would.
 * @throws ResumeRefusedError when the target does not let us; KafkaError
 */
export async function createTargetTopic(
  options: FlowOptions,
  { source, targetName, partitions }: ResumeTopics,
  signal: AbortSignal,
): Promise<TopicMetadata> {
  const { flow, clock } = options
  const match = { source, targetName, partitions, pausedPartitions: [] }
  const context = { ...options, configRules: configRulesOf(flow), announce: () => {} }
  const refusal = (await carryOut({ creations: [match], growths: [] }, context, signal)).get(targetName)
  if (refusal !== undefined) throw new ResumeRefusedError(`${refusal.reason}; ${refusal.wayOut}`)
  const wanted = new Map([[targetName, source.partitions.length]])
  const made = (await waitForLeaders(wanted, { target: options.target, clock }, signal)).get(targetName)
  if (made === undefined)
    throw new ResumeRefusedError(
      `"${targetName}" was created on ${flow.target} but is not visible there yet; try again`,
    )
  return made
}

function configRulesOf({ configSync: { exclude, defaultsFrom } }: Flow) {
  return { excluded: configExclusion(exclude), defaultsFrom }
}

async function lookUp(
  cluster: Cluster,
  topic: string,
  signal: AbortSignal,
): Promise<TopicMetadata | undefined> {
  const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
  if (lookup?.kind === 'failed') throw lookup.error
  return lookup?.kind === 'found' ? lookup.topic : undefined
}
