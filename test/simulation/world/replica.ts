import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type { Random } from '../../../replicator/clock/random.ts'
import type { FlowEvent } from '../../../replicator/flow/events.ts'
import { type RunningFlow, startFlow } from '../../../replicator/flow/flow.ts'
import { defaultFlowLimits, type FlowLimits } from '../../../replicator/flow/flow-limits.ts'
import type {
  CompanionScene,
  CopiedPartition,
  ShardCompanion,
} from '../../../replicator/flow/shard-companion.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { type FlowGroups, flowGroups } from '../../../replicator/processes/flow-groups.ts'
import {
  createProducerRegistry,
  type WritableRegistry,
} from '../../../replicator/provenance/producer-registry.ts'
import { groupClaims } from '../../../replicator/shards/group-claims.ts'
import { everyShard, type ShardClaims } from '../../../replicator/shards/shard-claims.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import type { Flow, Topology } from '../../../replicator/topology/model.ts'
import type { DecideFault } from '../faults.ts'
import { MemoryCluster } from '../memory-cluster.ts'
import type { SimulatedBrokers } from '../simulated-brokers.ts'
import type { SimulatedClock } from '../simulated-clock.ts'
import type { Setup, Side } from './plan.ts'
import { processCluster } from './process-cluster.ts'
import { SimulatedProcess } from './simulated-process.ts'

export interface ReplicaOptions {
  readonly name: string
  readonly clock: SimulatedClock
  readonly brokers: Readonly<Record<Side, SimulatedBrokers>>
  readonly flow: Flow
  readonly progressTopic: string
  readonly registryTopic: string
  /** Without it no maps are kept. */
  readonly mapTopic: string | undefined
  /** Of the flow alone. */
  readonly topology: Topology
  readonly transactionalIdOf: (shard: number) => string
  readonly claims: Setup['claims']
  readonly group: string
  /** Its place, which keeps its name over restarts. */
  readonly instance: string
  readonly random: Random
  readonly requestTimeoutMs: number
  readonly decide: (side: Side, replica: string) => DecideFault
  readonly announce: (event: FlowEvent) => void
  readonly onBuried: () => void
}

/** Small enough that every bound is met, slow enough that idle time is cheap to simulate. */
const limits: FlowLimits = {
  ...defaultFlowLimits,
  bufferBytesMax: 256 * 1024,
  partitionBufferBytesMax: 32 * 1024,
  fetchBytesMax: 16 * 1024,
  fetchBytesMin: 4 * 1024,
  fetchWaitMaxMs: 500,
  sourceLanes: 1,
  targetLanes: 1,
  produceBytesMax: 8 * 1024,
  produceTimeoutMs: 5000,
  mapIntervalMs: 1000,
}

/** How long requests of a killed process may still arrive, in milliseconds. */
const LINGER_MS = 20_000

/** One process that runs the product's own code for a flow, with clients of its own. */
export class Replica {
  readonly name: string
  readonly process: SimulatedProcess
  readonly running: RunningFlow
  readonly #clients: readonly MemoryCluster[]
  readonly #registry: WritableRegistry
  readonly #groups: FlowGroups | undefined
  readonly #clock: SimulatedClock
  readonly #onBuried: () => void
  readonly #scenes = new Set<CompanionScene>()
  /** Why the flow ended by itself, which it never should. */
  failure: unknown

  constructor(options: ReplicaOptions) {
    const { name, clock, brokers, flow, progressTopic, random, requestTimeoutMs, decide } = options
    this.name = name
    this.#clock = clock
    this.#onBuried = options.onBuried
    this.process = new SimulatedProcess(name, clock)
    const connect = (side: Side) =>
      new MemoryCluster(brokers[side], {
        alias: side === 'source' ? flow.source : flow.target,
        faults: decide(side, name),
        requestTimeoutMs,
      })
    const clients = { source: connect('source'), target: connect('target') }
    this.#clients = [clients.source, clients.target]
    const target = processCluster(clients.target, this.process, 'target')
    this.#registry = createProducerRegistry({
      cluster: target,
      topic: options.registryTopic,
      progressTopic,
      create: { replicationFactor: flow.replicationFactor },
      isVital: false,
      clock: this.process.clock,
      random,
      backoff: defaultBackoff,
    })
    const source = processCluster(clients.source, this.process, 'source')
    const announce = (event: FlowEvent): void => {
      if (this.process.state !== 'dead') options.announce(event)
    }
    this.#groups = flowGroups(
      flow,
      {
        topology: options.topology,
        clock: this.process.clock,
        random,
        announce,
        provenance: {
          rule: 'everything',
          registry: this.#registry,
          origins: undefined,
          close: async () => {},
        },
      },
      (alias) => (alias === flow.source ? source : target),
    )
    this.running = startFlow({
      flow,
      progressTopic,
      ...(options.mapTopic === undefined ? {} : { mapTopic: options.mapTopic }),
      companions: [
        (scene) => this.#lookInto(scene),
        ...(this.#groups === undefined ? [] : [this.#groups.companion]),
      ],
      transactionalIdOf: options.transactionalIdOf,
      claims: this.#claims(options, target),
      registry: this.#registry,
      origins: undefined,
      rule: 'everything',
      source,
      target,
      rules: topicRules(flow, [flow.source, flow.target]),
      clock: this.process.clock,
      random,
      backoff: defaultBackoff,
      limits,
      announce,
      discoveryIntervalMs: 1000,
      acceptsGap: () => false,
    })
    this.running.ended.catch((error) => {
      this.failure = error
    })
  }

  #claims(options: ReplicaOptions, cluster: Cluster): ShardClaims {
    const { claims, flow, group, instance, random } = options
    if (claims === 'each-all') return everyShard(flow.shards)
    return groupClaims({
      cluster,
      group,
      shards: flow.shards,
      instanceId: claims === 'group-static' ? instance : undefined,
      sessionTimeoutMs: 6000,
      clock: this.process.clock,
      random,
      onTrouble: () => {},
    })
  }

  /** The partitions that it believes are its own to copy. */
  get copies(): readonly CopiedPartition[] {
    return [...this.#scenes].flatMap((scene) => scene.copies())
  }

  #lookInto(scene: CompanionScene): ShardCompanion {
    this.#scenes.add(scene)
    return {
      run: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        }),
      finish: async () => {},
      close: () => {
        this.#scenes.delete(scene)
      },
    }
  }

  /** Its host loses the network for a moment. */
  cutConnections(): void {
    for (const client of this.#clients) client.cutConnections()
  }

  /** SIGKILL: nothing of it runs on; what it had sent may still arrive. */
  kill(): void {
    if (this.process.state === 'dead') return
    this.process.kill()
    this.#clock.after(LINGER_MS, () => this.bury())
  }

  /**
   * Frees the memory of a killed process. Node keeps combined abort signals, and all that waits for them, until they
   * abort: so the flow is told to end, although nothing that it does any more gets out of its process.
   */
  bury(): void {
    this.process.kill()
    for (const client of this.#clients) client.destroy()
    this.running.destroy().catch(() => {})
    this.#groups?.close().catch(() => {})
    this.#onBuried()
  }

  /** SIGTERM: what was given time to end properly must leave nothing behind. Returns what it left. */
  async drain(timeoutMs: number): Promise<string | undefined> {
    await this.running.drain(timeoutMs)
    await this.#groups?.close()
    await this.#registry.close()
    const held = this.#clients.reduce((sum, client) => sum + client.leases.held, 0)
    const { bufferedBytes } = this.running.snapshot()
    for (const client of this.#clients) client.destroy()
    if (held > 0) return `${held} frames`
    return bufferedBytes > 0 ? `${bufferedBytes} buffered bytes` : undefined
  }
}
