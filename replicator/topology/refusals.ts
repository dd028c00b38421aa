import { gapsOf, mixingWith } from './forwards-only-local.ts'
import { findLoops } from './loops.ts'
import type { Flow, TopicSelection, Topology } from './model.ts'
import { affixes } from './naming.ts'
import { mayWriteTheSame } from './overlap.ts'
import type { Path } from './problem.ts'
import { expressionProblem, partitionRangeProblem } from './selection.ts'

export type RefusalCode =
  | 'alias-collision'
  | 'duplicate-flow'
  | 'self-flow'
  | 'unknown-region'
  | 'witness-carries-flow'
  | 'automatic-failover-without-witness'
  | 'invalid-selection'
  | 'invalid-partition-range'
  | 'target-topic-collision'
  | 'naming-loop'
  | 'identity-gap'
  | 'config-sync-conflict'
  | 'acl-sync-conflict'

/** Why a topology is not acted on. */
export interface Refusal {
  readonly code: RefusalCode
  /** `declare`: the topology contradicts itself. `run`: it is sound, and this version cannot run it safely yet. */
  readonly stage: 'declare' | 'run'
  /** Inside the topology: `['flows', 0, 'topics', 1]`. */
  readonly path: Path
  readonly message: string
  /** What the user can do about it. */
  readonly hint: string
}

/** Everything that speaks against a topology, in the order of its parts. A checked topology has `run` refusals only. */
export function refusals(topology: Topology): readonly Refusal[] {
  return [
    ...aliasCollisions(topology),
    ...topology.flows.flatMap((flow, index) => flowRefusals(topology, flow, index)),
    ...topology.flows.flatMap(selectionRefusals),
    ...streamRefusals(topology.flows),
    ...failoverRefusals(topology),
  ]
}

function aliasCollisions({ regions, flows }: Topology): Refusal[] {
  return regions.flatMap((region, index) => {
    const path = ['regions', index, 'alias']
    const hint = 'rename one of the regions'
    if (regions.slice(0, index).some((other) => other.alias === region.alias)) {
      const message = `two regions are called "${region.alias}"`
      return [{ code: 'alias-collision', stage: 'declare', path, message, hint }]
    }
    // `us-` + `east-orders` and `us-east-` + `orders` are one name.
    const longer = regions.find((other) =>
      flows.some(({ source, target, naming }) => {
        const { before } = affixes(naming, source, target)
        const leads = source === region.alias && before.startsWith(source)
        return leads && other.alias !== region.alias && other.alias.startsWith(before)
      }),
    )
    if (longer === undefined) return []
    const message = `prefixed topic names cannot tell "${region.alias}" from "${longer.alias}"`
    return [
      {
        code: 'alias-collision',
        stage: 'declare',
        path,
        message,
        hint: `use a separator that no alias contains, or ${hint}`,
      },
    ]
  })
}

function flowRefusals({ regions, flows }: Topology, flow: Flow, index: number): Refusal[] {
  const refuse = (code: RefusalCode, key: string | undefined, message: string, hint: string): Refusal => ({
    code,
    stage: 'declare',
    path: key === undefined ? ['flows', index] : ['flows', index, key],
    message,
    hint,
  })
  const found: Refusal[] = []
  if (flow.source === flow.target) {
    found.push(refuse('self-flow', 'target', `a flow from ${flow.source} to itself`, 'name another target'))
  }
  for (const end of ['source', 'target'] as const) {
    const region = regions.find((candidate) => candidate.alias === flow[end])
    if (region === undefined) {
      const aliases = regions.map(({ alias }) => alias).join(', ')
      found.push(
        refuse('unknown-region', end, `there is no region "${flow[end]}"`, `the regions are ${aliases}`),
      )
    } else if (region.role === 'witness') {
      const message = `${flow[end]} is a witness, which takes part in failover votes and carries no flows`
      found.push(refuse('witness-carries-flow', end, message, 'give the region another role'))
    }
  }
  if (flows.findIndex((other) => other.source === flow.source && other.target === flow.target) < index) {
    const message = `the flow ${flow.source}->${flow.target} is declared twice`
    found.push(refuse('duplicate-flow', undefined, message, 'put the topics of both into one flow'))
  }
  return found
}

function selectionRefusals(flow: Flow, index: number): Refusal[] {
  const found: Refusal[] = []
  for (const key of ['topics', 'paused', 'groups'] as const) {
    flow[key].forEach((selection: TopicSelection, position) => {
      const refuse = (code: RefusalCode, part: string, message: string, hint: string) =>
        found.push({ code, stage: 'declare', path: ['flows', index, key, position, part], message, hint })
      for (const part of ['match', 'exclude'] as const) {
        const expression = selection.kind === 'match' ? selection[part] : undefined
        const problem = expression === undefined ? undefined : expressionProblem(expression)
        if (problem !== undefined) {
          refuse('invalid-selection', part, problem, 'write a JavaScript regular expression')
        }
      }
      const range = selection.partitionRange
      const problem = range === undefined ? undefined : partitionRangeProblem(range)
      if (problem !== undefined) {
        refuse('invalid-partition-range', 'partitionRange', problem, 'give the first and the last partition')
      }
    })
  }
  return found
}

/** Collisions and loops need sound selections and ends: they are looked for among flows that have those. */
function streamRefusals(all: readonly Flow[]): Refusal[] {
  const flows = all.filter(
    (flow, index) =>
      flow.source !== flow.target &&
      selectionRefusals(flow, index).length === 0 &&
      all.findIndex((other) => other.source === flow.source && other.target === flow.target) === index,
  )
  return [
    ...collisions(all, flows),
    ...namingLoops(all, flows),
    ...gapRefusals(all, flows),
    ...configRefusals(all, flows),
    ...aclRefusals(all, flows),
  ]
}

/** Topics of one name that several identity flows write are no collision: each writes its own source's records. */
function collisions(all: readonly Flow[], flows: readonly Flow[]): Refusal[] {
  return flows.flatMap((flow, index) => {
    const other = flows.slice(0, index).find((candidate) => mayWriteTheSame(candidate, flow))
    if (other === undefined) return []
    if (flow.naming.kind === 'identity' && other.naming.kind === 'identity') return []
    return {
      code: 'target-topic-collision',
      stage: 'declare',
      path: ['flows', all.indexOf(flow), 'topics'],
      message: `${other.id} and ${flow.id} can write the same topic on ${flow.target}`,
      hint: 'put {source} into the naming, or select topics that differ',
    }
  })
}

/** Loops of identity flows end by themselves: each forwards what is local to its source. */
function namingLoops(all: readonly Flow[], flows: readonly Flow[]): Refusal[] {
  return findLoops(flows)
    .filter((loop) => loop.some(({ naming }) => naming.kind !== 'identity'))
    .map((loop) => ({
      code: 'naming-loop',
      stage: 'declare',
      path: ['flows', all.indexOf(loop[0] as Flow), 'naming'],
      message: `records would go round for ever: ${loop.map(({ id }) => id).join(', ')} read what they write`,
      hint: 'give these flows one naming that contains {source}, or select topics that differ',
    }))
}

function gapRefusals(all: readonly Flow[], flows: readonly Flow[]): Refusal[] {
  return flows.flatMap((flow) => {
    const [gap] = gapsOf(flows, flow)
    if (gap === undefined) return []
    const { origin, by } = gap
    return {
      code: 'identity-gap',
      stage: 'run',
      path: ['flows', all.indexOf(flow), 'topics'],
      message: `${flow.id} forwards only what ${flow.source}'s own clients write, so records of ${origin} that ${by.id} brings there would never reach ${flow.target}`,
      hint:
        by.naming.kind === 'identity'
          ? `add a flow from ${origin} to ${flow.target} with the same topics, use naming: prefixed, or select topics that differ`
          : 'select topics that differ, exactly or by prefix',
    }
  })
}

function configRefusals(all: readonly Flow[], flows: readonly Flow[]): Refusal[] {
  return flows.flatMap((flow, index) => {
    if (flow.configSync.mode === 'off') return []
    const rivals = mixingWith(flows, flow).filter(({ configSync }) => configSync.mode !== 'off')
    const other = rivals.find((rival) => flows.indexOf(rival) < index)
    if (other === undefined) return []
    return {
      code: 'config-sync-conflict',
      stage: 'declare',
      path: ['flows', all.indexOf(flow), 'configSync'],
      message: `${other.id} and ${flow.id} would both set the configs of topics of one name, each undoing the other`,
      hint: 'leave configSync at mode: follow in one of them, and set mode: off in the others',
    }
  })
}

function aclRefusals(all: readonly Flow[], flows: readonly Flow[]): Refusal[] {
  return flows.flatMap((flow, index) => {
    if (flow.aclSync.mode !== 'sync') return []
    const rivals = mixingWith(flows, flow).filter(({ aclSync }) => aclSync.mode === 'sync')
    const other = rivals.find((rival) => flows.indexOf(rival) < index)
    if (other === undefined) return []
    return {
      code: 'acl-sync-conflict',
      stage: 'declare',
      path: ['flows', all.indexOf(flow), 'aclSync'],
      message: `${other.id} and ${flow.id} would both carry ACLs of topics of one name, so that none could be taken back`,
      hint: 'leave aclSync at mode: sync in one of them, and set mode: off in the others',
    }
  })
}

function failoverRefusals({ regions, failover }: Topology): Refusal[] {
  if (failover.mode !== 'automatic' || regions.some(({ role }) => role === 'witness')) return []
  return [
    {
      code: 'automatic-failover-without-witness',
      stage: 'declare',
      path: ['failover', 'mode'],
      message:
        'automatic failover needs a witness: without one, a cut between two regions looks like a lost region',
      hint: 'add a region with role: witness, or use mode: manual',
    },
  ]
}
