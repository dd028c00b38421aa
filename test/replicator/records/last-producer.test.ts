import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { batchVerdict } from '../../../replicator/flow/producer-verdicts.ts'
import { LastProducer } from '../../../replicator/records/last-producer.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'

const ids = fc.array(fc.constantFrom(-1n, 0n, 1n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 62n))
const batchOf = (producerId: bigint) =>
  buildBatch(recordsOf([['k', 'v']], 5), { producerId, producerEpoch: 0, baseSequence: 0 })

test('a producer is recognised exactly when the batch before was its own', () => {
  fc.assert(
    fc.property(ids, (sequence) => {
      const last = new LastProducer()
      const told = sequence.map((id) => last.isSame(batchOf(id), 0))
      assert.deepEqual(
        told,
        sequence.map((id, i) => id === (sequence[i - 1] ?? -1n)),
      )
    }),
  )
})

test('a verdict about batches is that about their producers, asked once for neighbours', () => {
  fc.assert(
    fc.property(ids, (sequence) => {
      const asked: bigint[] = []
      const forwards = batchVerdict((id) => {
        asked.push(id)
        return id % 2n === 0n
      })
      for (const id of sequence) assert.equal(forwards(batchOf(id), 0), id % 2n === 0n)
      assert.equal(asked.length, 1 + sequence.filter((id, i) => id !== (sequence[i - 1] ?? -1n)).length)
    }),
  )
})
