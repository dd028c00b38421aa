import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../../records/offsets.ts'

/** A record and its copy. */
export interface SyncPair {
  readonly upstreamOffset: SourceOffset
  readonly downstreamOffset: TargetOffset
}

/** `count` records that follow each other without a gap on both sides, the first of them at these offsets. */
export interface CopiedRun {
  readonly source: SourceOffset
  readonly target: TargetOffset
  readonly count: number
}

/** What was said of a partition: carried from run to run. */
export interface SyncState {
  /** The newest record that was copied; `undefined` at first. */
  readonly previous: SyncPair | undefined
  /** The newest record that a sync was written for. */
  readonly synced: SyncPair | undefined
}

export const nothingSynced: SyncState = { previous: undefined, synced: undefined }

/** MirrorMaker 2's `offset.lag.max`. */
export const offsetLagMaxDefault = 100

/**
 * Which syncs to write now that a run is copied, in this order, and what to remember.
 *
 * MirrorMaker 2 looks at each record: a sync for the first in a task's life, after a gap, after a rewind on either side,
 * and when the target is `offset.lag.max` + 1 records past the last sync. Runs have no gaps inside, so that their two
 * ends say as much: the first record where it would say one, then the last where that is far enough. Its readers take
 * the newest sync at or below a group's position, and the position after its copy: right for whichever pairs are
 * written, provided that each pair is one record's. So nothing is said of a span whose inside is unknown: pass the runs
 * around it, of which the second breaks off from the first.
 *
 * @param offsetLagMax records; 0 writes one for every run
 * @throws RangeError for a run of no records
 */
export function syncsOfRun(
  state: SyncState,
  run: CopiedRun,
  offsetLagMax: number,
): { readonly state: SyncState; readonly syncs: readonly SyncPair[] } {
  if (!(run.count >= 1)) throw new RangeError(`A run of ${run.count} records`)
  const first: SyncPair = { upstreamOffset: run.source, downstreamOffset: run.target }
  const last: SyncPair = {
    upstreamOffset: sourceOffset(run.source + BigInt(run.count - 1)),
    downstreamOffset: targetOffset(run.target + BigInt(run.count - 1)),
  }
  const syncs: SyncPair[] = []
  if (breaksOff(state.previous, first) || isStale(state.synced, first, offsetLagMax)) syncs.push(first)
  const synced = syncs[0] ?? state.synced
  if (isStale(synced, last, offsetLagMax)) syncs.push(last)
  return { state: { previous: last, synced: syncs.at(-1) ?? state.synced }, syncs }
}

/**
 * The sync that was held back, to be written once per flush interval (MirrorMaker 2: `offset.flush.interval.ms`, since
 * 3.7): without it the last records of a quiet topic would never be said (KAFKA-15906).
 */
export function syncOfFlush(state: SyncState): {
  readonly state: SyncState
  readonly sync: SyncPair | undefined
} {
  const { previous, synced } = state
  if (previous === undefined || isSame(previous, synced)) return { state, sync: undefined }
  return { state: { previous, synced: previous }, sync: previous }
}

function breaksOff(previous: SyncPair | undefined, first: SyncPair): boolean {
  if (previous === undefined) return true
  return (
    first.upstreamOffset - previous.upstreamOffset !== 1n ||
    first.downstreamOffset < previous.downstreamOffset
  )
}

/** A reader translates whatever follows the sync to the position after it: that is how far it is behind. */
function isStale(synced: SyncPair | undefined, pair: SyncPair, offsetLagMax: number): boolean {
  if (synced === undefined) return true
  return pair.downstreamOffset - (synced.downstreamOffset + 1n) >= BigInt(offsetLagMax)
}

function isSame(a: SyncPair, b: SyncPair | undefined): boolean {
  return a.upstreamOffset === b?.upstreamOffset && a.downstreamOffset === b.downstreamOffset
}
