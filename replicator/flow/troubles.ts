import type { KafkaError } from '../kafka/errors.ts'
import type { Flow } from '../topology/model.ts'
import type { AnnounceFlowEvent } from './events.ts'

type Where = 'source' | 'target' | 'start'

/** What hits the flow as a whole and is being retried, by place; told when it begins and when it ends. */
export class Troubles {
  readonly #flow: Flow
  readonly #announce: AnnounceFlowEvent
  readonly #current = new Map<Where, string>()

  constructor(flow: Flow, announce: AnnounceFlowEvent) {
    this.#flow = flow
    this.#announce = announce
  }

  get current(): string | undefined {
    return this.#current.values().next().value
  }

  set(where: Where, error: KafkaError | undefined): void {
    const known = this.#current.get(where)
    if (error?.message === known) return
    const cluster = where === 'source' ? this.#flow.source : this.#flow.target
    if (error === undefined) {
      this.#current.delete(where)
      this.#announce({ flow: this.#flow.id, kind: 'cluster-recovered', cluster })
    } else {
      this.#current.set(where, error.message)
      this.#announce({ flow: this.#flow.id, kind: 'cluster-trouble', cluster, reason: error.message })
    }
  }
}
