import type { ProducerRegistry, RegisteredProducer } from './origins.ts'
import { RegistryLog, type RegistryOptions } from './registry-log.ts'

/** The registry as those see it who write to the cluster. */
export interface WritableRegistry extends ProducerRegistry {
  /** What this process has registered, or found registered when it was about to, in order. */
  registered(): readonly RegisteredProducer[]
  close(): Promise<void>
}

/**
 * The registry of a flow's target. Makes the topic when it is missing, and writes no entry twice: the first one of an
 * id stands, so that the progress topic it was registered with is not forgotten.
 */
export function createProducerRegistry(options: RegistryOptions): WritableRegistry {
  const log = new RegistryLog(options)
  const registered = new Map<bigint, RegisteredProducer>()
  return {
    async register(producer, signal) {
      if (registered.has(producer.producerId)) return
      if (!log.entries.has(producer.producerId)) await log.readOn(signal)
      const earlier = log.entries.get(producer.producerId)
      if (earlier === undefined) await log.append(producer, signal)
      registered.set(producer.producerId, earlier ?? producer)
    },
    registered: () => [...registered.values()],
    async formerly(flow, signal) {
      await log.readOn(signal)
      return [...log.entries.values()].filter((entry) => entry.flow === flow)
    },
    close: () => log.close(),
  }
}
