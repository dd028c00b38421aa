import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { TopicLog } from '../kafka/topic-log.ts'
import { sourceOffset, targetOffset } from '../records/offsets.ts'
import { shardOf } from '../shards/shard-of.ts'
import type { FlowId } from '../topology/model.ts'
import type { Followed } from './follow-group.ts'
import { encodeFollowed, encodeFollowedKey } from './followed-record.ts'
import { groupKind } from './target-looks.ts'

/** Written at once. */
const RECORDS_PER_BATCH = 300

/** A copied partition, by its topic's name on either side. */
export interface CopiedPlace {
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
}

export interface AdoptGroupsOptions {
  readonly flow: FlowId
  readonly shards: number
  readonly target: Cluster
  readonly ledgerTopic: string
  /** Makes it if it is not there yet. */
  readonly prepare: (signal: AbortSignal) => Promise<void>
  readonly selects: (group: string) => boolean
  readonly places: readonly CopiedPlace[]
  /** Only tells which commits they are. */
  readonly isDryRun: boolean
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/** A commit on the target that the flow may replace from now on. */
export interface AdoptedCommit extends CopiedPlace {
  readonly group: string
  readonly offset: bigint
  readonly metadata: string
}

/**
 * Takes for the flow's own what stands on the target in groups without members: what another replicator committed
 * there before. They go on from where they stand, and never back. While no replica of the flow runs.
 * @throws KafkaError; the signal's reason
 */
export async function adoptGroups(
  options: AdoptGroupsOptions,
  signal: AbortSignal,
): Promise<readonly AdoptedCommit[]> {
  const { target, flow, shards, ledgerTopic, prepare, clock } = options
  const adopted = await commitsToAdopt(options, signal)
  if (options.isDryRun || adopted.length === 0) return adopted
  await prepare(signal)
  const log = new TopicLog({ ...options, cluster: target, topic: ledgerTopic })
  const timestamp = BigInt(Math.floor(clock.wallMs()))
  try {
    const byShard = Map.groupBy(adopted, ({ topic, partition }) => shardOf(topic, partition, shards))
    for (const [shard, commits] of byShard) {
      const records = commits.map(({ group, topic, partition, offset, metadata }) => ({
        key: encodeFollowedKey({ flow, direction: 'forth', group, topic, partition }),
        value: encodeFollowed([ofNobody(offset, metadata, clock.wallMs())]),
        headers: [],
        timestamp,
      }))
      for (let first = 0; first < records.length; first += RECORDS_PER_BATCH)
        await log.append(shard, records.slice(first, first + RECORDS_PER_BATCH), signal)
    }
  } finally {
    await log.close()
  }
  return adopted
}

async function commitsToAdopt(
  { target, selects, places }: AdoptGroupsOptions,
  signal: AbortSignal,
): Promise<readonly AdoptedCommit[]> {
  const byCopy = new Map(places.map((place) => [`${place.targetTopic}/${place.partition}`, place]))
  const listed = (await target.listGroups(signal)).groups.map(({ group }) => group).filter(selects)
  const groups = (await target.describeGroups(listed, signal)).flatMap(({ group, result }) => {
    if (!result.ok) throw result.error
    return groupKind(result.value) === 'empty' ? [group] : []
  })
  const queries = groups.map((group) => ({ group, partitions: 'all' as const }))
  const answers = await target.groupOffsets(queries, { requireStable: true }, signal)
  return answers.flatMap(({ group, result }) => {
    if (!result.ok) throw result.error
    return result.value.flatMap(({ topic, partition, result: committed }) => {
      const place = byCopy.get(`${topic}/${partition}`)
      if (place === undefined) return []
      if (!committed.ok) throw committed.error
      if (committed.value === undefined) return []
      const { offset, metadata } = committed.value
      return [{ topic: place.topic, partition, targetTopic: topic, group, offset, metadata }]
    })
  })
}

/** Which source position it stands for is not known. Of the lowest one nothing below it ever follows. */
const ofNobody = (offset: bigint, metadata: string, atMs: number): Followed => ({
  position: sourceOffset(0n),
  offset: targetOffset(offset),
  metadata,
  atMs,
})
