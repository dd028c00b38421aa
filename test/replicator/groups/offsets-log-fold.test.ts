import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CommitChange } from '../../../replicator/groups/commit-source.ts'
import { OffsetsLogFold } from '../../../replicator/groups/offsets-log-fold.ts'
import { rawBatch } from '../../../replicator/records/record-batch.ts'
import { markerBatch } from '../../simulation/marker-batch.ts'
import { commitRecords, removalRecords } from '../../simulation/offsets-log.ts'
import { buildBatch, type TestRecord } from '../../simulation/record-batches.ts'

/** A partition of the offsets topic, and what is made of it: `group@offset`. */
function scene(selects: (group: string) => boolean = () => true) {
  const seen: string[] = []
  let next = 0n
  const fold = new OffsetsLogFold(selects, (change) => seen.push(text(change)))
  const take = (batch: Buffer) => {
    fold.take(rawBatch(batch, 0, batch.length))
    next += 1n
  }
  const append = (records: readonly TestRecord[], producer?: bigint) =>
    take(
      buildBatch(records, {
        baseOffset: next,
        ...(producer === undefined ? {} : { producerId: producer, producerEpoch: 0, transactional: true }),
      }),
    )
  return {
    seen,
    commit: (group: string, offset: bigint, producer?: bigint) => append(recordsOf(group, offset), producer),
    remove: (group: string) => append(removalRecords(group, [{ topic: 't', partition: 0 }], 0)),
    end: (producerId: bigint, end: 'commit' | 'abort') =>
      take(
        markerBatch({
          producerId,
          epoch: 0,
          end,
          coordinatorEpoch: 0,
          offset: next,
          leaderEpoch: 0,
          timestampMs: 0,
        }),
      ),
  }
}

const recordsOf = (group: string, offset: bigint) =>
  commitRecords(
    group,
    [{ topic: 't', partition: 0, offset, leaderEpoch: undefined, metadata: '' }],
    0,
    () => undefined,
  )
const text = ({ group, commit }: CommitChange): string =>
  `${group}@${commit === 'removed' ? 'removed' : commit.offset}`

describe('commits in the offsets topic', () => {
  test('count at once, also their removal, of selected groups', () => {
    const log = scene((group) => group !== 'other')
    log.commit('g', 5n)
    log.commit('other', 6n)
    log.remove('g')
    assert.deepEqual(log.seen, ['g@5', 'g@removed'])
  })

  test('in a transaction count when it is committed; nobody else waits for it', () => {
    const log = scene()
    log.commit('g', 5n, 1n)
    log.commit('h', 7n)
    assert.deepEqual(log.seen, ['h@7'])
    log.end(1n, 'commit')
    assert.deepEqual(log.seen, ['h@7', 'g@5'])
    log.end(1n, 'commit')
    assert.equal(log.seen.length, 2)
  })

  test('in an aborted transaction never count; each transaction ends by its own producer', () => {
    const log = scene()
    log.commit('g', 5n, 1n)
    log.commit('h', 6n, 2n)
    log.end(1n, 'abort')
    log.end(1n, 'commit')
    log.end(2n, 'commit')
    assert.deepEqual(log.seen, ['h@6'])
  })

  test('in a transaction do not replace what was committed after them', () => {
    const log = scene()
    log.commit('g', 5n, 1n)
    log.commit('g', 9n)
    log.end(1n, 'commit')
    assert.deepEqual(log.seen, ['g@9'])
  })
})
