import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Outgoing } from '../../../replicator/flow/partition-window.ts'
import { splitRefused } from '../../../replicator/flow/reencoding.ts'
import { maxTimestampMs } from '../../../replicator/records/batch-header.ts'
import { encodeBatch } from '../../../replicator/records/encode.ts'
import { sourceOffset } from '../../../replicator/records/offsets.ts'
import type { OffsetRun } from '../../../replicator/records/reencode.ts'

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
})
