import type { Flow } from './model.ts'
import { namesItsSource } from './naming.ts'
import { mayReadWhatWasWritten } from './overlap.ts'

/** Sets of flows along which a record could come back to where it was, for all that names say. */
export function findLoops(flows: readonly Flow[]): Flow[][] {
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
