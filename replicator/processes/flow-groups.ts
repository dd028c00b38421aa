import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { AnnounceFlowEvent } from '../flow/events.ts'
import type { CompanionScene, MakeCompanion } from '../flow/shard-companion.ts'
import { tellShardTroubles } from '../flow/shard-troubles.ts'
import { CommitFeed } from '../groups/commit-feed.ts'
import type { FollowOptions } from '../groups/follow-group.ts'
import type { RefineSpan } from '../groups/followed-groups.ts'
import { OffsetsTopicCommits } from '../groups/offsets-topic-commits.ts'
import { defaultPollLimits } from '../groups/poll-schedule.ts'
import { PolledCommits } from '../groups/polled-commits.ts'
import { ReadableCommits } from '../groups/readable-commits.ts'
import { compileGroups } from '../groups/selected-groups.ts'
import { ShardGroups } from '../groups/shard-groups.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { LogWalks } from '../logs/log-walks.ts'
import { type RefineCopyTools, refineCopy } from '../offsets/refine-copy.ts'
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
  const [source, target] = [clusterOf(flow.source), clusterOf(flow.target)]
  const ledgerTopic = internalTopics(topology).groups
  const selects = compileGroups(flow.groups)
  const shared = { clock, random, backoff: defaultBackoff }
  const walks = new LogWalks({ cluster: source, ...shared })
  const onTrouble = tellShardTroubles(
    (reason) => announce({ flow: flow.id, kind: 'groups-trouble', reason }),
    () => announce({ flow: flow.id, kind: 'groups-recovered' }),
  )
  const feed = new CommitFeed({
    ...shared,
    source: new ReadableCommits({
      offsetsTopic: new OffsetsTopicCommits({ cluster: source, walks, clock, selects }),
      polling: new PolledCommits({
        cluster: source,
        clock,
        selects,
        limits: defaultPollLimits,
        listEveryMs: LIST_EVERY_MS,
      }),
      onPolling: ({ message }) => announce({ flow: flow.id, kind: 'groups-polled', reason: message }),
    }),
    filter: async (changes) => changes,
    onTrouble: (reason) => onTrouble(-1, reason),
  })
  const { shards, replicationFactor } = flow
  const topic = {
    cluster: target,
    topic: ledgerTopic,
    clock,
    shards,
    replicationFactor,
    configs: ledgerConfigs,
  }
  const prepare = async (signal: AbortSignal): Promise<void> => {
    await prepareShardTopic(topic, signal)
  }
  return {
    companion: (scene) =>
      new ShardGroups({
        ...shared,
        flow: flow.id,
        scene,
        target,
        feed,
        ledgerTopic,
        prepare,
        refine: refineWith(scene, flow, { topology, provenance }),
        // Reading again is better than what `auto.offset.reset` may do: go to the end.
        rereadMax: 2n ** 63n,
        followOptions: (signal) => followOptions(target, signal),
        onTrouble: (reason) => onTrouble(scene.shard.index, reason),
      }),
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

/** Both logs tell what a crash left unwritten of a map. */
function refineWith(
  { walks }: CompanionScene,
  flow: Flow,
  { topology, provenance: { rule, origins, registry } }: Pick<FlowGroupsContext, 'topology' | 'provenance'>,
): RefineSpan {
  const isAlone = writesAlone(topology, flow)
  return async ({ map, topic, targetTopic, partition }, { span, around }, signal) => {
    if (map === undefined) return
    const producers = isAlone
      ? 'everybody'
      : new Set((await registry.formerly(flow.id, signal)).map(({ producerId }) => producerId))
    const tools: RefineCopyTools = {
      source: { walks: walks.source, topic, partition },
      target: { walks: walks.target, topic: targetTopic, partition },
      rule,
      origins,
      producers,
      around,
    }
    await refineCopy(map, span, tools, signal)
  }
}
