import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judgeBounds, judgeEpoch, sourceStop } from '../../../replicator/flow/judge-source.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'

const place = { flow: 'us-east->eu-west' as FlowId, topic: 'orders', partition: 3 }

describe('what a source log says about a reader', () => {
  test('a position between start and end is fine, both ends included', () => {
    assert.equal(judgeBounds(5n, { start: 5n, end: 9n }, false), undefined)
    assert.equal(judgeBounds(9n, { start: 5n, end: 9n }, false), undefined)
  })

  test('a log start above it is an overrun, unless the reader follows the log start', () => {
    const bounds = { start: 8n, end: 9n }
    assert.deepEqual(judgeBounds(5n, bounds, false), { kind: 'overrun', fromOffset: 5n, toOffset: 8n })
    assert.equal(judgeBounds(5n, bounds, true), undefined)
  })

  test('an end below it is a truncation, whatever the reader follows', () => {
    const found = { kind: 'truncated', fromOffset: 4n, toOffset: 5n }
    assert.deepEqual(judgeBounds(5n, { start: 0n, end: 4n }, false), found)
    assert.deepEqual(judgeBounds(5n, { start: 0n, end: 4n }, true), found)
  })

  test('an epoch that ends below what was read of it is a truncation', () => {
    const mark = { leaderEpoch: 4, next: 10n }
    assert.equal(judgeEpoch(mark, { leaderEpoch: 4, endOffset: 10n }), undefined)
    assert.equal(judgeEpoch(mark, { leaderEpoch: 4, endOffset: 20n }), undefined)
    assert.equal(judgeEpoch(mark, undefined), undefined)
    const finding = judgeEpoch(mark, { leaderEpoch: 3, endOffset: 7n })
    assert.deepEqual(finding, { kind: 'truncated', fromOffset: 7n, toOffset: 10n })
  })

  test('every finding names the offsets and the command to type', () => {
    const command = "causeway flow resume -c causeway.yaml orders/3 --flow 'us-east->eu-west' --from"
    const overrun = sourceStop({ kind: 'overrun', fromOffset: 5n, toOffset: 8n }, place)
    assert.equal(
      overrun.reason,
      'orders partition 3: the source deleted offsets 5 to 7 before they were copied',
    )
    assert.ok(overrun.wayOut.includes(`${command} earliest`))
    const cut = sourceStop({ kind: 'truncated', fromOffset: 5n, toOffset: 8n }, place)
    assert.match(cut.reason, /offsets 5 to 7/)
    assert.ok(cut.wayOut.includes(`${command} 5;`) && cut.wayOut.includes(`${command} 8.`))
    const recreated = sourceStop({ kind: 're-created' }, place)
    assert.match(recreated.wayOut, /-c causeway\.yaml orders --flow 'us-east->eu-west' --from earliest/)
  })
})
