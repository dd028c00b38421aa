import { dirname, resolve } from 'node:path'
import type { ConnectionSettings } from '../kafka/settings.ts'
import { deepFreeze } from '../topology/deep-freeze.ts'
import type { RegionAlias, Topology } from '../topology/model.ts'
import { nearestName } from '../topology/nearest-name.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { resolveTopology } from '../topology/resolve-topology.ts'
import type { ConfigNote, ConfigProblem } from './config-problem.ts'
import { readConnections } from './connections.ts'
import { frozenMap } from './frozen-map.ts'
import type { MirrorMakerSettings } from './mm2/mirror-maker-settings.ts'
import {
  isConnectorList,
  isMirrorMakerProperties,
  type MirrorMakerReading,
  readMirrorMakerConnectors,
  readMirrorMakerProperties,
  refusedResource,
} from './mm2/read-mirror-maker.ts'
import type { PlacedProblem } from './mm2/setting.ts'
import { type ReferenceSources, readTextFile } from './references.ts'
import { type ReplicaSettings, readReplicas } from './replicas-entry.ts'
import { checkShape, type Shape, type ShapeProblem } from './shape.ts'
import { readTuning, type Tuning } from './tuning.ts'
import { readYaml, type YamlSource } from './yaml-source.ts'

/** A checked configuration, deeply frozen: what is declared, how to reach it, and how to run it. */
export interface CausewayConfig extends Tuning {
  readonly topology: Topology
  /** One per region of the topology, witnesses included. */
  readonly connections: ReadonlyMap<RegionAlias, ConnectionSettings>
  readonly replicas: ReplicaSettings
  /** Of files that are MirrorMaker 2's. */
  readonly mirrorMaker?: MirrorMakerSettings
}

export type LoadedConfig =
  | {
      readonly ok: true
      readonly config: CausewayConfig
      readonly warnings: readonly ConfigProblem[]
      /** In the order of the file; none of a causeway.yaml. */
      readonly notes: readonly ConfigNote[]
    }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

/**
 * Reads causeway.yaml, or what MirrorMaker 2 is configured with: an mm2.properties (by that ending, or by its key
 * `clusters`) or a YAML list of `connectors`. Reports every problem at once, in the order of the file; problems that
 * may only follow from others are left out. `readFile` gets absolute paths, or paths relative to where `path` is.
 */
export function loadConfig(options: {
  readonly path: string
  readonly readFile: ReferenceSources['readFile']
  readonly environment: ReferenceSources['environment']
}): LoadedConfig {
  const { path: file, environment } = options
  const read = readTextFile(file, options.readFile)
  if (!read.ok) {
    return { ok: false, problems: [{ file, line: 1, column: 1, path: [], message: read.message }] }
  }
  const directory = dirname(resolve(file))
  const sources: ReferenceSources = {
    environment,
    readFile: (path) => options.readFile(resolve(directory, path)),
  }
  if (isMirrorMakerProperties(file, read.text)) {
    // As Java reads properties.
    const text = Buffer.from(options.readFile(file)).toString('latin1')
    return finishMirrorMaker(file, readMirrorMakerProperties(text, { sources, directory }))
  }
  const source = readYaml(read.text)
  const syntax = source.errors.map(({ line, column, message }) => ({ file, line, column, path: [], message }))
  if (source.errors.some(({ fatal }) => fatal)) return { ok: false, problems: inOrder(syntax) }
  const refused = refusedResource(source)
  if (refused !== undefined) return finishMirrorMaker(file, refused)
  if (isConnectorList(source)) {
    const loaded = finishMirrorMaker(file, readMirrorMakerConnectors(source, { sources, directory }))
    if (syntax.length === 0) return loaded
    return { ok: false, problems: inOrder([...syntax, ...(loaded.ok ? [] : loaded.problems)]) }
  }
  return finish(file, source, syntax, checkShape(source.value), sources, directory)
}

function finish(
  file: string,
  source: YamlSource,
  syntax: readonly ConfigProblem[],
  shape: Shape,
  sources: ReferenceSources,
  directory: string,
): LoadedConfig {
  const place = (problem: Problem | ShapeProblem): ConfigProblem => {
    const { path, message, hint } = problem
    const { line, column } = source.locate(path, 'part' in problem ? problem.part : 'value')
    return { file, line, column, path, message, ...(hint === undefined ? {} : { hint }) }
  }
  const problems = [...syntax, ...shape.problems.map(place)]
  if (shape.file === undefined) return { ok: false, problems: inOrder(problems) }

  const connections = readConnections(shape.file, sources, directory)
  const { tuning, problems: tuningProblems } = readTuning(shape.file)
  const { replicas, problems: replicaProblems } = readReplicas(shape.file, sources)
  const resolved = resolveTopology(shape.file)
  const deeper = [
    ...connections.problems,
    ...tuningProblems,
    ...replicaProblems,
    ...(resolved.ok ? [] : resolved.problems),
  ].map((problem) => ({ ...problem, path: shape.original(problem.path) }))
  problems.push(...deeper.filter((problem) => !mayFollowFrom(problem, shape.left)).map(place))
  if (problems.length > 0 || !resolved.ok) return { ok: false, problems: inOrder(problems) }

  const config: CausewayConfig = {
    ...tuning,
    replicas,
    topology: resolved.topology,
    connections: frozenMap(
      resolved.topology.regions.flatMap(({ alias }) => {
        const settings = connections.settings.get(alias)
        return settings === undefined ? [] : [[alias, deepFreeze(settings)] as const]
      }),
    ),
  }
  const warnings = [...connections.warnings, ...resolved.warnings].map(place)
  return { ok: true, config: deepFreeze(config), warnings: inOrder(warnings), notes: [] }
}

function finishMirrorMaker(file: string, reading: MirrorMakerReading): LoadedConfig {
  const problem = ({ place, message, hint }: PlacedProblem): ConfigProblem => ({
    ...{ file, ...place, message },
    ...(hint === undefined ? {} : { hint }),
  })
  if (!reading.ok) return { ok: false, problems: reading.problems.map(problem) }
  const { topology, tuning, replicas, mirrorMaker } = reading
  const config: CausewayConfig = {
    ...tuning,
    replicas,
    topology,
    connections: frozenMap([...reading.connections].map(([alias, each]) => [alias, deepFreeze(each)])),
    mirrorMaker: {
      flows: frozenMap([...mirrorMaker.flows].map(([id, flow]) => [id, deepFreeze(flow)])),
      heartbeats: mirrorMaker.heartbeats,
    },
  }
  const notes = reading.notes.map(({ key, kind, message, place: { line, column } }) => ({
    ...{ file, line, column, key, kind, message },
  }))
  return { ok: true, config: deepFreeze(config), warnings: reading.warnings.map(problem), notes }
}

/** Whether a problem may only exist because something that belongs to it could not be read. */
function mayFollowFrom(problem: Problem, left: readonly Path[]): boolean {
  const { path, dependsOn = [] } = problem
  return left.some((unread) => {
    const shapesTopology = mayShapeTopology(unread)
    return (
      (related(path, unread) && (shapesTopology || path.length > 2)) ||
      (shapesTopology && dependsOn.some((place) => related(place, unread)))
    )
  })
}

/** What a region's connection lacks says nothing about its part in the topology; its role does. */
function mayShapeTopology(unread: Path): boolean {
  const [root, , key] = unread
  if (root !== 'regions' || key === undefined) return true
  return unread.length === 3 && nearestName(String(key), ['role']) !== undefined
}

function related(a: Path, b: Path): boolean {
  return isWithin(a, b) || isWithin(b, a)
}

function isWithin(path: Path, place: Path): boolean {
  return place.every((step, depth) => path[depth] === step)
}

function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
}
