import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { FollowDirection } from '../groups/follow-direction.ts'
import type { Followed } from '../groups/follow-group.ts'
import { decodeFollowed, decodeFollowedKey, FollowedFormatError } from '../groups/followed-record.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { TopicLog } from '../kafka/topic-log.ts'
import type { FlowId } from '../topology/model.ts'
import type { Learned } from './explain-partition.ts'

export interface FollowedMemoryOptions {
  /** The target. */
  readonly cluster: Cluster
  /** `causeway.<topology>.groups` */
  readonly topic: string
  readonly flow: FlowId
  readonly group: string
  readonly clock: Clock
  readonly random: Random
}

/** A partition whose commits are followed, with those that may stand for it on the other side, the newest last. */
export interface FollowedPartition {
  readonly topic: string
  readonly partition: number
  readonly commits: readonly Followed[]
}

/** `forth`: from topics of the source to their copies; `back`: from copies to the topics of the source. */
export type FollowedMemory = Readonly<Record<FollowDirection['name'], readonly FollowedPartition[]>>

/**
 * What a flow has written down before it committed for a group on either side; nothing where there is no such topic.
 * `unknown` when the topic cannot be read, or a newer Causeway wrote it.
 * @throws the signal's reason
 */
export async function readFollowed(
  options: FollowedMemoryOptions,
  signal: AbortSignal,
): Promise<Learned<FollowedMemory>> {
  const { cluster, topic } = options
  const log = new TopicLog({ ...options, backoff: defaultBackoff })
  const found = { forth: new Map<string, FollowedPartition>(), back: new Map<string, FollowedPartition>() }
  try {
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind !== 'found') return { kind: 'known', value: { forth: [], back: [] } }
    for (const { partition } of lookup.topic.partitions) {
      const here = { forth: new Map<string, FollowedPartition>(), back: new Map<string, FollowedPartition>() }
      await log.read(partition, (record) => take(record, options, here), signal)
      // Another number of shards leaves records of the same partition in two places.
      for (const way of ['forth', 'back'] as const)
        for (const [name, one] of here[way])
          if (newest(one) >= newest(found[way].get(name))) found[way].set(name, one)
    }
    return {
      kind: 'known',
      value: { forth: [...found.forth.values()], back: [...found.back.values()] },
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof KafkaError) && !(error instanceof FollowedFormatError)) throw error
    return { kind: 'unknown', reason: error.message }
  } finally {
    await log.close()
  }
}

function take(
  { key, value }: { readonly key: Buffer | null; readonly value: Buffer | null },
  { flow, group }: FollowedMemoryOptions,
  found: Readonly<Record<FollowDirection['name'], Map<string, FollowedPartition>>>,
): void {
  if (key === null) return
  const at = decodeFollowedKey(key)
  if (at.flow !== flow || at.group !== group) return
  const { topic, partition, direction } = at
  const name = `${topic}/${partition}`
  if (value === null) found[direction].delete(name)
  else found[direction].set(name, { topic, partition, commits: decodeFollowed(value) })
}

const newest = (one: FollowedPartition | undefined): number => one?.commits.at(-1)?.atMs ?? 0
