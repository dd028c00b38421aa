import type { BrokerId } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import type { Flow } from '../topology/model.ts'
import type { AnnounceFlowEvent } from './events.ts'

type Where = 'source' | 'target' | 'start'

/** What hits the flow as a whole and is being retried, by place; told when it begins and when it ends. */
export class Troubles {
  readonly #flow: Flow
  readonly #announce: AnnounceFlowEvent
  readonly #current = new Map<string, string>()

  constructor(flow: Flow, announce: AnnounceFlowEvent) {
    this.#flow = flow
    this.#announce = announce
  }

  get current(): string | undefined {
    return this.#current.values().next().value
  }

  /** `broker`: whose trouble it is, where one of several can have it. Cheap when nothing changes. */
  set(where: Where, error: KafkaError | undefined, broker?: BrokerId): void {
    if (error === undefined && this.#current.size === 0) return
    const key = `${where}/${broker ?? ''}`
    const known = this.#current.get(key)
    if (error?.message === known) return
    const cluster = where === 'source' ? this.#flow.source : this.#flow.target
    if (error === undefined) {
      this.#current.delete(key)
      this.#announce({ flow: this.#flow.id, kind: 'cluster-recovered', cluster })
    } else {
      this.#current.set(key, error.message)
      this.#announce({ flow: this.#flow.id, kind: 'cluster-trouble', cluster, reason: error.message })
    }
  }
}
