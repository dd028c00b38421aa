import type { Clock } from '../clock/clock.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { prepareShardTopic } from '../shards/shard-topic.ts'
import { internalTopics } from '../topology/internal-names.ts'
import type { Flow, Topology } from '../topology/model.ts'

/** What is read rarely and fenced with the shard: as few and large segments as maps have. */
const configs: ReadonlyMap<string, string> = new Map([
  ['cleanup.policy', 'compact'],
  ['segment.bytes', String(16 * 1024 * 1024)],
  ['segment.ms', '600000'],
  ['max.compaction.lag.ms', '3600000'],
])

/** The topic on a flow's target in which its shards write down what they commit for groups. */
export interface GroupsLedger {
  readonly ledgerTopic: string
  readonly shards: number
  /** Makes the topic if it is not there yet. @throws KafkaError */
  readonly prepare: (signal: AbortSignal) => Promise<void>
}

export function groupsLedger(
  { shards, replicationFactor }: Flow,
  topology: Pick<Topology, 'name'>,
  { cluster, clock }: { readonly cluster: Cluster; readonly clock: Clock },
): GroupsLedger {
  const topic = internalTopics(topology).groups
  return {
    ledgerTopic: topic,
    shards,
    prepare: async (signal) => {
      await prepareShardTopic({ cluster, topic, clock, shards, replicationFactor, configs }, signal)
    },
  }
}
