import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fitLines, progressLine } from '../../../replicator/cli/progress-line.ts'
import type { FlowSnapshot } from '../../../replicator/flow/snapshot.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

const [source, target] = [regionAlias('us-east'), regionAlias('eu-west')]
const snapshot = (fields: Partial<FlowSnapshot> = {}): FlowSnapshot => ({
  flow: flowId(source, target),
  source,
  target,
  state: 'running',
  topics: 2,
  shards: [0],
  partitions: { total: 24, running: 24, paused: 0, stopped: 0 },
  stopped: [],
  trouble: undefined,
  records: 0,
  bytes: 0,
  batches: 0,
  reencoded: {},
  lagRecords: 0,
  lagMs: 0,
  bufferedBytes: 0,
  looks: 0,
  overrun: undefined,
  ...fields,
})

describe('the progress line of a flow', () => {
  test('says what moved since the last look, per second, and the lag', () => {
    const before = snapshot({ records: 1_000, bytes: 1_000_000 })
    const now = snapshot({ records: 26_000, bytes: 26_500_000, lagRecords: 1_312, lagMs: 41.4 })
    assert.equal(
      progressLine(before, now, 2_000),
      'us-east -> eu-west  24/24 partitions  12,500 records/s  12.8 MB/s  lag 1,312 records, 41 ms',
    )
  })

  test('starts at nothing, and never goes below', () => {
    assert.match(progressLine(undefined, snapshot({ records: 500 }), 1_000), / 0 records\/s {2}0\.0 MB\/s /)
    assert.match(progressLine(snapshot({ records: 500 }), snapshot(), 1_000), / 0 records\/s /)
    assert.match(progressLine(snapshot(), snapshot({ records: 500 }), 0), / 0 records\/s /)
  })

  test('says what does not move', () => {
    const partitions = { total: 24, running: 20, paused: 3, stopped: 1 }
    const line = progressLine(undefined, snapshot({ partitions, trouble: 'no answer' }), 1_000)
    assert.match(line, /20\/24 partitions {2}3 paused {2}1 NOT MOVING .* IN TROUBLE, see above$/)
    assert.match(progressLine(undefined, snapshot({ state: 'starting' }), 1_000), /eu-west {2}starting {2}/)
  })
})

describe('lines side by side', () => {
  test('are shown where they fit, and counted where they do not', () => {
    assert.equal(fitLines(['one', 'two', 'three'], 80), 'one  |  two  |  three')
    assert.equal(fitLines(['one', 'two', 'three'], 20), 'one  |  + 2 more')
  })

  test('never reach the last column, however narrow the terminal', () => {
    for (let columns = 1; columns < 120; columns++) {
      const text = fitLines(['a'.repeat(50), 'b'.repeat(30)], columns)
      assert.ok(text.length < columns || text === '', `${columns}: ${text}`)
    }
    assert.equal(fitLines([], 80), '')
  })
})
