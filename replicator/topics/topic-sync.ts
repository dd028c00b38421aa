import type { Clock } from '../clock/clock.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { Flow } from '../topology/model.ts'
import { AclFollower, type AclSyncParts } from './acl-sync.ts'
import { ConfigFollower } from './config-sync.ts'
import type { CopiedTopics } from './copied-ids.ts'
import { Discovery, type DiscoveryContext } from './discovery.ts'
import type { AnnounceTopicEvent, Looked, TopicEventBody } from './events.ts'
import { configExclusion } from './plan-configs.ts'
import type { DiscoveryRound, TopicRules } from './topic-pair.ts'

export interface TopicSyncOptions {
  readonly flow: Pick<Flow, 'id' | 'source' | 'target' | 'replicationFactor' | 'configSync'>
  readonly rules: TopicRules
  readonly source: Cluster
  readonly target: Cluster
  readonly clock: Clock
  readonly announce: AnnounceTopicEvent
  /** Pause between two looks at the topics, in milliseconds; 2000 by default. */
  readonly discoveryIntervalMs?: number
  /** Pause between two looks at the configs, in milliseconds; 30 000 by default. */
  readonly configIntervalMs?: number
  /** Without it the target's ACLs are left alone. */
  readonly acls?: AclSyncParts
  /** Pause between two looks at the ACLs, in milliseconds; 30 000 by default. */
  readonly aclIntervalMs?: number
  /** Ids of the source topics as progress knows them, by source topic; one that differs now was re-created. */
  readonly knownIds?: ReadonlyMap<string, string>
  /** Reads the ids that the flow's memory names now; asked where a topic is not the one that was seen. */
  readonly readIds?: (signal: AbortSignal) => Promise<CopiedTopics>
}

export interface TopicSync {
  /**
   * Looks at both clusters until the signal aborts, then returns. Calls `onRound` after every look, also after a
   * failed one, and waits for it before the next.
   * @throws what `onRound` throws, and programming errors; never because a cluster refuses or is away.
   */
  run(onRound: (round: DiscoveryRound) => void | Promise<void>, signal: AbortSignal): Promise<void>
}

/**
 * Topic discovery, creation, growth, config and ACL sync of one flow.
 *
 * A topic that appears on the source is known after at most one interval, and reported once its target topic has
 * leaders. Paused topics are created and kept in step like all others.
 */
export function createTopicSync(options: TopicSyncOptions): TopicSync {
  return {
    async run(onRound, signal) {
      const stop = new AbortController()
      const both = AbortSignal.any([signal, stop.signal])
      const latest: { round: DiscoveryRound } = { round: nothingYet }
      const loops = [
        discover(options, latest, onRound, both),
        ...(options.flow.configSync.mode === 'follow' ? [followConfigs(options, latest, both)] : []),
        ...(options.acls === undefined ? [] : [followAcls(options, options.acls, latest, both)]),
      ]
      // A loop that fails takes the others with it; its own error is the one that is thrown.
      for (const loop of loops) loop.catch((error) => stop.abort(error))
      const outcomes = await Promise.allSettled(loops)
      if (signal.aborted) return
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw stop.signal.reason
    },
  }
}

const nothingYet: DiscoveryRound = { completed: 0, pairs: [], problems: [], trouble: undefined }
const discoveryIntervalDefaultMs = 2000
const configIntervalDefaultMs = 30_000
const aclIntervalDefaultMs = 30_000
/** New copies, and a replica that comes to follow the ACLs, wait at most so long for the next look, in milliseconds. */
const aclPollMs = 1000
/** A look that takes longer is told as trouble while it goes on: clients wait much longer before they give up. */
const slowLookMs = 5000
/** Until the first round has ended, in milliseconds. */
const firstRoundPollMs = 100

async function discover(
  options: TopicSyncOptions,
  latest: { round: DiscoveryRound },
  onRound: (round: DiscoveryRound) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const discovery = new Discovery(contextOf(options))
  let failure: string | undefined
  while (true) {
    const looking = looked(options, 'topics', failure, signal, async () => {
      const findings = await discovery.round(signal)
      latest.round = { completed: latest.round.completed + 1, ...findings, trouble: undefined }
    })
    if (!(await settlesWithin(slowLookMs, looking, options.clock, signal))) {
      const waiting = `waiting for an answer of ${discovery.asking} for more than ${slowLookMs / 1000} s`
      latest.round = { ...latest.round, trouble: failure ?? waiting }
      await onRound(latest.round)
    }
    failure = await looking
    if (failure !== undefined) latest.round = { ...latest.round, trouble: failure }
    await onRound(latest.round)
    await options.clock.sleep(options.discoveryIntervalMs ?? discoveryIntervalDefaultMs, signal)
  }
}

/** Whether the work settles before the time is over; it goes on in any case. Leaves no timer behind. */
async function settlesWithin(
  ms: number,
  work: Promise<unknown>,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  const done = new AbortController()
  const settled = work.then(
    () => true,
    () => true,
  )
  const timer = clock.sleep(ms, AbortSignal.any([signal, done.signal])).then(
    () => false,
    () => true,
  )
  const isSettled = await Promise.race([settled, timer])
  done.abort()
  await timer
  return isSettled
}

async function followConfigs(
  options: TopicSyncOptions,
  latest: { readonly round: DiscoveryRound },
  signal: AbortSignal,
): Promise<void> {
  const follower = new ConfigFollower(contextOf(options))
  let trouble: string | undefined
  while (latest.round.completed === 0) await options.clock.sleep(firstRoundPollMs, signal)
  while (true) {
    trouble = await looked(options, 'configs', trouble, signal, () =>
      follower.pass(latest.round.pairs, signal),
    )
    await options.clock.sleep(options.configIntervalMs ?? configIntervalDefaultMs, signal)
  }
}

async function followAcls(
  options: TopicSyncOptions,
  acls: AclSyncParts,
  latest: { readonly round: DiscoveryRound },
  signal: AbortSignal,
): Promise<void> {
  const { flow, rules, source, target } = options
  const announce = (event: TopicEventBody): void => options.announce({ flow: flow.id, ...event })
  const follower = new AclFollower({ ...acls, flow, rules, source, target, announce })
  const { clock, aclIntervalMs = aclIntervalDefaultMs } = options
  let trouble: string | undefined
  let lookedMs = Number.NEGATIVE_INFINITY
  let copies = 0
  while (latest.round.completed === 0) await clock.sleep(firstRoundPollMs, signal)
  while (true) {
    const { pairs } = latest.round
    const isDue = pairs.length > copies || clock.monotonicMs() >= lookedMs + aclIntervalMs
    if (isDue && acls.isOurTurn()) {
      lookedMs = clock.monotonicMs()
      copies = pairs.length
      trouble = await looked(options, 'ACLs', trouble, signal, () => follower.pass(pairs, signal))
    }
    await clock.sleep(aclPollMs, signal)
  }
}

/** Runs one look; says why it failed, or `undefined`. Failing and recovering are announced once each. */
async function looked(
  options: TopicSyncOptions,
  what: Looked,
  earlier: string | undefined,
  signal: AbortSignal,
  look: () => Promise<void>,
): Promise<string | undefined> {
  try {
    await look()
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof KafkaError)) throw error
    const reason = error.message
    if (earlier !== reason) options.announce({ flow: options.flow.id, kind: 'look-failed', what, reason })
    return reason
  }
  if (earlier !== undefined) options.announce({ flow: options.flow.id, kind: 'look-recovered', what })
  return undefined
}

function contextOf(options: TopicSyncOptions): DiscoveryContext {
  const { flow, rules, source, target, clock, knownIds, readIds } = options
  const { exclude, defaultsFrom } = flow.configSync
  return {
    flow,
    rules,
    source,
    target,
    clock,
    knownIds: knownIds ?? new Map(),
    readIds,
    configRules: { excluded: configExclusion(exclude), defaultsFrom },
    announce: (event: TopicEventBody) => options.announce({ flow: flow.id, ...event }),
  }
}
