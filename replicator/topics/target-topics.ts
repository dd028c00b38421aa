import type { Clock } from '../clock/clock.ts'
import type { Cluster, NewTopic, TopicLookup, TopicMetadata } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Flow } from '../topology/model.ts'
import { askInChunks, chunksOf } from './chunks.ts'
import type { TopicEventBody } from './events.ts'
import type { TopicMatch } from './match-topics.ts'
import { type ConfigRules, configsForCreation } from './plan-configs.ts'
import { isReady, type TopicGrowth, type TopicPlan } from './plan-topics.ts'
import { type Refusal, refusalOf, type TopicAction } from './refusals.ts'

/** How long a round waits for new partitions to get leaders, in milliseconds; the next round looks again. */
export const leadersWaitMaxMs = 2000
const leadersPollMs = 50

export interface TargetTopicsContext {
  readonly flow: Pick<Flow, 'id' | 'source' | 'target' | 'replicationFactor'>
  readonly source: Cluster
  readonly target: Cluster
  readonly clock: Clock
  readonly configRules: ConfigRules
  announce(event: TopicEventBody): void
}

/** By target topic: why it could not be created or grown. */
export type Refusals = ReadonlyMap<string, Refusal>

/**
 * Carries out a plan's creations and growths on the target. Refusals are data, also those of a whole request: they
 * stop the topics it named and nothing else.
 * @throws the signal's reason once it aborts.
 */
export async function carryOut(
  plan: Pick<TopicPlan, 'creations' | 'growths'>,
  context: TargetTopicsContext,
  signal: AbortSignal,
): Promise<Refusals> {
  const refusals = new Map<string, Refusal>()
  for (const chunk of chunksOf(plan.creations)) {
    const names = chunk.map((match) => match.targetName)
    await attempt('create', names, () => createTopics(chunk, context, refusals, signal))
  }
  for (const chunk of chunksOf(plan.growths)) {
    const names = chunk.map(({ match }) => match.targetName)
    await attempt('grow', names, () => growTopics(chunk, context, refusals, signal))
  }
  return refusals

  async function attempt(action: TopicAction, names: readonly string[], request: () => Promise<void>) {
    try {
      await request()
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      for (const topic of names) {
        refusals.set(topic, refusalOf(error, { action, topic, cluster: context.flow.target }))
      }
    }
  }
}

/**
 * The named topics once they have the wanted number of partitions, all with leaders; or as they are when
 * {@link leadersWaitMaxMs} have passed. Topics that are not visible by then are left out.
 */
export async function waitForLeaders(
  wanted: ReadonlyMap<string, number>,
  { target, clock }: Pick<TargetTopicsContext, 'target' | 'clock'>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, TopicMetadata>> {
  const deadlineMs = clock.monotonicMs() + leadersWaitMaxMs
  const found = new Map<string, TopicMetadata>()
  let waiting = [...wanted.keys()]
  while (waiting.length > 0) {
    const lookups = await askInChunks(waiting, (names) => target.describeTopics(names, signal))
    for (const [name, topic] of foundIn(lookups)) found.set(name, topic)
    waiting = waiting.filter((name) => !isReady(found.get(name), wanted.get(name) ?? 0))
    if (clock.monotonicMs() >= deadlineMs) break
    if (waiting.length > 0) await clock.sleep(leadersPollMs, signal)
  }
  return found
}

function* foundIn(lookups: ReadonlyMap<string, TopicLookup>): Generator<[string, TopicMetadata]> {
  for (const [name, lookup] of lookups) if (lookup.kind === 'found') yield [name, lookup.topic]
}

async function createTopics(
  matches: readonly TopicMatch[],
  context: TargetTopicsContext,
  refusals: Map<string, Refusal>,
  signal: AbortSignal,
): Promise<void> {
  const { flow, source, target, configRules } = context
  const names = matches.map((match) => match.source.name)
  const configs = await source.describeTopicConfigs(names, signal)
  const topics: NewTopic[] = []
  for (const match of matches) {
    const described = configs.get(match.source.name)
    if (described === undefined) continue
    if (!described.ok) {
      const place = { action: 'describe-configs', topic: match.source.name, cluster: flow.source } as const
      refusals.set(match.targetName, refusalOf(described.error, place))
      continue
    }
    topics.push({
      name: match.targetName,
      partitions: match.source.partitions.length,
      replicationFactor: flow.replicationFactor,
      configs: configsForCreation(described.value, configRules),
    })
  }
  if (topics.length === 0) return
  const outcomes = await target.createTopics(topics, signal)
  for (const match of matches) {
    const outcome = outcomes.get(match.targetName)
    if (outcome === undefined) continue
    if (outcome.ok) {
      const partitions = match.source.partitions.length
      context.announce({
        kind: 'target-topic-created',
        topic: match.source.name,
        targetTopic: match.targetName,
        partitions,
      })
    } else if (outcome.error.kind !== 'TOPIC_ALREADY_EXISTS') {
      const place = { action: 'create', topic: match.targetName, cluster: flow.target } as const
      refusals.set(match.targetName, refusalOf(outcome.error, place))
    }
  }
}

async function growTopics(
  growths: readonly TopicGrowth[],
  { flow, target, announce }: TargetTopicsContext,
  refusals: Map<string, Refusal>,
  signal: AbortSignal,
): Promise<void> {
  const totals = new Map(growths.map(({ match, to }) => [match.targetName, to]))
  const outcomes = await target.growTopics(totals, signal)
  for (const { match, from, to } of growths) {
    const outcome = outcomes.get(match.targetName)
    if (outcome === undefined) continue
    if (outcome.ok) {
      announce({
        kind: 'target-topic-grown',
        topic: match.source.name,
        targetTopic: match.targetName,
        from,
        to,
      })
    } else {
      const place = { action: 'grow', topic: match.targetName, cluster: flow.target } as const
      refusals.set(match.targetName, refusalOf(outcome.error, place))
    }
  }
}
