import type { DecideFault, Fault } from '../faults.ts'
import type { Plan, Side } from './plan.ts'

interface Armed {
  readonly request: string
  readonly fault: Fault
}

/** What happens to requests on their way: each takes its time, and some meet a planned fault. */
export class LinkFaults {
  readonly #plan: Plan
  readonly #armed: Record<Side, Armed[]> = { source: [], target: [] }
  readonly #slowMs: Record<Side, number> = { source: 0, target: 0 }
  readonly #note: (what: string) => void
  readonly #onHit: () => void

  constructor(plan: Plan, note: (what: string) => void, onHit: () => void) {
    this.#plan = plan
    this.#note = note
    this.#onHit = onHit
  }

  /** The next request of this kind meets the fault. */
  arm(side: Side, request: string, fault: Fault): void {
    this.#armed[side].push({ request, fault })
  }

  slow(side: Side, byMs: number): void {
    this.#slowMs[side] = Math.max(0, this.#slowMs[side] + byMs)
  }

  calm(): void {
    for (const side of ['source', 'target'] as const) {
      this.#armed[side] = []
      this.#slowMs[side] = 0
    }
  }

  decide(side: Side, replica: string): DecideFault {
    const salt = hashOf(`${this.#plan.seed} ${side} ${replica}`)
    return ({ kind, number }) => {
      const armed = this.#armed[side]
      const index = armed.findIndex(({ request }) => request === 'any' || request === kind)
      const [hit] = index < 0 ? [] : armed.splice(index, 1)
      if (hit !== undefined) this.#onHit()
      this.#note(
        `${replica} ${side} ${kind} ${number}${hit === undefined ? '' : ` ${JSON.stringify(hit.fault)}`}`,
      )
      // Drawn from the request's own number, so that a fault less elsewhere does not shift all that follows.
      const latencyMs = this.#plan.setup.latencyMs[side] * varied(salt, number) + this.#slowMs[side]
      if (hit === undefined && latencyMs === 0) return undefined
      const fault: Fault = hit?.fault ?? {}
      return {
        ...fault,
        requestDelayMs: (fault.requestDelayMs ?? 0) + latencyMs,
        answerDelayMs: (fault.answerDelayMs ?? 0) + latencyMs,
      }
    }
  }
}

/** Between a half and one and a half, thousandth by thousandth. */
const varied = (salt: number, number: number): number => {
  let mixed = Math.imul(salt ^ (number + 0x9e37), 0x85ebca6b)
  mixed ^= mixed >>> 13
  return 0.5 + ((mixed >>> 0) % 1000) / 1000
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
