import { backoffMs } from '../clock/backoff.ts'
import type { FlowOptions } from '../flow/flow-options.ts'
import { type FlowMemory, shardMaker } from '../flow/open-flow.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { ShardLostError } from '../shards/fenced.ts'
import type { Progress } from '../shards/progress-record.ts'
import type { Fenced, FencedPlace, Shard } from '../shards/shard.ts'
import { shardOf } from '../shards/shard-of.ts'
import { MigrationRefusedError, type PartitionRefusal, refused } from './refusal.ts'

/** A replica that runs takes its shards back at once: sometimes before we are done. */
const ATTEMPTS_MAX = 5

export const TRY_AGAIN = 'try again'

/** What is written of a partition, and why it is refused, if it is. */
export interface Decision {
  readonly progress: Progress | undefined
  readonly refusal?: PartitionRefusal
}

/** A partition whose progress is to be written, once nobody else can. */
export interface ToTake {
  /** The source topic. */
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  /** What to write; called when the partition is fenced, perhaps more than once. */
  decide(
    place: Extract<FencedPlace, { kind: 'fenced' }>,
    fenced: Fenced,
    signal: AbortSignal,
  ): Promise<Decision>
}

/**
 * Takes the partitions' shards over, for as long as it takes to decide and to write progress.
 * @returns what was decided, and is written
 * @throws MigrationRefusedError when a shard is taken back again and again; KafkaError
 */
export async function takeShards<T extends ToTake>(
  options: FlowOptions,
  memory: FlowMemory,
  /** Through the target's logs. */
  walks: LogWalks,
  partitions: readonly T[],
  signal: AbortSignal,
): Promise<ReadonlyMap<T, Decision>> {
  const { flow, clock, random, backoff } = options
  const makeShard = shardMaker(options, memory, walks)
  const outcomes = new Map<T, Decision>()
  const shards = Map.groupBy(partitions, ({ topic, partition }) => shardOf(topic, partition, flow.shards))
  for (const [index, ofShard] of shards) {
    for (let attempt = 0; ; attempt++) {
      try {
        for (const [one, outcome] of await take(makeShard(index), options, ofShard, signal))
          outcomes.set(one, outcome)
        break
      } catch (error) {
        if (!(error instanceof ShardLostError)) throw error
        if (attempt + 1 >= ATTEMPTS_MAX)
          throw new MigrationRefusedError(
            `a process that replicates ${flow.id} took shard ${index} back ${ATTEMPTS_MAX} times: stop it, and try again. What was done until now stays, and is left alone then`,
            { cause: error },
          )
        await clock.sleep(backoffMs(backoff, attempt, random), signal)
      }
    }
  }
  return outcomes
}

async function take<T extends ToTake>(
  shard: Shard,
  { flow }: FlowOptions,
  partitions: readonly T[],
  signal: AbortSignal,
): Promise<ReadonlyMap<T, Decision>> {
  try {
    const places = partitions.map(({ topic, partition, targetTopic }) => ({
      key: { flow: flow.id, topic, partition },
      target: { topic: targetTopic, partition },
    }))
    const fenced = await shard.fence(places, signal)
    const decided = await Promise.all(
      fenced.places.map(async (place, index) => {
        const one = partitions[index]
        if (one === undefined) throw new Error('A place came back that was not fenced')
        const decision: Decision =
          place.kind === 'refused'
            ? { progress: undefined, refusal: refused(place.reason, place.wayOut) }
            : await one.decide(place, fenced, signal)
        return { one, key: place.place.key, decision }
      }),
    )
    const entries = decided.flatMap(({ key, decision: { progress } }) =>
      progress === undefined ? [] : [{ key, progress }],
    )
    if (entries.length > 0) await shard.write(entries, signal)
    return new Map(decided.map(({ one, decision }) => [one, decision]))
  } finally {
    shard.close()
  }
}
