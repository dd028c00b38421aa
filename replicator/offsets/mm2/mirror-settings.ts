import {
  checkpointsTopic,
  heartbeatsTopic,
  offsetSyncsTopic,
  type ReplicationPolicy,
  replicationPolicy,
} from './replication-policy.ts'
import { offsetLagMaxDefault } from './sync-spacing.ts'

/** Which of MirrorMaker 2's topics a flow keeps, and how. */
export interface MirrorSettings {
  readonly policy: ReplicationPolicy
  readonly offsetSyncs: {
    readonly enabled: boolean
    /** `offset-syncs.topic.location` (KIP-716). */
    readonly location: 'source' | 'target'
    readonly replicationFactor: number | 'broker-default'
    /** Records: see `syncsOfRun`. */
    readonly offsetLagMax: number
    /** After which what was held back is written. */
    readonly flushIntervalMs: number
  }
  readonly checkpoints: {
    readonly enabled: boolean
    readonly intervalMs: number
    readonly replicationFactor: number | 'broker-default'
  }
  readonly heartbeats: {
    readonly enabled: boolean
    readonly intervalMs: number
    readonly replicationFactor: number | 'broker-default'
  }
}

/** MirrorMaker 2's own defaults. */
export const mirrorMakerDefaults: MirrorSettings = {
  policy: replicationPolicy(),
  offsetSyncs: {
    enabled: true,
    location: 'source',
    replicationFactor: 3,
    offsetLagMax: offsetLagMaxDefault,
    flushIntervalMs: 60_000,
  },
  checkpoints: { enabled: true, intervalMs: 60_000, replicationFactor: 3 },
  heartbeats: { enabled: true, intervalMs: 1000, replicationFactor: 3 },
}

/** One of the topics that a flow keeps: its name, and on which of the flow's clusters. */
export interface MirrorTopicPlan {
  readonly kind: 'offset-syncs' | 'checkpoints' | 'heartbeats'
  readonly on: 'source' | 'target'
  readonly name: string
  readonly replicationFactor: number | 'broker-default'
}

/** The topics of a flow, those left out that its settings switch off. */
export function mirrorTopicPlans(
  { policy, offsetSyncs, checkpoints, heartbeats }: MirrorSettings,
  flow: { readonly source: string; readonly target: string },
): readonly MirrorTopicPlan[] {
  const plans: MirrorTopicPlan[] = []
  if (offsetSyncs.enabled) {
    const { location: on, replicationFactor } = offsetSyncs
    const name = offsetSyncsTopic(policy, on === 'source' ? flow.target : flow.source)
    plans.push({ kind: 'offset-syncs', on, name, replicationFactor })
  }
  if (checkpoints.enabled) {
    const { replicationFactor } = checkpoints
    const name = checkpointsTopic(policy, flow.source)
    plans.push({ kind: 'checkpoints', on: 'target', name, replicationFactor })
  }
  if (heartbeats.enabled) {
    const { replicationFactor } = heartbeats
    plans.push({ kind: 'heartbeats', on: 'target', name: heartbeatsTopic, replicationFactor })
  }
  return plans
}
