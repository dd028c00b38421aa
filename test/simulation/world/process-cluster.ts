import type { BrokerChannel, BrokerId, Cluster } from '../../../replicator/kafka/cluster.ts'
import type { SimulatedProcess, Trap } from './simulated-process.ts'

/** A cluster as one simulated process sees it: every request and every answer passes through the process. */
export function processCluster(cluster: Cluster, process: SimulatedProcess, side: Trap['cluster']): Cluster {
  return new Proxy(cluster, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function' || typeof name !== 'string') return value
      if (name === 'destroy') return () => (process.state === 'dead' ? undefined : target.destroy())
      if (name === 'openChannel') {
        return async (broker: BrokerId, signal?: AbortSignal) =>
          processChannel(
            await process.request(side, name, () => target.openChannel(broker, signal)),
            process,
            side,
          )
      }
      return (...args: readonly unknown[]) =>
        process.request(side, name, () => Reflect.apply(value, target, args) as Promise<unknown>)
    },
  })
}

function processChannel(
  channel: BrokerChannel,
  process: SimulatedProcess,
  side: Trap['cluster'],
): BrokerChannel {
  return {
    broker: channel.broker,
    closed: process.hears(channel.closed),
    produce: (request, signal) => process.request(side, 'produce', () => channel.produce(request, signal)),
    fetch: (request, signal) => process.request(side, 'fetch', () => channel.fetch(request, signal)),
    close: () => process.request(side, 'close', () => channel.close()),
    destroy: (reason) => {
      if (process.state !== 'dead') channel.destroy(reason)
    },
  }
}
