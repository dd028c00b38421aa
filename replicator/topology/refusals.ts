import type { Flow, TopicSelection, Topology } from './model.ts'
import { affixes, namesItsSource } from './naming.ts'
import { mayReadWhatWasWritten, mayWriteTheSame } from './overlap.ts'
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
  | 'identity-fan-in'
  | 'identity-loop'

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
  const loops = findLoops(flows)
  return [...collisions(all, flows, loops), ...loops.map((loop) => loopRefusal(all, loop))]
}

function collisions(all: readonly Flow[], flows: readonly Flow[], loops: readonly Flow[][]): Refusal[] {
  const found: Refusal[] = []
  flows.forEach((flow, index) => {
    const other = flows.slice(0, index).find((candidate) => mayWriteTheSame(candidate, flow))
    if (other === undefined) return
    const path = ['flows', all.indexOf(flow), 'topics']
    if (flow.naming.kind !== 'identity' || other.naming.kind !== 'identity') {
      found.push({
        code: 'target-topic-collision',
        stage: 'declare',
        path,
        message: `${other.id} and ${flow.id} can write the same topic on ${flow.target}`,
        hint: 'put {source} into the naming, or select topics that differ',
      })
    } else if (!loops.some((loop) => loop.includes(flow) && loop.includes(other))) {
      // Flows of one loop are refused as a loop, for the same reason and with the same way out.
      found.push({
        code: 'identity-fan-in',
        stage: 'run',
        path,
        message: `${other.id} and ${flow.id} would both write topics of the same name on ${flow.target}`,
        hint: 'use naming: prefixed, or select topics that differ; mixing regions in one topic comes with a later version',
      })
    }
  })
  return found
}

/** Sets of flows along which a record could come back to where it was. */
function findLoops(flows: readonly Flow[]): Flow[][] {
  const next = new Map(
    flows.map((flow) => [flow, flows.filter((other) => mayReadWhatWasWritten(flow, other))]),
  )
  const reachable = new Map(flows.map((flow) => [flow, reachableFrom(flow, next)]))
  const loops: Flow[][] = []
  for (const flow of flows) {
    if (loops.some((loop) => loop.includes(flow)) || !reachable.get(flow)?.has(flow)) continue
    const loop = flows.filter((other) => reachable.get(flow)?.has(other) && reachable.get(other)?.has(flow))
    if (!namesEndTheLoop(loop)) loops.push(loop)
  }
  return loops
}

function reachableFrom(start: Flow, next: ReadonlyMap<Flow, readonly Flow[]>): Set<Flow> {
  const seen = new Set<Flow>()
  const waiting = [...(next.get(start) ?? [])]
  for (let flow = waiting.pop(); flow !== undefined; flow = waiting.pop()) {
    if (seen.has(flow)) continue
    seen.add(flow)
    waiting.push(...(next.get(flow) ?? []))
  }
  return seen
}

/** One naming that carries the source is undone hop by hop (`isCycle`); two different ones hide each other's hops. */
function namesEndTheLoop(loop: readonly Flow[]): boolean {
  const namings = new Set(loop.map(({ naming }) => JSON.stringify(naming)))
  return namings.size === 1 && loop.every(({ naming }) => namesItsSource(naming))
}

function loopRefusal(all: readonly Flow[], loop: readonly Flow[]): Refusal {
  const first = loop[0] as Flow
  const names = loop.map(({ id }) => id).join(', ')
  const path = ['flows', all.indexOf(first), 'naming']
  if (loop.every(({ naming }) => naming.kind === 'identity')) {
    return {
      code: 'identity-loop',
      stage: 'run',
      path,
      message: `records would echo between regions: identity naming on ${names}`,
      hint: 'use naming: prefixed, or select different topics in each direction; telling copies apart in topics of one name comes with a later version',
    }
  }
  return {
    code: 'naming-loop',
    stage: 'declare',
    path,
    message: `records would go round for ever: ${names} read what they write`,
    hint: 'give these flows one naming that contains {source}, or select topics that differ',
  }
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
