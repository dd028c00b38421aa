import { createOffsetLookup, type OffsetLookup } from '../app/offset-lookup.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { ConnectionSettings } from '../kafka/settings.ts'
import { forwardingRule } from '../provenance/left-out.ts'
import type { TopicRules } from '../topics/topic-pair.ts'
import { topicRules } from '../topics/topic-rules.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { affixes } from '../topology/naming.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import type { AskedPosition } from './offset-lines.ts'

/** How a region's cluster is reached. */
export function settingsOf(config: CausewayConfig, alias: RegionAlias): ConnectionSettings {
  const settings = config.connections.get(alias)
  if (settings === undefined) throw new Error(`The configuration holds no connection for ${alias}`)
  return settings
}

/** Looks positions of a flow up; both logs tell what its map leaves open, as far as they can be read. */
export function openLookup(config: CausewayConfig, flow: Flow): OffsetLookup {
  const { topology } = config
  const { source, target, naming } = flow
  return createOffsetLookup({
    topology: topology.name,
    flow: { source, target, naming, forwards: forwardingRule(topology, flow) },
    target: settingsOf(config, target),
    source: settingsOf(config, source),
  })
}

/**
 * The flow that is named, or the only one that copies all the topics.
 * @param back topics are called by their names on the target
 * @throws CommandFailure when there is none, or more than one
 */
export function flowOf(
  { topology }: CausewayConfig,
  id: string | undefined,
  positions: readonly Pick<AskedPosition, 'topic'>[],
  back: boolean,
): Flow {
  const names = topology.flows.map((flow) => flow.id).join(', ')
  const named = topology.flows.filter((flow) => id === undefined || flow.id === id)
  if (named.length === 0)
    throw new CommandFailure(
      exitCode.usage,
      names === ''
        ? 'the topology declares no flow'
        : `--flow ${id}: no such flow; the topology has ${names}`,
    )
  const topics = [...new Set(positions.map(({ topic }) => topic))]
  const aliases = topology.regions.map(({ alias }) => alias)
  const isTaken = named.map((flow) => ({ flow, takes: taking(flow, aliases, back) }))
  for (const topic of topics)
    if (!isTaken.some(({ takes }) => takes(topic)))
      throw new CommandFailure(
        exitCode.usage,
        `no flow${id === undefined ? '' : ` ${id}`} ${back ? 'makes a copy called' : 'takes topic'} "${topic}"; give its name on the ${back ? 'target' : 'source'}`,
      )
  const fitting = isTaken.filter(({ takes }) => topics.every(takes)).map(({ flow }) => flow)
  const [flow] = fitting
  if (flow !== undefined && fitting.length === 1) return flow
  throw new CommandFailure(
    exitCode.usage,
    flow === undefined
      ? `no single flow copies ${topics.join(', ')}: ask for each flow by itself`
      : `there are several flows, ${fitting.map((one) => one.id).join(', ')}: choose with --flow`,
  )
}

/** Whether a flow copies a topic, by its name on the source, or with `back` on the target. */
export function taking(
  flow: Flow,
  aliases: readonly RegionAlias[],
  back: boolean,
): (topic: string) => boolean {
  const rules = topicRules(flow, aliases)
  const original = sourceNameOf(flow, rules)
  return back
    ? (topic) => {
        const name = original(topic)
        return name !== undefined && rules.select(name) !== undefined
      }
    : (topic) => rules.select(topic) !== undefined
}

/** Which topic of the source a topic of the target is the copy of; `undefined` where the flow calls none so. */
export function sourceNameOf(flow: Flow, rules: TopicRules): (targetTopic: string) => string | undefined {
  const { before, after } = affixes(flow.naming, flow.source, flow.target)
  return (topic) => {
    const original = topic.slice(before.length, topic.length - after.length)
    return original !== '' && rules.targetNameOf(original) === topic ? original : undefined
  }
}
