import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MergedCommits } from '../../../replicator/groups/merged-commits.ts'
import type { GroupCommitOutcome, GroupOffsetCommit } from '../../../replicator/kafka/consumer-groups.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const commit = (partition: number, offset: bigint): GroupOffsetCommit => ({
  topic: 'orders',
  partition,
  offset,
  leaderEpoch: undefined,
  metadata: '',
})

function scene(answer: (group: string, commits: readonly GroupOffsetCommit[]) => GroupCommitOutcome) {
  const clock = new SimulatedClock()
  const sent: string[] = []
  const merged = new MergedCommits(
    {
      async commitGroupOffsets(group, commits) {
        sent.push(`${group} ${commits.map(({ partition, offset }) => `${partition}@${offset}`).join(' ')}`)
        return answer(group, commits)
      },
    },
    clock,
  )
  return { clock, sent, merged }
}

/** Partition 9 is unknown. */
const answered = (_group: string, commits: readonly GroupOffsetCommit[]): GroupCommitOutcome => ({
  kind: 'answered',
  partitions: commits.map(({ topic, partition }) => ({
    topic,
    partition,
    result: partition === 9 ? { ok: false, error: protocolError(3, {}, '') } : { ok: true, value: undefined },
  })),
})

describe('commits of several shards', () => {
  test('for a group go in one request, and each gets its own answers', async () => {
    const { clock, sent, merged } = scene(answered)
    const one = merged.commitGroupOffsets('g', [commit(0, 1n), commit(9, 2n)])
    const other = merged.commitGroupOffsets('g', [commit(3, 4n)])
    const elsewhere = merged.commitGroupOffsets('h', [commit(0, 5n)])
    await clock.advance(100)
    const places = (outcome: GroupCommitOutcome) =>
      outcome.kind === 'answered' && outcome.partitions.map(({ partition, result }) => [partition, result.ok])
    assert.deepEqual(places(await one), [
      [0, true],
      [9, false],
    ])
    assert.deepEqual(places(await other), [[3, true]])
    assert.deepEqual(places(await elsewhere), [[0, true]])
    assert.deepEqual(sent, ['g 0@1 9@2 3@4', 'h 0@5'])
    const later = merged.commitGroupOffsets('g', [commit(0, 6n)])
    await clock.advance(100)
    await later
    assert.equal(sent.at(-1), 'g 0@6')
  })

  test('all hear that the group is used, and what fails', async () => {
    const used = scene(() => ({ kind: 'group-is-used' }))
    const both = [0, 1].map((partition) => used.merged.commitGroupOffsets('g', [commit(partition, 1n)]))
    await used.clock.advance(100)
    assert.deepEqual(await Promise.all(both), [{ kind: 'group-is-used' }, { kind: 'group-is-used' }])

    const broken = scene(() => {
      throw protocolError(30, {}, 'OffsetCommit')
    })
    const failing = [0, 1].map((partition) => broken.merged.commitGroupOffsets('g', [commit(partition, 1n)]))
    const told = Promise.all(failing.map((one) => assert.rejects(one, { code: 30 })))
    await broken.clock.advance(100)
    await told
  })

  test('that are given up do not take the others with them', async () => {
    const { clock, sent, merged } = scene(answered)
    const enough = new AbortController()
    const one = merged.commitGroupOffsets('g', [commit(0, 1n)], enough.signal)
    const other = merged.commitGroupOffsets('g', [commit(1, 1n)])
    const given = assert.rejects(one, /enough/)
    enough.abort(new Error('enough'))
    await given
    await clock.advance(100)
    assert.equal((await other).kind, 'answered')
    assert.equal(sent.length, 1)
    merged.close()
    await assert.rejects(merged.commitGroupOffsets('g', [commit(0, 1n)]), /not made any more/)
  })
})
