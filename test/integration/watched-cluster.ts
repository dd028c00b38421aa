import type {
  BrokerChannel,
  Cluster,
  FetchResponse,
  ProduceRequest,
  ProduceResponse,
} from '../../replicator/kafka/cluster.ts'

/** What a test sees and may change between a flow and a cluster. */
export interface Watch {
  /** Stands around every Produce request: `send` sends it. */
  readonly produce?: (
    request: ProduceRequest,
    send: () => Promise<ProduceResponse>,
  ) => Promise<ProduceResponse>
  /** Called with every Fetch answer; what it returns is what the flow gets. */
  readonly fetched?: (response: FetchResponse) => FetchResponse
}

/** A cluster whose channels are watched; everything else is the cluster's own. */
export function watchedCluster(cluster: Cluster, watch: Watch): Cluster {
  const openChannel: Cluster['openChannel'] = async (broker, signal) =>
    watchedChannel(await cluster.openChannel(broker, signal), watch)
  return withOverrides(cluster, { openChannel })
}

function watchedChannel(channel: BrokerChannel, watch: Watch): BrokerChannel {
  return withOverrides(channel, {
    produce(request, signal) {
      const send = () => channel.produce(request, signal)
      return watch.produce?.(request, send) ?? send()
    },
    async fetch(request, signal) {
      const response = await channel.fetch(request, signal)
      return watch.fetched?.(response) ?? response
    },
  } satisfies Partial<BrokerChannel>)
}

/** Methods run on the object itself, for the sake of its private fields. */
function withOverrides<T extends object>(object: T, overrides: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const own: unknown = Reflect.get(overrides, name) ?? Reflect.get(target, name)
      return typeof own === 'function' && !Object.hasOwn(overrides, name) ? own.bind(target) : own
    },
  })
}
