import type { TopicMetadata } from '../kafka/cluster.ts'
import type { Flow } from '../topology/model.ts'
import type { TopicMatch } from './match-topics.ts'
import type { Refusal } from './refusals.ts'
import type { SeenTopic, SeenTopics } from './seen-topics.ts'
import type { TopicPair, TopicProblem } from './topic-pair.ts'

export interface PairingInput {
  readonly flow: Pick<Flow, 'target'>
  readonly matches: readonly TopicMatch[]
  /** The target's topics as they are after creating and growing, by name. */
  readonly targets: ReadonlyMap<string, TopicMetadata>
  /** Matches that must not be paired, by source topic. */
  readonly blocked: ReadonlyMap<string, TopicProblem>
  /** Why target topics could not be created or grown, by target topic. */
  readonly refusals: ReadonlyMap<string, Refusal>
  /** This round's sources included. */
  readonly seen: SeenTopics
}

export interface Pairing {
  readonly pairs: readonly TopicPair[]
  readonly problems: readonly TopicProblem[]
}

/**
 * Pairs each match with its target topic. Every selected partition ends either in its pair or as a problem; a
 * target's refusal stops only what it is about.
 */
export function pairTopics(input: PairingInput): Pairing {
  const pairs: TopicPair[] = []
  const problems: TopicProblem[] = []
  for (const match of input.matches) {
    const blocked = input.blocked.get(match.source.name)
    if (blocked !== undefined) {
      problems.push(blocked)
      continue
    }
    const target = input.targets.get(match.targetName)
    const refusal = input.refusals.get(match.targetName)
    if (target === undefined) {
      problems.push(absence(match, refusal, input.flow.target))
      continue
    }
    const known = input.seen.get(match.source.name)
    if (known === undefined) throw new Error(`match of a topic that was never seen: ${match.source.name}`)
    const usable: number[] = []
    for (const partition of match.partitions) {
      const problem = partitionProblem(partition, match, target, refusal, known, input.flow.target)
      if (problem === undefined) usable.push(partition)
      else problems.push(problem)
    }
    if (usable.length > 0) pairs.push(pairOf(match, target, usable, known))
  }
  return { pairs, problems }
}

function pairOf(
  match: TopicMatch,
  target: TopicMetadata,
  partitions: readonly number[],
  known: SeenTopic,
): TopicPair {
  const pausedPartitions = match.pausedPartitions.filter((partition) => partitions.includes(partition))
  return {
    source: match.source,
    target,
    partitions,
    paused: pausedPartitions.length === partitions.length,
    pausedPartitions,
    appeared: known.appeared,
    laterPartitions: partitions.filter((partition) => partition >= known.partitionsAtStart),
  }
}

/** A partition that was reported once stays: its leader's absence is then the forwarder's to wait for. */
function partitionProblem(
  partition: number,
  match: TopicMatch,
  target: TopicMetadata,
  refusal: Refusal | undefined,
  known: SeenTopic,
  cluster: Flow['target'],
): TopicProblem | undefined {
  const place = { topic: match.source.name, partition }
  const metadata = target.partitions[partition]
  if (metadata === undefined) {
    const wayOut = `add partitions to "${match.targetName}" on ${cluster} until it has ${match.source.partitions.length}; replication of them then starts by itself`
    const counts = `"${match.targetName}" on ${cluster} has ${target.partitions.length} partitions, the source has ${match.source.partitions.length}`
    if (refusal === undefined)
      return { ...place, reason: `${counts}; ${cluster} has not grown it yet`, wayOut }
    return { ...place, reason: `${counts}; ${refusal.reason}`, wayOut: `${refusal.wayOut}; or ${wayOut}` }
  }
  if (metadata.leader === undefined && !known.reported.has(partition)) {
    return {
      ...place,
      reason: `partition ${partition} of "${match.targetName}" on ${cluster} has no leader yet`,
      wayOut: `see that the brokers of ${cluster} that hold it are up; it is tried again in every round`,
    }
  }
  return undefined
}

function absence(match: TopicMatch, refusal: Refusal | undefined, cluster: Flow['target']): TopicProblem {
  const place = { topic: match.source.name, partition: undefined }
  if (refusal !== undefined) return { ...place, ...refusal }
  return {
    ...place,
    reason: `"${match.targetName}" was created on ${cluster} but is not visible there yet`,
    wayOut: `it is looked for again in every round; if this stays, grant the principal DESCRIBE on it`,
  }
}
