import {
  aclSync,
  configSync,
  namingOf,
  placementOf,
  replicationFactor,
  shards,
  shardsMax,
  startAt,
} from './defaults.ts'
import { flowId } from './identifiers.ts'
import type {
  AclSync,
  ConfigSync,
  Flow,
  NameSelection,
  Naming,
  Pattern,
  Region,
  RegionAlias,
  TopicSelection,
} from './model.ts'
import { parseNaming } from './naming.ts'
import { nearestName } from './nearest-name.ts'
import { connectedPairs } from './patterns.ts'
import type { Path, Problem } from './problem.ts'
import { resolveNameSelection, resolveTopicSelection } from './resolve-selection.ts'
import { expressionProblem } from './selection.ts'
import type { AclSyncSpec, FlowSpec, NameSpec, ReplicationSpec, TopicSpec, TopologySpec } from './spec.ts'

/** A flow and the place in the spec that made it. */
export interface DerivedFlow {
  readonly flow: Flow
  readonly origin: Path
  /** Whether the spec says that configs follow, or that they do not. */
  readonly saysConfigSync: boolean
}

/** Settings that a flow may leave to its topology. */
type Settings = Partial<Omit<Flow, 'id' | 'source' | 'target' | 'placement'>> &
  Pick<ReplicationSpec, 'placement'> & { readonly saysConfigSync?: boolean }

/** The flows that a spec's pattern implies or its list names, with the problems found on the way. */
export function resolveFlows(
  spec: TopologySpec,
  pattern: Pattern,
  regions: readonly Region[],
  problems: Problem[],
): readonly DerivedFlow[] {
  const shared: Settings = {
    ...resolveReplication(spec.replication ?? {}, ['replication'], problems),
    ...resolveSelections(spec, [], problems),
  }
  const listed = (spec.flows ?? []).map((flow, index) => {
    const path = ['flows', index]
    const settings = {
      ...resolveReplication(flow, path, problems),
      ...resolveSelections(flow, path, problems),
      ...(flow.copiesHeartbeats === undefined ? {} : { copiesHeartbeats: flow.copiesHeartbeats }),
    }
    return { path, settings, pairs: pairsOf(flow, path, regions, problems) }
  })
  if (pattern === 'custom') {
    if (listed.length === 0) {
      const hint = 'list its flows, or choose pattern: active-passive or active-active'
      problems.push({
        path: ['flows'],
        message: 'a custom topology has at least one flow',
        hint,
        dependsOn: [['pattern']],
      })
    }
    return listed.flatMap(({ path, settings, pairs }) =>
      pairs.map((pair) => ({
        ...completeFlow(pair, { ...shared, ...settings }, pattern),
        origin: path,
      })),
    )
  }
  const implied = connectedPairs(pattern, regions).map((pair) => ({
    source: pair.source.alias,
    target: pair.target.alias,
  }))
  for (const { path, pairs } of listed) {
    for (const pair of pairs.filter((candidate) => !implied.some((other) => same(candidate, other)))) {
      const flows = implied.map(({ source, target }) => flowId(source, target)).join(', ')
      problems.push({
        path,
        message: `${pattern} makes no flow ${flowId(pair.source, pair.target)}`,
        hint: `its flows are ${flows}; other flows need pattern: custom`,
        dependsOn: [['regions'], ['pattern']],
      })
    }
  }
  return implied.map((pair) => {
    const own = listed.filter(({ pairs }) => pairs.some((other) => same(other, pair)))
    for (const { path } of own.slice(1)) {
      problems.push({ path, message: `${flowId(pair.source, pair.target)} has its own settings twice` })
    }
    const settings = { ...shared, ...own[0]?.settings }
    return { ...completeFlow(pair, settings, pattern), origin: own[0]?.path ?? ['pattern'] }
  })
}

interface Pair {
  readonly source: RegionAlias
  readonly target: RegionAlias
}

const same = (a: Pair, b: Pair): boolean => a.source === b.source && a.target === b.target

function pairsOf(
  flow: FlowSpec,
  path: Path,
  regions: readonly Region[],
  problems: Problem[],
): readonly Pair[] {
  const known = regions.map(({ alias }) => alias)
  const side = (key: 'source' | 'target'): { alias: RegionAlias }[] => {
    const given = flow[key]
    const listed = typeof given === 'string' ? [given] : given
    if (listed.length === 0) problems.push({ path: [...path, key], message: 'at least one region is needed' })
    return listed.flatMap((text, index) => {
      const alias = text as RegionAlias
      if (known.includes(alias)) return [{ alias }]
      const near = nearestName(text, known)
      problems.push({
        path: typeof given === 'string' ? [...path, key] : [...path, key, index],
        message: `there is no region "${text}"`,
        hint: near === undefined ? `the regions are ${known.join(', ')}` : `did you mean "${near}"?`,
        dependsOn: [['regions']],
      })
      return []
    })
  }
  const sources = side('source')
  const targets = side('target')
  // Between lists, as in a mesh, a region's pair with itself is nothing that the user wrote.
  const lists = sources.length > 1 || targets.length > 1
  return sources.flatMap(({ alias: source }) =>
    targets
      .filter(({ alias: target }) => !lists || source !== target)
      .map(({ alias: target }) => ({ source, target })),
  )
}

function completeFlow(pair: Pair, settings: Settings, pattern: Pattern): Omit<DerivedFlow, 'origin'> {
  const naming = settings.naming ?? namingOf(pattern)
  const { mirrorMakerTopics = false, copiesHeartbeats = mirrorMakerTopics } = settings
  const flow: Flow = {
    id: flowId(pair.source, pair.target),
    ...pair,
    topics: settings.topics ?? [],
    paused: settings.paused ?? [],
    groups: settings.groups ?? [],
    naming,
    placement: settings.placement ?? placementOf(naming),
    replicationFactor: settings.replicationFactor ?? replicationFactor,
    configSync: settings.configSync ?? configSync,
    aclSync: settings.aclSync ?? aclSync,
    startAt: settings.startAt ?? startAt,
    shards: settings.shards ?? shards,
    ...(mirrorMakerTopics ? { mirrorMakerTopics } : {}),
    ...(copiesHeartbeats ? { copiesHeartbeats } : {}),
  }
  return { flow, saysConfigSync: settings.saysConfigSync ?? false }
}

function resolveSelections(
  spec: {
    readonly topics?: readonly TopicSpec[] | undefined
    readonly groups?: readonly NameSpec[] | undefined
  },
  path: Path,
  problems: Problem[],
): Settings {
  const settings: { topics?: TopicSelection[]; groups?: NameSelection[] } = {}
  if (spec.topics !== undefined) {
    settings.topics = spec.topics.flatMap(
      (topic, index) => resolveTopicSelection(topic, [...path, 'topics', index], problems) ?? [],
    )
  }
  if (spec.groups !== undefined) {
    settings.groups = spec.groups.flatMap(
      (group, index) => resolveNameSelection(group, [...path, 'groups', index], problems) ?? [],
    )
  }
  return settings
}

function resolveReplication(spec: ReplicationSpec, path: Path, problems: Problem[]): Settings {
  const within = (key: string, count: number, max: number, what: string): void => {
    if (Number.isInteger(count) && count >= 1 && count <= max) return
    problems.push({ path: [...path, key], message: `${what} is a whole number from 1 to ${max}` })
  }
  if (spec.shards !== undefined) within('shards', spec.shards, shardsMax, 'the number of shards')
  if (spec.replicationFactor !== undefined && spec.replicationFactor !== 'broker-default') {
    // The protocol's field is an int16.
    within('replicationFactor', spec.replicationFactor, 32_767, 'a replication factor')
  }
  const naming = spec.naming === undefined ? undefined : resolveNaming(spec.naming, path, problems)
  const sync = spec.configSync === undefined ? undefined : resolveConfigSync(spec, path, problems)
  const acls = spec.aclSync === undefined ? undefined : resolveAclSync(spec.aclSync, path, problems)
  const paused = spec.paused?.flatMap(
    (topic, index) => resolveTopicSelection(topic, [...path, 'paused', index], problems) ?? [],
  )
  return {
    ...(naming === undefined ? {} : { naming }),
    ...(sync === undefined ? {} : { configSync: sync, saysConfigSync: spec.configSync?.mode !== undefined }),
    ...(acls === undefined ? {} : { aclSync: acls }),
    ...(paused === undefined ? {} : { paused }),
    ...(spec.placement === undefined ? {} : { placement: spec.placement }),
    ...(spec.replicationFactor === undefined ? {} : { replicationFactor: spec.replicationFactor }),
    ...(spec.startAt === undefined ? {} : { startAt: spec.startAt }),
    ...(spec.shards === undefined ? {} : { shards: spec.shards }),
    ...(spec.mirrorMakerTopics === undefined ? {} : { mirrorMakerTopics: spec.mirrorMakerTopics }),
  }
}

function resolveNaming(text: string, path: Path, problems: Problem[]): Naming | undefined {
  const parsed = parseNaming(text)
  if (parsed.ok) return parsed.naming
  const near = nearestName(text, ['identity', 'prefixed'])
  const hint = near === undefined ? {} : { hint: `did you mean "${near}"?` }
  problems.push({ path: [...path, 'naming'], message: parsed.reason, ...hint })
  return undefined
}

function resolveConfigSync(spec: ReplicationSpec, path: Path, problems: Problem[]): ConfigSync {
  const { mode, exclude, defaultsFrom } = spec.configSync ?? {}
  exclude?.forEach((expression, index) => {
    const problem = expressionProblem(expression)
    if (problem !== undefined) {
      problems.push({ path: [...path, 'configSync', 'exclude', index], message: problem })
    }
  })
  return {
    mode: mode ?? configSync.mode,
    exclude: exclude === undefined ? configSync.exclude : [...exclude],
    defaultsFrom: defaultsFrom ?? configSync.defaultsFrom,
  }
}

function resolveAclSync({ mode, principals }: AclSyncSpec, path: Path, problems: Problem[]): AclSync {
  principals?.forEach((principal, index) => {
    if (/^\w+:.+/s.test(principal) && principal !== 'User:*') return
    problems.push({
      path: [...path, 'aclSync', 'principals', index],
      message: `"${principal}" is not one principal`,
      hint: 'as in ACLs: User:replicator',
    })
  })
  return { mode: mode ?? aclSync.mode, principals: [...(principals ?? aclSync.principals)] }
}
