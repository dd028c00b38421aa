import type { Cluster } from '../../kafka/cluster.ts'

/**
 * Asks which of these topics are other ones by now, by their ids. A topic that is missing counts as re-created when
 * nobody can tell otherwise: as nothing; whoever finds it again sees its id.
 * @throws KafkaError when the cluster does not answer
 */
export async function recreatedTopics(
  cluster: Cluster,
  asked: readonly { readonly topic: string }[],
  signal: AbortSignal,
): Promise<(topic: string, knownId: string | undefined) => boolean> {
  const names = [...new Set(asked.map(({ topic }) => topic))]
  const lookups = await cluster.describeTopics(names, signal)
  return (topic, knownId) => {
    const lookup = lookups.get(topic)
    if (lookup?.kind !== 'found' || lookup.topic.id === undefined || knownId === undefined) return false
    return lookup.topic.id !== knownId
  }
}
