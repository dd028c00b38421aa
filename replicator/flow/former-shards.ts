import type { FencePlace } from '../shards/fencing.ts'
import type { Progress } from '../shards/progress-record.ts'
import type { Shard } from '../shards/shard.ts'
import type { FlowMemory } from './open-flow.ts'

/**
 * Partitions whose progress stands with another shard: the flow's number of shards was changed. They are adopted once:
 * their former shard is fenced on them, and its record of them deleted when the new one's is written.
 */
export class FormerShards {
  readonly #memory: FlowMemory
  readonly #makeShard: (index: number) => Shard

  constructor(memory: FlowMemory, makeShard: (index: number) => Shard) {
    this.#memory = memory
    this.#makeShard = makeShard
  }

  /** Whether progress of the partition stood with another shard when the flow was opened. */
  has(topic: string, partition: number): boolean {
    return this.#memory.misplaced.has(`${topic}/${partition}`)
  }

  /**
   * Fences the former shards on these places.
   * @returns what progress they had left, and what deletes it
   * @throws KafkaError, ShardLostError; the signal's reason
   */
  async adopt(places: readonly FencePlace[], signal: AbortSignal): Promise<Adoption> {
    const byShard = Map.groupBy(places, ({ key }) =>
      this.#memory.misplaced.get(`${key.topic}/${key.partition}`),
    )
    const shards: { readonly shard: Shard; readonly places: readonly FencePlace[] }[] = []
    const progress = new Map<FencePlace, Progress>()
    for (const [index, inShard] of byShard) {
      if (index === undefined) continue
      const shard = this.#makeShard(index)
      shards.push({ shard, places: inShard })
      for (const result of (await shard.fence(inShard, signal)).places) {
        if (result.kind === 'fenced' && result.progress !== undefined)
          progress.set(result.place, result.progress)
      }
    }
    return {
      progress,
      async finish() {
        for (const { shard, places: left } of shards) {
          await shard.forget(
            left.map(({ key }) => key),
            signal,
          )
          shard.close()
        }
      },
    }
  }
}

export interface Adoption {
  readonly progress: ReadonlyMap<FencePlace, Progress>
  /** Deletes what was adopted from where it stood; called when it is written elsewhere. */
  finish(): Promise<void>
}
