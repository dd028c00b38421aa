import type { BackoffPolicy } from '../../replicator/clock/backoff.ts'
import type { Clock } from '../../replicator/clock/clock.ts'
import type { Random } from '../../replicator/clock/random.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { TopicLog } from '../../replicator/kafka/topic-log.ts'
import { MapChunkIndex } from '../../replicator/offsets/map-chunk-index.ts'
import type { MapKey, MapTopicIds } from '../../replicator/offsets/map-chunks.ts'
import type { OffsetMap } from '../../replicator/offsets/offset-map.ts'
import { readChunks } from '../../replicator/offsets/read-chunks.ts'

export interface MapTopic {
  /** Where the copy is, and the map topic with it. */
  readonly cluster: Cluster
  readonly topic: string
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/**
 * The offset map of a partition as it was written last, about five seconds ago where copying goes on.
 *
 * @param ids of the topics as they are now: what was written of others is left out
 * @returns `undefined` when nothing was written of it
 * @throws KafkaError; MapFormatError when a newer Causeway wrote it; the signal's reason
 */
export async function readMap(
  { topic, ...where }: MapTopic,
  key: MapKey,
  ids: MapTopicIds,
  signal: AbortSignal,
): Promise<OffsetMap | undefined> {
  const lookup = (await where.cluster.describeTopics([topic], signal)).get(topic)
  if (lookup?.kind === 'failed') throw lookup.error
  if (lookup?.kind !== 'found') return undefined
  const log = new TopicLog({ ...where, topic })
  try {
    const maps = await Promise.all(
      lookup.topic.partitions.map(async ({ partition }) => {
        const index = new MapChunkIndex(key.flow)
        await log.read(partition, (record) => index.add(record), signal)
        return readChunks(index.of(key), ids).map
      }),
    )
    // A flow whose number of shards was changed has written of it in several partitions.
    return maps
      .filter((map) => map !== undefined)
      .sort((one, other) => Number(other.end.target - one.end.target))[0]
  } finally {
    await log.close()
  }
}
