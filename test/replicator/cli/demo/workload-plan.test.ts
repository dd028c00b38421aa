import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isAborted, pieceOf, planWorkload } from '../../../../replicator/cli/demo/workload-plan.ts'

describe('the plan of the order workload', () => {
  const counts = fc.integer({ min: 1_000, max: 10_000_000 })

  test('writes exactly as many records as asked for, some to every topic', () => {
    fc.assert(
      fc.property(counts, (records) => {
        const { topics } = planWorkload(records)
        assert.equal(
          topics.reduce((sum, topic) => sum + topic.records, 0),
          records,
        )
        assert.ok(topics.every((topic) => topic.records > 0))
      }),
    )
  })

  test('aborts some records and commits some, however few there are', () => {
    fc.assert(
      fc.property(counts, (records) => {
        const plan = planWorkload(records)
        for (const topic of plan.topics.filter(({ transactional }) => transactional)) {
          const written = { committed: 0, aborted: 0 }
          for (let number = 0; number < plan.transactions; number++) {
            const { from, until } = pieceOf(topic.records, plan.transactions, number)
            written[isAborted(number) ? 'aborted' : 'committed'] += until - from
          }
          assert.ok(written.aborted > 0 && written.committed > 0, `${topic.name} of ${records}`)
        }
      }),
    )
  })

  test('has lz4, gzip and plain batches, and a topic that appears later', () => {
    const { topics } = planWorkload(1_000)
    assert.deepEqual([...new Set(topics.map(({ compression }) => compression))].sort(), [
      'gzip',
      'lz4',
      'none',
    ])
    assert.ok(topics.some(({ appearsAt }) => appearsAt > 0 && appearsAt < 1))
  })

  test('stays well under a minute', () => {
    fc.assert(fc.property(counts, (records) => planWorkload(records).durationMs <= 20_000))
  })
})

test('pieces follow one another without gap or overlap, and differ by one record at most', () => {
  fc.assert(
    fc.property(fc.nat(5_000), fc.integer({ min: 1, max: 300 }), (total, pieces) => {
      let next = 0
      for (let index = 0; index < pieces; index++) {
        const { from, until } = pieceOf(total, pieces, index)
        assert.equal(from, next)
        assert.ok(until - from >= Math.floor(total / pieces) && until - from <= Math.ceil(total / pieces))
        next = until
      }
      assert.equal(next, total)
    }),
  )
})
