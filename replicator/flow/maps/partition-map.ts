import {
  allOutdated,
  type ChunkPlan,
  type MapKey,
  type MapTopicIds,
  planChunks,
  type WrittenChunks,
} from '../../offsets/map-chunks.ts'
import { OffsetMap, type OffsetPair } from '../../offsets/offset-map.ts'
import type { ReadChunks } from '../../offsets/read-chunks.ts'
import { sourceOffset, type TargetOffset, targetOffset } from '../../records/offsets.ts'
import type { Outgoing } from '../partition-window.ts'

/**
 * The offset map of a partition that is being copied. Copying does not wait for what was written of the map before: it
 * is put in front when it has been read ({@link join}). Until then the map begins at the partition's start pair, and
 * nothing of it is written.
 */
export class PartitionMap {
  readonly key: MapKey
  readonly ids: MapTopicIds
  #map: OffsetMap
  #written: WrittenChunks | undefined
  #reached: () => OffsetPair

  constructor(key: MapKey, ids: MapTopicIds, start: OffsetPair) {
    this.key = key
    this.ids = ids
    this.#map = new OffsetMap(start)
    this.#reached = () => start
  }

  /** As far as copying got by now, with what was skipped at the end. */
  get map(): OffsetMap {
    this.#map.reach(this.#reached())
    return this.#map
  }

  /** Whether what was written before is in the map. */
  get isWhole(): boolean {
    return this.#written !== undefined
  }

  /** The target holds a batch from this offset on. Costs about a microsecond: it is called for every batch. */
  copied({ sourceBase, records, offsets }: Outgoing, targetBase: TargetOffset): void {
    if (offsets === undefined) {
      this.#map.append({ source: sourceBase, target: targetBase, count: records })
      return
    }
    let target: bigint = targetBase
    for (const { firstOffset, recordCount: count } of offsets) {
      this.#map.append({ source: sourceOffset(firstOffset), target: targetOffset(target), count })
      target += BigInt(count)
    }
  }

  /** The partition was taken anew and goes on here: what was copied since the last acknowledgement is a coarse span. */
  goOn(start: OffsetPair): void {
    this.#reached = () => start
    if (isBehind(this.#map, start)) goOnIn(this.#map, start)
    else this.#beginAnew(start, this.#written?.keys())
  }

  /** @param reached how far copying got: what was skipped on the source is told by nobody else */
  follow(reached: () => OffsetPair): void {
    this.#reached = reached
  }

  /** Puts what was written before in front. */
  join({ map: before, written }: ReadChunks): void {
    const recent = this.#map
    if (before === undefined || !isBehind(before, recent.start)) {
      // Nothing was written, or copying was sent back to where it had been: only what it does now is true.
      this.#written = allOutdated(written.keys())
      return
    }
    goOnIn(before, recent.start)
    for (const span of recent.spans()) {
      if ('count' in span) before.append(span)
      else before.appendCoarse(span)
    }
    before.reach(recent.end)
    this.#map = before
    this.#written = written
  }

  /** What must be written; `undefined` while it is not known what was written before. */
  plan(): ChunkPlan | undefined {
    const { key, ids } = this
    return this.#written && planChunks(this.#written, this.map, { key, ids })
  }

  /** @param isWhole whether all of the plan's records were appended; otherwise some may have been */
  wrote({ written, writtenInPart }: ChunkPlan, isWhole: boolean): void {
    this.#written = isWhole ? written : writtenInPart
  }

  #beginAnew(start: OffsetPair, chunks: Iterable<number> | undefined): void {
    this.#map = new OffsetMap(start)
    if (chunks !== undefined) this.#written = allOutdated(chunks)
  }
}

const isBehind = ({ end }: OffsetMap, { source, target }: OffsetPair): boolean =>
  end.source <= source && end.target <= target

function goOnIn(map: OffsetMap, { source, target }: OffsetPair): void {
  const { end } = map
  map.appendCoarse({ sourceFrom: end.source, sourceTo: source, targetFrom: end.target, targetTo: target })
}
