import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { brokerId, type ProducerIdentity, type TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { LogWalks } from '../../../replicator/logs/log-walks.ts'
import type { ProducerRegistry, RegisteredProducer } from '../../../replicator/provenance/origins.ts'
import { readOwnershipLimits } from '../../../replicator/shards/ownership-limits.ts'
import { prepareProgressTopic } from '../../../replicator/shards/progress-topic.ts'
import { Shard, type ShardOptions } from '../../../replicator/shards/shard.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { type BatchFields, buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers, type SimulatedBrokersOptions } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

import { type AnsweredCodes, answeringCluster } from './answering-cluster.ts'

export const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
export const progressTopic = 'causeway.test.progress'
const calm: DecideFault = () => undefined

/** Two simulated clusters, and what stands on them without any flow. */
export class ShardScene {
  readonly clock = new SimulatedClock()
  readonly source: SimulatedBrokers
  readonly target: SimulatedBrokers
  readonly random = new SeededRandom(7)
  readonly registered: RegisteredProducer[] = []
  readonly signal = new AbortController().signal
  #serial = 0
  #progressTopicId: string | undefined

  constructor(options: Partial<SimulatedBrokersOptions> = {}) {
    this.source = new SimulatedBrokers({ clock: this.clock, seed: 3 })
    this.target = new SimulatedBrokers({ ...options, clock: this.clock, seed: 4 })
  }

  /** The process's registry of producer ids, on the target. */
  get registry(): ProducerRegistry {
    return {
      register: async (producer) => {
        if (!this.registered.some(({ producerId }) => producerId === producer.producerId))
          this.registered.push(producer)
      },
      formerly: async (name) => this.registered.filter((entry) => entry.flow === name),
    }
  }

  create(
    brokers: SimulatedBrokers,
    name: string,
    partitions = 1,
    configs: Record<string, string> = {},
  ): void {
    const made = brokers.topics.create({
      name,
      partitions,
      replicationFactor: brokers.brokers.length,
      configs: new Map(Object.entries(configs)),
    })
    assert(made.ok)
  }

  run<T>(work: Promise<T>, limitMs?: number): Promise<T> {
    return this.clock.run(work, limitMs)
  }

  connect(brokers: SimulatedBrokers, faults: DecideFault = calm): MemoryCluster {
    return new MemoryCluster(brokers, { alias: regionAlias('simulated'), faults, requestTimeoutMs: 5000 })
  }

  walks(cluster: MemoryCluster): LogWalks {
    return new LogWalks({ cluster, clock: this.clock, random: this.random, backoff: defaultBackoff })
  }

  /** Records that occur only once, unless `values` says what they are. */
  records(count: number, values?: readonly string[]) {
    const pairs = Array.from({ length: count }, (_, i): [string, string] => {
      const serial = this.#serial++
      return [`key ${serial}`, values?.[i] ?? `value ${serial}`]
    })
    return recordsOf(pairs, this.clock.wallMs())
  }

  /** Appends one batch to whoever leads. @returns its base offset */
  append(brokers: SimulatedBrokers, at: TopicPartition, batch: Buffer): bigint {
    const answer = this.tryAppend(brokers, at, batch)
    assert(answer?.ok, `the batch is taken: ${answer?.ok === false ? answer.code : 'no answer'}`)
    return answer.value.baseOffset
  }

  tryAppend(brokers: SimulatedBrokers, at: TopicPartition, batch: Buffer) {
    const [answer] = brokers.produce(brokers.partition(at).leader ?? brokerId(1), [{ ...at, batch }])
    return answer
  }

  /** Appends so many new records. @returns the batch */
  write(brokers: SimulatedBrokers, at: TopicPartition, count: number, fields: BatchFields = {}): Buffer {
    const batch = buildBatch(this.records(count), fields)
    this.append(brokers, at, batch)
    return batch
  }

  /** A marker by WriteTxnMarkers. */
  mark(at: TopicPartition, producer: ProducerIdentity): void {
    assert(this.target.fence(at, producer, 'abort').ok)
  }

  /** Makes the progress topic, as a flow does before its first shard. */
  async prepareProgress(shards = 2): Promise<void> {
    const { clock } = this
    const cluster = this.connect(this.target)
    const options = { cluster, topic: progressTopic, clock, shards, replicationFactor: 1 }
    this.#progressTopicId = (await this.run(prepareProgressTopic(options, this.signal))).id
  }

  /** One process's hold of a shard. */
  async shard(
    options: Partial<ShardOptions> = {},
    faults: DecideFault = calm,
    codes: AnsweredCodes = {},
  ): Promise<Shard> {
    if (this.#progressTopicId === undefined) await this.prepareProgress()
    const connected = this.connect(this.target, faults)
    const target = answeringCluster(connected, codes)
    return new Shard({
      flow,
      index: 0,
      transactionalId: 'causeway.test.0',
      target,
      progressTopic,
      progressTopicId: this.#progressTopicId,
      registry: this.registry,
      walks: this.walks(connected),
      limits: await this.run(readOwnershipLimits(target, this.signal)),
      clock: this.clock,
      random: this.random,
      backoff: defaultBackoff,
      ...options,
    })
  }
}
