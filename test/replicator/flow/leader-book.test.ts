import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LeaderBook } from '../../../replicator/flow/leader-book.ts'
import {
  brokerId,
  type Cluster,
  type TopicLookup,
  type TopicMetadata,
} from '../../../replicator/kafka/cluster.ts'
import { transportError } from '../../../replicator/kafka/errors.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const forever = new AbortController().signal

const topic = (name: string, ...leaders: readonly (number | undefined)[]): TopicMetadata => ({
  name,
  id: undefined,
  internal: false,
  partitions: leaders.map((leader, partition) => ({
    partition,
    leader: leader === undefined ? undefined : brokerId(leader),
    leaderEpoch: 0,
    replicas: [],
  })),
})

/** A cluster that answers from a list, one entry per question. */
function scripted(answers: (TopicMetadata | 'failed' | 'away')[]) {
  const asked: (readonly string[])[] = []
  const describeTopics = async (names: readonly string[]): Promise<ReadonlyMap<string, TopicLookup>> => {
    asked.push(names)
    const answer = answers.shift() ?? assert.fail('asked too often')
    if (answer === 'away') throw transportError('connection', 'away')
    if (answer === 'failed')
      return new Map([['a', { kind: 'failed', error: transportError('timeout', 'x') }]])
    return new Map([[answer.name, { kind: 'found', topic: answer }]])
  }
  return { asked, cluster: { describeTopics } as unknown as Cluster }
}

describe('the leader book', () => {
  test('knows what it was told, and forgets what is no longer named', () => {
    let changes = 0
    const book = new LeaderBook(scripted([]).cluster, new SimulatedClock(), () => changes++)
    book.replace([topic('a', 1, undefined), topic('b', 2)])
    assert.deepEqual([book.leaderOf('a', 0), book.leaderOf('a', 1), book.leaderOf('b', 0)], [1, undefined, 2])
    assert.deepEqual([book.leaderOf('a', 9), book.leaderOf('c', 0)], [undefined, undefined])
    book.replace([topic('b', 3)])
    assert.deepEqual([book.leaderOf('a', 0), book.leaderOf('b', 0)], [undefined, 3])
    assert.equal(changes, 2)
  })

  test('asks once for all who ask at a time, and keeps what it knows where there is no answer', async () => {
    const clock = new SimulatedClock()
    const { cluster, asked } = scripted([topic('a', 2), 'failed', 'away'])
    const book = new LeaderBook(cluster, clock, () => {})
    book.replace([topic('a', 1)])
    await clock.run(Promise.all([book.refresh(forever), book.refresh(forever)]))
    assert.deepEqual([asked.length, book.leaderOf('a', 0)], [1, 2])
    await clock.run(book.refresh(forever))
    await clock.run(book.refresh(forever))
    assert.deepEqual([asked.length, book.leaderOf('a', 0)], [3, 2])
  })

  test('whoever misses a leader still may ask again as soon as it hears of the change', async () => {
    const clock = new SimulatedClock()
    const { cluster, asked } = scripted([topic('a', undefined), topic('a', undefined), topic('a', 3)])
    let again: Promise<void> | undefined
    const book: LeaderBook = new LeaderBook(cluster, clock, () => {
      if (book.leaderOf('a', 0) === undefined) again = book.refresh(forever)
    })
    book.replace([topic('a', undefined)])
    while (book.leaderOf('a', 0) === undefined) await clock.run(again ?? assert.fail('nobody asks'))
    assert.equal(asked.length, 3)
  })
})
