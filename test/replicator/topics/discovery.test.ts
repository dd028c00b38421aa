import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CopiedIds } from '../../../replicator/topics/copied-ids.ts'
import { codes } from './fake-topics.ts'
import { nothing, pairNames, playing } from './played-sync.ts'

describe('discovery', () => {
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

  test('a re-created source topic goes on as one that came later, once progress says so for all of it', () => {
    const copied = new Map<string, CopiedIds[]>()
    return playing(
      ({ source }) => source.add('a', 2),
      async ({ source, target, clock, last }) => {
        const [before] = last().pairs
        const targetId = target.topics.get('us-east.a')?.id
        const ids = (partition: number, sourceId: string | undefined) => ({ partition, sourceId, targetId })
        copied.set('a', [ids(0, before?.source.id), ids(1, before?.source.id), ids(7, before?.source.id)])
        source.add('a', 2)
        const now = source.topics.get('a')?.id
        assert.notEqual(now, before?.source.id)
        await clock.advance(2000)
        assert.deepEqual(last().pairs, [])
        assert.match(last().problems[0]?.wayOut ?? '', /causeway flow resume -c causeway\.yaml a --flow/)
        copied.set('a', [ids(0, now), ids(1, before?.source.id)])
        await clock.advance(2000)
        assert.deepEqual(last().pairs, [], 'half of it is not decided')
        copied.set('a', [ids(0, now), ids(1, now), ids(7, before?.source.id)])
        await clock.advance(2000)
        assert.deepEqual(last().problems, [])
        assert.deepEqual([last().pairs[0]?.source.id, last().pairs[0]?.appeared], [now, 'later'])
      },
      { options: { readIds: async () => copied } },
    )
  })

  test('a re-created copy goes on once progress names it', () => {
    const copied = new Map<string, CopiedIds[]>()
    return playing(
      ({ source }) => source.add('a', 1),
      async ({ target, clock, last }) => {
        const sourceId = last().pairs[0]?.source.id
        target.add('us-east.a', 1)
        await clock.advance(2000)
        assert.match(last().problems[0]?.wayOut ?? '', /causeway flow resume -c causeway\.yaml a --flow/)
        const targetId = target.topics.get('us-east.a')?.id
        copied.set('a', [{ partition: 0, sourceId, targetId }])
        await clock.advance(2000)
        assert.deepEqual(last().problems, [])
        assert.equal(last().pairs[0]?.target.id, targetId)
      },
      { options: { readIds: async () => copied } },
    )
  })

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
})
