import type { FlowId, RegionAlias } from '../topology/model.ts'

/** What a running flow looks like now. Plain data: consoles, health checks and the progress line read only this. */
export interface FlowSnapshot {
  readonly flow: FlowId
  readonly source: RegionAlias
  readonly target: RegionAlias
  /** `starting` until the first discovery has ended and every selected partition runs or is stopped. */
  readonly state: 'starting' | 'running' | 'draining' | 'closed'
  readonly topics: number
  /** The shards that this process owns, or is about to. */
  readonly shards: readonly number[]
  readonly partitions: {
    readonly total: number
    readonly running: number
    readonly paused: number
    readonly stopped: number
  }
  /** Partitions (partition undefined: whole topics) that do not move, why, and what to do about it. */
  readonly stopped: readonly StoppedPartition[]
  /** A problem that hits the flow as a whole and is being retried, such as an unreachable cluster. */
  readonly trouble: string | undefined
  /** Acknowledged by the target since the process started. */
  readonly records: number
  readonly bytes: number
  readonly batches: number
  /** Batches that could not pass through as they were, by reason. */
  readonly reencoded: Readonly<Record<string, number>>
  /** Committed source records not yet acknowledged by the target. */
  readonly lagRecords: number
  /** Age of the oldest fetched record that waits for its acknowledgement, or 0; in milliseconds. */
  readonly lagMs: number
  readonly bufferedBytes: number
  /** How often both sides were looked at, since the start, for what reading and writing alone would not show. */
  readonly looks: number
  /** The partition that the source's retention reaches first; `undefined` when none is in danger. */
  readonly overrun: OverrunForecast | undefined
}

/** Retention will delete records before they are copied, at the present rate. */
export interface OverrunForecast {
  readonly topic: string
  readonly partition: number
  readonly inMs: number
}

export interface StoppedPartition {
  readonly topic: string
  readonly partition: number | undefined
  readonly reason: string
  /** What the user can do. */
  readonly wayOut: string
}
