import type { PartitionPredicate, SelectionRule, TopicRules } from '../topics/topic-pair.ts'
import type { Flow, Topology } from '../topology/model.ts'
import { isCycle, targetTopicName } from '../topology/naming.ts'
import { anchored, compileTopics } from '../topology/selection.ts'

/** What a flow's topology says about topics, compiled. Topics that would come back to a region they passed are left out. */
export function topicRulesOf(topology: Topology, flow: Flow): TopicRules {
  const selected = compileTopics(flow.topics)
  const paused = compileTopics(flow.paused)
  const aliases = topology.regions.map(({ alias }) => alias)
  const predicate =
    (matcher: typeof selected) =>
    (topic: string): PartitionPredicate | undefined =>
      matcher.topic(topic) ? (partition) => matcher.partition(topic, partition) : undefined
  const select = predicate(selected)
  return {
    select: (topic) =>
      isCycle(flow.naming, topic, { aliases, target: flow.target }) ? undefined : select(topic),
    paused: predicate(paused),
    targetNameOf: (topic) =>
      targetTopicName(flow.naming, { source: flow.source, target: flow.target, topic }),
    selections: flow.topics.map((selection): SelectionRule => {
      if (selection.kind === 'name') return { kind: 'name', name: selection.name }
      const match = anchored(selection.match)
      const exclude = selection.exclude === undefined ? undefined : anchored(selection.exclude)
      const matches = (topic: string): boolean => match.test(topic) && exclude?.test(topic) !== true
      return { kind: 'match', match: selection.match, matches }
    }),
  }
}
