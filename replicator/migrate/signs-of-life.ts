import type { Cluster, TopicPartition } from '../kafka/cluster.ts'
import { TopicLog, type TopicLogOptions } from '../kafka/topic-log.ts'
import { decodeHeartbeat } from '../offsets/mm2/heartbeat.ts'
import type { MirrorMaker } from './mirror-maker.ts'

/** How long is looked at least, in milliseconds: some heartbeats' time. */
const LOOK_MIN_MS = 3000
const LOOK_MAX_MS = 30_000
/** Members that are gone are known to be gone after their session timeout: 10 s for Connect and for replicas. */
const MEMBERS_PATIENCE_MS = 20_000
const POLL_MS = 250

export interface LifeWatch extends Omit<TopicLogOptions, 'topic' | 'cluster'> {
  /** The flow's target, where MirrorMaker 2 keeps everything. */
  readonly target: Cluster
  readonly mirrorMaker: MirrorMaker
  /** What only it writes to. */
  readonly copies: readonly TopicPartition[]
  /** The group of our own replicas, which must be gone too. */
  readonly replicas: string | undefined
}

/**
 * Watches for some seconds whether MirrorMaker 2, or a replica of ours, is at work: members of the workers' group, a
 * new heartbeat of the pair of clusters, a new stored offset, a copy that grows. Groups that still list somebody who
 * was killed are given time.
 * @returns what was seen; `undefined` when all is quiet
 * @throws KafkaError when the target does not answer
 */
export async function watchForLife(watch: LifeWatch, signal: AbortSignal): Promise<string | undefined> {
  const { clock, target, mirrorMaker } = watch
  const lookMs = Math.min(LOOK_MAX_MS, Math.max(LOOK_MIN_MS, 3 * mirrorMaker.heartbeats.intervalMs))
  const began = clock.monotonicMs()
  const heartbeats = new HeartbeatWatch(watch)
  const writes = await endsOf(target, await writtenBy(watch, signal), signal)
  try {
    await heartbeats.open(signal)
    for (;;) {
      const wrote =
        (await heartbeats.seen(signal)) ?? (await grown(target, writes, mirrorMaker.offsetsTopic, signal))
      if (wrote !== undefined) return wrote
      const members = await membersOf(watch, signal)
      const watchedMs = clock.monotonicMs() - began
      if (members === undefined && watchedMs >= lookMs) return undefined
      if (members !== undefined && watchedMs >= MEMBERS_PATIENCE_MS) return members
      await clock.sleep(POLL_MS, signal)
    }
  } finally {
    await heartbeats.close()
  }
}

/** Reads heartbeats that are written from now on. */
class HeartbeatWatch {
  readonly #log: TopicLog
  readonly #watch: LifeWatch
  /** `undefined`: there is no such topic. */
  #next: bigint | undefined

  constructor(watch: LifeWatch) {
    this.#watch = watch
    const { target: cluster, mirrorMaker, clock, random, backoff } = watch
    this.#log = new TopicLog({ cluster, topic: mirrorMaker.heartbeats.topic, clock, random, backoff })
  }

  async open(signal: AbortSignal): Promise<void> {
    const at = { topic: this.#watch.mirrorMaker.heartbeats.topic, partition: 0 }
    this.#next = (await endsOf(this.#watch.target, [at], signal)).get(at)
  }

  async seen(signal: AbortSignal): Promise<string | undefined> {
    if (this.#next === undefined) return undefined
    const { source, heartbeats } = this.#watch.mirrorMaker
    let isAlive = false
    const { end } = await this.#log.read(
      0,
      (record) => {
        const heartbeat = decodeHeartbeat(record)
        if (heartbeat.kind !== 'decoded') return
        isAlive ||= heartbeat.value.source === source
      },
      signal,
      this.#next,
    )
    this.#next = end
    return isAlive ? `heartbeats of ${source} are written into topic "${heartbeats.topic}"` : undefined
  }

  async close(): Promise<void> {
    await this.#log.close()
  }
}

async function writtenBy(
  { target, mirrorMaker: { offsetsTopic }, copies }: LifeWatch,
  signal: AbortSignal,
): Promise<readonly TopicPartition[]> {
  const lookup = (await target.describeTopics([offsetsTopic], signal)).get(offsetsTopic)
  const partitions = lookup?.kind === 'found' ? lookup.topic.partitions : []
  return [...partitions.map(({ partition }) => ({ topic: offsetsTopic, partition })), ...copies]
}

type Ends = ReadonlyMap<TopicPartition, bigint>

/** Partitions that do not answer are left out. */
async function endsOf(
  target: Cluster,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<Ends> {
  if (partitions.length === 0) return new Map()
  const queries = partitions.map(({ topic, partition }) => ({ topic, partition, at: 'latest' as const }))
  const answers = await target.listOffsets(queries, signal)
  const ends = new Map<TopicPartition, bigint>()
  for (const [index, at] of partitions.entries()) {
    const result = answers[index]?.result
    if (result?.ok) ends.set(at, result.value.offset)
  }
  return ends
}

async function grown(
  target: Cluster,
  before: Ends,
  offsetsTopic: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const now = await endsOf(target, [...before.keys()], signal)
  for (const [at, end] of now) {
    if (end <= (before.get(at) ?? end)) continue
    return at.topic === offsetsTopic
      ? `offsets are stored into topic "${offsetsTopic}"`
      : `the copy ${at.topic}/${at.partition} grows`
  }
  return undefined
}

async function membersOf(
  { target, mirrorMaker: { connectGroup }, replicas }: LifeWatch,
  signal: AbortSignal,
): Promise<string | undefined> {
  const groups = [connectGroup, replicas].filter((group) => group !== undefined)
  for (const { group, result } of groups.length === 0 ? [] : await target.describeGroups(groups, signal)) {
    if (!result.ok) throw result.error
    const members =
      result.value.kind === 'classic' || result.value.kind === 'consumer' ? result.value.members : []
    const [first] = members
    if (first !== undefined)
      return `group "${group}" has ${members.length === 1 ? 'a member' : `${members.length} members`} at ${first.host.replace(/^\//, '')}`
  }
  return undefined
}
