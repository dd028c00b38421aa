import type { TopicMetadata } from '../kafka/cluster.ts'
import type { TopicPair } from './topic-pair.ts'

/** What earlier rounds saw of a selected source topic. */
export interface SeenTopic {
  readonly sourceId: string | undefined
  readonly appeared: 'at-start' | 'later'
  /** How many partitions the topic had in the first round; 0 for one that came later. */
  readonly partitionsAtStart: number
  /** It was there and is not any more. */
  readonly gone: boolean
  /** The id of the target topic once a pair was reported. */
  readonly targetId: string | undefined
  /** Partitions that were ever reported as part of a pair; empty until then. */
  readonly reported: ReadonlySet<number>
}

/** By source topic name. */
export type SeenTopics = ReadonlyMap<string, SeenTopic>

/**
 * Adds what a round sees of the source.
 * A topic that was re-created keeps the first id: only a person may decide what the copy should become.
 */
export function rememberSources(
  seen: SeenTopics,
  round: {
    /** The selected topics; others must not be passed. */
    readonly selected: readonly TopicMetadata[]
    /** Names that are there no more. */
    readonly gone: readonly string[]
    readonly isFirst: boolean
  },
): SeenTopics {
  const next = new Map(seen)
  for (const name of round.gone) {
    const known = next.get(name)
    if (known !== undefined) next.set(name, { ...known, gone: true })
  }
  for (const topic of round.selected) {
    const known = next.get(topic.name)
    if (known === undefined) next.set(topic.name, firstSight(topic, round.isFirst))
    else if (known.gone && !isOtherTopic(known, topic)) next.set(topic.name, { ...known, gone: false })
  }
  return next
}

/** A person has decided that the topic which is there now goes on in place of the one that was seen. */
export function acceptSource(seen: SeenTopics, topic: TopicMetadata): SeenTopics {
  return new Map(seen).set(topic.name, firstSight(topic, false))
}

/** As {@link acceptSource}, of the copy. */
export function acceptTarget(seen: SeenTopics, source: string): SeenTopics {
  const known = seen.get(source)
  return known === undefined ? seen : new Map(seen).set(source, { ...known, targetId: undefined })
}

/** Adds the pairs that a round reports. */
export function rememberPairs(seen: SeenTopics, pairs: readonly TopicPair[]): SeenTopics {
  const next = new Map(seen)
  for (const pair of pairs) {
    const known = next.get(pair.source.name)
    if (known === undefined) throw new Error(`pair of a topic that was never seen: ${pair.source.name}`)
    const targetId = known.targetId ?? pair.target.id
    const reported = known.reported.union(new Set(pair.partitions))
    next.set(pair.source.name, { ...known, targetId, reported })
  }
  return next
}

/** Whether a topic of this name is not the one that was seen. Without ids, having been gone is what tells. */
export function isOtherTopic(known: SeenTopic, now: TopicMetadata): boolean {
  if (known.sourceId === undefined || now.id === undefined) return known.gone
  return known.sourceId !== now.id
}

/** Names that were there until now and are not listed in this round. */
export function missedIn(listed: ReadonlySet<string>, seen: SeenTopics): readonly string[] {
  return [...seen].filter(([name, topic]) => !topic.gone && !listed.has(name)).map(([name]) => name)
}

function firstSight(topic: TopicMetadata, isFirstRound: boolean): SeenTopic {
  return {
    sourceId: topic.id,
    appeared: isFirstRound ? 'at-start' : 'later',
    partitionsAtStart: isFirstRound ? topic.partitions.length : 0,
    gone: false,
    targetId: undefined,
    reported: new Set(),
  }
}
