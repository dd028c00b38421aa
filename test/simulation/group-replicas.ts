import assert from 'node:assert/strict'
import type { Clock } from '../../replicator/clock/clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import type { KafkaError } from '../../replicator/kafka/errors.ts'
import { groupClaims } from '../../replicator/shards/group-claims.ts'
import type { ShardHolder } from '../../replicator/shards/shard-claims.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import type { DecideFault } from './faults.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { SeededRandom } from './seeded-random.ts'
import { SimulatedBrokers } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'

export interface ReplicaOptions {
  readonly instanceId?: string
  readonly shards?: number
  readonly faults?: DecideFault
  /** How long giving shards back takes, in milliseconds; `never` hangs. Default 200. */
  readonly releaseMs?: number | 'never'
}

/** What happened to a replica's shards, in order. */
export interface Happening {
  readonly atMs: number
  readonly kind: 'claimed' | 'releasing' | 'released' | 'lost'
  readonly shards: readonly number[]
}

/**
 * A process that can be stopped as SIGSTOP does: while it is, nothing that it waits for reaches it, and its clock
 * has moved on when it wakes.
 */
class Gate {
  #waiting: (() => void)[] = []
  #closed = false

  close(): void {
    this.#closed = true
  }

  get isClosed(): boolean {
    return this.#closed
  }

  open(): void {
    this.#closed = false
    for (const pass of this.#waiting.splice(0)) pass()
  }

  async through<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } finally {
      while (this.#closed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
}

/** One replica of a flow, as far as its group is concerned. */
export class GroupReplica {
  readonly name: string
  readonly held = new Set<number>()
  readonly happenings: Happening[] = []
  readonly troubles: (KafkaError | undefined)[] = []
  readonly ended: Promise<void>
  readonly #clock: SimulatedClock
  readonly #cluster: MemoryCluster
  readonly #gate = new Gate()
  readonly #end = new AbortController()

  constructor(name: string, clock: SimulatedClock, brokers: SimulatedBrokers, options: ReplicaOptions) {
    this.name = name
    this.#clock = clock
    const { faults, instanceId, releaseMs = 200 } = options
    this.#cluster = new MemoryCluster(brokers, {
      alias: regionAlias('eu-west'),
      ...(faults === undefined ? {} : { faults }),
    })
    const gate = this.#gate
    const gatedClock: Clock = {
      wallMs: () => clock.wallMs(),
      monotonicMs: () => clock.monotonicMs(),
      sleep: (ms, signal) => gate.through(clock.sleep(ms, signal)),
    }
    const claims = groupClaims({
      cluster: gated(this.#cluster, gate),
      group: 'causeway.test.us-east.eu-west',
      shards: options.shards ?? 8,
      instanceId,
      sessionTimeoutMs: 10_000,
      clock: gatedClock,
      random: new SeededRandom(7),
      onTrouble: (error) => this.troubles.push(error),
    })
    this.ended = claims.run(this.#holder(releaseMs), this.#end.signal)
    this.ended.catch(() => {})
  }

  get isPaused(): boolean {
    return this.#gate.isClosed
  }

  /** As SIGSTOP. */
  pause(): void {
    this.#gate.close()
  }

  /** As SIGCONT. */
  wake(): void {
    this.#gate.open()
  }

  /** As kill -9. */
  kill(): void {
    this.#gate.close()
    this.#cluster.destroy()
    this.held.clear()
  }

  /** As SIGTERM. */
  close(): Promise<void> {
    this.#end.abort(new Error('the replica ends'))
    return this.ended
  }

  of(kind: Happening['kind']): readonly number[] {
    return this.happenings.filter((one) => one.kind === kind).flatMap(({ shards }) => shards)
  }

  #holder(releaseMs: number | 'never'): ShardHolder {
    const note = (kind: Happening['kind'], shards: readonly number[]) =>
      this.happenings.push({ atMs: this.#clock.monotonicMs(), kind, shards })
    return {
      claim: (shards) => {
        for (const shard of shards) {
          assert.ok(!this.held.has(shard), `${this.name} is given ${shard} twice`)
          this.held.add(shard)
        }
        note('claimed', shards)
      },
      release: async (shards) => {
        for (const shard of shards) assert.ok(this.held.has(shard), `${this.name} does not hold ${shard}`)
        note('releasing', shards)
        if (releaseMs === 'never') await new Promise<void>(() => {})
        else await this.#gate.through(this.#clock.sleep(releaseMs))
        for (const shard of shards) this.held.delete(shard)
        note('released', shards)
      },
      lose: (shards) => {
        for (const shard of shards) this.held.delete(shard)
        note('lost', shards)
      },
    }
  }
}

function gated(cluster: Cluster, gate: Gate): Cluster {
  return new Proxy(cluster, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...parameters: unknown[]) => {
        const answer: unknown = value.apply(target, parameters)
        return answer instanceof Promise ? gate.through(answer) : answer
      }
    },
  })
}

/** Replicas of one flow around one simulated target. */
export class GroupScene {
  readonly clock = new SimulatedClock()
  readonly brokers: SimulatedBrokers
  readonly replicas: GroupReplica[] = []
  readonly shards: number
  /** What an observer saw that must never be. */
  readonly wrongs: string[] = []

  constructor(shards = 8) {
    this.shards = shards
    this.brokers = new SimulatedBrokers({ clock: this.clock })
    this.clock.watch(() => this.#look())
  }

  start(name: string, options: ReplicaOptions = {}): GroupReplica {
    const replica = new GroupReplica(name, this.clock, this.brokers, { shards: this.shards, ...options })
    this.replicas.push(replica)
    return replica
  }

  /** Whether every shard is with one of the running replicas, in shares that differ by one at most. */
  isSettled(among: readonly GroupReplica[]): boolean {
    const sizes = among.map(({ held }) => held.size)
    const held = new Set(among.flatMap((replica) => [...replica.held]))
    return held.size === this.shards && Math.max(...sizes) - Math.min(...sizes) <= 1
  }

  /** @returns how long it took in simulated milliseconds @throws AssertionError after `limitMs` */
  async until(what: string, isSo: () => boolean, limitMs: number): Promise<number> {
    const fromMs = this.clock.monotonicMs()
    await this.clock.advance(0)
    while (!isSo()) {
      assert.ok(
        this.clock.monotonicMs() - fromMs < limitMs,
        `${what}: not after ${limitMs} ms\n${this.story()}`,
      )
      await this.clock.advance(50)
      assert.deepEqual(this.wrongs, [], this.story())
    }
    return this.clock.monotonicMs() - fromMs
  }

  settled(among: readonly GroupReplica[], limitMs = 10_000): Promise<number> {
    return this.until(
      `${among.map(({ name }) => name).join(', ')} hold everything`,
      () => this.isSettled(among),
      limitMs,
    )
  }

  story(): string {
    return this.replicas
      .flatMap(({ name, happenings }) =>
        happenings.map((one) => ({ atMs: one.atMs, text: `${one.atMs} ${name} ${one.kind} ${one.shards}` })),
      )
      .sort((a, b) => a.atMs - b.atMs)
      .map(({ text }) => text)
      .join('\n')
  }

  #look(): void {
    const holders = new Map<number, string>()
    for (const { name, held, isPaused } of this.replicas) {
      // What a stopped process still believes to hold, the target refuses when it wakes.
      if (isPaused) continue
      for (const shard of held) {
        const other = holders.get(shard)
        if (other !== undefined)
          this.wrongs.push(`${this.clock.monotonicMs()}: ${other} and ${name} both hold ${shard}`)
        holders.set(shard, name)
      }
    }
  }
}
