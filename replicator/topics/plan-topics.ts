import type { TopicLookup, TopicMetadata } from '../kafka/cluster.ts'
import type { Flow } from '../topology/model.ts'
import { resumeCommand } from '../topology/resume-command.ts'
import type { TopicMatch } from './match-topics.ts'
import { refusalOf } from './refusals.ts'
import type { SeenTopics } from './seen-topics.ts'
import type { TopicProblem } from './topic-pair.ts'

export interface TopicPlanInput {
  readonly flow: Pick<Flow, 'id' | 'target'>
  readonly matches: readonly TopicMatch[]
  /** The target's topics by name. A name that is not in here is one the target's listing does not show. */
  readonly targets: ReadonlyMap<string, TopicLookup>
  readonly seen: SeenTopics
}

/** What has to be done on the target before the matches can be paired. */
export interface TopicPlan {
  /** Matches whose target topic does not exist; it gets the source's partition count. */
  readonly creations: readonly TopicMatch[]
  readonly growths: readonly TopicGrowth[]
  /** By source topic: matches that must not be paired in this round. */
  readonly blocked: ReadonlyMap<string, TopicProblem>
  /** Target topics with more partitions than their source: it works, but is worth a word. */
  readonly wider: readonly TopicSurplus[]
}

export interface TopicGrowth {
  readonly match: TopicMatch
  readonly from: number
  readonly to: number
}

export interface TopicSurplus {
  readonly match: TopicMatch
  readonly targetPartitions: number
}

/**
 * Decides which target topics to create and to grow.
 *
 * A target topic that was replicated into and is gone, or is another one by now, is never made anew: progress says
 * that its records are there, so a fresh topic would silently lack them.
 */
export function planTopics({ flow, matches, targets, seen }: TopicPlanInput): TopicPlan {
  const creations: TopicMatch[] = []
  const growths: TopicGrowth[] = []
  const wider: TopicSurplus[] = []
  const blocked = new Map<string, TopicProblem>()
  for (const match of matches) {
    const lookup = targets.get(match.targetName) ?? { kind: 'missing' }
    const problem = targetProblem(match, lookup, flow, seen)
    if (problem !== undefined) {
      blocked.set(match.source.name, problem)
    } else if (lookup.kind === 'found') {
      const from = lookup.topic.partitions.length
      const to = match.source.partitions.length
      if (from < to) growths.push({ match, from, to })
      else if (from > to) wider.push({ match, targetPartitions: from })
    } else {
      creations.push(match)
    }
  }
  return { creations, growths, blocked, wider }
}

/** Whether a target topic has all its partitions, each with a leader. */
export function isReady(topic: TopicMetadata | undefined, partitions: number): boolean {
  return (
    topic !== undefined &&
    topic.partitions.length >= partitions &&
    topic.partitions.every((partition) => partition.leader !== undefined)
  )
}

function targetProblem(
  match: TopicMatch,
  lookup: TopicLookup,
  flow: TopicPlanInput['flow'],
  seen: SeenTopics,
): TopicProblem | undefined {
  const { target } = flow
  const whole = { topic: match.source.name, partition: undefined }
  if (lookup.kind === 'failed') {
    const place = { action: 'describe', topic: match.targetName, cluster: target } as const
    return { ...whole, ...refusalOf(lookup.error, place) }
  }
  const known = seen.get(match.source.name)
  if (known === undefined || known.reported.size === 0) return undefined
  const command = resumeCommand({ flow: flow.id, topic: match.source.name, partition: undefined }, 'earliest')
  const wayOut = `copy again what the source still has: ${command} (or --from latest: only what comes); or take it out of the flow`
  if (lookup.kind === 'missing') {
    return {
      ...whole,
      reason: `its copy "${match.targetName}" was deleted on ${target} (or can no longer be seen) while it was being written`,
      wayOut,
    }
  }
  if (known.targetId !== undefined && lookup.topic.id !== undefined && known.targetId !== lookup.topic.id) {
    return {
      ...whole,
      reason: `its copy "${match.targetName}" was deleted and re-created on ${target}: records already copied are no longer there`,
      wayOut,
    }
  }
  return undefined
}
