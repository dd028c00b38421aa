import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { AnnounceFlowEvent } from '../flow/events.ts'
import type { MakeCompanion } from '../flow/shard-companion.ts'
import { tellShardTroubles } from '../flow/shard-troubles.ts'
import type { CommitFeed } from '../groups/commit-feed.ts'
import { back, forth } from '../groups/follow-direction.ts'
import type { FollowOptions } from '../groups/follow-group.ts'
import { MergedCommits } from '../groups/merged-commits.ts'
import { ShardGroups } from '../groups/shard-groups.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { CopyRefiner } from '../offsets/copy-refiner.ts'
import type { Flow, RegionAlias, Topology } from '../topology/model.ts'
import { copiesAmongOthers, writesAlone } from '../topology/writes-alone.ts'
import { commitFeed } from './commit-feeds.ts'
import type { FlowProvenance } from './flow-provenance.ts'
import { groupsLedger } from './groups-ledger.ts'

/** A member that comes to the target and goes within is not noticed. In milliseconds. */
const LOOK_LASTS_MS = 2_000
/** A group that was deleted on the target is followed again this soon, in milliseconds. */
const WATCH_MS = 30_000
/** Kafka's default of `offsets.retention.minutes`: seven days. */
const RETENTION_DEFAULT_MINUTES = 10_080

/** Follows a flow's groups for as long as it runs. */
export interface FlowGroups {
  readonly companion: MakeCompanion
  /** The source's commits of the flow's groups. */
  readonly commits: CommitFeed | undefined
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
  if (copiesAmongOthers(topology, flow)) {
    announce({ flow: flow.id, kind: 'groups-trouble', reason: sharedReason })
    return undefined
  }
  const cluster = clusterOf(flow.target)
  const shared = { clock, random, backoff: defaultBackoff }
  const onTrouble = tellShardTroubles(
    (reason) => announce({ flow: flow.id, kind: 'groups-trouble', reason }),
    () => announce({ flow: flow.id, kind: 'groups-recovered' }),
  )
  const directions = readsBoth(flow, topology) ? [forth, back] : [forth]
  const ways = directions.map((direction, index) => {
    const [from, to] = direction === forth ? [flow.source, flow.target] : [flow.target, flow.source]
    const feed = commitFeed(clusterOf(from), flow.groups, {
      ...shared,
      onPolling: ({ message }) => announce({ flow: flow.id, kind: 'groups-polled', reason: message }),
      onTrouble: (reason) => onTrouble(-1 - index, reason),
    })
    const target = clusterOf(to)
    const commits = new MergedCommits(target, clock)
    return {
      direction,
      target,
      commits,
      feed: feed.feed,
      async close() {
        commits.close()
        await feed.close()
      },
      followOptions: (signal: AbortSignal) => followOptions(target, signal),
    }
  })
  const ledger = groupsLedger(flow, topology, { cluster, clock })
  return {
    commits: ways.find(({ direction }) => direction === forth)?.feed,
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
        ...ledger,
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

export const sharedReason =
  'its topics keep their names and are written in several regions; where a group stands then depends on all of ' +
  'their records, and is not followed by this version'

/** Whether consumers of either region read both regions' records: the local topics, and the copies of the others. */
const readsBoth = (flow: Flow, { flows }: Topology): boolean =>
  flow.naming.kind !== 'identity' &&
  flows.some(({ source, target }) => source === flow.target && target === flow.source)

async function followOptions(target: Cluster, signal: AbortSignal): Promise<FollowOptions> {
  const name = 'offsets.retention.minutes'
  const told = Number((await target.describeBrokerConfigs([name], signal)).get(name))
  const minutes = told > 0 ? told : RETENTION_DEFAULT_MINUTES
  return { refreshMs: (minutes * 60_000) / 4, lookLastsMs: LOOK_LASTS_MS, watchMs: WATCH_MS }
}
