import type { DiscoveryRound } from '../topics/topic-pair.ts'
import type { Flow } from '../topology/model.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { SettledCounts } from './partition-window.ts'
import type { FlowSnapshot, StoppedPartition } from './snapshot.ts'

export interface SnapshotParts {
  readonly flow: Flow
  readonly state: FlowSnapshot['state']
  readonly round: DiscoveryRound
  readonly trouble: string | undefined
  readonly partitions: readonly PartitionFlow[]
  /** Partitions that could not be started. */
  readonly refused: readonly StoppedPartition[]
  readonly shards: readonly number[]
  readonly counts: Readonly<SettledCounts>
  readonly reencoded: Readonly<Record<string, number>>
  readonly bufferedBytes: number
  readonly looks: number
  readonly overrun: FlowSnapshot['overrun']
  readonly nowMs: number
}

/** Sums a flow's partitions up. */
export function snapshotOf(parts: SnapshotParts): FlowSnapshot {
  const { flow, partitions, round } = parts
  const refused = parts.refused.length
  const tally = { total: partitions.length + refused, running: 0, paused: 0, stopped: refused }
  const stopped: StoppedPartition[] = [...round.problems, ...parts.refused]
  let lagRecords = 0
  let oldestMs = parts.nowMs
  for (const { place, status, lagRecords: behind, window } of partitions) {
    lagRecords += behind
    // Records may be stamped by clocks ahead of ours, or not at all.
    const oldest = window.oldestTimestampMs
    if (oldest !== undefined && oldest >= 0) oldestMs = Math.min(oldestMs, oldest)
    if (status.kind === 'running') tally.running++
    else if (status.kind === 'paused') tally.paused++
    else {
      tally.stopped++
      const { reason, wayOut } = status
      stopped.push({ topic: place.sourceTopic, partition: place.partition, reason, wayOut })
    }
  }
  return {
    flow: flow.id,
    source: flow.source,
    target: flow.target,
    state: parts.state,
    topics: new Set(partitions.map(({ place }) => place.sourceTopic)).size,
    partitions: tally,
    shards: parts.shards,
    stopped,
    trouble: parts.trouble,
    ...parts.counts,
    reencoded: { ...parts.reencoded },
    lagRecords,
    lagMs: parts.nowMs - oldestMs,
    bufferedBytes: parts.bufferedBytes,
    looks: parts.looks,
    overrun: parts.overrun,
  }
}
