import {
  nothingSynced,
  type SyncPair,
  type SyncState,
  syncOfFlush,
  syncsOfRun,
} from '../offsets/mm2/sync-spacing.ts'
import type { OffsetMap } from '../offsets/offset-map.ts'
import { type SourceOffset, sourceOffset, targetOffset } from '../records/offsets.ts'

/** Syncs of a partition that are written at once; MirrorMaker 2 has a single one waiting, the newest. */
const SYNCS_AT_ONCE = 64
/** Where nothing was said yet, the last copied record is sought this far back, in source offsets. */
const LAST_SOUGHT = 1_000n

/** What was said of a partition, and up to where its map has been looked at. */
export interface SyncedPartition {
  readonly state: SyncState
  readonly next: SourceOffset
}

export interface PartitionSyncs {
  /** Once the syncs are written. */
  readonly synced: SyncedPartition
  readonly syncs: readonly SyncPair[]
}

/**
 * The syncs of what a map grew by since it was looked at. The first look says the last record alone: a sync below one
 * that stands in the topic would make MirrorMaker 2's readers forget all they know.
 *
 * @param offsetLagMax as for `syncsOfRun`
 */
export function syncsOfMap(
  before: SyncedPartition | undefined,
  map: Pick<OffsetMap, 'end' | 'spansFrom'>,
  offsetLagMax: number,
): PartitionSyncs {
  const next = map.end.source
  // A map that ends below began anew.
  if (before === undefined || before.next > next) return firstSyncs(map, offsetLagMax)
  let { state } = before
  const syncs: SyncPair[] = []
  for (const span of map.spansFrom(before.next)) {
    if (!('count' in span)) continue
    const said = syncsOfRun(state, span, offsetLagMax)
    state = said.state
    syncs.push(...said.syncs)
  }
  return { synced: { state, next }, syncs: thinned(syncs) }
}

/** The sync that is held back, to be said once in a while. */
export function flushed({ synced: { state, next }, syncs }: PartitionSyncs): PartitionSyncs {
  const flush = syncOfFlush(state)
  return {
    synced: { state: flush.state, next },
    syncs: flush.sync === undefined ? syncs : [...syncs, flush.sync],
  }
}

function firstSyncs(map: Pick<OffsetMap, 'end' | 'spansFrom'>, offsetLagMax: number): PartitionSyncs {
  const next = map.end.source
  const from = sourceOffset(next > LAST_SOUGHT ? next - LAST_SOUGHT : 0n)
  const last = [...map.spansFrom(from)].findLast((span) => 'count' in span)
  if (last === undefined || !('count' in last)) return { synced: { state: nothingSynced, next }, syncs: [] }
  const behind = BigInt(last.count - 1)
  const record = {
    source: sourceOffset(last.source + behind),
    target: targetOffset(last.target + behind),
    count: 1,
  }
  const { state, syncs } = syncsOfRun(nothingSynced, record, offsetLagMax)
  return { synced: { state, next }, syncs }
}

/** Any of them may be left out: a sync is true by itself. The last one stays, and the others lie evenly. */
function thinned(syncs: readonly SyncPair[]): readonly SyncPair[] {
  const step = Math.ceil(syncs.length / SYNCS_AT_ONCE)
  return step <= 1 ? syncs : syncs.filter((_, index) => (syncs.length - 1 - index) % step === 0)
}
