import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Outgoing } from '../../../replicator/flow/partition-window.ts'
import { reencodeFrom, splitRefused } from '../../../replicator/flow/reencoding.ts'
import { maxTimestampMs, rewriteForTarget } from '../../../replicator/records/batch-header.ts'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { sourceOffset } from '../../../replicator/records/offsets.ts'
import type { OffsetRun } from '../../../replicator/records/reencode.ts'
import { buildBatch, readRecords } from '../../simulation/record-batches.ts'
import { valuesOf, visited } from '../shards/visited-batches.ts'

const lease = { bytes: 0, retain: () => {}, release: () => {} }
const ownMemory = () => lease

const record = (value: Buffer) => ({ timestamp: 1n, key: null, value, headers: [] })

/** As it stands in the window once it was sent. */
function sent(values: readonly Buffer[], offsets: readonly OffsetRun[]): Outgoing {
  const batch = encodeBatch(values.map(record), { codec: 'gzip' })
  const last = offsets.at(-1)
  assert(last !== undefined)
  return {
    batch,
    offsets,
    records: values.length,
    sourceBase: sourceOffset(offsets[0]?.firstOffset ?? 0n),
    sourceNext: sourceOffset(last.firstOffset + BigInt(last.recordCount)),
    timestampMs: maxTimestampMs(batch, 0),
    lease,
  }
}

describe('splitting a batch that the target refused', () => {
  test('a refusal that no known limit explains halves it, wherever its bytes are', () => {
    const head = sent([randomBytes(9000), Buffer.alloc(9000)], [{ firstOffset: 70n, recordCount: 2 }])
    const outcome = splitRefused(head, 1_000_000, ownMemory)
    assert(outcome.kind === 'encoded')
    assert.deepEqual(
      outcome.batches.map(({ sourceBase, sourceNext, records }) => [sourceBase, sourceNext, records]),
      [
        [70n, 71n, 1],
        [71n, 72n, 1],
      ],
    )
  })

  test('one record cannot be halved', () => {
    const head = sent([Buffer.alloc(9000)], [{ firstOffset: 70n, recordCount: 1 }])
    const outcome = splitRefused(head, 1_000_000, ownMemory)
    assert(outcome.kind === 'refused')
    assert.match(outcome.reason, /cannot be split/)
  })

  test('a record over a known limit is named by its offset in the source, gaps counted', () => {
    const runs = [
      { firstOffset: 70n, recordCount: 2 },
      { firstOffset: 90n, recordCount: 1 },
    ]
    const head = sent([Buffer.alloc(10), Buffer.alloc(10), randomBytes(9000)], runs)
    const outcome = splitRefused(head, 5000, ownMemory)
    assert(outcome.kind === 'refused')
    assert.match(outcome.reason, /the record at offset 90 alone/)
  })

  test('however often it was re-encoded and split, each record keeps its offset in the source', () => {
    const source = fc.record({
      kept: fc.array(fc.boolean(), { minLength: 1, maxLength: 14 }),
      sizes: fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 14, maxLength: 14 }),
      position: fc.nat({ max: 14 }),
      limits: fc.array(fc.integer({ min: 80, max: 2000 }), { maxLength: 4 }),
    })
    fc.assert(
      fc.property(source, ({ kept, sizes, position, limits }) => {
        const records = valuesOf(kept.length)
          .map((one, index) => ({
            ...one,
            value: Buffer.from(`${1000 + index}${'x'.repeat(sizes[index] ?? 0)}`),
          }))
          .filter((_, index) => kept[index])
        const fields = { baseOffset: 1000n, lastOffsetDelta: kept.length - 1 }
        const { raw } = visited(buildBatch(records, fields))
        const from = 1000n + BigInt(position)
        const first = reencodeFrom(raw, from, 1_000_000, ownMemory)
        assert(first.kind === 'encoded')
        let batches = first.batches
        for (const limit of limits) batches = batches.flatMap((head) => afterSplit(head, limit))
        const offsets = batches.flatMap((batch) => {
          const inBatch = readRecords(batch.batch).map(({ value }) => BigInt(`${value}`.slice(0, 4)))
          const runs = batch.offsets ?? assert.fail('it knows its offsets')
          const told = runs.flatMap(({ firstOffset, recordCount }) =>
            Array.from({ length: recordCount }, (_, index) => firstOffset + BigInt(index)),
          )
          assert.deepEqual(told, inBatch)
          assert.equal(batch.records, inBatch.length)
          assert.equal(batch.sourceBase, inBatch[0])
          assert.equal(batch.sourceNext, (inBatch.at(-1) ?? 0n) + 1n)
          return inBatch
        })
        const expected = kept.flatMap((isKept, index) =>
          isKept && index >= position ? [1000n + BigInt(index)] : [],
        )
        assert.deepEqual(offsets, expected)
      }),
      { numRuns: 300 },
    )
  })
})

/** What stands in the window once the batch was sent and refused as too large, where it can be split. */
function afterSplit(head: Outgoing, limit: number): readonly Outgoing[] {
  rewriteForTarget(head.batch, 0, { producerId: 5n, producerEpoch: 1, baseSequence: 77 })
  const outcome = splitRefused(head, limit, ownMemory)
  return outcome.kind === 'encoded' ? outcome.batches : [head]
}
