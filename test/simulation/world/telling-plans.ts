import type { Plan, PlannedEvent, Setup } from './plan.ts'

/*
 * Plans made by hand, for what chance would need too many seeds to find.
 */

const setup: Setup = {
  brokers: 1,
  shards: 1,
  replicas: 1,
  claims: 'each-all',
  topics: [{ name: 'topic-0', partitions: 1, compacted: false, logAppendTime: false }],
  requestTimeoutMs: 10_000,
  leaderlessMarkers: 'delayed',
  latencyMs: { source: 0, target: 40 },
  maps: false,
  groups: 0,
}

const write = (atMs: number): PlannedEvent => ({
  atMs,
  kind: 'write',
  pick: 0,
  records: 2,
  codec: 'none',
  padding: 5,
  ageMs: 0,
  tombstones: false,
})

const commit = (atMs: number, part: number): PlannedEvent => ({
  atMs,
  kind: 'commit',
  group: 0,
  pick: 0,
  to: 'anywhere',
  part,
  metadata: '',
})

const followedSetup: Setup = { ...setup, latencyMs: { source: 0, target: 0 }, maps: true, groups: 1 }

/** A process is killed when it has sent a commit, which arrives behind what its successor commits. */
const arrivesLate: readonly PlannedEvent[] = [
  write(3000),
  write(3001),
  write(3002),
  commit(4000, 0),
  {
    atMs: 5800,
    kind: 'crash',
    replica: 0,
    at: { cluster: 'target', request: 'commitGroupOffsets', moment: 'after-send', nth: 1 },
    restartAfterMs: 0,
  },
  {
    atMs: 5900,
    kind: 'request',
    cluster: 'target',
    request: 'commit-group-offsets',
    fault: { requestDelayMs: 9000, arrivesAnyway: true },
  },
  commit(6000, 0.4),
  commit(9000, 0.8),
]

const planOf = (events: readonly PlannedEvent[], ofSetup = setup): Plan => ({
  seed: 1,
  setup: ofSetup,
  events,
  endMs: events.at(-1)?.atMs ?? 0,
})

/**
 * The answer about a batch is lost when the network is cut; the process is stopped at the same time, and goes on when
 * the target has forgotten whose batch that was.
 */
export const outcomeForgotten = planOf([
  write(5000),
  { atMs: 6000, kind: 'slow-link', cluster: 'target', delayMs: 400, forMs: 3000 },
  write(6100),
  { atMs: 6700, kind: 'sleep', hours: 25, wakeAfterMs: undefined, cutsConnections: true },
])

const lateRenewals = [12_100, 12_101, 12_102, 12_103].map(
  (atMs): PlannedEvent => ({
    atMs,
    kind: 'request',
    cluster: 'target',
    request: 'add-partitions-to-txn',
    fault: { requestDelayMs: 6000 },
  }),
)

/**
 * A process is stopped and replaced, and goes on when the target has forgotten its successor's marker; that one is gone
 * by then, and the next is still on its way to a marker of its own.
 */
export const successorForgotten = planOf([
  write(5000),
  { atMs: 8000, kind: 'pause', replica: 0, at: 'now', forMs: 60_000, successorAfterMs: 0 },
  { atMs: 11_500, kind: 'crash', replica: 0, at: 'now', restartAfterMs: 60_000 },
  { atMs: 12_000, kind: 'sleep', hours: 25, wakeAfterMs: 2000, cutsConnections: false },
  ...lateRenewals,
  write(12_200),
  write(20_000),
])

/** The group has not moved since on the source. */
export const lateCommit = planOf([...arrivesLate, write(20_000)], followedSetup)

/** The group moves once more on the source. */
export const lateCommitThenMove = planOf([...arrivesLate, write(20_000), commit(20_100, 1)], followedSetup)
