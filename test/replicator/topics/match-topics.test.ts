import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId, type TopicLookup, type TopicMetadata } from '../../../replicator/kafka/cluster.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import { type MatchInput, matchTopics, selectTopics } from '../../../replicator/topics/match-topics.ts'
import { rememberSources, type SeenTopic } from '../../../replicator/topics/seen-topics.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import type { FlowId, Naming, RegionAlias, TopicSelection } from '../../../replicator/topology/model.ts'
import { codes } from './fake-topics.ts'

const source = 'us-east' as RegionAlias
const target = 'eu-west' as RegionAlias
const prefixed: Naming = { kind: 'prefixed', separator: '.' }

function topic(name: string, partitions = 2, id: string | undefined = `id-${name}`): TopicMetadata {
  return {
    name,
    id,
    internal: name.startsWith('__'),
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      partition,
      leader: brokerId(1),
      leaderEpoch: 0,
      replicas: [brokerId(1)],
    })),
  }
}

function rulesFor(
  topics: readonly TopicSelection[],
  naming = prefixed,
  paused: readonly TopicSelection[] = [],
) {
  return topicRules({ source, target, topics, paused, naming }, [source, target])
}

const everything: TopicSelection = { kind: 'match', match: '.*' }

function match(
  listing: readonly TopicMetadata[],
  rules: MatchInput['rules'],
  more: Partial<MatchInput> = {},
) {
  const selected = selectTopics(listing, rules)
  const seen = more.seen ?? rememberSources(new Map(), { selected, gone: [], isFirst: true })
  const none = new Map()
  return matchTopics({
    flow: { id: 'us-east->eu-west' as FlowId, source, target },
    rules,
    selected,
    lookups: none,
    knownIds: none,
    ...more,
    seen,
  })
}

describe('matchTopics', () => {
  test('takes the selected topics and their partitions, names and pauses', () => {
    const rules = rulesFor(
      [{ kind: 'match', match: 'orders.*', exclude: '.*-tmp', partitionRange: { from: 1, to: 2 } }],
      prefixed,
      [{ kind: 'name', name: 'orders', partitionRange: { from: 2, to: 9 } }],
    )
    const { matches, problems } = match([topic('orders', 4), topic('orders-tmp'), topic('users')], rules)
    assert.deepEqual(problems, [])
    assert.deepEqual(
      matches.map(({ source: { name }, ...rest }) => ({ name, ...rest })),
      [{ name: 'orders', targetName: 'us-east.orders', partitions: [1, 2], pausedPartitions: [2] }],
    )
  })

  test("takes neither Kafka's internal topics nor copies that would go back where they came from", () => {
    const { matches } = match(
      [
        topic('__consumer_offsets'),
        { ...topic('hidden'), internal: true },
        topic('eu-west.users'),
        topic('a'),
      ],
      rulesFor([everything]),
    )
    assert.deepEqual(
      matches.map((m) => m.source.name),
      ['a'],
    )
  })

  const problems: readonly {
    title: string
    listing: readonly TopicMetadata[]
    rules: MatchInput['rules']
    more?: Partial<MatchInput>
    topics: readonly string[]
    reason: RegExp
    left: readonly string[]
  }[] = [
    {
      title: 'an exactly named topic that is not there',
      listing: [topic('a')],
      rules: rulesFor([everything, { kind: 'name', name: 'orders' }]),
      topics: ['orders'],
      reason: /unknown topic: us-east has no topic "orders"/,
      left: ['a'],
    },
    {
      title: 'an exactly named topic that may not be seen',
      listing: [topic('a')],
      rules: rulesFor([everything, { kind: 'name', name: 'orders' }]),
      more: { lookups: new Map<string, TopicLookup>([['orders', refused('orders')]]) },
      topics: ['orders'],
      reason: /"orders" on us-east could not be described: TOPIC_AUTHORIZATION_FAILED/,
      left: ['a'],
    },
    {
      title: 'an expression that matches nothing',
      listing: [topic('a')],
      rules: rulesFor([
        { kind: 'name', name: 'a' },
        { kind: 'match', match: 'oders-.*' },
      ]),
      topics: ['oders-.*'],
      reason: /no topic on us-east matches \/oders-/,
      left: ['a'],
    },
    {
      title: 'a partition range without partitions',
      listing: [topic('a', 2), topic('b', 4)],
      rules: rulesFor([{ ...everything, partitionRange: { from: 2, to: 3 } }]),
      topics: ['a'],
      reason: /none of its 2 partitions on us-east/,
      left: ['b'],
    },
    {
      title: 'a target name that is too long',
      listing: [topic('x'.repeat(245)), topic('b')],
      rules: rulesFor([everything]),
      topics: ['x'.repeat(245)],
      reason: /would be refused: .*253 characters/,
      left: ['b'],
    },
    {
      title: 'a topic that progress knows by another id',
      listing: [topic('a'), topic('b')],
      rules: rulesFor([everything]),
      more: {
        knownIds: new Map([
          ['a', 'id-earlier'],
          ['b', 'id-b'],
        ]),
      },
      topics: ['a'],
      reason: /"a" was deleted and re-created on us-east/,
      left: ['b'],
    },
    {
      title: 'a topic that was seen under another id',
      listing: [topic('a', 2, 'new'), topic('b')],
      rules: rulesFor([everything]),
      more: {
        seen: new Map([
          ['a', seenAs({ sourceId: 'old' })],
          ['b', seenAs({ sourceId: 'id-b' })],
        ]),
      },
      topics: ['a'],
      reason: /deleted and re-created/,
      left: ['b'],
    },
  ]
  for (const { title, listing, rules, more, topics, reason, left } of problems) {
    test(`reports ${title}, and takes the others`, () => {
      const found = match(listing, rules, more)
      assert.deepEqual(
        found.problems.map((p) => p.topic),
        topics,
      )
      assert.match(found.problems[0]?.reason ?? '', reason)
      assert.notEqual(found.problems[0]?.wayOut ?? '', '')
      assert.deepEqual(
        found.matches.map((m) => m.source.name),
        left,
      )
    })
  }

  test('stops all topics that would share a target name, but not one that is replicated already', () => {
    const rules = { ...rulesFor([everything]), targetNameOf: (name: string) => (name === 'c' ? 'c' : 'same') }
    const listing = [topic('a'), topic('b'), topic('c')]
    const both = match(listing, rules)
    assert.deepEqual(
      both.problems.map((p) => p.topic),
      ['a', 'b'],
    )
    assert.match(both.problems[0]?.reason ?? '', /"same", which "b" maps to as well/)
    const seen = new Map([
      ['a', seenAs({ sourceId: 'id-a' })],
      ['b', seenAs({ sourceId: 'id-b', reported: new Set([0]) })],
      ['c', seenAs({ sourceId: 'id-c' })],
    ])
    const one = match(listing, rules, { seen })
    assert.deepEqual(
      one.problems.map((p) => p.topic),
      ['a'],
    )
    assert.deepEqual(
      one.matches.map((m) => m.source.name),
      ['b', 'c'],
    )
  })
})

function refused(name: string): TopicLookup {
  return { kind: 'failed', error: protocolError(codes.topicAuthorization, { cluster: source, topic: name }) }
}

function seenAs(fields: Partial<SeenTopic>): SeenTopic {
  return {
    sourceId: undefined,
    appeared: 'at-start',
    partitionsAtStart: 2,
    gone: false,
    targetId: undefined,
    reported: new Set(),
    ...fields,
  }
}
