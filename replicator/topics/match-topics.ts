import type { TopicLookup, TopicMetadata } from '../kafka/cluster.ts'
import type { Flow } from '../topology/model.ts'
import { topicNameProblem } from '../topology/naming.ts'
import { resumeCommand } from '../topology/resume-command.ts'
import { refusalOf } from './refusals.ts'
import { isOtherTopic, type SeenTopics } from './seen-topics.ts'
import type { SelectionRule, TopicProblem, TopicRules } from './topic-pair.ts'

/** A source topic that the flow takes, and where to. */
export interface TopicMatch {
  readonly source: TopicMetadata
  readonly targetName: string
  /** Selected partitions, ascending. */
  readonly partitions: readonly number[]
  readonly pausedPartitions: readonly number[]
}

export interface MatchInput {
  readonly flow: Pick<Flow, 'id' | 'source' | 'target'>
  readonly rules: TopicRules
  /** The selected topics of the source, as {@link selectTopics} gives them. */
  readonly selected: readonly TopicMetadata[]
  /** Answers for topics that are missed in the source's listing: exactly named ones, and ones seen before. */
  readonly lookups: ReadonlyMap<string, TopicLookup>
  /** This round's sources included. */
  readonly seen: SeenTopics
  /** Topic ids from an earlier run of this flow, by source topic. */
  readonly knownIds: ReadonlyMap<string, string>
}

export interface Matching {
  readonly matches: readonly TopicMatch[]
  readonly problems: readonly TopicProblem[]
}

/** The topics of a listing that the flow takes. Kafka's own internal topics never are. */
export function selectTopics(
  listing: readonly TopicMetadata[],
  rules: Pick<TopicRules, 'select'>,
): readonly TopicMetadata[] {
  return listing.filter((topic) => !topic.internal && rules.select(topic.name) !== undefined)
}

/**
 * Which selected source topics can be paired, and what is wrong with the others. Looks at the source only, so that
 * nothing is ever created on the target for a topic that would then be refused.
 */
export function matchTopics(input: MatchInput): Matching {
  const problems: TopicProblem[] = [...hiddenProblems(input), ...selectionProblems(input)]
  const candidates: TopicMatch[] = []
  for (const source of input.selected) {
    const match = matchOf(source, input.rules)
    const problem = problemOf(match, input)
    if (problem === undefined) candidates.push(match)
    else problems.push(problem)
  }
  const clashes = clashesAmong(candidates, input.seen)
  return {
    matches: candidates.filter((match) => !clashes.has(match.source.name)),
    problems: [...problems, ...[...clashes.values()].map((clash) => clashProblem(clash, input.flow))],
  }
}

function matchOf(source: TopicMetadata, rules: TopicRules): TopicMatch {
  const isSelected = rules.select(source.name)
  const isPaused = rules.paused(source.name)
  const partitions = source.partitions.map(({ partition }) => partition).filter((p) => isSelected?.(p))
  const pausedPartitions = isPaused === undefined ? [] : partitions.filter((p) => isPaused(p))
  return { source, targetName: rules.targetNameOf(source.name), partitions, pausedPartitions }
}

function problemOf(match: TopicMatch, { flow, seen, knownIds }: MatchInput): TopicProblem | undefined {
  const { source, targetName } = match
  const whole = { topic: source.name, partition: undefined }
  const known = seen.get(source.name)
  const earlierId = knownIds.get(source.name)
  if (
    (known !== undefined && isOtherTopic(known, source)) ||
    (earlierId !== undefined && source.id !== undefined && earlierId !== source.id)
  ) {
    return {
      ...whole,
      reason: `topic "${source.name}" was deleted and re-created on ${flow.source}: its offsets started over, so its records cannot follow those already copied`,
      wayOut: `copy the new topic behind what was copied of the old one: ${resumeCommand({ flow: flow.id, topic: source.name, partition: undefined }, 'earliest')}; or keep the copy as it is by taking the topic out of the flow`,
    }
  }
  const nameProblem = topicNameProblem(targetName)
  if (nameProblem !== undefined) {
    return {
      ...whole,
      reason: `its name on ${flow.target} would be refused: ${nameProblem}`,
      wayOut: "change the flow's naming, or leave this topic out of the flow",
    }
  }
  if (match.partitions.length === 0) {
    return {
      ...whole,
      reason: `none of its ${source.partitions.length} partitions on ${flow.source} is in the flow's partition range`,
      wayOut:
        "correct the selection's partition range; partitions that are added later are picked up by themselves",
    }
  }
  return undefined
}

interface Clash {
  readonly topic: string
  readonly targetName: string
  readonly others: readonly string[]
}

/** Two source topics must not be merged into one: those not replicated yet give way, all of them if none is. */
function clashesAmong(candidates: readonly TopicMatch[], seen: SeenTopics): ReadonlyMap<string, Clash> {
  const clashes = new Map<string, Clash>()
  for (const [targetName, group] of Map.groupBy(candidates, (match) => match.targetName)) {
    if (group.length === 1) continue
    const names = group.map((match) => match.source.name)
    const replicated = names.filter((name) => (seen.get(name)?.reported.size ?? 0) > 0)
    for (const topic of names) {
      if (replicated.length === 1 && replicated[0] === topic) continue
      clashes.set(topic, { topic, targetName, others: names.filter((name) => name !== topic) })
    }
  }
  return clashes
}

function clashProblem(clash: Clash, flow: MatchInput['flow']): TopicProblem {
  const others = clash.others.map((name) => `"${name}"`).join(', ')
  return {
    topic: clash.topic,
    partition: undefined,
    reason: `its name on ${flow.target} would be "${clash.targetName}", which ${others} maps to as well`,
    wayOut: "change the flow's naming so that every topic gets a name of its own, or leave all but one out",
  }
}

/** Topics that the source no longer lets this principal see: not the same as deleted ones. */
function hiddenProblems({ flow, lookups }: MatchInput): readonly TopicProblem[] {
  return [...lookups].flatMap(([topic, lookup]) => {
    if (lookup.kind !== 'failed') return []
    const refusal = refusalOf(lookup.error, { action: 'describe', topic, cluster: flow.source })
    return [{ topic, partition: undefined, ...refusal }]
  })
}

function selectionProblems({ flow, rules, selected, lookups }: MatchInput): readonly TopicProblem[] {
  const names = new Set(selected.map((topic) => topic.name))
  const problems: TopicProblem[] = []
  for (const selection of rules.selections) {
    if (selection.kind === 'name') {
      const isHidden = lookups.get(selection.name)?.kind === 'failed'
      if (!names.has(selection.name) && !isHidden) problems.push(unknownTopic(selection.name, flow))
    } else if (!selected.some((topic) => selection.matches(topic.name))) {
      problems.push(emptyMatchProblem(selection, flow))
    }
  }
  return problems
}

function unknownTopic(name: string, flow: MatchInput['flow']): TopicProblem {
  return {
    topic: name,
    partition: undefined,
    reason: `unknown topic: ${flow.source} has no topic "${name}", or does not let this principal see it`,
    wayOut: `check the name and the principal's DESCRIBE permission; the topic is picked up as soon as ${flow.source} shows it`,
  }
}

function emptyMatchProblem(
  selection: SelectionRule & { readonly kind: 'match' },
  flow: MatchInput['flow'],
): TopicProblem {
  return {
    topic: selection.match,
    partition: undefined,
    reason: `unknown topic pattern: no topic on ${flow.source} matches /${selection.match}/`,
    wayOut:
      'check the expression (it must match whole names); topics that come later are picked up by themselves',
  }
}
