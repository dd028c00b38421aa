import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type { FlowEvent } from '../../../replicator/flow/events.ts'
import { type RunningFlow, startFlow } from '../../../replicator/flow/flow.ts'
import { defaultFlowLimits, type FlowLimits } from '../../../replicator/flow/flow-limits.ts'
import type { FlowOptions } from '../../../replicator/flow/flow-options.ts'
import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { everyShard } from '../../../replicator/shards/shard-claims.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { Flow } from '../../../replicator/topology/model.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { type BatchFields, buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers, type SimulatedBrokersOptions } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'
import { type Refusals, refusingCluster } from './refusing-cluster.ts'
import type { Suspension } from './suspension.ts'
import { type VisibleRecord, visibleRecords } from './visible-records.ts'

const usEast = regionAlias('us-east')
const euWest = regionAlias('eu-west')
const progressTopic = 'causeway.test.progress'

export interface SceneOptions {
  readonly seed?: number
  readonly brokers?: number
  readonly flow?: Partial<Flow>
  readonly target?: Partial<SimulatedBrokersOptions>
}

export interface RunOptions {
  readonly limits?: Partial<FlowLimits>
  readonly sourceFaults?: DecideFault
  readonly targetFaults?: DecideFault
  readonly sourceRefusals?: Refusals
  readonly targetRefusals?: Refusals
  readonly acceptsGap?: FlowOptions['acceptsGap']
  /** Default: every shard. */
  readonly claims?: FlowOptions['claims']
  readonly registry?: FlowOptions['registry']
  /** Stops and continues the process that the flow runs in. */
  readonly suspension?: Suspension
}

/** Small enough that every bound is met in a test. */
const smallLimits: FlowLimits = {
  ...defaultFlowLimits,
  bufferBytesMax: 256 * 1024,
  partitionBufferBytesMax: 32 * 1024,
  fetchBytesMax: 16 * 1024,
  fetchBytesMin: 4 * 1024,
  fetchWaitMaxMs: 100,
  sourceLanes: 2,
  targetLanes: 2,
  produceBytesMax: 8 * 1024,
}

/** Two simulated clusters and the flows between them. What is on the clusters outlives each flow. */
export class FlowScene {
  readonly clock = new SimulatedClock()
  readonly source: SimulatedBrokers
  readonly target: SimulatedBrokers
  readonly random: SeededRandom
  readonly events: FlowEvent[] = []
  readonly flow: Flow
  #serial = 0

  constructor({ seed = 1, brokers = 1, flow = {}, target = {} }: SceneOptions = {}) {
    this.random = new SeededRandom(seed)
    this.source = new SimulatedBrokers({ clock: this.clock, seed: 2 * seed, brokers })
    this.target = new SimulatedBrokers({ ...target, clock: this.clock, seed: 2 * seed + 1, brokers })
    this.flow = {
      id: flowId(usEast, euWest),
      source: usEast,
      target: euWest,
      topics: [{ kind: 'match', match: '.*' }],
      paused: [],
      groups: [],
      naming: { kind: 'prefixed', separator: '.' },
      placement: 'target',
      replicationFactor: brokers,
      configSync: { mode: 'follow', exclude: [], defaultsFrom: 'target' },
      aclSync: { mode: 'off', principals: [] },
      startAt: 'earliest',
      shards: 3,
      ...flow,
    }
  }

  /** Creates a source topic, replicated to every broker unless told otherwise. */
  create(
    name: string,
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
    factor?: number,
  ): void {
    createOn(this.source, name, partitions, configs, factor)
  }

  createTarget(
    name: string,
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
    factor?: number,
  ) {
    createOn(this.target, name, partitions, configs, factor)
  }

  /** Appends one batch of `count` records to the source; every record's value occurs only once in the scene. */
  write(at: TopicPartition, count = 1, fields: BatchFields = {}, padding = 0): void {
    const batch = buildBatch(this.records(count, padding), fields)
    const leader = this.source.partition(at).leader ?? assert.fail('the source partition has no leader')
    const [answer] = this.source.produce(leader, [{ ...at, batch }])
    assert(answer?.ok, `the source takes a batch: ${answer?.ok === false ? answer.detail : 'no answer'}`)
  }

  records(count: number, padding = 0) {
    const pairs = Array.from({ length: count }, (): [string, string] => {
      const serial = this.#serial++
      return [`key ${serial % 7}`, `value ${serial} ${'x'.repeat(padding)}`]
    })
    return recordsOf(pairs, this.clock.wallMs())
  }

  /** Starts a flow with clients of its own. */
  start(options: RunOptions = {}): SceneFlow {
    const clients = {
      source: new MemoryCluster(this.source, { alias: usEast, faults: options.sourceFaults ?? calm }),
      target: new MemoryCluster(this.target, { alias: euWest, faults: options.targetFaults ?? calm }),
    }
    const events: FlowEvent[] = []
    const { suspension } = options
    const source = refusingCluster(clients.source, options.sourceRefusals ?? {})
    const target = refusingCluster(clients.target, options.targetRefusals ?? {})
    const running = startFlow({
      flow: this.flow,
      progressTopic,
      transactionalIdOf: (shard) => `causeway.test.${shard}`,
      claims: options.claims ?? everyShard(this.flow.shards),
      registry: options.registry,
      origins: undefined,
      rule: 'everything',
      source: suspension?.cluster(source) ?? source,
      target: suspension?.cluster(target) ?? target,
      rules: topicRules(this.flow, [usEast, euWest]),
      clock: suspension?.clock(this.clock) ?? this.clock,
      random: this.random.fork(),
      backoff: defaultBackoff,
      limits: { ...smallLimits, ...options.limits },
      announce: (event) => {
        this.events.push(event)
        events.push(event)
      },
      discoveryIntervalMs: 1000,
      acceptsGap: options.acceptsGap ?? (() => false),
    })
    running.ended.catch(() => {})
    return new SceneFlow(this, running, clients, events)
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    return this.clock.run(work())
  }

  /** Lets time pass until it is so. @throws AssertionError after `limitMs` of simulated time */
  async until(what: string, isSo: () => boolean, limitMs = 120_000): Promise<void> {
    const deadlineMs = this.clock.monotonicMs() + limitMs
    for (let stepMs = 10; !isSo(); stepMs = Math.min(250, stepMs * 1.3)) {
      assert(this.clock.monotonicMs() < deadlineMs, `${what}: still not so after ${limitMs} ms`)
      await this.clock.advance(stepMs)
    }
  }

  sourceRecords(at: TopicPartition): readonly VisibleRecord[] {
    return visibleRecords(this.source.log(at))
  }

  targetRecords(at: TopicPartition): readonly VisibleRecord[] {
    const topic = this.targetName(at.topic)
    if (this.target.topics.byName(topic)?.partitions[at.partition] === undefined) return []
    return visibleRecords(this.target.log({ ...at, topic }))
  }

  targetName(topic: string): string {
    return topicRules(this.flow, [usEast, euWest]).targetNameOf(topic)
  }

  /** Every source partition, internal topics aside. */
  get partitions(): readonly TopicPartition[] {
    return this.source.topics.all.flatMap(({ name, partitions }) =>
      partitions.map((_, partition) => ({ topic: name, partition })),
    )
  }
}

const calm: DecideFault = () => undefined

export class SceneFlow {
  readonly running: RunningFlow
  readonly clients: { readonly source: MemoryCluster; readonly target: MemoryCluster }
  /** What this flow has announced. */
  readonly events: readonly FlowEvent[]
  readonly #scene: FlowScene

  constructor(
    scene: FlowScene,
    running: RunningFlow,
    clients: SceneFlow['clients'],
    events: readonly FlowEvent[],
  ) {
    this.events = events
    this.#scene = scene
    this.running = running
    this.clients = clients
  }

  snapshot() {
    return this.running.snapshot()
  }

  /** Lets time pass until all that can be copied is, then checks that nothing is there twice or out of order. */
  async catchUp(partitions = this.#scene.partitions, limitMs?: number) {
    const scene = this.#scene
    await scene.until(
      'everything is copied',
      () => partitions.every((at) => missing(scene.sourceRecords(at), scene.targetRecords(at)) === 0),
      limitMs,
    )
    for (const at of partitions) checkCopy(scene, at)
  }

  async drain(timeoutMs = 60_000): Promise<void> {
    await this.#scene.run(() => this.running.drain(timeoutMs))
    await this.#checkEnd()
  }

  async destroy(): Promise<void> {
    await this.#scene.run(() => this.running.destroy())
    await this.#checkEnd()
  }

  /** Whoever ends gives everything back. */
  async #checkEnd(): Promise<void> {
    await this.running.ended
    assert.equal(this.snapshot().bufferedBytes, 0, 'nothing stays buffered')
    for (const client of [this.clients.source, this.clients.target]) {
      assert.equal(client.leases.held, 0, `every frame of ${client.alias} is released`)
      client.destroy()
    }
  }
}

const keyOf = (record: VisibleRecord): string => JSON.stringify(record)

function missing(source: readonly VisibleRecord[], target: readonly VisibleRecord[]): number {
  const there = new Set(target.map(keyOf))
  return source.filter((record) => !there.has(keyOf(record))).length
}

/** Fails unless the copy holds the source's records, each once and in order. */
export function checkCopy(scene: FlowScene, at: TopicPartition): void {
  const source = scene.sourceRecords(at).map(keyOf)
  const target = scene.targetRecords(at).map(keyOf)
  assert.deepEqual(target, source, `${at.topic}/${at.partition} is copied exactly`)
}

function createOn(
  brokers: SimulatedBrokers,
  name: string,
  partitions: number,
  configs: Readonly<Record<string, string>>,
  factor = brokers.brokers.length,
): void {
  const made = brokers.topics.create({
    name,
    partitions,
    replicationFactor: factor,
    configs: new Map(Object.entries(configs)),
  })
  assert(made.ok, `topic ${name} is created: ${JSON.stringify(made)}`)
}
