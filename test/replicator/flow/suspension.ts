import type { Clock } from '../../../replicator/clock/clock.ts'
import type { BrokerChannel, BrokerId, Cluster } from '../../../replicator/kafka/cluster.ts'

/**
 * What SIGSTOP does to a process, on a simulated clock: from {@link stop} to {@link goOn} it learns nothing of what it
 * waits for. What it had sent before goes its way.
 */
export class Suspension {
  #gate: PromiseWithResolvers<void> | undefined

  stop(): void {
    this.#gate ??= Promise.withResolvers()
  }

  goOn(): void {
    this.#gate?.resolve()
    this.#gate = undefined
  }

  /** A clock whose sleepers wake no sooner than the process does. */
  clock(clock: Clock): Clock {
    return {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: async (ms, signal) => this.#heard(clock.sleep(ms, signal)),
    }
  }

  /** A cluster whose answers are heard no sooner than the process wakes. */
  cluster(cluster: Cluster): Cluster {
    return this.#hearing(cluster, async (channel) => this.#channel(channel))
  }

  #channel(channel: BrokerChannel): BrokerChannel {
    return {
      broker: channel.broker,
      closed: this.#heard(channel.closed),
      close: () => channel.close(),
      destroy: (reason) => channel.destroy(reason),
      fetch: (request, signal) => this.#heard(channel.fetch(request, signal)),
      produce: (request, signal) => this.#heard(channel.produce(request, signal)),
    }
  }

  #hearing(cluster: Cluster, wrap: (channel: BrokerChannel) => Promise<BrokerChannel>): Cluster {
    const heard = <T>(answer: Promise<T>): Promise<T> => this.#heard(answer)
    return new Proxy(cluster, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (name === 'openChannel') {
          return async (broker: BrokerId, signal?: AbortSignal) =>
            wrap(await heard(target.openChannel(broker, signal)))
        }
        return (...args: unknown[]) => {
          const answer: unknown = value.apply(target, args)
          return answer instanceof Promise ? heard(answer) : answer
        }
      },
    })
  }

  async #heard<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer
    } finally {
      await this.#gate?.promise
    }
  }
}
