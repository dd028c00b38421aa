import { heartbeatRules } from '../topology/heartbeats.ts'
import type { Flow, NameSelection, RegionAlias } from '../topology/model.ts'
import { isCycle, targetTopicName } from '../topology/naming.ts'
import { compileNames, compileTopics, type TopicMatcher } from '../topology/selection.ts'
import type { PartitionPredicate, SelectionRule, TopicRules } from './topic-pair.ts'

/**
 * The rules of a declared flow. Internal topics are never taken, nor are copies that would come back to a region
 * they passed through. Heartbeats follow rules of their own where the flow copies them.
 * @param aliases every region of the topology, by which copies' names are read
 */
export function topicRules(
  flow: Pick<Flow, 'source' | 'target' | 'topics' | 'paused' | 'naming' | 'copiesHeartbeats'>,
  aliases: readonly RegionAlias[],
): TopicRules {
  const { source, target, naming } = flow
  const taken = compileTopics(flow.topics)
  const paused = compileTopics(flow.paused)
  const heartbeats = heartbeatRules(flow, aliases)
  return {
    select: (topic) => {
      if (heartbeats?.isHeartbeats(topic)) return heartbeats.isCycle(topic) ? undefined : () => true
      return isCycle(naming, topic, { aliases, target }) ? undefined : predicate(taken, topic)
    },
    paused: (topic) => predicate(paused, topic),
    targetNameOf: (topic) =>
      heartbeats?.isHeartbeats(topic)
        ? heartbeats.targetNameOf(topic)
        : targetTopicName(naming, { source, target, topic }),
    selections: flow.topics.map(selectionRule),
  }
}

function predicate(matcher: TopicMatcher, topic: string): PartitionPredicate | undefined {
  return matcher.topic(topic) ? (partition) => matcher.partition(topic, partition) : undefined
}

function selectionRule(selection: NameSelection): SelectionRule {
  if (selection.kind === 'name') return { kind: 'name', name: selection.name }
  return { kind: 'match', match: selection.match, matches: compileNames([selection]) }
}
