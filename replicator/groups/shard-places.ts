import type { CopiedPartition } from '../flow/shard-companion.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { type SourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import type { FollowDirection } from './follow-direction.ts'
import { placeOnTarget, type TargetPlace } from './target-place.ts'

/** Where the logs begin is asked again after this long: retention moves it. In milliseconds. */
const STARTS_LAST_MS = 10_000

interface Partition {
  readonly topic: string
  readonly partition: number
}

export interface ShardPlacesOptions {
  readonly direction: FollowDirection
  /** Where the places are. */
  readonly target: Pick<Cluster, 'listOffsets'>
  /** How many offsets may be read again by a group whose position is from before the map. */
  readonly rereadMax: bigint
}

/**
 * Where positions of a shard's partitions lie on the other side, as far as its maps and the logs' starts tell now.
 * Partitions go by the name of the topic whose positions are asked for.
 */
export class ShardPlaces {
  readonly #options: ShardPlacesOptions
  #copies: ReadonlyMap<string, CopiedPartition> = new Map()
  readonly #starts = new Map<string, TargetOffset>()
  #startsUntilMs = Number.NEGATIVE_INFINITY

  constructor(options: ShardPlacesOptions) {
    this.#options = options
  }

  /** What the shard copies now, by `topic/partition`. */
  get copies(): ReadonlyMap<string, CopiedPartition> {
    return this.#copies
  }

  see(copies: readonly CopiedPartition[]): void {
    const { direction } = this.#options
    this.#copies = new Map(
      copies.map((copy) => [partitionOf({ topic: direction.from(copy), partition: copy.partition }), copy]),
    )
  }

  /**
   * @param nowMs by a monotonic clock
   * @returns whether the logs were asked, so that every place may be another one
   * @throws KafkaError
   */
  async look(nowMs: number, signal: AbortSignal): Promise<boolean> {
    const copies = [...this.#copies]
    if (nowMs < this.#startsUntilMs && copies.every(([key]) => this.#starts.has(key))) return false
    const { target, direction } = this.#options
    const queries = copies.map(([, copy]) => ({
      topic: direction.to(copy),
      partition: copy.partition,
      at: 'earliest' as const,
    }))
    const answers = queries.length === 0 ? [] : await target.listOffsets(queries, signal)
    answers.forEach(({ result }, index) => {
      const [key] = copies[index] ?? []
      if (key !== undefined && result.ok) this.#starts.set(key, targetOffset(result.value.offset))
    })
    this.#startsUntilMs = nowMs + STARTS_LAST_MS
    return true
  }

  /** `undefined` for what is not copied just now. */
  copyOf(at: Partition): CopiedPartition | undefined {
    return this.#copies.get(partitionOf(at))
  }

  /** `undefined` while it cannot be told. */
  placeOf(at: Partition, position: SourceOffset): TargetPlace | undefined {
    const { direction, rereadMax } = this.#options
    const map = this.copyOf(at)?.map
    const targetStart = this.#starts.get(partitionOf(at))
    if (map === undefined || targetStart === undefined) return undefined
    return placeOnTarget({ translation: direction.translate(map, position), targetStart, rereadMax })
  }
}

export const partitionOf = ({ topic, partition }: Partition): string => `${topic}/${partition}`
