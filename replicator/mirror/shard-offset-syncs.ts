import type { Clock } from '../clock/clock.ts'
import type { CompanionScene } from '../flow/shard-companion.ts'
import type { OffsetSync } from '../offsets/mm2/offset-sync.ts'
import type { MirrorPart } from './mirror-part.ts'
import type { MirrorWriter } from './mirror-writer.ts'
import { flushed, type PartitionSyncs, type SyncedPartition, syncsOfMap } from './syncs-of-map.ts'

const TURN_MS = 1_000

export interface ShardOffsetSyncsOptions {
  readonly scene: {
    readonly copies: CompanionScene['copies']
    readonly shard: Pick<CompanionScene['shard'], 'isProven'>
  }
  readonly writer: Pick<MirrorWriter<OffsetSync>, 'append'>
  /** See `syncsOfRun`. */
  readonly offsetLagMax: number
  /** After which what was held back is written, in milliseconds. */
  readonly flushIntervalMs: number
  readonly clock: Clock
}

/** The offset syncs of a shard's partitions: what their maps grew by is looked at once a second. */
export class ShardOffsetSyncs implements MirrorPart {
  readonly everyMs = TURN_MS
  readonly #options: ShardOffsetSyncsOptions
  /** By `topic/partition`, on the source. */
  readonly #synced = new Map<string, SyncedPartition>()
  #flushAtMs: number

  constructor(options: ShardOffsetSyncsOptions) {
    this.#options = options
    this.#flushAtMs = options.clock.monotonicMs() + options.flushIntervalMs
  }

  async turn(signal: AbortSignal): Promise<void> {
    const { clock, flushIntervalMs } = this.#options
    const nowMs = clock.monotonicMs()
    const isFlush = nowMs >= this.#flushAtMs
    await this.#write(isFlush, signal)
    if (isFlush) this.#flushAtMs = nowMs + flushIntervalMs
  }

  async finish(signal: AbortSignal): Promise<void> {
    await this.#write(true, signal)
  }

  close(): void {}

  async #write(isFlush: boolean, signal: AbortSignal): Promise<void> {
    const { scene, writer, offsetLagMax } = this.#options
    // Who owns the shard by now says it better.
    if (!scene.shard.isProven()) return
    const entries: OffsetSync[] = []
    const looked = new Map<string, PartitionSyncs>()
    for (const { topic, partition, map } of scene.copies()) {
      if (map === undefined) continue
      const key = `${topic}/${partition}`
      const found = syncsOfMap(this.#synced.get(key), map, offsetLagMax)
      const said = isFlush ? flushed(found) : found
      looked.set(key, said)
      entries.push(...said.syncs.map((sync) => ({ topic, partition, ...sync })))
    }
    await writer.append(entries, signal)
    for (const [key, { synced }] of looked) this.#synced.set(key, synced)
  }
}
