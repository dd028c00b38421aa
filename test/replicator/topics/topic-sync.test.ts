import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { transportError } from '../../../replicator/kafka/errors.ts'
import type { TopicEvent } from '../../../replicator/topics/events.ts'
import type { DiscoveryRound } from '../../../replicator/topics/topic-pair.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { createTopicSync, type TopicSyncOptions } from '../../../replicator/topics/topic-sync.ts'
import { configSync } from '../../../replicator/topology/defaults.ts'
import type { FlowId, TopicSelection } from '../../../replicator/topology/model.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'
import { codes, FakeTopics } from './fake-topics.ts'

interface Setting {
  readonly source: FakeTopics
  readonly target: FakeTopics
  readonly clock: SimulatedClock
  readonly events: TopicEvent[]
  readonly rounds: DiscoveryRound[]
  last(): DiscoveryRound
  kinds(): readonly string[]
}

interface Variation {
  readonly topics?: readonly TopicSelection[]
  readonly options?: Partial<TopicSyncOptions>
}

/** Runs topic sync over two fake clusters while `body` plays, then checks that it ends cleanly. */
async function playing(
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

const nothing = () => {}
const pairNames = (round: DiscoveryRound) => round.pairs.map((pair) => pair.target.name)

describe('topic sync', () => {
  test('creates target topics with partitions, filtered configs and replication factor, and reports them', () =>
    playing(
      ({ source }) => {
        source.add('orders', 3, { configs: { 'retention.ms': '5', 'min.insync.replicas': '2' } })
      },
      async ({ target, last, events }) => {
        assert.deepEqual(pairNames(last()), ['us-east.orders'])
        assert.deepEqual(last().pairs[0]?.partitions, [0, 1, 2])
        assert.equal(last().pairs[0]?.appeared, 'at-start')
        assert.deepEqual(Object.fromEntries(target.topics.get('us-east.orders')?.configs ?? []), {
          'retention.ms': '5',
        })
        assert.equal(events[0]?.kind, 'target-topic-created')
        assert.equal(events[0]?.flow, 'us-east->eu-west')
      },
    ))

  test('reports a later topic and later partitions within 5 s, as later', () =>
    playing(
      ({ source }) => source.add('orders', 1),
      async ({ source, target, clock, last }) => {
        source.add('users', 2)
        source.grow('orders', 3)
        await clock.advance(5000)
        const [orders, users] = last().pairs
        assert.deepEqual(orders?.laterPartitions, [1, 2])
        assert.equal(orders?.appeared, 'at-start')
        assert.equal(users?.appeared, 'later')
        assert.deepEqual(users?.laterPartitions, [0, 1])
        assert.equal(target.topics.get('us-east.orders')?.leaders.length, 3)
      },
    ))

  test('waits for the leaders of a topic it created', () =>
    playing(
      ({ source, target }) => {
        source.add('orders', 1)
        target.leaderlessAnswers = 4
      },
      async ({ clock, rounds, last }) => {
        assert.equal(rounds.length, 0)
        await clock.advance(1000)
        assert.deepEqual(last().pairs[0]?.partitions, [0])
        assert.deepEqual(last().problems, [])
      },
    ))

  test('keeps the last round standing while the source is away, and says so', () =>
    playing(
      ({ source }) => source.add('orders', 1),
      async ({ source, clock, last, events }) => {
        source.isDown = true
        await clock.advance(6000)
        assert.deepEqual(pairNames(last()), ['us-east.orders'])
        assert.match(last().trouble ?? '', /us-east.*nobody answers/)
        source.isDown = false
        await clock.advance(2000)
        assert.equal(last().trouble, undefined)
        const looks = events.filter((e) => 'what' in e && e.what === 'topics')
        assert.deepEqual(
          looks.map((e) => e.kind),
          ['look-failed', 'look-recovered'],
        )
      },
    ))

  test('reports a cluster that does not answer while it is still being asked', () =>
    playing(
      ({ source }) => source.add('orders', 1),
      async ({ source, clock, rounds, last }) => {
        const { promise: answer, resolve } = Promise.withResolvers<void>()
        const listTopics = source.listTopics.bind(source)
        source.listTopics = async () => {
          await answer
          return listTopics()
        }
        await clock.advance(20_000)
        assert.deepEqual(pairNames(last()), ['us-east.orders'])
        assert.match(last().trouble ?? '', /waiting for an answer of us-east/)
        assert.equal(rounds.length, 2)
        resolve()
        await clock.advance(0)
        assert.equal(last().trouble, undefined)
      },
    ))

  test('says that nothing is known while no round has succeeded', () =>
    playing(
      ({ source }) => {
        source.isDown = true
      },
      async ({ last }) => {
        assert.equal(last().completed, 0)
        assert.notEqual(last().trouble, undefined)
      },
    ))

  test('a topic that appears while the target is away is later', () =>
    playing(
      ({ source, target }) => {
        source.add('orders', 1)
        target.isDown = true
      },
      async ({ source, target, clock, last }) => {
        source.add('users', 1)
        target.isDown = false
        await clock.advance(2000)
        assert.deepEqual(
          last().pairs.map((p) => p.appeared),
          ['at-start', 'later'],
        )
      },
    ))

  for (const [title, refusal, reason, wayOut] of [
    [
      'creation',
      ['createTopics:us-east.a', codes.topicAuthorization],
      /could not be created/,
      /grant .* CREATE/,
    ],
    [
      'replication factor',
      ['createTopics:us-east.a', codes.invalidReplicationFactor],
      /INVALID_REPLICATION/,
      /lower/,
    ],
    ['name', ['createTopics:us-east.a', codes.invalidTopic], /INVALID_TOPIC/, /"\." and "_" collide/],
    ['config', ['createTopics:us-east.a', codes.invalidConfig], /INVALID_CONFIG/, /exclude list/],
  ] as const) {
    test(`a refused ${title} stops that topic and no other, and is tried again`, () =>
      playing(
        ({ source, target }) => {
          source.add('a', 1)
          source.add('b', 1)
          target.refusals.set(...(refusal as [string, number]))
        },
        async ({ target, clock, last, kinds }) => {
          assert.deepEqual(pairNames(last()), ['us-east.b'])
          assert.equal(last().problems[0]?.topic, 'a')
          assert.match(last().problems[0]?.reason ?? '', reason)
          assert.match(last().problems[0]?.wayOut ?? '', wayOut)
          await clock.advance(10_000)
          assert.equal(kinds().filter((kind) => kind === 'problem-appeared').length, 1)
          target.refusals.clear()
          await clock.advance(2000)
          assert.deepEqual(pairNames(last()), ['us-east.a', 'us-east.b'])
          assert.equal(kinds().includes('problem-cleared'), true)
        },
      ))
  }

  test('configs that may not be read stop the creation: a copy without them could lose data', () =>
    playing(
      ({ source }) => {
        source.add('a', 1)
        source.add('b', 1)
        source.refusals.set('describeTopicConfigs:a', codes.topicAuthorization)
      },
      async ({ target, last }) => {
        assert.deepEqual([...target.topics.keys()], ['us-east.b'])
        assert.match(last().problems[0]?.wayOut ?? '', /grant .* DESCRIBE_CONFIGS on "a" at us-east/)
      },
    ))

  test('a refused growth stops the missing partitions', () =>
    playing(
      ({ source, target }) => {
        source.add('a', 3)
        target.add('us-east.a', 1)
        target.refusals.set('growTopics:us-east.a', codes.topicAuthorization)
      },
      async ({ last }) => {
        assert.deepEqual(last().pairs[0]?.partitions, [0])
        assert.deepEqual(
          last().problems.map((p) => p.partition),
          [1, 2],
        )
      },
    ))

  test('a creation request that gets no answer stops the topics it named, and only until the next round', () =>
    playing(
      ({ source, target }) => {
        source.add('a', 1)
        source.add('b', 1)
        target.add('us-east.b', 1)
        const createTopics = target.createTopics.bind(target)
        target.createTopics = async () => {
          target.createTopics = createTopics
          throw transportError('timeout', 'no answer', { cluster: target.alias })
        }
      },
      async ({ clock, last }) => {
        assert.deepEqual(pairNames(last()), ['us-east.b'])
        assert.match(last().problems[0]?.reason ?? '', /"us-east.a" on eu-west could not be created: timeout/)
        assert.equal(last().trouble, undefined)
        await clock.advance(2000)
        assert.deepEqual(pairNames(last()), ['us-east.a', 'us-east.b'])
      },
    ))

  test('a mistake in the program ends the run instead of being retried', async () => {
    const broken = playing(
      ({ source, target }) => {
        source.add('a', 1)
        target.createTopics = async () => {
          throw new TypeError('a mistake')
        }
      },
      async ({ clock }) => clock.advance(1),
    )
    await assert.rejects(broken, /a mistake/)
  })

  test('another process creating the topic first is fine', () =>
    playing(
      ({ source, target }) => {
        source.add('a', 1)
        const createTopics = target.createTopics.bind(target)
        target.createTopics = async (topics) => {
          target.add('us-east.a', 1)
          return createTopics(topics)
        }
      },
      async ({ last, kinds }) => {
        assert.deepEqual(pairNames(last()), ['us-east.a'])
        assert.deepEqual(last().problems, [])
        assert.deepEqual(kinds(), [])
      },
    ))

  test('a deleted source topic leaves the pairs, is told once, and its copy stays', () =>
    playing(
      ({ source }) => source.add('a', 1),
      async ({ source, target, clock, last, kinds }) => {
        source.topics.delete('a')
        await clock.advance(6000)
        assert.deepEqual(last().pairs, [])
        assert.equal(target.topics.has('us-east.a'), true)
        assert.equal(kinds().filter((kind) => kind === 'source-topic-gone').length, 1)
      },
    ))

  test('a re-created source topic is a problem, whether its absence was seen or not', () =>
    playing(
      ({ source }) => {
        source.add('a', 1)
        source.add('b', 1)
      },
      async ({ source, clock, last }) => {
        source.topics.delete('a')
        await clock.advance(2000)
        source.add('a', 1)
        source.add('b', 1)
        await clock.advance(2000)
        assert.deepEqual(last().pairs, [])
        for (const problem of last().problems)
          assert.match(problem.reason, /deleted and re-created on us-east/)
        assert.equal(last().problems.length, 2)
      },
    ))

  test('a copy deleted under way is not made anew', () =>
    playing(
      ({ source }) => source.add('a', 1),
      async ({ target, clock, last }) => {
        target.topics.delete('us-east.a')
        await clock.advance(2000)
        assert.deepEqual(last().pairs, [])
        assert.match(last().problems[0]?.reason ?? '', /"us-east.a" was deleted on eu-west/)
        assert.equal(target.topics.size, 0)
      },
    ))

  test('a source topic hidden by permissions is not taken for deleted', () =>
    playing(
      ({ source }) => source.add('a', 1),
      async ({ source, clock, last, kinds }) => {
        source.hidden.add('a')
        source.refusals.set('describeTopics:a', codes.topicAuthorization)
        await clock.advance(2000)
        assert.match(last().problems[0]?.reason ?? '', /"a" on us-east could not be described/)
        source.hidden.clear()
        await clock.advance(2000)
        assert.deepEqual(pairNames(last()), ['us-east.a'])
        assert.equal(kinds().includes('source-topic-gone'), false)
      },
    ))

  test('a listing that lags behind removes nothing', () =>
    playing(
      ({ source }) => source.add('a', 1),
      async ({ source, target, clock, rounds }) => {
        source.listTopics = async () => []
        target.listTopics = async () => []
        await clock.advance(4000)
        assert.equal(rounds.length, 3)
        for (const round of rounds) assert.deepEqual(pairNames(round), ['us-east.a'])
      },
    ))

  test('tells once that a target topic has more partitions', () =>
    playing(
      ({ source, target }) => {
        source.add('a', 1)
        target.add('us-east.a', 4)
      },
      async ({ clock, last, kinds }) => {
        await clock.advance(6000)
        assert.deepEqual(last().pairs[0]?.partitions, [0])
        assert.deepEqual(kinds(), ['target-topic-wider'])
      },
    ))

  test('an exactly named topic is looked for until it comes', () =>
    playing(
      nothing,
      async ({ source, clock, last }) => {
        assert.match(last().problems[0]?.reason ?? '', /unknown topic/)
        source.add('orders', 1)
        await clock.advance(2000)
        assert.deepEqual(last().problems, [])
        assert.deepEqual(pairNames(last()), ['us-east.orders'])
      },
      { topics: [{ kind: 'name', name: 'orders' }] },
    ))

  test('asks for configs in chunks, and not in every round', () =>
    playing(
      ({ source }) => {
        for (let i = 0; i < 450; i++) source.add(`t${i}`, 1)
      },
      async ({ source, target, clock, last }) => {
        assert.equal(last().pairs.length, 450)
        const created = target.calls.filter((call) => call.startsWith('createTopics'))
        assert.deepEqual(
          created.map((call) => call.split(' ').length - 1),
          [200, 200, 50],
        )
        await clock.advance(200)
        source.calls.length = 0
        await clock.advance(20_000)
        assert.equal(source.calls.filter((call) => call.startsWith('describeTopicConfigs')).length, 0)
      },
    ))

  test('what onRound throws ends the run, config sync included', async () => {
    const clock = new SimulatedClock()
    const source = new FakeTopics('us-east')
    const target = new FakeTopics('eu-west')
    const ends = { source: source.alias, target: target.alias }
    const sync = createTopicSync({
      flow: { id: 'us-east->eu-west' as FlowId, ...ends, replicationFactor: 1, configSync },
      rules: topicRules({ ...ends, topics: [], paused: [], naming: { kind: 'identity' } }, []),
      source,
      target,
      clock,
      announce: nothing,
    })
    const fail = () => {
      throw new Error('the flow is broken')
    }
    await assert.rejects(sync.run(fail, new AbortController().signal), /the flow is broken/)
    assert.equal(clock.waiting, 0)
  })
})

describe('config sync', () => {
  const withCopy = ({ source, target }: Setting) => {
    source.add('a', 1, { configs: { 'retention.ms': '5' } })
    target.add('us-east.a', 1, { configs: { 'min.insync.replicas': '2', 'cleanup.policy': 'compact' } })
  }
  const configsOf = (setting: Setting) =>
    Object.fromEntries(setting.target.topics.get('us-east.a')?.configs ?? [])

  test('follows the source at each interval and sends nothing when equal', () =>
    playing(withCopy, async (setting) => {
      const { source, target, clock, kinds } = setting
      await clock.advance(1000)
      assert.deepEqual(configsOf(setting), { 'min.insync.replicas': '2', 'retention.ms': '5' })
      source.topics.get('a')?.configs.set('retention.ms', '6')
      await clock.advance(30_000)
      assert.equal(configsOf(setting)['retention.ms'], '6')
      await clock.advance(90_000)
      assert.equal(target.calls.filter((call) => call.startsWith('alterTopicConfigs')).length, 2)
      assert.deepEqual(kinds(), ['configs-changed', 'configs-changed'])
    }))

  test('a refused config does not keep the others back, and is told once', () =>
    playing(
      (setting) => {
        withCopy(setting)
        setting.target.refusals.set('alterConfig:retention.ms', codes.invalidConfig)
      },
      async (setting) => {
        await setting.clock.advance(100_000)
        assert.deepEqual(configsOf(setting), { 'min.insync.replicas': '2' })
        assert.deepEqual(setting.kinds(), ['configs-changed', 'configs-refused'])
      },
    ))

  test('a topic that refuses does not keep the others back', () =>
    playing(
      (setting) => {
        withCopy(setting)
        setting.source.add('b', 1, { configs: { 'retention.ms': '5' } })
        setting.target.add('us-east.b', 1)
        setting.target.refusals.set('alterTopicConfigs:us-east.a', codes.topicAuthorization)
      },
      async ({ target, clock, events }) => {
        await clock.advance(1000)
        assert.equal(target.topics.get('us-east.b')?.configs.get('retention.ms'), '5')
        const refused = events.find((event) => event.kind === 'configs-refused')
        assert.match(refused?.wayOut ?? '', /ALTER_CONFIGS on "us-east.a" at eu-west/)
      },
    ))

  test('tells which configs the target does not know', () =>
    playing(
      (setting) => {
        withCopy(setting)
        setting.source.topics.get('a')?.configs.set('new.config', 'x')
      },
      async ({ clock, events }) => {
        await clock.advance(40_000)
        const unknown = events.filter((event) => event.kind === 'configs-unknown')
        assert.deepEqual(
          unknown.map((event) => event.names),
          [['new.config']],
        )
      },
    ))

  test('off leaves the target alone', () =>
    playing(
      withCopy,
      async ({ target, clock }) => {
        await clock.advance(60_000)
        assert.equal(target.calls.filter((call) => call.includes('Configs')).length, 0)
      },
      {
        options: {
          flow: {
            id: 'us-east->eu-west' as FlowId,
            source: 'us-east',
            target: 'eu-west',
            replicationFactor: 1,
            configSync: { ...configSync, mode: 'off' },
          } as TopicSyncOptions['flow'],
        },
      },
    ))
})
