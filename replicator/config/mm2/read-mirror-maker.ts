import type { ConnectionSettings } from '../../kafka/settings.ts'
import { flowId } from '../../topology/identifiers.ts'
import type { FlowId, RegionAlias, Topology } from '../../topology/model.ts'
import type { Path, Problem } from '../../topology/problem.ts'
import { resolveTopology } from '../../topology/resolve-topology.ts'
import type { FlowSpec } from '../../topology/spec.ts'
import type { ReferenceSources } from '../references.ts'
import { type ReplicaSettings, readReplicas } from '../replicas-entry.ts'
import { checkShape } from '../shape.ts'
import { readTuning, type Tuning } from '../tuning.ts'
import type { YamlSource } from '../yaml-source.ts'
import { readClusterConnection } from './cluster-connection.ts'
import { clusterSettings } from './cluster-settings.ts'
import { readConnectors } from './connectors-file.ts'
import type { Declaration, Pair } from './declaration.ts'
import { readDedicated } from './dedicated-file.ts'
import { readFlow, selectsNothing } from './flow-spec.ts'
import { judgeKeys, type KeyNote } from './judge-keys.ts'
import { type MirrorMakerSettings, readHeartbeats, readMirrorMakerFlow } from './mirror-maker-settings.ts'
import { defaultName, type OwnEntries, ownKeysBeside, ownKeysOf } from './own-entries.ts'
import { readProperties } from './properties-source.ts'
import { booleanOf, type Findings, type Place, type PlacedProblem } from './setting.ts'
import { readSettings } from './setting-reader.ts'

/** What a file of MirrorMaker 2 comes to. */
export type MirrorMakerReading =
  | {
      readonly ok: true
      readonly topology: Topology
      /** One per region of the topology. */
      readonly connections: ReadonlyMap<RegionAlias, ConnectionSettings>
      readonly mirrorMaker: MirrorMakerSettings
      readonly tuning: Tuning
      readonly replicas: ReplicaSettings
      /** In the order of the file. */
      readonly notes: readonly KeyNote[]
      readonly warnings: readonly PlacedProblem[]
    }
  | { readonly ok: false; readonly problems: readonly PlacedProblem[] }

/** What reading needs of its surroundings. */
export interface MirrorMakerSurroundings {
  /** Relative paths begin at the configuration file's folder. */
  readonly sources: ReferenceSources
  readonly directory: string
}

/** Reads an mm2.properties. `text` must have been decoded from ISO-8859-1, as Java does it. */
export function readMirrorMakerProperties(
  text: string,
  surroundings: MirrorMakerSurroundings,
): MirrorMakerReading {
  const findings: Findings = { problems: [], warnings: [] }
  const read = readProperties(text)
  if (!read.ok) {
    const { line, column, message } = read
    return { ok: false, problems: [{ place: { line, column, path: [] }, message }] }
  }
  const settings = readSettings(read.entries, surroundings.sources, findings)
  const declaration = readDedicated(settings, findings)
  const overridden = settings.flatMap((setting, index): KeyNote[] => {
    const later = settings.slice(index + 1).find(({ key }) => key === setting.key)
    if (later === undefined) return []
    const message = `It is written again in line ${later.place.line}, and that counts, as in Java.`
    return [{ key: setting.key, place: setting.place, kind: 'not-read', message }]
  })
  return complete(declaration, ownKeysOf(settings), overridden, surroundings, findings)
}

/** Reads a list of connectors; its YAML must have been read without errors. */
export function readMirrorMakerConnectors(
  source: YamlSource,
  surroundings: MirrorMakerSurroundings,
): MirrorMakerReading {
  const findings: Findings = { problems: [], warnings: [] }
  const declaration = readConnectors(source, surroundings.sources, findings)
  return complete(declaration, ownKeysBeside(source, findings), [], surroundings, findings)
}

function complete(
  declaration: Declaration,
  own: OwnEntries,
  overridden: readonly KeyNote[],
  { sources, directory }: MirrorMakerSurroundings,
  findings: Findings,
): MirrorMakerReading {
  const { problems, warnings } = findings
  const notes = [...overridden, ...judgeKeys(declaration, findings)]
  const process = readProcess(own, sources, findings)
  for (const { copying } of declaration.pairs) booleanOf(copying?.get('enabled'), false, findings)
  const enabled = declaration.pairs.filter(({ isEnabled }) => isEnabled)
  const copying = enabled.filter((pair) => !selectsNothing(pair))
  notes.push(...generalNotes(enabled))
  if (copying.length === 0 && declaration.clusters.length > 0) {
    const hint = 'such as A->B.enabled = true, or a MirrorSourceConnector that is not disabled'
    const place = enabled[0]?.place ?? declaration.clusters[0]?.place ?? topOfFile
    problems.push({ place, message: 'no flow is enabled that copies a topic', hint })
  }
  const before = problems.length
  const flows = copying.map((pair) => ({ pair, ...readFlow(pair, findings) }))
  const areFlowsWrong = problems.length > before
  const mirrorMaker = {
    flows: new Map(
      flows.map(({ pair, groups }) => [idOf(pair), readMirrorMakerFlow(pair, groups, findings)] as const),
    ),
    heartbeats: declaration.pairs.flatMap((pair) => readHeartbeats(pair, findings) ?? []),
  }
  const connections = new Map(
    declaration.clusters.map((cluster) => {
      const context = { topologyName: process.name, sources, directory, findings }
      const settings = clusterSettings(cluster.alias, declaration, findings)
      return [cluster.alias as RegionAlias, readClusterConnection(cluster, settings, context)] as const
    }),
  )
  const topology = resolve(process, declaration, flows, areFlowsWrong, findings)
  if (problems.length > 0 || topology === undefined) return { ok: false, problems: distinct(problems) }
  return {
    ...{ ok: true, topology, connections, mirrorMaker, tuning: process.tuning, replicas: process.replicas },
    notes: notes.toSorted((a, b) => a.place.line - b.place.line),
    warnings: distinct(warnings),
  }
}

const topOfFile: Place = { line: 1, column: 1, path: [] }

function idOf({ source, target }: Pair): FlowId {
  return flowId(source as RegionAlias, target as RegionAlias)
}

interface Process {
  readonly name: string
  readonly shards: number | undefined
  readonly placeOfName: Place
  readonly tuning: Tuning
  readonly replicas: ReplicaSettings
}

function readProcess(own: OwnEntries, sources: ReferenceSources, { problems }: Findings): Process {
  const shape = checkShape(own.value)
  const file = shape.file ?? { name: defaultName, regions: {} }
  const { tuning, problems: ofTuning } = readTuning(file)
  const { replicas, problems: ofReplicas } = readReplicas(file, sources)
  const deeper = [...ofTuning, ...ofReplicas].map((problem) => ({
    ...problem,
    path: shape.original(problem.path),
  }))
  problems.push(...[...shape.problems, ...deeper].map((problem) => placed(problem, own.locate(problem.path))))
  const { name, replication } = file
  return { name, shards: replication?.shards, placeOfName: own.locate(['name']), tuning, replicas }
}

function placed({ message, hint }: Problem, place: Place): PlacedProblem {
  return { place, message, ...(hint === undefined ? {} : { hint }) }
}

function resolve(
  { name, shards, placeOfName }: Process,
  declaration: Declaration,
  flows: readonly { readonly pair: Pair; readonly spec: FlowSpec }[],
  areFlowsWrong: boolean,
  { problems, warnings }: Findings,
): Topology | undefined {
  if (flows.length === 0) return undefined
  const resolved = resolveTopology(
    {
      name,
      regions: Object.fromEntries(declaration.clusters.map(({ alias }) => [alias, {}])),
      flows: flows.map(({ spec }) => spec),
      ...(shards === undefined ? {} : { replication: { shards } }),
    },
    { aliasProblem: mirrorMakerAliasProblem },
  )
  const placeOf = (path: Path): Place => {
    const [root, key] = path
    if (root === 'name') return placeOfName
    if (root === 'regions') {
      return declaration.clusters.find(({ alias }) => alias === key)?.place ?? topOfFile
    }
    const pair = root === 'flows' && typeof key === 'number' ? flows[key]?.pair : undefined
    const said = keysOf(path).map((one) => (pair?.copying?.get(one) ?? pair?.checkpoints?.get(one))?.place)
    return said.find((place) => place !== undefined) ?? pair?.place ?? topOfFile
  }
  if (resolved.ok) {
    warnings.push(...resolved.warnings.map((problem) => placed(problem, placeOf(problem.path))))
    return resolved.topology
  }
  // What is wrong with a flow may only follow from what could not be read of it.
  const own = resolved.problems.filter(({ path }) => !areFlowsWrong || path[0] !== 'flows')
  problems.push(...own.map((problem) => placed(problem, placeOf(problem.path))))
  return undefined
}

/** The keys of MirrorMaker 2 that a part of a flow comes from. */
function keysOf(path: Path): readonly string[] {
  const part = path[2]
  if (part === 'topics' || part === 'groups') {
    return path.at(-1) === 'exclude' ? [`${part}.exclude`, part] : [part]
  }
  if (part === 'naming') return ['replication.policy.separator', 'replication.policy.class']
  if (part === 'replicationFactor') return ['replication.factor']
  if (part === 'aclSync') return ['sync.topic.acls.enabled']
  if (part === 'configSync') return ['config.properties.exclude', 'sync.topic.configs.enabled']
  return []
}

/**
 * MirrorMaker 2's aliases are parts of topic names and nothing else, so they may hold what topic names may; Causeway's
 * own are parts of host names, too.
 */
function mirrorMakerAliasProblem(text: string): string | undefined {
  return /^[a-zA-Z0-9._-]{1,100}$/.test(text)
    ? undefined
    : 'an alias that cannot be part of a topic name: use letters, digits, ".", "_" and "-", at most 100'
}

/** What differs although no key says it. */
function generalNotes(enabled: readonly Pair[]): KeyNote[] {
  const [first] = enabled
  if (first === undefined) return []
  const unsaid = unsaidKeys.filter(({ key }) => !enabled.some(({ copying }) => copying?.has(key) === true))
  return [{ key: idOf(first), message: progressNote }, ...unsaid].map((note) => ({
    ...note,
    kind: 'differs',
    place: first.place,
  }))
}

const progressNote =
  'Causeway keeps progress of its own. Where MirrorMaker 2 has copied already, run causeway migrate from-mm2 first: without it everything is copied once more.'

/** Keys whose defaults are others here. */
const unsaidKeys = [
  {
    key: 'replication.factor',
    message: "It is not said: topics are created with the target brokers' own default, not with 2.",
  },
  {
    key: 'sync.topic.acls.enabled',
    message: 'It is not said: ACLs of topics do not follow here unless it is true.',
  },
]

function distinct(found: readonly PlacedProblem[]): readonly PlacedProblem[] {
  const seen = new Set<string>()
  return found
    .filter(({ place, message }) => {
      const key = `${place.line}:${place.column} ${message}`
      return !seen.has(key) && seen.add(key)
    })
    .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
}

/** Whether a text is Java properties for MirrorMaker 2, by its file's name or by its required key. */
export function isMirrorMakerProperties(path: string, text: string): boolean {
  return /\.properties$/i.test(path) || /^[ \t]*clusters[ \t]*=/m.test(text)
}

/** Whether a YAML text is a list of connectors. */
export function isConnectorList({ value }: YamlSource): boolean {
  return typeof value === 'object' && value !== null && 'connectors' in value
}

/** A resource of Strimzi's operator, which is not one of the files that are read, and what to write instead. */
export function refusedResource(source: YamlSource): MirrorMakerReading | undefined {
  const { value } = source
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  if (kind !== 'KafkaMirrorMaker2' && kind !== 'KafkaConnector') return undefined
  const place = { ...source.locate(['kind'], 'value'), path: ['kind'] }
  const hint =
    'put the connectors into a list under "connectors", each with its "config" and the clusters\' addresses'
  return { ok: false, problems: [{ place, message: `a ${kind} of Strimzi's operator`, hint }] }
}
