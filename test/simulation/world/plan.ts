import type { Codec } from '../../../replicator/records/batch-header.ts'
import type { Fault } from '../faults.ts'
import type { Moment } from './simulated-process.ts'

/*
 * A run as data. Everything that happens in a run follows from its plan: taking events out of it gives another run,
 * which is how a failing one is made small. So events name things in ways that stay meaningful without the others:
 * a `pick` counts through whatever there is at that moment.
 */

export type Side = 'source' | 'target'

export interface Plan {
  readonly seed: number
  readonly setup: Setup
  /** Ordered by time. */
  readonly events: readonly PlannedEvent[]
  /** When faults stop, in milliseconds of simulated time. */
  readonly endMs: number
}

export interface Setup {
  readonly brokers: number
  /** At first; at most {@link shardsMax}. */
  readonly shards: number
  readonly replicas: number
  /** How replicas agree on shards; by `each-all` every process believes that all are its own. */
  readonly claims: 'each-all' | 'group' | 'group-static'
  readonly topics: readonly PlannedTopic[]
  /** Whether the flow keeps offset maps. */
  readonly maps: boolean
  /** Consumer groups on the source that the flow follows; those but the first may have members on the target. */
  readonly groups: number
  readonly requestTimeoutMs: number
  /** What the target's brokers do with the end markers of partitions that have no leader. */
  readonly leaderlessMarkers: 'dropped' | 'delayed'
  /** One way, towards each cluster; each request varies around it. */
  readonly latencyMs: Readonly<Record<Side, number>>
}

export const shardsMax = 4

export interface PlannedTopic {
  readonly name: string
  readonly partitions: number
  readonly compacted: boolean
  readonly logAppendTime: boolean
}

export type PlannedEvent = { readonly atMs: number } & (Workload | PlannedFault)

/** What applications do. Not counted as faults. */
export type Workload =
  | {
      readonly kind: 'write'
      readonly pick: number
      readonly records: number
      readonly codec: Codec
      readonly padding: number
      /** How old the records say they are. */
      readonly ageMs: number
      readonly tombstones: boolean
    }
  | {
      readonly kind: 'write-in-transaction'
      readonly writer: number
      readonly pick: number
      readonly records: number
    }
  | { readonly kind: 'end-transaction'; readonly writer: number; readonly end: 'commit' | 'abort' }
  /** A group on the source commits: further `on`, back or on (`anywhere`), or its commit is deleted (`nowhere`). */
  | {
      readonly kind: 'commit'
      readonly group: number
      readonly pick: number
      readonly to: 'on' | 'anywhere' | 'nowhere'
      /** How far between here and where reading can get to. */
      readonly part: number
      readonly metadata: string
    }
  /** A member joins the group on the target, commits there for a copy, and leaves. */
  | {
      readonly kind: 'join-on-target'
      readonly group: number
      readonly pick: number
      readonly part: number
      readonly forMs: number
    }
  /** A consumer with an assignment of its own, no member, commits for a copy on the target. */
  | {
      readonly kind: 'commit-on-target'
      readonly group: number
      readonly pick: number
      readonly part: number
    }

/** When a process is struck: at once, or at a moment in the life of one of its requests. */
export type Strike =
  | 'now'
  | { readonly cluster: Side; readonly request: string; readonly moment: Moment; readonly nth: number }

export type PlannedFault =
  | { readonly kind: 'crash'; readonly replica: number; readonly at: Strike; readonly restartAfterMs: number }
  | {
      readonly kind: 'pause'
      readonly replica: number
      readonly at: Strike
      readonly forMs: number
      /** Another process takes its place meanwhile, so that two believe in the same shards. */
      readonly successorAfterMs: number | undefined
    }
  | { readonly kind: 'restart'; readonly replica: number; readonly drainMs: number }
  /** The next request of this kind. */
  | { readonly kind: 'request'; readonly cluster: Side; readonly request: string; readonly fault: Fault }
  | { readonly kind: 'slow-link'; readonly cluster: Side; readonly delayMs: number; readonly forMs: number }
  | { readonly kind: 'move-leader'; readonly cluster: Side; readonly pick: number; readonly to: number }
  | { readonly kind: 'lose-leader'; readonly cluster: Side; readonly pick: number; readonly forMs: number }
  | { readonly kind: 'stop-broker'; readonly cluster: Side; readonly pick: number; readonly forMs: number }
  | { readonly kind: 'hold-watermark'; readonly cluster: Side; readonly pick: number; readonly forMs: number }
  | {
      readonly kind: 'compact'
      readonly cluster: Side
      readonly pick: number
      readonly dropTombstones: boolean
    }
  /** Deletes source records from the front: those that progress names as copied, those copied, or more. */
  | {
      readonly kind: 'delete-records'
      readonly pick: number
      readonly reach: 'progress' | 'copied' | 'beyond'
    }
  /**
   * Everything of the product is stopped for so long that brokers forget producers, or transactional ids. Those with
   * successors wake up beside them. Connections may be cut at once, so that answers on their way are lost.
   */
  | {
      readonly kind: 'sleep'
      readonly hours: number
      readonly wakeAfterMs: number | undefined
      readonly cutsConnections: boolean
    }
  | { readonly kind: 'jump-wall'; readonly ms: number }
  /**
   * All processes end, and others with another number of shards take their places. Members of a group may be only
   * stopped, and go on beside their successors after a while.
   */
  | {
      readonly kind: 'reshard'
      readonly shards: number
      readonly how: 'drain' | 'kill' | 'stop'
      readonly wakeAfterMs: number
    }
  | { readonly kind: 'new-topic'; readonly topic: PlannedTopic }
  | { readonly kind: 'grow-topic'; readonly pick: number; readonly by: number }
  /** Deletes a source topic whose records are all copied, and makes another of its name. Its copy stays as it is. */
  | { readonly kind: 're-create-topic'; readonly pick: number }
  /** Takes back every fault that waits for its request. */
  | { readonly kind: 'quiet' }
  /**
   * As when `transactional.id.expiration.ms` passes for the shards' ids, or `producer.id.expiration.ms` for everybody
   * who wrote to the target. Nobody is forgotten who was heard of lately, so nothing that was sent before may still
   * be on its way: strikes only behind a quiet time.
   */
  | { readonly kind: 'forget'; readonly what: 'transactional-ids' | 'producers' | 'both' }

const workloads: ReadonlySet<PlannedEvent['kind']> = new Set<Workload['kind']>([
  'write',
  'write-in-transaction',
  'end-transaction',
  'commit',
  'join-on-target',
  'commit-on-target',
])

export const isWorkload = ({ kind }: PlannedEvent): boolean => workloads.has(kind)
