import assert from 'node:assert/strict'
import type { TopicEvent } from '../../../replicator/topics/events.ts'
import type { DiscoveryRound } from '../../../replicator/topics/topic-pair.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { createTopicSync, type TopicSyncOptions } from '../../../replicator/topics/topic-sync.ts'
import { configSync } from '../../../replicator/topology/defaults.ts'
import type { FlowId, TopicSelection } from '../../../replicator/topology/model.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'
import { FakeTopics } from './fake-topics.ts'

export interface Setting {
  readonly source: FakeTopics
  readonly target: FakeTopics
  readonly clock: SimulatedClock
  readonly events: TopicEvent[]
  readonly rounds: DiscoveryRound[]
  last(): DiscoveryRound
  kinds(): readonly string[]
}

export interface Variation {
  readonly topics?: readonly TopicSelection[]
  readonly options?: Partial<TopicSyncOptions>
}

/** Runs topic sync over two fake clusters while `body` plays, then checks that it ends cleanly. */
export async function playing(
  prepare: (setting: Setting) => void,
  body: (setting: Setting) => Promise<void>,
  variation: Variation = {},
): Promise<void> {
  const source = new FakeTopics('us-east')
  const target = new FakeTopics('eu-west')
  const clock = new SimulatedClock()
  const events: TopicEvent[] = []
  const rounds: DiscoveryRound[] = []
  const setting: Setting = {
    source,
    target,
    clock,
    events,
    rounds,
    last: () => rounds.at(-1) ?? assert.fail('no round yet'),
    kinds: () => events.map((event) => event.kind),
  }
  prepare(setting)
  const ends = { source: source.alias, target: target.alias }
  const topics = variation.topics ?? [{ kind: 'match', match: '.*' }]
  const naming = { kind: 'prefixed', separator: '.' } as const
  const stop = new AbortController()
  const sync = createTopicSync({
    flow: { id: 'us-east->eu-west' as FlowId, ...ends, replicationFactor: 1, configSync },
    rules: topicRules({ ...ends, topics, paused: [], naming }, [source.alias, target.alias]),
    source,
    target,
    clock,
    announce: (event) => events.push(event),
    ...variation.options,
  })
  const running = sync.run((round) => void rounds.push(round), stop.signal)
  const failed = running.catch((error) => error)
  try {
    await clock.advance(0)
    await body(setting)
    const failure = await Promise.race([failed, undefined])
    if (failure !== undefined) throw failure
  } finally {
    stop.abort(new Error('test over'))
    await running
  }
  assert.equal(clock.waiting, 0)
}

export const nothing = () => {}
export const pairNames = (round: DiscoveryRound) => round.pairs.map((pair) => pair.target.name)
