import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { abortable } from '../kafka/abortable.ts'
import type { Cluster, ProducerIdentity, TopicPartition } from '../kafka/cluster.ts'
import { protocolError } from '../kafka/errors.ts'
import type { LogBounds } from '../kafka/list-bounds.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import type { ProducerRegistry } from '../provenance/origins.ts'
import { isProducedBy } from '../records/batch-header.ts'
import type { FlowId } from '../topology/model.ts'
import { AppendQueue, appendable } from './append-queue.ts'
import { isFenced, ShardLostError } from './fenced.ts'
import { addToTransaction, boundsOf, type FencePlace, type FenceRefusal, fenceFormer } from './fencing.ts'
import { formerProducers } from './former-producers.ts'
import type { OwnershipLimits } from './ownership-limits.ts'
import { type Instant, OwnershipProof } from './ownership-proof.ts'
import {
  encodeOwnerKey,
  encodeProgress,
  encodeProgressKey,
  type Progress,
  type ProgressKey,
} from './progress-record.ts'
import { readOn } from './progress-topic.ts'
import { type ProgressEntry, ProgressView } from './progress-view.ts'
import { ShardJournal } from './shard-journal.ts'

/** Brokers drop the marker of a partition that has no leader at that moment. In milliseconds. */
const MARKER_WAIT_MS = 10_000
const LEADER_NOT_AVAILABLE = 5

export interface ShardOptions {
  readonly flow: FlowId
  readonly index: number
  readonly transactionalId: string
  readonly target: Cluster
  readonly progressTopic: string
  readonly progressTopicId: string | undefined
  readonly registry: ProducerRegistry | undefined
  /** Through the target's logs. */
  readonly walks: LogWalks
  readonly limits: OwnershipLimits
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/**
 * `fenced`: our marker is in the target partition or on its way. `refused`: it cannot be fenced now; `retriable` when
 * it may later.
 */
export type FencedPlace =
  | {
      readonly kind: 'fenced'
      readonly place: FencePlace
      readonly progress: Progress | undefined
      /** Of the target log, from before the marker; where there is no progress. */
      readonly before: LogBounds | undefined
    }
  | {
      readonly kind: 'refused'
      readonly place: FencePlace
      readonly reason: string
      readonly wayOut: string
      readonly retriable: boolean
    }

export interface Fenced {
  readonly marker: ProducerIdentity
  readonly formerIds: ReadonlySet<bigint>
  readonly progressLost: boolean
  readonly places: readonly FencedPlace[]
}

/**
 * One process's ownership of a shard: a transactional id whose latest epoch is ours.
 *
 * Invariants:
 *   A. Partitions are written only behind a marker of ours ({@link fence}), under the identity of that marker.
 *   B. Progress is appended by the identity whose marker stands last in the progress partition.
 *   C. {@link isProven} holds only while no other process can have taken over without the target refusing us.
 */
export class Shard {
  readonly index: number
  readonly #options: ShardOptions
  readonly #journal: ShardJournal
  readonly #view: ProgressView
  readonly #turns = new OneAtATime()
  readonly #queue = new AppendQueue()
  #former: { readonly ids: Set<bigint>; readonly progressLost: boolean } | undefined
  #identity: ProducerIdentity | undefined
  #readUpTo: bigint | undefined
  /** A fence of ours has succeeded. */
  #isTaken = false
  readonly #proof: OwnershipProof
  #renewedMs = Number.NEGATIVE_INFINITY

  constructor(options: ShardOptions) {
    this.index = options.index
    this.#options = options
    const { target, progressTopic: topic, index, clock, random, backoff } = options
    this.#journal = new ShardJournal({ cluster: target, topic, partition: index, clock, random, backoff })
    this.#view = new ProgressView(options.flow)
    this.#proof = new OwnershipProof(clock)
  }

  /** Whom the shard was taken over as; `undefined` until it was. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity
  }

  /** What this shard's partition of the progress topic says; known once something was fenced. */
  progressOf(topic: string, partition: number): Progress | undefined {
    return this.#view.of(topic, partition)
  }

  /** Whether batches may be sent, by default now: nobody can have taken the shard over in silence. */
  isProven(at?: Instant): boolean {
    return this.#proof.ageMs(at) <= this.#options.limits.proofMaxMs
  }

  /**
   * Makes sure that nobody else, an earlier self included, can write to these partitions any more, and learns what
   * progress says about them. The first call takes the shard over.
   * @throws ShardLostError when another process has taken it since; KafkaError; the signal's reason
   */
  fence(places: readonly FencePlace[], signal: AbortSignal): Promise<Fenced> {
    return this.#turns.run(() => this.#fence(places, signal))
  }

  /**
   * Writes progress; settles when it is on the target. Concurrent writes share appends.
   * @throws ShardLostError, KafkaError, the signal's reason
   */
  async write(entries: readonly ProgressEntry[], signal: AbortSignal): Promise<void> {
    const settled = Promise.withResolvers<void>()
    if (this.#queue.push({ entries, settled, signal })) void this.#turns.run(() => this.#flush())
    // The append may be under way for another, whose own signal allows it.
    await abortable(settled.promise, signal)
  }

  /** Deletes progress that another shard has taken over. @throws as {@link write} */
  forget(keys: readonly ProgressKey[], signal: AbortSignal): Promise<void> {
    return this.#turns.run(async () => {
      if (keys.length === 0) return
      await this.#appendRecords(
        keys.map((key) => [encodeProgressKey(key), null]),
        signal,
      )
    })
  }

  /** Asks the coordinator whether the shard is still ours, unless that is beyond doubt. @throws as {@link fence} */
  prove(signal: AbortSignal, isDoubted = false): Promise<void> {
    return this.#turns.run(async () => {
      if (!isDoubted && this.isProven()) return
      await this.#renew(signal)
    })
  }

  /** Keeps ownership proven and the transactional id alive until the signal aborts. @throws ShardLostError */
  async keep(onTrouble: (error: unknown) => void, signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#options
    const tickMs = Math.min(limits.proofMaxMs / 3, limits.renewMs / 3)
    while (true) {
      await clock.sleep(tickMs, signal)
      try {
        await this.#turns.run(() => this.#maintain(signal))
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof ShardLostError) throw error
        onTrouble(error)
      }
    }
  }

  close(): void {
    this.#journal.close()
  }

  async #fence(places: readonly FencePlace[], signal: AbortSignal): Promise<Fenced> {
    const { target } = this.#options
    const asked = this.#proof.now()
    const identity = await this.#nextEpoch(signal)
    await this.#readProgress(signal)
    const refusals = await this.#fenceFormer(identity, places, signal)
    const open = places.filter((place) => !refusals.has(place))
    const unknown = open.filter(({ key }) => this.progressOf(key.topic, key.partition) === undefined)
    const before = await boundsOf(target, unknown, signal)
    for (const [place, bounds] of before) {
      if (!('start' in bounds)) refusals.set(place, bounds)
    }
    const transaction = { transactionalId: this.#options.transactionalId, identity }
    const ready = open.filter((place) => !refusals.has(place))
    try {
      for (const [place, refusal] of await addToTransaction(target, transaction, ready, this.#at, signal))
        refusals.set(place, refusal)
      await target.endTransaction(transaction, 'abort', signal)
    } catch (error) {
      throw this.#orLost(error)
    }
    await this.#reachMarker(identity, signal)
    this.#journal.become(identity)
    this.#isTaken = true
    this.#proof.given(asked)
    this.#renewedMs = asked.monotonicMs
    const { ids, progressLost } = this.#former ?? { ids: new Set<bigint>(), progressLost: false }
    return {
      marker: identity,
      formerIds: ids,
      progressLost,
      places: places.map((place): FencedPlace => {
        const refusal = refusals.get(place)
        if (refusal !== undefined) return { kind: 'refused', place, ...refusal }
        const bounds = before.get(place)
        return {
          kind: 'fenced',
          place,
          progress: this.progressOf(place.key.topic, place.key.partition),
          before: bounds !== undefined && 'start' in bounds ? bounds : undefined,
        }
      }),
    }
  }

  get #at(): TopicPartition {
    return { topic: this.#options.progressTopic, partition: this.index }
  }

  /** A new epoch of our id; nobody else may have taken one since the last of ours. */
  async #nextEpoch(signal: AbortSignal): Promise<ProducerIdentity> {
    const { target, transactionalId, registry, flow, progressTopicId } = this.#options
    let identity: ProducerIdentity
    try {
      identity = await target.initProducerId(transactionalId, signal, this.#identity)
    } catch (error) {
      throw this.#orLost(error)
    }
    // A coordinator that has forgotten the transactional id believes any `current`: the answer proves nothing about the
    // time since our last epoch. Whoever takes the shard anew fences everybody, ourselves included.
    if (this.#identity !== undefined && identity.producerId !== this.#identity.producerId)
      throw new ShardLostError(this.index)
    const isNew = this.#identity === undefined
    if (this.#former === undefined) {
      const former = (await registry?.formerly(flow, signal)) ?? []
      const ids = new Set(former.map(({ producerId }) => producerId))
      // An id with a history was used before, whatever the registry says.
      if (identity.producerEpoch > 0) ids.add(identity.producerId)
      const progressLost = former.some(
        (entry) => entry.progressTopicId !== undefined && entry.progressTopicId !== progressTopicId,
      )
      this.#former = { ids, progressLost }
    }
    if (isNew) {
      // An id with a history may still be unknown there: its first owner may have died before it was registered.
      const { index: shard } = this
      await registry?.register({ producerId: identity.producerId, flow, shard, progressTopicId }, signal)
    }
    this.#identity = identity
    return identity
  }

  async #readProgress(signal: AbortSignal): Promise<void> {
    this.#readUpTo = await readOn(this.#at, this.#readUpTo, this.#view, this.#options.walks, signal)
  }

  /** Fences producers that progress names and that our transactional id does not lead to (any more). */
  async #fenceFormer(identity: ProducerIdentity, places: readonly FencePlace[], signal: AbortSignal) {
    const refusals = new Map<FencePlace, FenceRefusal>()
    const fenced = new Set<bigint>([identity.producerId])
    for (;;) {
      const former = formerProducers(this.#view.entries, places, fenced, !this.#isTaken)
      if (former.length === 0) return refusals
      const outcome = await fenceFormer(this.#options.target, former, this.#at, signal)
      for (const [place, refusal] of outcome) refusals.set(place, refusal)
      for (const { identity: gone } of former) fenced.add(gone.producerId)
      // One that was not fenced until now may have written since.
      await this.#readProgress(signal)
    }
  }

  /** Reads on until our marker stands in the progress partition: nobody writes there behind it but we. */
  async #reachMarker(identity: ProducerIdentity, signal: AbortSignal): Promise<void> {
    const { walks, target } = this.#options
    const { kind, next } = await walks.walk(
      {
        ...this.#at,
        from: this.#readUpTo ?? 0n,
        isolation: 'read_uncommitted',
        atEnd: { waitMs: MARKER_WAIT_MS },
        visit: (batch) => {
          this.#view.visit(batch)
          const { buffer, at } = batch.raw
          return batch.verdict === 'control' && isProducedBy(buffer, at, identity) ? 'enough' : 'on'
        },
      },
      signal,
    )
    this.#readUpTo = next
    if (kind === 'end')
      throw protocolError(
        LEADER_NOT_AVAILABLE,
        { cluster: target.alias, ...this.#at },
        'its marker was dropped',
      )
  }

  async #flush(): Promise<void> {
    for (let taken = this.#queue.take(); taken.length > 0; taken = this.#queue.take()) {
      const signal = taken[0]?.signal ?? AbortSignal.abort()
      try {
        for (const piece of appendable(taken.flatMap(({ entries }) => entries))) {
          const pairs = piece.map(
            ({ key, progress }) => [encodeProgressKey(key), encodeProgress(progress)] as const,
          )
          await this.#appendRecords(pairs, signal)
          for (const { key, progress } of piece) this.#view.set(key, progress)
        }
        for (const { settled } of taken) settled.resolve()
      } catch (error) {
        // Given up for one of them: the others still want theirs.
        const wanted = taken.filter((waiting) => signal.aborted && !waiting.signal.aborted)
        this.#queue.putBack(wanted)
        for (const waiting of taken) if (!wanted.includes(waiting)) waiting.settled.reject(error)
      }
    }
  }

  async #appendRecords(
    pairs: readonly (readonly [Buffer, Buffer | null])[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, limits } = this.#options
    const timestamp = BigInt(Math.floor(clock.wallMs()))
    const records = pairs.map(([key, value]) => ({ key, value, headers: [], timestamp }))
    let refusals = 0
    for (;;) {
      let sent = this.#proof.now()
      // Only while the broker cannot have forgotten a successor's marker does its consent prove anything.
      const mayWrite = (): boolean => {
        sent = this.#proof.now()
        return this.#proof.ageMs() < limits.memoryMs
      }
      const outcome = await this.#journal.append(records, mayWrite, signal)
      if (outcome === 'written') {
        this.#proof.given(sent)
        return
      }
      // A fence of our own that was cut short may be what refuses us: the coordinator knows whose the shard is.
      if (outcome === 'fenced' && ++refusals > 2) throw new ShardLostError(this.index)
      await this.#fence([], signal)
    }
  }

  async #maintain(signal: AbortSignal): Promise<void> {
    const { clock, limits, flow } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#renewedMs >= limits.renewMs) await this.#renew(signal)
    else if (this.#proof.ageMs() >= limits.proofMaxMs / 2) {
      const { producerId, producerEpoch } = this.#identity ?? { producerId: -1n, producerEpoch: -1 }
      const life = { v: 2, producerId: String(producerId), producerEpoch, atMs: Math.floor(clock.wallMs()) }
      await this.#appendRecords(
        [[encodeOwnerKey(flow, this.index), Buffer.from(JSON.stringify(life))]],
        signal,
      )
    }
  }

  /** An empty transaction: the coordinator refuses it unless the shard is ours, and keeps the id for it. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { target, transactionalId } = this.#options
    if (this.#identity === undefined) throw new Error('A shard is taken over before it is kept')
    const asked = this.#proof.now()
    const transaction = { transactionalId, identity: this.#identity }
    try {
      await addToTransaction(target, transaction, [], this.#at, signal)
      await target.endTransaction(transaction, 'abort', signal)
    } catch (error) {
      throw this.#orLost(error)
    }
    this.#proof.given(asked)
    this.#renewedMs = asked.monotonicMs
  }

  #orLost(error: unknown): unknown {
    return isFenced(error) ? new ShardLostError(this.index, error) : error
  }
}
