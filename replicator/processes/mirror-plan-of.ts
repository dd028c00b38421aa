import type { CausewayConfig } from '../config/load-config.ts'
import { heartbeatsOf, type MirrorPlan, usualPlan } from '../mirror/mirror-plan.ts'
import { mirrorMakerDefaults } from '../offsets/mm2/mirror-settings.ts'
import { heartbeatsTopic } from '../topology/heartbeats.ts'
import type { Flow } from '../topology/model.ts'

export type { MirrorPlan }

/** Which of MirrorMaker 2's topics a flow keeps; `undefined`: none. */
export function mirrorPlanOf(
  flow: Flow,
  { topology, mirrorMaker }: Pick<CausewayConfig, 'topology' | 'mirrorMaker'>,
): MirrorPlan | undefined {
  const settings = mirrorMaker?.flows.get(flow.id)
  if (mirrorMaker === undefined || settings === undefined)
    return flow.mirrorMakerTopics === true ? usualPlan(flow, topology.flows) : undefined
  const { offsetSyncs, checkpoints } = settings
  const { location: on, topic, replicationFactor, lagMax: offsetLagMax } = offsetSyncs
  const { flushIntervalMs } = mirrorMakerDefaults
  return {
    offsetSyncs: offsetSyncs.isEmitted
      ? { on, topic, replicationFactor, offsetLagMax, flushIntervalMs }
      : undefined,
    checkpoints: checkpoints.isEmitted ? checkpoints : undefined,
    heartbeats: heartbeatsOf(flow, [...mirrorMaker.flows.keys()], mirrorMaker.heartbeats),
  }
}

/** The topics of a plan, by the cluster that they are kept on. */
export function plannedTopics(
  { offsetSyncs, checkpoints, heartbeats }: MirrorPlan,
  side: 'source' | 'target',
): readonly string[] {
  return [
    ...(offsetSyncs?.on === side ? [offsetSyncs.topic] : []),
    ...(checkpoints !== undefined && side === 'target' ? [checkpoints.topic] : []),
    ...(heartbeats.some(({ on }) => on === side) ? [heartbeatsTopic] : []),
  ]
}
