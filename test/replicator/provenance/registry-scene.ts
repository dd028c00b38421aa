import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { createProducerRegistry } from '../../../replicator/provenance/producer-registry.ts'
import type { RegistryOptions } from '../../../replicator/provenance/registry-log.ts'
import { createOrigins, type OriginsOptions } from '../../../replicator/provenance/source-origins.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

export const topic = 'causeway.test.producers'
export const progressTopic = 'causeway.test.progress'
export const registryAt = { topic, partition: 0 }
export const forever = new AbortController().signal

/** One simulated cluster with clients that write and read its registry. */
export function registryScene(faults: DecideFault = () => undefined) {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock, brokers: 3 })
  const client = () => new MemoryCluster(brokers, { alias: regionAlias('us-east'), faults })
  const cluster = client()
  const optionsOf = (more: Partial<RegistryOptions>): RegistryOptions => ({
    cluster,
    topic,
    progressTopic,
    create: { replicationFactor: 3 },
    isVital: true,
    clock,
    random: new SeededRandom(1),
    backoff: defaultBackoff,
    ...more,
  })
  return {
    clock,
    brokers,
    cluster,
    client,
    registry: (more: Partial<RegistryOptions> = {}) => createProducerRegistry(optionsOf(more)),
    origins: ({ isLeftOut, ...more }: Partial<OriginsOptions> = {}) =>
      createOrigins({ ...optionsOf(more), ...(isLeftOut && { isLeftOut }) }),
    run: <T>(work: () => Promise<T>) => clock.run(work(), 600_000),
    create(name: string, partitions = 1) {
      const configs = new Map([['cleanup.policy', 'compact']])
      assert(brokers.topics.create({ name, partitions, replicationFactor: 3, configs }).ok)
    },
    /** Appends one keyed record where the product has nothing to append with. */
    append(where: { topic: string; partition: number }, key: string, value: string) {
      const batch = buildBatch(recordsOf([[key, value]], clock.wallMs()))
      assert(brokers.produce(brokers.partition(where).leader!, [{ ...where, batch }])[0]?.ok)
    },
  }
}

/** Fetched bytes with one batch of each producer id. */
export function fetched(...producerIds: readonly bigint[]): Buffer {
  return Buffer.concat(
    producerIds.map((producerId, index) =>
      buildBatch(recordsOf([['k', `${index}`]], 1), {
        baseOffset: BigInt(index),
        producerId,
        producerEpoch: producerId < 0n ? -1 : 0,
        baseSequence: producerId < 0n ? -1 : 0,
      }),
    ),
  )
}

export const producer = (producerId: bigint, shard = 0, flow = 'eu-west->us-east') => ({
  producerId,
  flow,
  shard,
  progressTopicId: 'progress-id',
})
