import type { Plan, Setup } from './plan.ts'
import { type Outcome, type RunOptions, runPlan } from './run-plan.ts'

export interface Shrunk {
  readonly plan: Plan
  readonly outcome: Outcome
  /** Plans tried on the way. */
  readonly runs: number
}

const runsMax = 500

/** Takes from a failing plan all that it does not need to break the same promise (delta debugging, Zeller 2002). */
export async function shrinkPlan(failing: Plan, outcome: Outcome, options: RunOptions): Promise<Shrunk> {
  const check = outcome.violation?.check
  let best = { plan: failing, outcome }
  let runs = 0
  const breaks = async (plan: Plan): Promise<boolean> => {
    if (runs >= runsMax) return false
    runs += 1
    const tried = await runPlan(plan, options)
    if (tried.violation?.check !== check) return false
    best = { plan, outcome: tried }
    return true
  }
  for (let before = Number.POSITIVE_INFINITY; best.plan.events.length < before; ) {
    before = best.plan.events.length
    for (let size = Math.ceil(before / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < best.plan.events.length; ) {
        const { events } = best.plan
        const fewer = [...events.slice(0, from), ...events.slice(from + size)]
        if (!(await breaks({ ...best.plan, events: fewer }))) from += size
      }
    }
    for (const simpler of simplerSetups(best.plan.setup)) await breaks({ ...best.plan, setup: simpler })
  }
  return { ...best, runs }
}

function simplerSetups(setup: Setup): readonly Setup[] {
  const [first] = setup.topics
  return [
    { ...setup, brokers: 1 },
    { ...setup, replicas: 1 },
    { ...setup, shards: 1 },
    { ...setup, latencyMs: { source: 0, target: 0 } },
    ...(first === undefined ? [] : [{ ...setup, topics: [{ ...first, partitions: 1 }] }]),
  ]
}
