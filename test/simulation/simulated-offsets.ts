import type { ProducerIdentity, TopicPartition } from '../../replicator/kafka/cluster.ts'
import type {
  CommittedOffset,
  GroupOffsetCommit,
  GroupOffsetsQuery,
} from '../../replicator/kafka/consumer-groups.ts'
import { type Answer, answered, errorCode, refused } from './broker-answer.ts'
import { commitRecords, type OffsetsLog, removalRecords } from './offsets-log.ts'
import type { TestRecord } from './record-batches.ts'
import type { SimulatedGroupView } from './simulated-group.ts'

/** The part of the cluster that the keeper of offsets sees. */
export interface OffsetsScene {
  readonly log: Pick<OffsetsLog, 'append' | 'hasCoordinator'>
  isKnown(at: TopicPartition): boolean
  topicIdOf(topic: string): string | undefined
  viewOf(group: string): SimulatedGroupView | undefined
  wallMs(): number
}

export interface FetchedOffset extends TopicPartition {
  readonly answer: Answer<CommittedOffset | undefined>
}

interface Kept {
  readonly committed: Map<string, GroupOffsetCommit>
  /** Wall time of each of {@link committed}. */
  readonly committedMs: Map<string, number>
  /** By producer id: what their open transactions will commit. */
  readonly pending: Map<bigint, Map<string, GroupOffsetCommit>>
}

/**
 * Who commits: a member of the group, or somebody outside of it, which only groups without members allow. Of the latter,
 * `application` tells a consumer with an assignment of its own from tools.
 */
export type Committer = 'member' | 'application' | 'nobody'

/** Is told what is asked of a cluster's groups, before it counts. */
export interface OffsetsWatch {
  /** A commit outside of transactions that is taken. */
  committed(group: string, commit: GroupOffsetCommit, by: Committer): void
  expired(group: string, at: TopicPartition): void
  /** Somebody asks where the group stands in a partition. */
  fetched(group: string, at: TopicPartition): void
}

/** `offset.metadata.max.bytes` as brokers ship; counted in characters, as brokers do. */
const metadataMax = 4096

/** What groups have committed, as Kafka 4.3's `OffsetMetadataManager` keeps it. Commits expire when they are told to. */
export class SimulatedOffsets {
  readonly #scene: OffsetsScene
  readonly #groups = new Map<string, Kept>()
  #watch: OffsetsWatch | undefined

  constructor(scene: OffsetsScene) {
    this.#scene = scene
  }

  /** Groups that have committed something, or are about to. */
  get groups(): readonly string[] {
    return [...this.#groups.keys()]
  }

  watch(watch: OffsetsWatch): void {
    this.#watch = watch
  }

  /** Where a group stands, for tests to look at. */
  committed(group: string, at: TopicPartition): CommittedOffset | undefined {
    return this.#groups.get(group)?.committed.get(keyOf(at))
  }

  /** OffsetCommit: the code of each commit, in their order. */
  commit(
    group: string,
    commits: readonly GroupOffsetCommit[],
    by: Committer = 'nobody',
  ): Answer<readonly number[]> {
    if (by !== 'member' && this.#isUsed(group)) return refused(errorCode.UNKNOWN_MEMBER_ID)
    const codes = commits.map((commit) => this.#problem(commit))
    const taken = commits.filter((_, at) => codes[at] === 0)
    if (taken.length === 0) return answered(codes)
    const appended = this.#scene.log.append(group, this.#records(group, taken))
    if (!appended.ok) return appended
    const kept = this.#kept(group)
    for (const commit of taken) {
      this.#watch?.committed(group, commit, by)
      this.#put(kept, commit)
    }
    return answered(codes)
  }

  /** TxnOffsetCommit of a producer that did AddOffsetsToTxn. */
  commitInTransaction(
    group: string,
    commits: readonly GroupOffsetCommit[],
    producer: ProducerIdentity,
  ): Answer<void> {
    const appended = this.#scene.log.append(group, this.#records(group, commits), producer)
    if (!appended.ok) return appended
    const { pending } = this.#kept(group)
    const known = pending.get(producer.producerId) ?? new Map<string, GroupOffsetCommit>()
    pending.set(producer.producerId, known)
    for (const commit of commits) known.set(keyOf(commit), commit)
    return answered(undefined)
  }

  /** A marker was written to the offsets topic. */
  ended(producerId: bigint, end: 'commit' | 'abort'): void {
    for (const kept of this.#groups.values()) {
      const commits = kept.pending.get(producerId)
      if (commits === undefined) continue
      kept.pending.delete(producerId)
      if (end === 'commit') for (const commit of commits.values()) this.#put(kept, commit)
    }
  }

  /** OffsetFetch of one group. */
  fetch({ group, partitions }: GroupOffsetsQuery, requireStable: boolean): Answer<readonly FetchedOffset[]> {
    if (!this.#scene.log.hasCoordinator(group)) return refused(errorCode.COORDINATOR_NOT_AVAILABLE)
    const kept = this.#groups.get(group)
    const asked = partitions === 'all' ? [...(kept?.committed.values() ?? [])] : partitions
    const fetched = asked.map(({ topic, partition }): FetchedOffset => {
      const key = keyOf({ topic, partition })
      this.#watch?.fetched(group, { topic, partition })
      const isUnstable = [...(kept?.pending.values() ?? [])].some((commits) => commits.has(key))
      if (requireStable && isUnstable)
        return { topic, partition, answer: refused(errorCode.UNSTABLE_OFFSET_COMMIT) }
      const found = kept?.committed.get(key)
      if (found === undefined) return { topic, partition, answer: answered(undefined) }
      const { offset, leaderEpoch, metadata } = found
      return { topic, partition, answer: answered({ offset, leaderEpoch, metadata }) }
    })
    return answered(fetched)
  }

  /** OffsetDelete: the code of each partition, in their order. */
  delete(group: string, partitions: readonly TopicPartition[]): Answer<readonly number[]> {
    const kept = this.#groups.get(group)
    const view = this.#scene.viewOf(group)
    if (kept === undefined && view === undefined) return refused(errorCode.GROUP_ID_NOT_FOUND)
    if (this.#isUsed(group)) {
      // Subscriptions are not read here: consumers count as subscribed to everything.
      if (view?.protocolType !== 'consumer') return refused(errorCode.NON_EMPTY_GROUP)
      return answered(partitions.map(() => errorCode.GROUP_SUBSCRIBED_TO_TOPIC))
    }
    const { committed } = this.#kept(group)
    const known = partitions.filter((at) => committed.has(keyOf(at)))
    if (known.length > 0) {
      const appended = this.#scene.log.append(group, removalRecords(group, known, this.#scene.wallMs()))
      if (!appended.ok) return appended
    }
    for (const at of known) committed.delete(keyOf(at))
    return answered(partitions.map(() => 0))
  }

  /**
   * Forgets what groups without members committed at or before a time, as brokers do every ten minutes; a group without
   * commits is gone.
   */
  expire(untilMs: number): void {
    for (const [group, { committed, committedMs, pending }] of this.#groups) {
      if (this.#isUsed(group)) continue
      const old = [...committed.values()].filter((at) => (committedMs.get(keyOf(at)) ?? 0) <= untilMs)
      if (old.length === 0) continue
      const records = removalRecords(group, old, this.#scene.wallMs())
      if (!this.#scene.log.append(group, records).ok) continue
      for (const at of old) {
        committed.delete(keyOf(at))
        this.#watch?.expired(group, at)
      }
      if (committed.size === 0 && pending.size === 0 && this.#scene.viewOf(group) === undefined)
        this.#groups.delete(group)
    }
  }

  #put({ committed, committedMs }: Kept, commit: GroupOffsetCommit): void {
    committed.set(keyOf(commit), commit)
    committedMs.set(keyOf(commit), this.#scene.wallMs())
  }

  #records(group: string, commits: readonly GroupOffsetCommit[]): readonly TestRecord[] {
    return commitRecords(group, commits, this.#scene.wallMs(), (topic) => this.#scene.topicIdOf(topic))
  }

  #isUsed(group: string): boolean {
    return (this.#scene.viewOf(group)?.state ?? 'Empty') !== 'Empty'
  }

  #problem(commit: GroupOffsetCommit): number {
    if (!this.#scene.isKnown(commit)) return errorCode.UNKNOWN_TOPIC_OR_PARTITION
    return commit.metadata.length > metadataMax ? errorCode.OFFSET_METADATA_TOO_LARGE : 0
  }

  #kept(group: string): Kept {
    const known = this.#groups.get(group)
    if (known !== undefined) return known
    const made: Kept = { committed: new Map(), committedMs: new Map(), pending: new Map() }
    this.#groups.set(group, made)
    return made
  }
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
