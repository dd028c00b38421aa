import type { Codec } from '../../../replicator/records/batch-header.ts'
import type { Fault } from '../faults.ts'
import { SeededRandom } from '../seeded-random.ts'
import { groupEvents } from './make-group-events.ts'
import {
  type Plan,
  type PlannedEvent,
  type PlannedFault,
  type PlannedTopic,
  type Setup,
  type Side,
  type Strike,
  shardsMax,
  type Workload,
} from './plan.ts'
import type { Moment } from './simulated-process.ts'

export interface PlanOptions {
  /** Simulated hours. Default: some twenty seconds, dense with faults. */
  readonly hours?: number
  /** Default: 20 to 36 in the short plan, one in two seconds otherwise. */
  readonly faults?: number
}

const shortMs = 15_000
const dayMs = 86_400_000
const hourMs = 3_600_000

/** Makes the plan of a seed. */
export function makePlan(seed: number, options: PlanOptions = {}): Plan {
  const random = new SeededRandom(seed * 2_654_435_761)
  const endMs = options.hours === undefined ? shortMs : options.hours * hourMs
  const setup = makeSetup(random.fork())
  const faults =
    options.faults ?? (options.hours === undefined ? random.between(40, 60) : Math.ceil(endMs / 2000))
  const writes = options.hours === undefined ? random.between(20, 60) : Math.ceil(endMs / 1500)
  const events: PlannedEvent[] = []
  const workload = random.fork()
  for (let i = 0; i < writes; i++)
    events.push({ atMs: workload.between(0, endMs), ...makeWorkload(workload) })
  const misfortune = random.fork()
  const kinds = favourites(misfortune)
  const forgets = misfortune.chance(0.25)
  const storms = forgets
    ? forgetful(events, endMs, misfortune.pick(['transactional-ids', 'producers', 'both']))
    : [{ fromMs: 0, toMs: endMs }]
  for (let i = 0; i < faults; i++) {
    const make = misfortune.pick(kinds)
    const { fromMs, toMs } = misfortune.pick(storms)
    events.push({ atMs: misfortune.between(fromMs, toMs), ...make(misfortune, setup) })
  }
  // One in four keeps no maps, and nothing else that came later: what such a seed found once, it still finds.
  const later = seed % 4 === 1 ? { maps: false, groups: 0 } : addLater(seed, setup, events, endMs)
  events.sort((a, b) => a.atMs - b.atMs)
  return { seed, setup: { ...setup, ...later }, events, endMs: events.at(-1)?.atMs ?? endMs }
}

/** Drawn from a generator of its own, so that it shifts nothing else. */
function addLater(
  seed: number,
  setup: EarlierSetup,
  events: PlannedEvent[],
  endMs: number,
): Pick<Setup, 'maps' | 'groups'> {
  const random = new SeededRandom(seed * 40_503 + 17)
  if (random.chance(0.2)) {
    const atMs = random.between(Math.floor(endMs / 3), endMs)
    events.push({ atMs, kind: 're-create-topic', pick: random.between(0, 99) })
  }
  const groups = random.chance(0.4) ? random.between(1, 3) : 0
  if (groups > 0) events.push(...groupEvents(random, groups, setup, endMs))
  return { maps: true, groups }
}

type Forgotten = Extract<PlannedFault, { kind: 'forget' }>['what']

/**
 * Longer than any delay of a request, any stop of a process and all that follows from them. What follows last is that a
 * batch is sent once more whose answer was lost: after the 30 s that Produce takes, and a request timeout of up to 10 s.
 */
const quietMs = 60_000

/** Two storms, and between them a quiet time at whose end the target forgets. */
function forgetful(
  events: PlannedEvent[],
  endMs: number,
  what: Forgotten,
): readonly { fromMs: number; toMs: number }[] {
  const middleMs = Math.floor(endMs / 2)
  events.push({ atMs: middleMs, kind: 'quiet' }, { atMs: middleMs + quietMs, kind: 'forget', what })
  return [
    { fromMs: 0, toMs: middleMs },
    { fromMs: middleMs + quietMs, toMs: endMs + quietMs },
  ]
}

type EarlierSetup = Omit<Setup, 'maps' | 'groups'>

function makeSetup(random: SeededRandom): EarlierSetup {
  const topics = Array.from({ length: random.between(1, 2) }, (_, index) =>
    makeTopic(random, `topic-${index}`),
  )
  return {
    brokers: random.pick([1, 2, 3, 3]),
    shards: random.between(1, 3),
    ...random.pick<Pick<Setup, 'replicas' | 'claims'>>([
      { replicas: 1, claims: 'each-all' },
      { replicas: 1, claims: 'each-all' },
      { replicas: 2, claims: 'group' },
      { replicas: random.between(1, 3), claims: random.pick(['group', 'group-static']) },
    ]),
    topics,
    requestTimeoutMs: random.pick([1000, 3000, 10_000]),
    leaderlessMarkers: random.pick(['dropped', 'delayed']),
    latencyMs: { source: random.pick([0, 1, 5, 40]), target: random.pick([0, 1, 5, 40]) },
  }
}

const makeTopic = (random: SeededRandom, name: string): PlannedTopic => ({
  name,
  partitions: random.between(1, 3),
  compacted: random.chance(0.2),
  logAppendTime: random.chance(0.1),
})

const codecs: readonly Codec[] = ['none', 'none', 'none', 'none', 'lz4', 'snappy', 'gzip', 'zstd']

function makeWorkload(random: SeededRandom): Workload {
  const dice = random.next()
  if (dice < 0.2) {
    return {
      kind: 'write-in-transaction',
      writer: random.between(0, 1),
      pick: random.between(0, 99),
      records: random.between(1, 3),
    }
  }
  if (dice < 0.35) {
    return { kind: 'end-transaction', writer: random.between(0, 1), end: random.pick(['commit', 'abort']) }
  }
  return {
    kind: 'write',
    pick: random.between(0, 99),
    records: random.between(1, 5),
    codec: random.pick(codecs),
    padding: random.chance(0.1) ? random.between(1000, 6000) : random.between(0, 40),
    ageMs: random.chance(0.1) ? random.between(dayMs, 3 * dayMs) : 0,
    tombstones: random.chance(0.2),
  }
}

type MakeFault = (random: SeededRandom, setup: EarlierSetup) => PlannedFault

const side = (random: SeededRandom): Side => random.pick(['source', 'target', 'target'])

const requests: Readonly<Record<Side, readonly string[]>> = {
  source: ['fetch', 'fetch', 'fetch', 'any', 'listOffsets', 'listTopics'],
  target: [
    'produce',
    'produce',
    'produce',
    'produce',
    'any',
    'fetch',
    'initProducerId',
    'addPartitionsToTransaction',
    'endTransaction',
    'writeTransactionMarkers',
    'listOffsets',
    'joinGroup',
    'syncGroup',
    'heartbeatGroup',
  ],
}

/** In {@link RequestKind}'s words, which the clusters' own fault hook speaks. */
const faultyRequests: Readonly<Record<Side, readonly string[]>> = {
  source: ['fetch', 'fetch', 'list-offsets', 'list-topics', 'open-channel', 'any'],
  target: [
    'produce',
    'produce',
    'produce',
    'fetch',
    'list-offsets',
    'init-producer-id',
    'add-partitions-to-txn',
    'end-txn',
    'describe-topics',
    'open-channel',
    'heartbeat-group',
    'join-group',
    'sync-group',
    'any',
  ],
}

const moments: readonly Moment[] = ['before-send', 'after-send', 'before-answer', 'after-answer']

function strike(random: SeededRandom): Strike {
  if (random.chance(0.15)) return 'now'
  const cluster = side(random)
  return {
    cluster,
    request: random.pick(requests[cluster]),
    moment: random.pick(moments),
    nth: random.pick([1, 1, 1, 2, 3, 6]),
  }
}

function requestFault(random: SeededRandom): Fault {
  const make: readonly (() => Fault)[] = [
    () => ({ lose: 'request' }),
    () => ({ lose: 'answer' }),
    () => ({ duplicate: true }),
    () => ({ breakChannel: 'before' }),
    () => ({ breakChannel: 'after' }),
    () => ({ answerDelayMs: random.between(10, 3000) }),
    () => ({ requestDelayMs: random.between(10, 3000) }),
    () => ({ requestDelayMs: random.between(10, 6000), arrivesAnyway: true }),
    () => ({ requestDelayMs: random.between(10, 2000), arrivesAnyway: true, lose: 'answer' }),
  ]
  return random.pick(make)()
}

const request: MakeFault = (random) => {
  const cluster = side(random)
  return {
    kind: 'request',
    cluster,
    request: random.pick(faultyRequests[cluster]),
    fault: requestFault(random),
  }
}
const crash: MakeFault = (random, { replicas }) => ({
  kind: 'crash',
  replica: random.between(0, replicas - 1),
  at: strike(random),
  restartAfterMs: random.pick([0, 0, 10, 200, 2000]),
})
const pause: MakeFault = (random, { replicas }) => ({
  kind: 'pause',
  replica: random.between(0, replicas - 1),
  at: strike(random),
  forMs: random.pick([20, 300, 2000, 5000, 12_000]),
  successorAfterMs: random.chance(0.6) ? random.pick([0, 20, 500]) : undefined,
})
const restart: MakeFault = (random, { replicas }) => ({
  kind: 'restart',
  replica: random.between(0, replicas - 1),
  drainMs: random.pick([50, 1000, 5000]),
})
const slowLink: MakeFault = (random) => ({
  kind: 'slow-link',
  cluster: side(random),
  delayMs: random.between(20, 400),
  forMs: random.between(200, 3000),
})
const moveLeader: MakeFault = (random) => ({
  kind: 'move-leader',
  cluster: side(random),
  pick: random.between(0, 99),
  to: random.between(0, 99),
})
const loseLeader: MakeFault = (random) => ({
  kind: 'lose-leader',
  cluster: side(random),
  pick: random.between(0, 99),
  forMs: random.between(50, 4000),
})
const stopBroker: MakeFault = (random) => ({
  kind: 'stop-broker',
  cluster: side(random),
  pick: random.between(0, 99),
  forMs: random.between(50, 5000),
})
const holdWatermark: MakeFault = (random) => ({
  kind: 'hold-watermark',
  cluster: side(random),
  pick: random.between(0, 99),
  forMs: random.between(50, 3000),
})
const compact: MakeFault = (random) => ({
  kind: 'compact',
  cluster: side(random),
  pick: random.between(0, 99),
  dropTombstones: random.chance(0.3),
})
const deleteRecords: MakeFault = (random) => ({
  kind: 'delete-records',
  pick: random.between(0, 99),
  reach: random.pick(['progress', 'progress', 'copied', 'beyond']),
})
/** 200 hours: transactional ids expire meanwhile, and producers are forgotten. */
const sleep: MakeFault = (random) => ({
  kind: 'sleep',
  hours: random.pick([2, 25, 25, 200]),
  wakeAfterMs: random.chance(0.7) ? random.pick([0, 50, 300, 2000]) : undefined,
  cutsConnections: random.chance(0.5),
})
const reshard: MakeFault = (random) => ({
  kind: 'reshard',
  shards: random.between(1, shardsMax),
  how: random.pick(['drain', 'kill', 'kill', 'stop', 'stop']),
  wakeAfterMs: random.pick([0, 50, 500, 3000]),
})
const jumpWall: MakeFault = (random) => ({ kind: 'jump-wall', ms: random.between(-20_000, 20_000) })
const newTopic: MakeFault = (random) => ({
  kind: 'new-topic',
  topic: makeTopic(random, `late-${random.between(0, 9)}`),
})
const growTopic: MakeFault = (random) => ({
  kind: 'grow-topic',
  pick: random.between(0, 99),
  by: random.between(1, 2),
})

const common: readonly MakeFault[] = [request, request, request, request, crash, crash, pause]
const rarer: readonly MakeFault[] = [
  restart,
  reshard,
  slowLink,
  moveLeader,
  moveLeader,
  loseLeader,
  stopBroker,
  stopBroker,
  holdWatermark,
  compact,
  deleteRecords,
  jumpWall,
  sleep,
  newTopic,
  growTopic,
]

/** Each run prefers some kinds: what always comes in the same mixture never meets in the rare combinations. */
function favourites(random: SeededRandom): readonly MakeFault[] {
  const chosen = rarer.filter(() => random.chance(0.4))
  return [...common, ...chosen, ...chosen]
}
