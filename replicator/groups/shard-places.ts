import type { CopiedPartition } from '../flow/shard-companion.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { type SourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import { placeOnTarget, type TargetPlace } from './target-place.ts'

/** Where the target's logs begin is asked again after this long: retention moves it. In milliseconds. */
const STARTS_LAST_MS = 10_000

interface SourcePartition {
  readonly topic: string
  readonly partition: number
}

/** Where positions of a shard's partitions lie on the target, as far as its maps and the logs' starts tell now. */
export class ShardPlaces {
  readonly #target: Pick<Cluster, 'listOffsets'>
  readonly #rereadMax: bigint
  #copies: ReadonlyMap<string, CopiedPartition> = new Map()
  readonly #starts = new Map<string, TargetOffset>()
  #startsUntilMs = Number.NEGATIVE_INFINITY

  /** @param rereadMax how many offsets may be read again by a group whose position is from before the map */
  constructor(target: Pick<Cluster, 'listOffsets'>, rereadMax: bigint) {
    this.#target = target
    this.#rereadMax = rereadMax
  }

  /**
   * @param nowMs by a monotonic clock
   * @returns whether the logs were asked, so that every place may be another one
   * @throws KafkaError
   */
  async look(copies: readonly CopiedPartition[], nowMs: number, signal: AbortSignal): Promise<boolean> {
    this.#copies = new Map(copies.map((copy) => [nameOf(copy), copy]))
    const isKnown = nowMs < this.#startsUntilMs && copies.every((copy) => this.#starts.has(nameOf(copy)))
    if (isKnown) return false
    const at = 'earliest' as const
    const queries = copies.map(({ targetTopic: topic, partition }) => ({ topic, partition, at }))
    const answers = queries.length === 0 ? [] : await this.#target.listOffsets(queries, signal)
    answers.forEach(({ result }, index) => {
      const copy = copies[index]
      if (copy !== undefined && result.ok) this.#starts.set(nameOf(copy), targetOffset(result.value.offset))
    })
    this.#startsUntilMs = nowMs + STARTS_LAST_MS
    return true
  }

  /** By its names on the source; `undefined` for what is not copied just now. */
  copyOf(at: SourcePartition): CopiedPartition | undefined {
    return this.#copies.get(nameOf(at))
  }

  /** `undefined` while it cannot be told. */
  placeOf(at: SourcePartition, position: SourceOffset): TargetPlace | undefined {
    const map = this.copyOf(at)?.map
    const targetStart = this.#starts.get(nameOf(at))
    if (map === undefined || targetStart === undefined) return undefined
    return placeOnTarget({ translation: map.translate(position), targetStart, rereadMax: this.#rereadMax })
  }
}

const nameOf = ({ topic, partition }: SourcePartition): string => `${topic}/${partition}`
