import type {
  BrokerChannel,
  BrokerId,
  Cluster,
  ProduceRequest,
  TopicPartition,
} from '../../../replicator/kafka/cluster.ts'
import { protocolError, transportError } from '../../../replicator/kafka/errors.ts'

/** What a broker with rules of its own (ACLs, quotas, a full disk) says about one partition. */
export interface Refusals {
  /** Error code for a produced batch, or `undefined` to let it through. */
  readonly produce?: (at: TopicPartition & { readonly bytes: number }) => number | undefined
  /** The same for a fetched partition. */
  readonly fetch?: (at: TopicPartition) => number | undefined
  /** Brokers that cannot be reached. */
  readonly cutsOff?: (broker: BrokerId) => boolean
  /** Topics that the principal may not describe. */
  readonly hides?: (topic: string) => boolean
  /** Topics whose configs the principal may not describe. */
  readonly hidesConfigs?: (topic: string) => boolean
}

/** A cluster whose brokers refuse some partitions: what is not refused reaches `cluster`. */
export function refusingCluster(cluster: Cluster, refusals: Refusals): Cluster {
  return new Proxy(cluster, {
    get(target, name) {
      if (name === 'openChannel') {
        return async (broker: BrokerId, signal?: AbortSignal) => {
          if (refusals.cutsOff?.(broker)) throw transportError('connection', 'No route', { broker })
          return refusingChannel(await target.openChannel(broker, signal), refusals)
        }
      }
      if (name === 'listTopics') {
        return async (signal?: AbortSignal) =>
          (await target.listTopics(signal)).filter((topic) => !refusals.hides?.(topic.name))
      }
      if (name === 'describeTopics') {
        return async (names: readonly string[], signal?: AbortSignal) => {
          const lookups = new Map(await target.describeTopics(names, signal))
          for (const topic of names) {
            if (refusals.hides?.(topic))
              lookups.set(topic, { kind: 'failed', error: protocolError(29, { topic }) })
          }
          return lookups
        }
      }
      if (name === 'describeTopicConfigs') {
        return async (topics: readonly string[], signal?: AbortSignal) => {
          const answers = new Map(await target.describeTopicConfigs(topics, signal))
          for (const topic of topics) {
            if (refusals.hidesConfigs?.(topic))
              answers.set(topic, { ok: false, error: protocolError(29, { topic }) })
          }
          return answers
        }
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function refusingChannel(channel: BrokerChannel, refusals: Refusals): BrokerChannel {
  return {
    broker: channel.broker,
    closed: channel.closed,
    close: () => channel.close(),
    destroy: (reason) => channel.destroy(reason),
    async produce(request: ProduceRequest, signal) {
      const codes = request.batches.map(({ topic, partition, batch }) =>
        refusals.produce?.({ topic, partition, bytes: batch.length }),
      )
      const allowed = request.batches.filter((_, index) => codes[index] === undefined)
      const answer = await channel.produce({ ...request, batches: allowed }, signal)
      const results = [...answer.results]
      return {
        results: request.batches.map(({ topic, partition }, index) => {
          const code = codes[index]
          if (code === undefined) return results.shift()!
          return { topic, partition, result: { ok: false, error: protocolError(code, { topic, partition }) } }
        }),
      }
    },
    async fetch(request, signal) {
      const { frame, partitions } = await channel.fetch(request, signal)
      return {
        frame,
        partitions: partitions.map((answer) => {
          const code = refusals.fetch?.(answer)
          if (code === undefined) return answer
          return { ...answer, error: protocolError(code, answer), records: Buffer.alloc(0) }
        }),
      }
    },
  }
}
