import type { CausewayConfig } from '../config/load-config.ts'
import type { FlowOptions } from '../flow/flow-options.ts'
import { type AdoptedCommit, adoptGroups } from '../groups/adopt-groups.ts'
import { compileGroups } from '../groups/selected-groups.ts'
import { LogWalks } from '../logs/log-walks.ts'
import { type MigrationRequest, type TakenFrom, takeFromMirrorMaker } from '../migrate/from-mirror-maker.ts'
import type { MirrorMaker } from '../migrate/mirror-maker.ts'
import { type HandedOver, type HandOverRequest, handOverToMirrorMaker } from '../migrate/to-mirror-maker.ts'
import { flowGroupId } from '../topology/internal-names.ts'
import type { Flow } from '../topology/model.ts'
import { type CommandFlowOptions, withFlow } from './command-flow.ts'
import { groupsLedger } from './groups-ledger.ts'

export type { AdoptedCommit } from '../groups/adopt-groups.ts'

/** What a configuration does not say of MirrorMaker 2, or says otherwise. */
export interface MirrorMakerNames {
  /** Its alias of the source. */
  readonly alias?: string | undefined
  readonly connector?: string | undefined
  readonly offsetsTopic?: string | undefined
  readonly connectGroup?: string | undefined
}

/**
 * The MirrorMaker 2 of a flow: as its own file says, otherwise with the names that its dedicated mode gives.
 * @returns `undefined` when nobody says where Connect keeps source offsets
 */
export function mirrorMakerOf(
  { mirrorMaker }: Pick<CausewayConfig, 'mirrorMaker'>,
  flow: Flow,
  { alias, connector, offsetsTopic, connectGroup }: MirrorMakerNames,
): MirrorMaker | undefined {
  const source = alias ?? flow.source
  const declared = mirrorMaker?.flows.get(flow.id)?.storedOffsets
  // Of connectors in a list the workers' own settings are not known.
  const isDedicated = declared === undefined || declared.topic !== undefined
  const topic =
    offsetsTopic ?? declared?.topic ?? (isDedicated ? `mm2-offsets.${source}.internal` : undefined)
  if (topic === undefined) return undefined
  const heartbeats = mirrorMaker?.heartbeats.find(
    (pair) => pair.source === flow.source && pair.target === flow.target,
  )
  return {
    source,
    connector: connector ?? declared?.connector ?? 'MirrorSourceConnector',
    offsetsTopic: topic,
    connectGroup: connectGroup ?? (isDedicated ? `${source}-mm2` : undefined),
    heartbeats: { topic: heartbeats?.topic ?? 'heartbeats', intervalMs: heartbeats?.intervalMs ?? 1000 },
  }
}

/** Takes a flow over from MirrorMaker 2. @throws MigrationRefusedError, KafkaError */
export async function migrateFrom(
  options: CommandFlowOptions,
  request: Omit<MigrationRequest, 'replicas'>,
  signal: AbortSignal,
): Promise<readonly TakenFrom[]> {
  const replicas = flowGroupId(options.config.topology, options.flow)
  return await withLogs(options, (flow, walks) =>
    takeFromMirrorMaker(flow, walks, { ...request, replicas }, signal),
  )
}

/**
 * Takes the commits that MirrorMaker 2 made for groups on the target for the flow's own, so that they are followed on.
 * @throws KafkaError
 */
export async function adoptGroupsOf(
  options: CommandFlowOptions,
  taken: readonly TakenFrom[],
  isDryRun: boolean,
  signal: AbortSignal,
): Promise<readonly AdoptedCommit[]> {
  const { config, flow, clock, random } = options
  const places = taken.filter(({ kind }) => kind === 'taken' || kind === 'ours')
  if (flow.groups.length === 0 || places.length === 0) return []
  return await withFlow(options, ({ target: cluster, backoff }) =>
    adoptGroups(
      {
        ...groupsLedger(flow, config.topology, { cluster, clock }),
        flow: flow.id,
        target: cluster,
        selects: compileGroups(flow.groups),
        places,
        isDryRun,
        clock,
        random,
        backoff,
      },
      signal,
    ),
  )
}

/** Gives a flow back to MirrorMaker 2. @throws MigrationRefusedError, KafkaError */
export async function migrateTo(
  options: CommandFlowOptions,
  request: Omit<HandOverRequest, 'replicas'>,
  signal: AbortSignal,
): Promise<readonly HandedOver[]> {
  const replicas = flowGroupId(options.config.topology, options.flow)
  return await withLogs(options, (flow, walks) =>
    handOverToMirrorMaker(flow, walks, { ...request, replicas }, signal),
  )
}

async function withLogs<T>(
  options: CommandFlowOptions,
  work: (flow: FlowOptions, walks: { readonly source: LogWalks; readonly target: LogWalks }) => Promise<T>,
): Promise<T> {
  return await withFlow(options, async (flow) => {
    const { clock, random, backoff } = flow
    const source = new LogWalks({ cluster: flow.source, clock, random, backoff })
    const target = new LogWalks({ cluster: flow.target, clock, random, backoff })
    try {
      return await work(flow, { source, target })
    } finally {
      await Promise.all([source.close(), target.close()])
    }
  })
}
