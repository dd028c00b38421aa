import { deepFreeze } from './deep-freeze.ts'
import { failoverMode } from './defaults.ts'
import { durationRule, parseDurationMs } from './duration.ts'
import { forwardsOnlyLocal } from './forwards-only-local.ts'
import { regionAliasProblem, topologyNameProblem } from './identifiers.ts'
import type { Objectives, Region, RegionAlias, Topology } from './model.ts'
import { targetTopicName, topicNameProblem, topicNamesCollide } from './naming.ts'
import { rolesProblem } from './patterns.ts'
import type { Path, Problem } from './problem.ts'
import { type Refusal, refusals } from './refusals.ts'
import { type DerivedFlow, resolveFlows } from './resolve-flows.ts'
import type { TopologySpec } from './spec.ts'

export type ResolvedTopology =
  | {
      readonly ok: true
      /** Deeply frozen. Before running it, ask {@link refusals}. */
      readonly topology: Topology
      readonly warnings: readonly Problem[]
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * Turns what a user declared into a checked topology with its flows, or reports everything that is wrong with it.
 * `aliasProblem`: why a text cannot be an alias; other systems' aliases follow other rules.
 */
export function resolveTopology(
  spec: TopologySpec,
  { aliasProblem = regionAliasProblem }: { readonly aliasProblem?: typeof regionAliasProblem } = {},
): ResolvedTopology {
  const problems: Problem[] = []
  const pattern = spec.pattern ?? 'custom'
  const nameProblem = topologyNameProblem(spec.name)
  if (nameProblem !== undefined) problems.push({ path: ['name'], message: nameProblem })
  const regions = resolveRegions(spec, problems, aliasProblem)
  const derived = withoutRivalry(resolveFlows(spec, pattern, regions, problems), problems)
  const topology: Topology = {
    name: spec.name,
    pattern,
    regions,
    flows: derived.map(({ flow }) => flow),
    objectives: resolveObjectives(spec, problems),
    failover: { mode: spec.failover?.mode ?? failoverMode },
  }
  problems.push(...missingTopics(spec, derived, problems), ...copyNameProblems(derived))
  problems.push(...contradictions(topology, derived))
  if (problems.length > 0) return { ok: false, problems: distinct(problems) }
  return { ok: true, topology: deepFreeze(topology), warnings: distinct(collidingNames(derived)) }
}

/** Flows that mix regions in topics of one name leave configs alone by default: none of them is the one to follow. */
function withoutRivalry(
  derived: readonly DerivedFlow[],
  problems: readonly Problem[],
): readonly DerivedFlow[] {
  // What is wrong may be an expression, and those are compared below.
  if (problems.length > 0) return derived
  const flows = derived.map(({ flow }) => flow)
  return derived.map((one) =>
    one.saysConfigSync || !forwardsOnlyLocal({ flows }, one.flow)
      ? one
      : { ...one, flow: { ...one.flow, configSync: { ...one.flow.configSync, mode: 'off' } } },
  )
}

function resolveRegions(
  spec: TopologySpec,
  problems: Problem[],
  problemOfAlias: typeof regionAliasProblem,
): readonly Region[] {
  const pattern = spec.pattern ?? 'custom'
  const regions = Object.entries(spec.regions).map(([alias, region]): Region => {
    const aliasProblem = problemOfAlias(alias)
    if (aliasProblem !== undefined) problems.push({ path: ['regions', alias], message: aliasProblem })
    if (region.role === undefined && pattern === 'active-passive') {
      const hint = 'give it role: active, passive or witness'
      problems.push({ path: ['regions', alias], message: `the role of "${alias}" is missing`, hint })
    }
    return { alias: alias as RegionAlias, role: region.role ?? 'peer' }
  })
  const roleMissing = pattern === 'active-passive' && Object.values(spec.regions).some(({ role }) => !role)
  const roles = rolesProblem(
    pattern,
    regions.map(({ role }) => role),
  )
  if (roles !== undefined && !roleMissing) {
    problems.push({ path: ['regions'], message: roles, dependsOn: [['pattern']] })
  }
  return regions
}

function resolveObjectives(spec: TopologySpec, problems: Problem[]): Objectives {
  const objectives: { rpoMs?: number; rtoMs?: number } = {}
  for (const key of ['rpo', 'rto'] as const) {
    const text = spec.objectives?.[key]
    if (text === undefined) continue
    const ms = parseDurationMs(text)
    if (ms === undefined) {
      problems.push({ path: ['objectives', key], message: 'not a duration', hint: durationRule })
    } else objectives[`${key}Ms`] = ms
  }
  return objectives
}

function missingTopics(
  spec: TopologySpec,
  derived: readonly DerivedFlow[],
  known: readonly Problem[],
): Problem[] {
  return derived.flatMap(({ flow, origin }) => {
    // Topics that were given and are wrong were reported already.
    const wrong = known.some(({ path }) => path.includes('topics'))
    if (flow.topics.length > 0 || wrong) return []
    const custom = spec.pattern === 'custom' || spec.pattern === undefined
    return {
      path: custom && spec.topics === undefined ? origin : ['topics'],
      message: `no topics are selected for ${flow.id}`,
      hint: 'list them under "topics", such as { name: orders } or { match: .* }',
      dependsOn: [['topics'], [...origin, 'topics']],
    }
  })
}

function copyNameProblems(derived: readonly DerivedFlow[]): Problem[] {
  return derived.flatMap(({ flow, origin }) =>
    flow.topics.flatMap((selection) => {
      if (selection.kind !== 'name' || topicNameProblem(selection.name) !== undefined) return []
      const problem = topicNameProblem(targetTopicName(flow.naming, { ...flow, topic: selection.name }))
      if (problem === undefined) return []
      const message = `the copy on ${flow.target} would have an impossible name: ${problem}`
      return [{ path: origin, message, hint: 'choose a shorter naming' }]
    }),
  )
}

// Reported where they were written, by the functions above, instead of once per flow.
const reportedAtSpec: readonly Refusal['code'][] = [
  'invalid-selection',
  'invalid-partition-range',
  'unknown-region',
]

const streams: readonly Path[] = [['flows'], ['topics'], ['replication'], ['regions'], ['pattern']]

const dependsOn: Partial<Record<Refusal['code'], readonly Path[]>> = {
  'alias-collision': [['replication'], ['flows']],
  'witness-carries-flow': [['regions']],
  'automatic-failover-without-witness': [['regions']],
  'target-topic-collision': streams,
  'naming-loop': streams,
  'config-sync-conflict': streams,
  'acl-sync-conflict': streams,
}

function contradictions(topology: Topology, derived: readonly DerivedFlow[]): Problem[] {
  return refusals(topology)
    .filter(({ code, stage }) => stage === 'declare' && !reportedAtSpec.includes(code))
    .map(({ code, path, message, hint }) => ({
      path: pathInSpec(path, topology, derived),
      message,
      hint,
      dependsOn: dependsOn[code] ?? [],
    }))
}

function pathInSpec(path: Path, topology: Topology, derived: readonly DerivedFlow[]): Path {
  const [root, index, ...rest] = path
  if (typeof index !== 'number') return path
  if (root === 'regions') return ['regions', topology.regions[index]?.alias ?? '']
  const origin = derived[index]?.origin ?? []
  return origin[0] === 'flows' ? [...origin, ...rest.slice(0, 1)] : origin
}

function collidingNames(derived: readonly DerivedFlow[]): Problem[] {
  const names = derived.flatMap(({ flow, origin }) =>
    flow.topics
      .filter((selection) => selection.kind === 'name')
      .map(({ name }) => ({
        target: flow.target,
        name: targetTopicName(flow.naming, { ...flow, topic: name }),
        origin,
      })),
  )
  return names.flatMap(({ target, name, origin }, index) => {
    const other = names
      .slice(0, index)
      .find((earlier) => earlier.target === target && topicNamesCollide(earlier.name, name))
    if (other === undefined) return []
    const message = `${target} cannot hold both "${other.name}" and "${name}": "." and "_" are one in metric names`
    return [{ path: origin, message, hint: 'brokers refuse to create the second one' }]
  })
}

function distinct(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.filter(({ path, message }) => {
    const key = JSON.stringify([path, message])
    return !seen.has(key) && seen.add(key)
  })
}
