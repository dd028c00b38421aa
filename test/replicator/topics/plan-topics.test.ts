import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { brokerId, type TopicLookup, type TopicMetadata } from '../../../replicator/kafka/cluster.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import type { TopicMatch } from '../../../replicator/topics/match-topics.ts'
import { pairTopics } from '../../../replicator/topics/pair-topics.ts'
import { isReady, planTopics } from '../../../replicator/topics/plan-topics.ts'
import { rememberPairs, rememberSources, type SeenTopics } from '../../../replicator/topics/seen-topics.ts'
import type { FlowId, RegionAlias } from '../../../replicator/topology/model.ts'
import { codes } from './fake-topics.ts'

const target = 'eu-west' as RegionAlias
const flow = { id: 'us-east->eu-west' as FlowId, target }

function topic(
  name: string,
  partitions: number,
  leaderless: readonly number[] = [],
  id = `id-${name}`,
): TopicMetadata {
  return {
    name,
    id,
    internal: false,
    partitions: Array.from({ length: partitions }, (_, partition) => ({
      partition,
      leader: leaderless.includes(partition) ? undefined : brokerId(1),
      leaderEpoch: 0,
      replicas: [brokerId(1)],
    })),
  }
}

function matchOf(
  source: TopicMetadata,
  partitions?: readonly number[],
  pausedPartitions: readonly number[] = [],
): TopicMatch {
  return {
    source,
    targetName: `copy-${source.name}`,
    partitions: partitions ?? source.partitions.map((p) => p.partition),
    pausedPartitions,
  }
}

function seenFrom(matches: readonly TopicMatch[]): SeenTopics {
  return rememberSources(new Map(), { selected: matches.map((m) => m.source), gone: [], isFirst: true })
}

function plan(match: TopicMatch, lookup: TopicLookup | undefined, seen: SeenTopics = seenFrom([match])) {
  const targets = new Map(lookup === undefined ? [] : [[match.targetName, lookup]])
  return planTopics({ flow, matches: [match], targets, seen })
}

function found(metadata: TopicMetadata): TopicLookup {
  return { kind: 'found', topic: metadata }
}

describe('planTopics', () => {
  const match = matchOf(topic('a', 4))

  test('creates what is missing', () => {
    assert.deepEqual(plan(match, undefined).creations, [match])
    assert.deepEqual(plan(match, { kind: 'missing' }).creations, [match])
  })

  test('grows what has fewer partitions', () => {
    assert.deepEqual(plan(match, found(topic('copy-a', 3))).growths, [{ match, from: 3, to: 4 }])
  })

  test('leaves what has as many, and tells what has more', () => {
    const equal = plan(match, found(topic('copy-a', 4)))
    assert.deepEqual([equal.creations, equal.growths, equal.wider], [[], [], []])
    const wider = plan(match, found(topic('copy-a', 6)))
    assert.deepEqual([wider.creations, wider.growths], [[], []])
    assert.deepEqual(wider.wider, [{ match, targetPartitions: 6 }])
  })

  test('blocks what may not be described', () => {
    const error = protocolError(codes.topicAuthorization, { topic: 'copy-a' })
    const blocked = plan(match, { kind: 'failed', error })
    assert.deepEqual(blocked.creations, [])
    assert.match(blocked.blocked.get('a')?.wayOut ?? '', /grant .* DESCRIBE on "copy-a" at eu-west/)
  })

  test('never makes a copy anew that was deleted or re-created while it was written', () => {
    const pairing = pairTopics({
      flow,
      matches: [match],
      targets: new Map([['copy-a', topic('copy-a', 4)]]),
      blocked: new Map(),
      refusals: new Map(),
      seen: seenFrom([match]),
    })
    const seen = rememberPairs(seenFrom([match]), pairing.pairs)
    const deleted = plan(match, { kind: 'missing' }, seen)
    assert.deepEqual(deleted.creations, [])
    assert.match(deleted.blocked.get('a')?.reason ?? '', /"copy-a" was deleted on eu-west/)
    const recreated = plan(match, found(topic('copy-a', 4, [], 'other')), seen)
    assert.match(recreated.blocked.get('a')?.reason ?? '', /re-created on eu-west/)
    assert.equal(plan(match, found(topic('copy-a', 4)), seen).blocked.size, 0)
  })

  test('is ready only with all partitions and all leaders', () => {
    assert.equal(isReady(undefined, 1), false)
    assert.equal(isReady(topic('x', 2), 3), false)
    assert.equal(isReady(topic('x', 2, [1]), 2), false)
    assert.equal(isReady(topic('x', 2), 2), true)
  })
})

describe('pairTopics', () => {
  const input = { flow, blocked: new Map(), refusals: new Map() }

  test('stops the partitions that a refused growth leaves out, and only those', () => {
    const match = matchOf(topic('a', 4), [1, 2, 3])
    const { pairs, problems } = pairTopics({
      ...input,
      matches: [match],
      targets: new Map([['copy-a', topic('copy-a', 2)]]),
      refusals: new Map([['copy-a', { reason: 'no', wayOut: 'grant ALTER' }]]),
      seen: seenFrom([match]),
    })
    assert.deepEqual(pairs[0]?.partitions, [1])
    assert.deepEqual(
      problems.map((p) => p.partition),
      [2, 3],
    )
    assert.match(problems[0]?.reason ?? '', /has 2 partitions, the source has 4; no/)
    assert.match(problems[0]?.wayOut ?? '', /grant ALTER; or add partitions/)
  })

  test('waits for the leader of a partition that was never reported, and for no other', () => {
    const match = matchOf(topic('a', 2))
    const seen = seenFrom([match])
    const half = pairTopics({
      ...input,
      matches: [match],
      targets: new Map([['copy-a', topic('copy-a', 2, [1])]]),
      seen,
    })
    assert.deepEqual(half.pairs[0]?.partitions, [0])
    assert.match(half.problems[0]?.reason ?? '', /partition 1 of "copy-a" on eu-west has no leader yet/)
    const later = rememberPairs(seen, half.pairs)
    const lost = pairTopics({
      ...input,
      matches: [match],
      targets: new Map([['copy-a', topic('copy-a', 2, [0])]]),
      seen: later,
    })
    assert.deepEqual(lost.pairs[0]?.partitions, [0, 1])
  })

  test('a pair is paused when all its partitions are', () => {
    const some = matchOf(topic('a', 2), [0, 1], [1])
    const all = matchOf(topic('b', 2), [0, 1], [0, 1])
    const targets = new Map([some, all].map((m) => [m.targetName, topic(m.targetName, 2)]))
    const { pairs } = pairTopics({ ...input, matches: [some, all], targets, seen: seenFrom([some, all]) })
    assert.deepEqual(
      pairs.map((p) => p.paused),
      [false, true],
    )
    assert.deepEqual(pairs[0]?.pausedPartitions, [1])
  })

  test('what came after the first round is later: whole topics, and partitions', () => {
    const before = matchOf(topic('a', 2))
    const grown = matchOf(topic('a', 3))
    const added = matchOf(topic('b', 1))
    const selected = [grown.source, added.source]
    const seen = rememberSources(seenFrom([before]), { selected, gone: [], isFirst: false })
    const targets = new Map([grown, added].map((m) => [m.targetName, topic(m.targetName, 3)]))
    const { pairs } = pairTopics({ ...input, matches: [grown, added], targets, seen })
    assert.deepEqual(
      pairs.map((p) => [p.appeared, p.laterPartitions]),
      [
        ['at-start', [2]],
        ['later', [0]],
      ],
    )
  })

  test('every selected partition is in its pair or has a problem', () => {
    const drawn = fc.record({
      sourceCount: fc.integer({ min: 1, max: 6 }),
      targetCount: fc.integer({ min: 0, max: 8 }),
      leaderless: fc.uniqueArray(fc.integer({ min: 0, max: 7 })),
      refused: fc.boolean(),
    })
    fc.assert(
      fc.property(drawn, ({ sourceCount, targetCount, leaderless, refused }) => {
        const match = matchOf(topic('a', sourceCount))
        const targets = new Map(
          targetCount === 0 ? [] : [['copy-a', topic('copy-a', targetCount, leaderless)]],
        )
        const refusals = new Map(refused ? [['copy-a', { reason: 'no', wayOut: 'do' }]] : [])
        const { pairs, problems } = pairTopics({
          ...input,
          matches: [match],
          targets,
          refusals,
          seen: seenFrom([match]),
        })
        const stopped = problems.flatMap((p) =>
          p.partition === undefined ? match.partitions : [p.partition],
        )
        const all = [...(pairs[0]?.partitions ?? []), ...stopped].sort((a, b) => a - b)
        assert.deepEqual(all, match.partitions)
      }),
    )
  })
})
