import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  addForeign,
  type ForeignWrites,
  judgeDeletion,
  judgeEnd,
  type LogStartMove,
  type TargetBatch,
  targetStop,
} from '../../../replicator/flow/judge-target.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'

const hourMs = 3_600_000
const nowMs = 1_000 * hourMs
const week = { deletes: true, ms: 168 * hourMs, bytes: undefined }
const proof = { offset: 0n, askedAtMs: nowMs - 5000, slackMs: 180_000, retentionMs: week.ms }

function judged(change: Partial<LogStartMove>) {
  return judgeDeletion({
    from: 0n,
    bounds: { start: 10n, end: 100n },
    retention: week,
    young: proof,
    nowMs,
    ...change,
  })
}

describe('records that are gone from a copy', () => {
  const deleted = { kind: 'deleted', fromOffset: 0n, toOffset: 10n }

  test('a record that had time left to live was deleted by someone', () => {
    assert.deepEqual(judged({}), deleted)
  })

  test('without proof of its youth it was retention', () => {
    assert.equal(judged({ young: undefined }), undefined)
    assert.equal(judged({ young: { ...proof, offset: 10n } }), undefined)
    assert.equal(judged({ young: { ...proof, askedAtMs: nowMs - 180_000 } }), undefined)
    assert.equal(judged({ retention: { ...week, ms: hourMs } }), undefined, 'the retention was shortened')
    assert.equal(judged({ retention: undefined }), undefined, 'the retention cannot be read')
  })

  test('a log that retention never touches was touched by someone', () => {
    assert.deepEqual(judged({ retention: { ...week, ms: undefined }, young: undefined }), deleted)
    assert.deepEqual(judged({ retention: { ...week, deletes: false }, young: undefined }), deleted)
  })

  test('size explains what leaves something behind', () => {
    assert.equal(judged({ retention: { ...week, bytes: 1000n } }), undefined)
    const emptied = { start: 100n, end: 100n }
    assert.deepEqual(judged({ retention: { ...week, bytes: 1000n }, bounds: emptied }), {
      ...deleted,
      toOffset: 100n,
    })
  })

  test('a log start that stays is nothing', () => {
    assert.equal(judged({ from: 10n }), undefined)
    assert.equal(judged({ from: 11n }), undefined)
  })

  test('retention is never taken for a person, however it is set', () => {
    // Records are stamped in any order; retention deletes from the front while all of it is too old.
    const scene = fc.record({
      agesMs: fc.array(fc.integer({ min: 0, max: 20 * hourMs }), { minLength: 1, maxLength: 30 }),
      retentionMs: fc.integer({ min: 1000, max: 15 * hourMs }),
      laterMs: fc.integer({ min: 0, max: 400_000 }),
    })
    fc.assert(
      fc.property(scene, ({ agesMs, retentionMs, laterMs }) => {
        const slackMs = Math.min(180_000, retentionMs / 2)
        const stamps = agesMs.map((age) => nowMs - age)
        const young = stamps.findIndex((stamp) => stamp >= Math.ceil(nowMs - retentionMs + slackMs))
        const kept = stamps.findIndex((stamp) => stamp >= nowMs + laterMs - retentionMs)
        const start = BigInt(kept === -1 ? stamps.length : kept)
        const finding = judgeDeletion({
          from: 0n,
          bounds: { start, end: BigInt(stamps.length) },
          retention: { deletes: true, ms: retentionMs, bytes: undefined },
          young: young === -1 ? undefined : { offset: BigInt(young), askedAtMs: nowMs, slackMs, retentionMs },
          nowMs: nowMs + laterMs,
        })
        assert.equal(finding, undefined)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('what others wrote into a copy', () => {
  const isOurs = (id: bigint) => id === 7n
  const batch = (baseOffset: bigint, records: number, change: Partial<TargetBatch> = {}): TargetBatch => ({
    baseOffset,
    lastOffset: baseOffset + BigInt(Math.max(1, records)) - 1n,
    records,
    producerId: 7n,
    isControl: false,
    ...change,
  })
  const foreignIn = (batches: readonly TargetBatch[]) =>
    batches.reduce<ForeignWrites | undefined>((found, one) => addForeign(found, one, isOurs), undefined)

  test('our batches, markers of anybody and empty batches are nothing', () => {
    const batches = [
      batch(0n, 3),
      batch(3n, 1, { isControl: true, producerId: 9n }),
      batch(4n, 0, { producerId: 9n }),
    ]
    assert.equal(foreignIn(batches), undefined)
  })

  test('the rest is counted, from its first offset to behind its last', () => {
    const batches = [
      batch(0n, 3),
      batch(3n, 2, { producerId: -1n }),
      batch(5n, 1),
      batch(6n, 4, { producerId: 9n }),
    ]
    assert.deepEqual(foreignIn(batches), { fromOffset: 3n, toOffset: 10n, records: 6, producerId: -1n })
  })
})

describe('the words of a finding', () => {
  const place = { flow: 'us-east->eu-west' as FlowId, topic: 'orders', partition: 3 }

  test('an end below what was acknowledged', () => {
    assert.equal(judgeEnd(5n, { start: 0n, end: 5n }), undefined)
    const lost = judgeEnd(5n, { start: 0n, end: 4n })
    assert.deepEqual(lost, { kind: 'lost', fromOffset: 4n, toOffset: 5n })
    assert.match(targetStop(lost!, place, 'us-east.orders').reason, /ends at offset 4, before 5/)
  })

  test('name who wrote, what, and the command that goes on behind it', () => {
    const foreign = {
      kind: 'foreign',
      fromOffset: 3n,
      toOffset: 4n,
      records: 1,
      producerId: -1n,
    } as const
    const { reason, wayOut } = targetStop(foreign, place, 'us-east.orders')
    assert.match(
      reason,
      /wrote 1 record into its copy "us-east\.orders", offsets 3 to 3 \(a producer without/,
    )
    assert.match(wayOut, /flow resume -c causeway\.yaml orders\/3 --flow 'us-east->eu-west' --from next/)
    const many = targetStop({ ...foreign, records: 2, producerId: 12n }, place, 'us-east.orders')
    assert.match(many.reason, /2 records .*\(producer id 12\)/)
  })

  test('deletion and re-creation', () => {
    const deleted = targetStop({ kind: 'deleted', fromOffset: 0n, toOffset: 5n }, place, 'us-east.orders')
    assert.match(deleted.reason, /deleted offsets 0 to 4/)
    const recreated = targetStop({ kind: 're-created' }, place, 'us-east.orders')
    assert.match(recreated.wayOut, /causeway\.yaml orders --flow/)
  })
})
