import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { transportError } from '../../../replicator/kafka/errors.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { createTopicSync } from '../../../replicator/topics/topic-sync.ts'
import { configSync } from '../../../replicator/topology/defaults.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'
import { codes, FakeTopics } from './fake-topics.ts'
import { nothing, pairNames, playing } from './played-sync.ts'

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
