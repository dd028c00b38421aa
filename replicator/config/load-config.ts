import { dirname, resolve } from 'node:path'
import type { ConnectionSettings } from '../kafka/settings.ts'
import { deepFreeze } from '../topology/deep-freeze.ts'
import type { RegionAlias, Topology } from '../topology/model.ts'
import { nearestName } from '../topology/nearest-name.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { resolveTopology } from '../topology/resolve-topology.ts'
import type { ConfigProblem } from './config-problem.ts'
import { readConnections } from './connections.ts'
import { frozenMap } from './frozen-map.ts'
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
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: CausewayConfig; readonly warnings: readonly ConfigProblem[] }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }

/**
 * Reads causeway.yaml. Reports every problem at once, in the order of the file; problems that may only follow from
 * others are left out. `readFile` gets absolute paths, or paths relative to where `path` is.
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
  const source = readYaml(read.text)
  const syntax = source.errors.map(({ line, column, message }) => ({ file, line, column, path: [], message }))
  if (source.errors.some(({ fatal }) => fatal)) return { ok: false, problems: inOrder(syntax) }
  const directory = dirname(resolve(file))
  const sources: ReferenceSources = {
    environment,
    readFile: (path) => options.readFile(resolve(directory, path)),
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
  return { ok: true, config: deepFreeze(config), warnings: inOrder(warnings) }
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
