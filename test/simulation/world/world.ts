import type { FlowEvent } from '../../../replicator/flow/events.ts'
import { brokerId, type TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../../replicator/kafka/errors.ts'

import type { Flow } from '../../../replicator/topology/model.ts'
import { brokerConfigs } from '../broker-configs.ts'
import { defaultProducerExpiry } from '../partition-log.ts'
import { SeededRandom } from '../seeded-random.ts'
import { SimulatedBrokers } from '../simulated-brokers.ts'
import { SimulatedClock } from '../simulated-clock.ts'
import type { SimulatedTopic } from '../simulated-topics.ts'
import { defaultTransactionalIdExpiry } from '../transaction-coordinator.ts'
import { Applications } from './applications.ts'
import { Consumers } from './consumers.ts'
import type { Strictness } from './copy-checker.ts'

import { LinkFaults } from './link-faults.ts'
import { PartWatches } from './part-watches.ts'
import { type Plan, type PlannedTopic, type Setup, type Side, shardsMax } from './plan.ts'
import { Replica } from './replica.ts'
import { flowOf, groupOf, ownTopics, targetPrefix, topologyOf, transactionalIdOf } from './simulated-flow.ts'
import { SourceLedger } from './source-ledger.ts'
import { TargetWatch } from './target-watch.ts'
import { Trace } from './trace.ts'
import { Violation } from './violation.ts'

const { progress: progressTopic, producers: registryTopic, map: mapTopic } = ownTopics

/** Producers are forgotten by a planned fault: brokers that look by themselves could do so while requests are late. */
const neverForgotten = { expirationMs: Number.MAX_SAFE_INTEGER, checkIntervalMs: Number.MAX_SAFE_INTEGER }

/** `offsets.retention.minutes` as brokers ship, in milliseconds. */
const OFFSETS_RETENTION_MS = 7 * 86_400_000

const FENCED_INSTANCE_ID = 82
/** A Produce request is waited for for 30 s and a request timeout of up to 10 s, then sent again. */
const QUIET_MS = 45_000

/** A place that one replica of the flow fills; whoever is killed there is replaced. */
export interface Slot {
  readonly index: number
  replica: Replica | undefined
  incarnations: number
}

/** Two simulated clusters, the applications that write to one, and the processes that copy it to the other. */
export class World {
  readonly plan: Plan
  readonly clock = new SimulatedClock()
  readonly brokers: Readonly<Record<Side, SimulatedBrokers>>
  readonly watch: TargetWatch
  /** Maps and groups. */
  readonly parts: PartWatches
  readonly consumers: Consumers
  readonly trace: Trace
  readonly links: LinkFaults
  readonly applications: Applications
  readonly slots: readonly Slot[]
  /** Processes that were replaced while they were stopped. */
  readonly zombies = new Set<Replica>()
  /** Partitions that a fault entitles to stop, `topic/partition`, and why. */
  readonly mayStop = new Map<string, string>()
  /** What was written to topics that are not those that were copied, by topic and partition. */
  readonly #recreated = new Map<string, Map<number, SourceLedger>>()
  /** What each process said last of partitions that it stopped. */
  readonly #stopped = new Map<string, Map<string, string>>()
  /** Faults that struck something. */
  hits = 0
  #struckMs = 0
  #isAsleep = false
  /** Of the flow, for whoever is started from now on. */
  shards: number
  readonly #flow: Flow
  readonly #alive = new Set<Replica>()
  violation: Violation | undefined

  constructor(plan: Plan, strictness: Strictness, keepTrace: boolean) {
    this.plan = plan
    const { clock } = this
    const { brokers, shards, replicas, topics } = plan.setup
    const cluster = (seed: number, leaderlessMarkers: Setup['leaderlessMarkers']): SimulatedBrokers =>
      new SimulatedBrokers({
        clock,
        seed,
        brokers,
        producerExpiry: neverForgotten,
        leaderlessMarkers,
        brokerConfigs: brokerConfigs(defaultTransactionalIdExpiry, defaultProducerExpiry),
      })
    this.brokers = {
      // The applications' transactions are none of the product's business: theirs always end.
      source: cluster(2 * plan.seed, 'delayed'),
      target: cluster(2 * plan.seed + 1, plan.setup.leaderlessMarkers),
    }
    this.shards = shards
    this.trace = new Trace(() => clock.monotonicMs(), keepTrace)
    this.#flow = flowOf(plan.setup)
    const names = { flow: this.#flow.id, progressTopic, targetPrefix }
    this.parts = new PartWatches({
      plan,
      strictness,
      flow: this.#flow,
      brokers: this.brokers,
      trace: this.trace,
      watch: () => this.watch,
      isRecreated: (topic) => this.isRecreated(topic),
      running: () => [...this.#alive].flatMap(({ copies }) => copies),
    })
    this.watch = new TargetWatch(this.brokers.target, names, strictness, this.trace, this.parts.readers)
    this.links = new LinkFaults(
      plan,
      (what) => this.trace.note(what),
      () => this.hit(),
    )
    this.applications = new Applications(this.brokers.source, (at) => this.#ledgerOf(at))
    this.consumers = new Consumers(this.brokers, (topic) => `${targetPrefix}${topic}`, this.parts.groups)
    for (const topic of topics) this.createTopic(topic)
    this.slots = Array.from({ length: replicas }, (_, index) => ({
      index,
      replica: undefined,
      incarnations: 0,
    }))
    clock.watch(() => this.#look())
  }

  /** Counts a fault that struck. */
  hit(): void {
    this.hits += 1
    this.#struckMs = this.clock.monotonicMs()
  }

  createTopic({ name, partitions, compacted, logAppendTime }: PlannedTopic): boolean {
    const configs = new Map<string, string>()
    if (compacted) configs.set('cleanup.policy', 'compact')
    if (logAppendTime) configs.set('message.timestamp.type', 'LogAppendTime')
    const { source } = this.brokers
    return source.topics.create({ name, partitions, replicationFactor: this.plan.setup.brokers, configs }).ok
  }

  #ledgerOf({ topic, partition }: TopicPartition): SourceLedger {
    const ledgers = this.#recreated.get(topic)
    if (ledgers === undefined) return this.watch.copyOf(topic, partition).ledger
    const ledger = ledgers.get(partition) ?? new SourceLedger()
    ledgers.set(partition, ledger)
    return ledger
  }

  isRecreated(topic: string): boolean {
    return this.#recreated.has(topic)
  }

  /** Everything that was written to the topic is in its copy, and written down as copied. */
  isCopiedWhole(topic: string): boolean {
    const partitions = this.brokers.source.topics.byName(topic)?.partitions ?? []
    return (
      !this.isRecreated(topic) &&
      partitions.every(({ log }, partition) => {
        const copy = this.watch.copyOf(topic, partition)
        return (
          log.lastStable === log.logEnd &&
          copy.missing === undefined &&
          this.watch.progressOf(copy.place) !== undefined
        )
      })
    )
  }

  /** Puts another topic of the same name in the place of one; its partitions stop. */
  recreate({ name, partitions, overrides }: SimulatedTopic): void {
    const { source } = this.brokers
    this.#recreated.set(name, new Map())
    for (const partition of partitions.keys()) {
      this.mayStop.set(`${name}/${partition}`, 'its topic is another one')
    }
    source.deleteTopic(name)
    const replicationFactor = this.plan.setup.brokers
    source.topics.create({ name, partitions: partitions.length, replicationFactor, configs: overrides })
  }

  /** Two processes may have one place. A static member's is its own: whoever runs it must not let two have it. */
  get mayRunBeside(): boolean {
    return this.plan.setup.claims !== 'group-static'
  }

  /** Every partition of the applications' topics. */
  get partitions(): readonly TopicPartition[] {
    return this.brokers.source.topics.all
      .filter(({ internal }) => !internal)
      .flatMap(({ name, partitions }) => partitions.map((_, partition) => ({ topic: name, partition })))
  }

  /** Every partition of a cluster, the product's own topics included. */
  partitionsOf(side: Side): readonly TopicPartition[] {
    return this.brokers[side].topics.all.flatMap(({ name, partitions }) =>
      partitions.map((_, partition) => ({ topic: name, partition })),
    )
  }

  get isAsleep(): boolean {
    return this.#isAsleep
  }

  /** Stops every process for so long. Those that were ending do not wake up again. */
  async sleep(ms: number, cutsConnections: boolean): Promise<void> {
    const kept = new Set([...this.slots.map(({ replica }) => replica), ...this.zombies])
    for (const replica of this.#alive) {
      if (kept.has(replica)) replica.process.stop()
      else replica.kill()
      if (cutsConnections) replica.cutConnections()
    }
    this.#isAsleep = true
    await this.pass(ms)
    this.#isAsleep = false
    const { source, target } = this.brokers
    for (const { offsets } of [source, target]) offsets.expire(this.clock.wallMs() - OFFSETS_RETENTION_MS)
  }

  /** Starts a process in the slot; nothing starts while everything sleeps. */
  start(slot: Slot): void {
    if (this.#isAsleep) return
    const name = `replica-${slot.index}.${slot.incarnations++}`
    this.trace.note(`${name} starts`)
    const replica: Replica = new Replica({
      name,
      clock: this.clock,
      brokers: this.brokers,
      flow: { ...this.#flow, shards: this.shards },
      progressTopic,
      registryTopic,
      mapTopic: this.plan.setup.maps ? mapTopic : undefined,
      topology: topologyOf(this.#flow),
      transactionalIdOf: (shard) => transactionalIdOf(this.#flow, shard),
      claims: this.plan.setup.claims,
      group: groupOf(this.#flow),
      instance: `replica-${slot.index}`,
      random: new SeededRandom(this.plan.seed * 31 + slot.index * 7919 + slot.incarnations),
      requestTimeoutMs: this.plan.setup.requestTimeoutMs,
      decide: (side, replica) => this.links.decide(side, replica),
      announce: (event) => this.#heard(name, event),
      onBuried: () => this.#alive.delete(replica),
    })
    slot.replica = replica
    this.#alive.add(replica)
  }

  /** Producers' entries that brokers would drop by themselves, and transactional ids. */
  forget(what: 'transactional-ids' | 'producers' | 'both'): void {
    if (what !== 'producers') {
      for (let shard = 0; shard < shardsMax; shard++) {
        // Who is at work with one, be it only to fence, keeps it for days.
        this.brokers.target.transactions.expire(transactionalIdOf(this.#flow, shard), QUIET_MS)
      }
    }
    if (what === 'transactional-ids') return
    for (const at of this.partitionsOf('target')) {
      this.brokers.target.log(at).producers.expire(Number.MAX_SAFE_INTEGER, 0)
    }
  }

  /** Nothing struck for so long that whatever was sent then has an answer or was sent again, and all processes run. */
  get isQuiet(): boolean {
    const running = this.slots.every(({ replica }) => replica?.process.state === 'running')
    return running && this.zombies.size === 0 && this.clock.monotonicMs() - this.#struckMs >= QUIET_MS
  }

  /** Lets simulated time pass. @throws Violation when a promise was broken meanwhile */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms)
    this.check()
  }

  /** @throws Violation the first one, if any promise was broken so far */
  check(): void {
    if (this.violation !== undefined) throw this.violation
    for (const slot of this.slots) {
      const { replica } = slot
      if (replica?.failure === undefined) continue
      const { failure } = replica
      if (this.#wasReplaced(failure)) {
        replica.kill()
        this.start(slot)
        continue
      }
      const what = failure instanceof Error ? (failure.stack ?? failure.message) : String(failure)
      throw new Violation('failed', `${replica.name} ended by itself: ${what}`)
    }
  }

  /** What a killed static member had sent may arrive after its successor: that one ends and is started again. */
  #wasReplaced(failure: unknown): boolean {
    return (
      this.plan.setup.claims === 'group-static' &&
      failure instanceof KafkaError &&
      failure.code === FENCED_INSTANCE_ID
    )
  }

  /** What maps and groups still lack. @throws Violation */
  get unfinished(): string | undefined {
    return this.parts.unfinished(
      (place) => !this.mayStop.has(place) && !this.isRecreated(place.slice(0, place.lastIndexOf('/'))),
    )
  }

  /** Takes everything back that faults did to clusters and links. */
  heal(): void {
    this.links.calm()
    for (const brokers of [this.brokers.source, this.brokers.target]) {
      for (let id = 1; id <= this.plan.setup.brokers; id++) {
        if (!brokers.isUp(brokerId(id))) brokers.startBroker(brokerId(id))
      }
      brokers.topics.electLeaders()
      for (const { partitions } of brokers.topics.all) {
        for (const { log } of partitions) log.holdHighWatermark(false)
      }
    }
  }

  /** Kills what still runs, so that nothing keeps the world alive. */
  end(): void {
    for (const replica of this.#alive) replica.bury()
    this.#alive.clear()
  }

  #look(): void {
    if (this.violation !== undefined) return
    try {
      this.watch.look()
      this.parts.look()
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.violation = error
    }
  }

  #heard(replica: string, event: FlowEvent): void {
    this.trace.note(`${replica} says ${JSON.stringify(event, replaceBigInt)}`)
    if (event.kind !== 'partition-stopped' && event.kind !== 'partition-started') return
    const stopped = this.#stopped.get(replica) ?? new Map<string, string>()
    this.#stopped.set(replica, stopped)
    const place = `${event.topic}/${event.partition}`
    if (event.kind === 'partition-stopped') stopped.set(place, event.reason)
    else stopped.delete(place)
  }

  /** Partitions that a process at work has stopped, and why. */
  get stopped(): ReadonlyMap<string, string> {
    return new Map(this.slots.flatMap(({ replica }) => [...(this.#stopped.get(replica?.name ?? '') ?? [])]))
  }
}

const replaceBigInt = (_: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value
