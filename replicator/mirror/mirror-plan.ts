import { mirrorMakerDefaults } from '../offsets/mm2/mirror-settings.ts'
import {
  checkpointsTopic,
  offsetSyncsTopic,
  type ReplicationPolicy,
  replicationPolicy,
} from '../offsets/mm2/replication-policy.ts'
import { flowId } from '../topology/identifiers.ts'
import type { Flow, FlowId, NameSelection, Naming } from '../topology/model.ts'

type ReplicationFactor = number | 'broker-default'

/** Which of MirrorMaker 2's topics a flow keeps, and how. */
export interface MirrorPlan {
  readonly offsetSyncs:
    | {
        readonly on: 'source' | 'target'
        readonly topic: string
        readonly replicationFactor: ReplicationFactor
        /** Records: see `syncsOfRun`. */
        readonly offsetLagMax: number
        /** After which what was held back is written, in milliseconds. */
        readonly flushIntervalMs: number
      }
    | undefined
  /** On the target. */
  readonly checkpoints:
    | {
        readonly topic: string
        readonly replicationFactor: ReplicationFactor
        readonly groups: readonly NameSelection[]
      }
    | undefined
  readonly heartbeats: readonly PlannedHeartbeats[]
}

/** Heartbeats of a pair of clusters, as MirrorHeartbeatConnector writes them: on the pair's target. */
export interface PairHeartbeats {
  readonly source: string
  readonly target: string
  readonly intervalMs: number
  readonly replicationFactor: ReplicationFactor
}

export interface PlannedHeartbeats extends PairHeartbeats {
  /** Which of the flow's clusters the pair's target is. */
  readonly on: 'source' | 'target'
}

/** MirrorMaker 2's own ways, but for the number of replicas: the flow's, or what the brokers know best. */
export function usualPlan(
  flow: Pick<Flow, 'source' | 'target' | 'naming' | 'groups' | 'replicationFactor'>,
  flows: readonly Pick<Flow, 'id' | 'mirrorMakerTopics'>[],
): MirrorPlan {
  const { source, target, naming, groups, replicationFactor } = flow
  const policy = policyOf(naming)
  const { offsetLagMax, flushIntervalMs, heartbeatIntervalMs: intervalMs } = mirrorMakerDefaults
  const beats = { intervalMs, replicationFactor }
  const others = flows.filter(({ mirrorMakerTopics }) => mirrorMakerTopics === true).map(({ id }) => id)
  return {
    offsetSyncs: {
      on: 'source',
      topic: offsetSyncsTopic(policy, target),
      replicationFactor,
      offsetLagMax,
      flushIntervalMs,
    },
    checkpoints: { topic: checkpointsTopic(policy, source), replicationFactor, groups },
    heartbeats: heartbeatsOf(flow, others, [
      { source, target, ...beats },
      { source: target, target: source, ...beats },
    ]),
  }
}

/**
 * The heartbeats that a flow writes: its own pair's, and those of the pair that leads back, without which its source
 * would have none to copy. Where a flow leads back it writes the latter itself.
 * @param writing flows that write their pair's heartbeats
 */
export function heartbeatsOf(
  { source, target }: Pick<Flow, 'source' | 'target'>,
  writing: readonly FlowId[],
  pairs: readonly PairHeartbeats[],
): readonly PlannedHeartbeats[] {
  return pairs.flatMap((pair): PlannedHeartbeats[] => {
    if (pair.source === source && pair.target === target) return [{ ...pair, on: 'target' }]
    const leadsBack = pair.source === target && pair.target === source
    return leadsBack && !writing.includes(flowId(target, source)) ? [{ ...pair, on: 'source' }] : []
  })
}

/** How Java's MirrorClient has to be configured for a flow's names: templates have no policy of MirrorMaker 2's. */
function policyOf(naming: Naming): ReplicationPolicy {
  if (naming.kind === 'prefixed') return replicationPolicy({ separator: naming.separator })
  return replicationPolicy(naming.kind === 'identity' ? { kind: 'identity' } : {})
}
