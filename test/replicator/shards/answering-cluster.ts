import type {
  BrokerChannel,
  BrokerId,
  Cluster,
  ProduceRequest,
  ProduceResult,
  TopicPartition,
} from '../../../replicator/kafka/cluster.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'

/** What brokers refuse before anything reaches them: an error code for a partition, or `undefined`. */
export interface AnsweredCodes {
  readonly produce?: (at: TopicPartition) => number | undefined
  readonly mark?: (at: TopicPartition) => number | undefined
  /** As a whole: a broker that refuses one partition answers the others with 55. */
  readonly add?: (at: TopicPartition) => number | undefined
  readonly offsets?: (at: TopicPartition) => number | undefined
}

/** A cluster whose brokers answer some partitions with an error code; all else reaches `cluster`. */
export function answeringCluster(cluster: Cluster, codes: AnsweredCodes): Cluster {
  const asked: Partial<Cluster> = {
    async openChannel(broker: BrokerId, signal?: AbortSignal) {
      return answeringChannel(await cluster.openChannel(broker, signal), codes)
    },
    async writeTransactionMarkers(identity, end, partitions, signal) {
      const refused = partitions.filter((at) => codes.mark?.(at) !== undefined)
      const allowed = partitions.filter((at) => !refused.includes(at))
      const written = await cluster.writeTransactionMarkers(identity, end, allowed, signal)
      return [...written, ...refused.map((at) => failed(at, codes.mark?.(at) ?? 0))]
    },
    async addPartitionsToTransaction(transaction, partitions, signal) {
      const isRefused = partitions.some((at) => codes.add?.(at) !== undefined)
      if (!isRefused) return cluster.addPartitionsToTransaction(transaction, partitions, signal)
      return partitions.map((at) => failed(at, codes.add?.(at) ?? 55))
    },
    async listOffsets(queries, signal) {
      const answers = await cluster.listOffsets(queries, signal)
      return answers.map((answer) => {
        const code = codes.offsets?.(answer)
        return code === undefined ? answer : failed(answer, code)
      })
    },
  }
  return new Proxy(cluster, {
    get(target, name) {
      const own: unknown = Reflect.get(asked, name)
      if (own !== undefined) return own
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function answeringChannel(channel: BrokerChannel, codes: AnsweredCodes): BrokerChannel {
  return {
    broker: channel.broker,
    closed: channel.closed,
    close: () => channel.close(),
    destroy: (reason) => channel.destroy(reason),
    fetch: (request, signal) => channel.fetch(request, signal),
    async produce(request: ProduceRequest, signal) {
      const refused = request.batches.map((at) => codes.produce?.(at))
      const batches = request.batches.filter((_, index) => refused[index] === undefined)
      const { results } = await channel.produce({ ...request, batches }, signal)
      const left = [...results]
      const answer = (at: TopicPartition, index: number): ProduceResult => {
        const code = refused[index]
        return code === undefined ? left.shift()! : failed(at, code)
      }
      return { results: request.batches.map(answer) }
    },
  }
}

const failed = ({ topic, partition }: TopicPartition, code: number) => ({
  topic,
  partition,
  result: { ok: false as const, error: protocolError(code, { topic, partition }) },
})
