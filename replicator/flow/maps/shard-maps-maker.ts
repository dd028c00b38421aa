import type { LogWalks } from '../../logs/log-walks.ts'
import type { Shard } from '../../shards/shard.ts'
import { prepareShardTopic } from '../../shards/shard-topic.ts'
import type { FlowOptions } from '../flow-options.ts'
import { tellShardTroubles } from '../shard-troubles.ts'
import { ShardMaps } from './shard-maps.ts'

/** Runs of one process and flow, 33 bytes each: with what is around them they stay below 64 MiB. */
const RUNS_MAX = 1_000_000

/** Maps are read whole, but nothing waits for that: fewer and larger segments than progress has. */
const mapConfigs: ReadonlyMap<string, string> = new Map([
  ['cleanup.policy', 'compact'],
  ['segment.bytes', String(16 * 1024 * 1024)],
  ['segment.ms', '600000'],
  ['max.compaction.lag.ms', '3600000'],
])

/** Makes the maps of a flow's shards; of none where the flow has no map topic. */
export function shardMapsMaker(
  options: FlowOptions,
  walks: LogWalks,
): (shard: Shard) => ShardMaps | undefined {
  const { mapTopic, flow, target, clock, random, backoff, limits, announce } = options
  if (mapTopic === undefined) return () => undefined
  const { shards, replicationFactor } = flow
  const topic = { cluster: target, topic: mapTopic, clock, shards, replicationFactor, configs: mapConfigs }
  const onTrouble = tellShardTroubles(
    (reason) => announce({ flow: flow.id, kind: 'maps-trouble', reason }),
    () => announce({ flow: flow.id, kind: 'maps-recovered' }),
  )
  return (shard) =>
    new ShardMaps({
      flow: flow.id,
      shard,
      target,
      mapTopic,
      prepare: async (signal) => {
        await prepareShardTopic(topic, signal)
      },
      walks,
      clock,
      random,
      backoff,
      intervalMs: limits.mapIntervalMs,
      runsMax: Math.ceil(RUNS_MAX / shards),
      onTrouble: (reason) => onTrouble(shard.index, reason),
    })
}
