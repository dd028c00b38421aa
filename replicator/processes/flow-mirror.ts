import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { AnnounceFlowEvent } from '../flow/events.ts'
import type { CompanionScene, MakeCompanion } from '../flow/shard-companion.ts'
import { tellShardTroubles } from '../flow/shard-troubles.ts'
import type { CommitFeed } from '../groups/commit-feed.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { FlowMirror } from '../mirror/flow-mirror.ts'
import type { MirrorPlan } from '../mirror/mirror-plan.ts'
import { CopyRefiner } from '../offsets/copy-refiner.ts'
import type { Flow, RegionAlias } from '../topology/model.ts'
import { copiesAmongOthers, writesAlone } from '../topology/writes-alone.ts'
import { commitFeed, type OpenFeed } from './commit-feeds.ts'
import { sharedReason } from './flow-groups.ts'
import type { FlowProvenance } from './flow-provenance.ts'
import { mirrorPlanOf } from './mirror-plan-of.ts'

/** As where groups are followed: reading again is better than what `auto.offset.reset` may do, go to the end. */
const REREAD_MAX = 2n ** 63n

export interface FlowMirrorContext {
  readonly config: Pick<CausewayConfig, 'topology' | 'mirrorMaker'>
  readonly clock: Clock
  readonly random: Random
  readonly announce: AnnounceFlowEvent
  readonly provenance: FlowProvenance
  /** The source's commits of the flow's own groups, where those are followed. */
  readonly commits: CommitFeed | undefined
}

/** Keeps MirrorMaker 2's topics for as long as a flow runs. */
export interface MirroredFlow {
  readonly companion: MakeCompanion
  close(): Promise<void>
}

/** `undefined` for a flow that keeps none of them; nothing is asked of the clusters yet. */
export function flowMirror(
  flow: Flow,
  context: FlowMirrorContext,
  clusterOf: (alias: RegionAlias) => Cluster,
): MirroredFlow | undefined {
  const { config, clock, random, announce } = context
  const plan = mirrorPlanOf(flow, config)
  if (plan === undefined) return undefined
  const hasNoPlaces = (plan.checkpoints?.groups.length ?? 0) > 0 && copiesAmongOthers(config.topology, flow)
  if (hasNoPlaces) announce({ flow: flow.id, kind: 'mirror-topics-trouble', reason: sharedReason })
  const onTrouble = tellShardTroubles(
    (reason) => announce({ flow: flow.id, kind: 'mirror-topics-trouble', reason }),
    () => announce({ flow: flow.id, kind: 'mirror-topics-recovered' }),
  )
  const shared = { clock, random, backoff: defaultBackoff }
  const [source, target] = [clusterOf(flow.source), clusterOf(flow.target)]
  const own = ownFeed(hasNoPlaces ? undefined : plan.checkpoints, source, context, {
    ...shared,
    onPolling: ({ message }) => announce({ flow: flow.id, kind: 'groups-polled', reason: message }),
    onTrouble: (reason) => onTrouble(-1, reason),
  })
  const mirror = new FlowMirror({
    ...{ plan, source, target, ...shared, onTrouble },
    feed: context.commits ?? own?.feed ?? noCommits,
    // Where the groups are followed, that refines for both.
    refine: own === undefined ? undefined : (scene) => refining(scene, flow, context),
    rereadMax: REREAD_MAX,
  })
  return {
    companion: mirror.companion,
    async close() {
      await Promise.all([mirror.close(), own?.close()])
    },
  }
}

/** MirrorMaker 2 writes checkpoints of groups that it does not move, too. */
function ownFeed(
  checkpoints: MirrorPlan['checkpoints'],
  source: Cluster,
  { commits }: FlowMirrorContext,
  options: Parameters<typeof commitFeed>[2],
): OpenFeed | undefined {
  if (commits !== undefined || checkpoints === undefined || checkpoints.groups.length === 0) return undefined
  return commitFeed(source, checkpoints.groups, options)
}

/** Where no groups are selected, or none can be placed, the checkpoints topic is there, and empty. */
const noCommits: Pick<CommitFeed, 'follow' | 'of' | 'failed'> = {
  follow: () => ({ stop() {} }),
  of: () => [],
  failed: new Promise<never>(() => {}),
}

function refining(
  { walks }: CompanionScene,
  flow: Flow,
  { config: { topology }, provenance }: FlowMirrorContext,
): CopyRefiner['refine'] {
  const refiner = new CopyRefiner({
    ...provenance,
    ...{ flow: flow.id, walks, writesAlone: writesAlone(topology, flow) },
  })
  return refiner.refine.bind(refiner)
}
