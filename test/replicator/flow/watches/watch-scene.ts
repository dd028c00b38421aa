import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../../replicator/clock/backoff.ts'
import { EpochTrail } from '../../../../replicator/flow/epoch-trail.ts'
import type { SourceFinding } from '../../../../replicator/flow/judge-source.ts'
import type { TargetFinding } from '../../../../replicator/flow/judge-target.ts'
import { OverrunWatch } from '../../../../replicator/flow/watches/overrun-watch.ts'
import type { Overrun } from '../../../../replicator/flow/watches/retention-forecast.ts'
import { SourceWatch, type SourceWatched } from '../../../../replicator/flow/watches/source-watch.ts'
import { TargetWatch, type TargetWatched } from '../../../../replicator/flow/watches/target-watch.ts'
import type { TopicPartition } from '../../../../replicator/kafka/cluster.ts'
import { LogWalks } from '../../../../replicator/logs/log-walks.ts'
import {
  lastOffset,
  maxTimestampMs,
  partitionLeaderEpoch,
} from '../../../../replicator/records/batch-header.ts'
import { regionAlias } from '../../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../../simulation/memory-cluster.ts'
import { type BatchFields, buildBatch, recordsOf } from '../../../simulation/record-batches.ts'
import { SeededRandom } from '../../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../../simulation/simulated-clock.ts'

/** A simulated cluster, and readers or copies on it that are looked after. */
export class WatchScene {
  readonly clock = new SimulatedClock()
  readonly brokers = new SimulatedBrokers({ clock: this.clock, brokers: 3 })
  readonly cluster = new MemoryCluster(this.brokers, { alias: regionAlias('us-east') })
  readonly walks = new LogWalks({
    cluster: this.cluster,
    clock: this.clock,
    random: new SeededRandom(1),
    backoff: defaultBackoff,
  })
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []

  create(name: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): void {
    const made = this.brokers.topics.create({
      name,
      partitions,
      replicationFactor: 3,
      configs: new Map(Object.entries(configs)),
    })
    assert.ok(made.ok)
  }

  topicId(name: string): string | undefined {
    return this.brokers.topics.byName(name)?.id
  }

  /** Appends a batch of `count` records, stamped `ageMs` ago. */
  write(at: TopicPartition, count: number, fields: BatchFields & { readonly ageMs?: number } = {}): void {
    const pairs = Array.from({ length: count }, (_, i): [string, string] => [`key ${i}`, `value ${i}`])
    const batch = buildBatch(recordsOf(pairs, this.clock.wallMs() - (fields.ageMs ?? 0)), fields)
    const leader = this.brokers.partition(at).leader ?? assert.fail('no leader')
    const [answer] = this.brokers.produce(leader, [{ ...at, batch }])
    assert.ok(answer?.ok, answer?.ok === false ? `refused: ${answer.code}` : '')
  }

  /** An unclean election: the new leader's log ends at `to`, or before where a batch spans it. */
  electUncleanly(at: TopicPartition, to: bigint): void {
    this.brokers.log(at).truncate(to)
    const { leader, replicas } = this.brokers.partition(at)
    const next = replicas.find((replica) => replica !== leader) ?? assert.fail('no other replica')
    this.brokers.moveLeader(at, next)
  }

  watchSource(readers: readonly Reader[]) {
    const findings: { reader: Reader; finding: SourceFinding }[] = []
    const near: { reader: Reader; overrun: Overrun | undefined }[] = []
    const { cluster: source, clock, walks } = this
    const overruns = new OverrunWatch<Reader>({
      source,
      clock,
      walks,
      onNear: (reader, overrun) => near.push({ reader, overrun }),
    })
    const watch = new SourceWatch<Reader>({
      source,
      clock,
      intervalMs: 5000,
      partitions: () => readers,
      onFinding: (reader, finding) => {
        reader.isStopped = true
        findings.push({ reader, finding })
      },
      overruns,
    })
    this.#running.push(watch.run(this.#stop.signal))
    return { findings, near, overruns }
  }

  watchTarget(copies: readonly Copy[], { exclusive = true } = {}) {
    const findings: { copy: Copy; finding: TargetFinding }[] = []
    const { cluster: target, clock, walks } = this
    const watch = new TargetWatch<Copy>({
      target,
      clock,
      walks,
      intervalMs: 5000,
      exclusive,
      partitions: () => copies,
      onFinding: (copy, finding) => {
        copy.isStopped = true
        findings.push({ copy, finding })
      },
    })
    this.#running.push(watch.run(this.#stop.signal))
    return { findings, watch }
  }

  /** Lets ten seconds pass: whatever happens must be found by then. */
  async tenSeconds(): Promise<void> {
    await this.clock.advance(10_000)
  }

  async end(): Promise<void> {
    this.#stop.abort(new Error('the scene ends'))
    await this.clock.run(Promise.all(this.#running))
    await this.clock.run(this.walks.close())
    assert.equal(this.cluster.leases.held, 0, 'every frame is released')
    this.cluster.destroy()
  }
}

/** Reads a source partition as a flow does, when told to. */
export class Reader implements SourceWatched {
  readonly sourceAt: SourceWatched['sourceAt']
  readonly epochs = new EpochTrail()
  readonly followsLogStart: boolean
  readonly #scene: WatchScene
  position = 0n
  lastTimestampMs: number | undefined
  isStopped = false

  constructor(scene: WatchScene, at: TopicPartition, followsLogStart = false) {
    this.#scene = scene
    this.sourceAt = { ...at, topicId: scene.topicId(at.topic) }
    this.followsLogStart = followsLogStart
  }

  /** One fetch: at most so many batches from the position on. */
  read(batchesMax = Number.POSITIVE_INFINITY): void {
    const log = this.#scene.brokers.log(this.sourceAt)
    const answer = log.batches.filter((batch) => batch.lastOffset >= this.position).slice(0, batchesMax)
    this.epochs.beginAnswer()
    for (const { bytes } of answer) {
      this.position = lastOffset(bytes, 0) + 1n
      this.lastTimestampMs = maxTimestampMs(bytes, 0)
      this.epochs.took(partitionLeaderEpoch(bytes, 0), this.position)
    }
  }
}

export const ourId = 4000n

/** Writes a target partition as a flow does, when told to. */
export class Copy implements TargetWatched {
  readonly targetAt: TargetWatched['targetAt']
  readonly #scene: WatchScene
  targetNext = 0n
  isIdle = true
  isStopped = false
  #sequence = 0

  constructor(scene: WatchScene, at: TopicPartition) {
    this.#scene = scene
    this.targetAt = { ...at, topicId: scene.topicId(at.topic) }
  }

  isOurs = (id: bigint): boolean => id === ourId

  /** A batch that arrives and is acknowledged. Tells where it begins, for a caller that looks for gaps. */
  write(count: number, ageMs = 0): { readonly expected: bigint; readonly base: bigint } {
    const expected = this.targetNext
    const base = this.#scene.brokers.log(this.targetAt).logEnd
    const producer = { producerId: ourId, producerEpoch: 0, baseSequence: this.#sequence }
    this.#scene.write(this.targetAt, count, { ...producer, ageMs })
    this.#sequence += count
    this.targetNext = this.#scene.brokers.log(this.targetAt).logEnd
    return { expected, base }
  }
}
