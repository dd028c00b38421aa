import type { FlowId, NameSelection } from '../../topology/model.ts'
import type { NameSpec } from '../../topology/spec.ts'
import type { ConnectorSettings, Pair, StoredOffsets } from './declaration.ts'
import type { SelectedNames } from './name-lists.ts'
import { booleanOf, type Findings, integerOf, type Setting } from './setting.ts'

/** What a file of MirrorMaker 2 asks for that the topology has no place for. */
export interface MirrorMakerSettings {
  /** By flow; every flow of the topology has one. */
  readonly flows: ReadonlyMap<FlowId, MirrorMakerFlow>
  /** Heartbeats to write: one for each pair of clusters, also for pairs that copy nothing. */
  readonly heartbeats: readonly MirrorMakerHeartbeats[]
}

/** MirrorMaker 2's topics and synchronisations of one flow. */
export interface MirrorMakerFlow {
  readonly offsetSyncs: {
    readonly isEmitted: boolean
    /** Source or target of the flow. */
    readonly location: 'source' | 'target'
    /** `mm2-offset-syncs.<alias of the other side>.internal`. */
    readonly topic: string
    readonly replicationFactor: number
    /** `offset.lag.max`: a record at least whenever so many were copied. */
    readonly lagMax: number
  }
  readonly checkpoints: {
    readonly isEmitted: boolean
    readonly intervalMs: number
    /** `<source>.checkpoints.internal`, on the target. */
    readonly topic: string
    readonly replicationFactor: number
    readonly groups: readonly NameSelection[]
  }
  /** `sync.group.offsets.enabled`; the flow's own `groups` are those of {@link checkpoints} then, and none otherwise. */
  readonly syncsGroups: boolean
  readonly storedOffsets: StoredOffsets
}

/** Records that the pair's heartbeat connector writes on its target. */
export interface MirrorMakerHeartbeats {
  readonly source: string
  readonly target: string
  readonly topic: 'heartbeats'
  readonly intervalMs: number
  readonly replicationFactor: number
}

const factorLimits = { min: 1, max: 32_767 }
const secondsLimits = { min: 0, max: 2_147_483 }

/** Reads what {@link MirrorMakerSettings} holds of a flow. */
export function readMirrorMakerFlow(pair: Pair, groups: SelectedNames, findings: Findings): MirrorMakerFlow {
  const copying: ConnectorSettings = pair.copying ?? new Map()
  // Without a checkpoint connector there are no checkpoints, whatever its defaults are.
  const checkpoints = pair.checkpoints
  const separator = internalSeparator(copying, findings)
  const location = locationOf(copying.get('offset-syncs.topic.location'), findings)
  const other = location === 'source' ? pair.target : pair.source
  return {
    offsetSyncs: {
      isEmitted: booleanOf(copying.get('emit.offset-syncs.enabled'), true, findings),
      location,
      topic: ['mm2-offset-syncs', other, 'internal'].join(separator),
      replicationFactor: integerOf(
        copying.get('offset-syncs.topic.replication.factor'),
        3,
        findings,
        factorLimits,
      ),
      lagMax: integerOf(copying.get('offset.lag.max'), 100, findings, {
        min: 0,
        max: Number.MAX_SAFE_INTEGER,
      }),
    },
    checkpoints: {
      isEmitted:
        checkpoints !== undefined && booleanOf(checkpoints.get('emit.checkpoints.enabled'), true, findings),
      intervalMs:
        1_000 * integerOf(checkpoints?.get('emit.checkpoints.interval.seconds'), 60, findings, secondsLimits),
      topic: [pair.source, 'checkpoints', 'internal'].join(separator),
      replicationFactor: integerOf(
        checkpoints?.get('checkpoints.topic.replication.factor'),
        3,
        findings,
        factorLimits,
      ),
      groups: checkpoints !== undefined && groups.ok ? groups.selections.flatMap(nameSelection) : [],
    },
    syncsGroups: booleanOf(checkpoints?.get('sync.group.offsets.enabled'), false, findings),
    storedOffsets: pair.storedOffsets,
  }
}

function nameSelection({ name, match, exclude }: NameSpec): readonly NameSelection[] {
  if (name !== undefined) return [{ kind: 'name', name }]
  if (match === undefined) return []
  return [{ kind: 'match', match, ...(exclude === undefined ? {} : { exclude }) }]
}

/** KIP-949: the separator is in the names of internal topics, unless that is switched off beside it. */
function internalSeparator(settings: ConnectorSettings, findings: Findings): string {
  const separator = settings.get('replication.policy.separator')
  const isUsed = booleanOf(
    settings.get('replication.policy.internal.topic.separator.enabled'),
    true,
    findings,
  )
  return separator === undefined || separator.isBroken || !isUsed ? '.' : separator.value
}

function locationOf(setting: Setting | undefined, { problems }: Findings): 'source' | 'target' {
  const text = setting?.value.trim() ?? 'source'
  if (text === 'source' || text === 'target' || setting?.isBroken === true) {
    return text === 'target' ? 'target' : 'source'
  }
  if (setting !== undefined) problems.push({ place: setting.place, message: 'expected source or target' })
  return 'source'
}

/** Reads the heartbeats of a pair; `undefined` when there are none. */
export function readHeartbeats(pair: Pair, findings: Findings): MirrorMakerHeartbeats | undefined {
  const { heartbeats, source, target } = pair
  if (heartbeats === undefined) return undefined
  const isEmitted = booleanOf(heartbeats.get('emit.heartbeats.enabled'), true, findings)
  const seconds = integerOf(heartbeats.get('emit.heartbeats.interval.seconds'), 1, findings, secondsLimits)
  const replicationFactor = integerOf(
    heartbeats.get('heartbeats.topic.replication.factor'),
    3,
    findings,
    factorLimits,
  )
  if (!isEmitted) return undefined
  return { source, target, topic: 'heartbeats', intervalMs: seconds * 1_000, replicationFactor }
}
