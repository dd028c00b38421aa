import type { TopicMetadata } from '../kafka/cluster.ts'

/** The ids of the two topics that a partition was copied between, as the flow's memory says; `undefined` on brokers without ids. */
export interface CopiedIds {
  readonly partition: number
  readonly sourceId: string | undefined
  readonly targetId: string | undefined
}

/** By source topic. */
export type CopiedTopics = ReadonlyMap<string, readonly CopiedIds[]>

/**
 * Whether the flow's memory names this very topic for each partition that it knows and that the topic has: a person has
 * decided that a topic which was re-created goes on (`causeway flow resume`).
 */
export function isDecided(
  copied: readonly CopiedIds[] | undefined,
  topic: TopicMetadata,
  side: 'sourceId' | 'targetId',
): boolean {
  const known = (copied ?? []).filter(({ partition }) => partition < topic.partitions.length)
  return topic.id !== undefined && known.length > 0 && known.every((ids) => ids[side] === topic.id)
}
