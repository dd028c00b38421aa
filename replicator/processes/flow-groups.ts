import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { AnnounceFlowEvent } from '../flow/events.ts'
import type { MakeCompanion } from '../flow/shard-companion.ts'
import { tellShardTroubles } from '../flow/shard-troubles.ts'
import { CommitFeed, type CommitFeedOptions } from '../groups/commit-feed.ts'
import { back, forth } from '../groups/follow-direction.ts'
import type { FollowOptions } from '../groups/follow-group.ts'
import { OffsetsTopicCommits } from '../groups/offsets-topic-commits.ts'
import { defaultPollLimits } from '../groups/poll-schedule.ts'
import { PolledCommits } from '../groups/polled-commits.ts'
import { ReadableCommits, type ReadableCommitsOptions } from '../groups/readable-commits.ts'
import { compileGroups } from '../groups/selected-groups.ts'
import { ShardGroups } from '../groups/shard-groups.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { LogWalks } from '../logs/log-walks.ts'
import { CopyRefiner } from '../offsets/copy-refiner.ts'
import { prepareShardTopic } from '../shards/shard-topic.ts'
import { internalTopics } from '../topology/internal-names.ts'
import type { Flow, RegionAlias, Topology } from '../topology/model.ts'
import { writesAlone } from '../topology/writes-alone.ts'
import type { FlowProvenance } from './flow-provenance.ts'

/** Who is new is found this soon, where groups are polled, in milliseconds. */
const LIST_EVERY_MS = 5_000
/** A member that comes to the target and goes within is not noticed. In milliseconds. */
const LOOK_LASTS_MS = 2_000
/** A group that was deleted on the target is followed again this soon, in milliseconds. */
const WATCH_MS = 30_000
/** Kafka's default of `offsets.retention.minutes`: seven days. */
const RETENTION_DEFAULT_MINUTES = 10_080

/** What is read rarely and fenced with the shard: as few and large segments as maps have. */
const ledgerConfigs: ReadonlyMap<string, string> = new Map([
  ['cleanup.policy', 'compact'],
  ['segment.bytes', String(16 * 1024 * 1024)],
  ['segment.ms', '600000'],
  ['max.compaction.lag.ms', '3600000'],
])

/** Follows a flow's groups for as long as it runs. */
export interface FlowGroups {
  readonly companion: MakeCompanion
  close(): Promise<void>
}

export interface FlowGroupsContext {
  readonly topology: Topology
  readonly clock: Clock
  readonly random: Random
  readonly announce: AnnounceFlowEvent
  readonly provenance: FlowProvenance
}

/** `undefined` for a flow that follows none; nothing is asked of the clusters yet. */
export function flowGroups(
  flow: Flow,
  { topology, clock, random, announce, provenance }: FlowGroupsContext,
  clusterOf: (alias: RegionAlias) => Cluster,
): FlowGroups | undefined {
  if (flow.groups.length === 0) return undefined
  const cluster = clusterOf(flow.target)
  const shared = { clock, random, backoff: defaultBackoff }
  const onTrouble = tellShardTroubles(
    (reason) => announce({ flow: flow.id, kind: 'groups-trouble', reason }),
    () => announce({ flow: flow.id, kind: 'groups-recovered' }),
  )
  const directions = readsBoth(flow, topology) ? [forth, back] : [forth]
  const ways = directions.map((direction, index) => {
    const [from, to] = direction === forth ? [flow.source, flow.target] : [flow.target, flow.source]
    const feed = commitFeed(clusterOf(from), flow, {
      ...shared,
      onPolling: ({ message }) => announce({ flow: flow.id, kind: 'groups-polled', reason: message }),
      onTrouble: (reason) => onTrouble(-1 - index, reason),
    })
    const target = clusterOf(to)
    return {
      direction,
      target,
      feed: feed.feed,
      close: feed.close,
      followOptions: (signal: AbortSignal) => followOptions(target, signal),
    }
  })
  const { shards, replicationFactor } = flow
  const topic = internalTopics(topology).groups
  const prepared = { cluster, topic, clock, shards, replicationFactor, configs: ledgerConfigs }
  return {
    companion: (scene) => {
      const isAlone = writesAlone(topology, flow)
      const refiner = new CopyRefiner({
        flow: flow.id,
        walks: scene.walks,
        ...provenance,
        writesAlone: isAlone,
      })
      return new ShardGroups({
        ...shared,
        flow: flow.id,
        scene,
        ways,
        cluster,
        ledgerTopic: topic,
        prepare: async (signal) => {
          await prepareShardTopic(prepared, signal)
        },
        refine: (copy, span, signal, around) => refiner.refine(copy, span, signal, around),
        // Reading again is better than what `auto.offset.reset` may do: go to the end.
        rereadMax: 2n ** 63n,
        onTrouble: (reason) => onTrouble(scene.shard.index, reason),
      })
    },
    async close() {
      await Promise.all(ways.map(({ close }) => close()))
    },
  }
}

/** Whether consumers of either region read both regions' records: the local topics, and the copies of the others. */
const readsBoth = (flow: Flow, { flows }: Topology): boolean =>
  flow.naming.kind !== 'identity' &&
  flows.some(({ source, target }) => source === flow.target && target === flow.source)

function commitFeed(
  cluster: Cluster,
  flow: Flow,
  { onPolling, ...shared }: Omit<CommitFeedOptions, 'source'> & Pick<ReadableCommitsOptions, 'onPolling'>,
) {
  const { clock } = shared
  const selects = compileGroups(flow.groups)
  const walks = new LogWalks({ cluster, ...shared })
  const limits = defaultPollLimits
  const offsetsTopic = new OffsetsTopicCommits({ cluster, walks, clock, selects })
  const polling = new PolledCommits({ cluster, clock, selects, limits, listEveryMs: LIST_EVERY_MS })
  const feed = new CommitFeed({
    ...shared,
    source: new ReadableCommits({ offsetsTopic, polling, onPolling }),
  })
  return {
    feed,
    async close() {
      await feed.close()
      await walks.close()
    },
  }
}

async function followOptions(target: Cluster, signal: AbortSignal): Promise<FollowOptions> {
  const name = 'offsets.retention.minutes'
  const told = Number((await target.describeBrokerConfigs([name], signal)).get(name))
  const minutes = told > 0 ? told : RETENTION_DEFAULT_MINUTES
  return { refreshMs: (minutes * 60_000) / 4, lookLastsMs: LOOK_LASTS_MS, watchMs: WATCH_MS }
}
