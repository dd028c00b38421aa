import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Checkpoint } from '../../../../replicator/offsets/mm2/checkpoint.ts'
import { decideCheckpoint } from '../../../../replicator/offsets/mm2/checkpoint-decision.ts'
import { heartbeatDueInMs } from '../../../../replicator/offsets/mm2/heartbeat-due.ts'
import { LastCheckpoints } from '../../../../replicator/offsets/mm2/last-checkpoints.ts'
import { sourceOffset, targetOffset } from '../../../../replicator/records/offsets.ts'

const at = (committed: bigint, translated: bigint, metadata = ''): Checkpoint => ({
  ...{ group: 'g', topic: 'A.t', partition: 3, metadata },
  ...{ upstreamOffset: sourceOffset(committed), downstreamOffset: targetOffset(translated) },
})

describe('checkpoints', () => {
  test('are written first, when they advance and after a rewind; never back otherwise', () => {
    const decide = (...[last, next]: Parameters<typeof decideCheckpoint>) => {
      const { kind, because } = decideCheckpoint(last, next)
      return `${kind}: ${because}`
    }
    assert.equal(decide(undefined, at(10n, 7n)), 'emit: first')
    assert.equal(decide(at(10n, 7n), at(10n, 8n)), 'emit: advanced')
    assert.equal(decide(at(10n, 7n), at(11n, 8n)), 'emit: advanced')
    assert.equal(decide(at(10n, 7n), at(9n, 6n)), 'emit: rewound')
    assert.equal(decide(at(10n, 7n), at(9n, 7n)), 'emit: rewound')
    assert.equal(decide(at(10n, 7n), at(10n, 7n)), 'withhold: unchanged')
    assert.equal(decide(at(10n, 7n), at(10n, 6n)), 'withhold: would-go-back')
    assert.equal(decide(at(10n, 7n), at(11n, 6n)), 'withhold: would-go-back')
    assert.equal(decide(at(10n, 7n), at(11n, 7n)), 'emit: committed-on')
    assert.equal(decide(at(10n, 7n), at(10n, 7n, 'new')), 'emit: metadata')
  })
})

describe('the last checkpoints', () => {
  test('are kept for each group and partition, once they are written', () => {
    const last = new LastCheckpoints()
    const one = at(10n, 7n)
    const others = [
      { ...one, group: 'h' },
      { ...one, topic: 'A.u' },
      { ...one, partition: 4 },
    ]
    assert.equal(last.decide(one).because, 'first')
    assert.equal(last.decide(one).because, 'first')
    last.written(one)
    assert.equal(last.decide(one).because, 'unchanged')
    assert.equal(last.of(one), one)
    for (const other of others) {
      assert.equal(last.decide(other).because, 'first')
      last.written(other)
    }
    assert.equal(last.size, 4)
    last.written(at(11n, 8n))
    assert.equal(last.size, 4)
    assert.equal(last.decide(at(11n, 9n)).because, 'advanced')
    assert.equal(last.decide(at(10n, 9n)).because, 'rewound')
  })
})

describe('heartbeats', () => {
  test('are due at once, then once an interval', () => {
    assert.equal(heartbeatDueInMs(undefined, 50, 1000), 0)
    assert.equal(heartbeatDueInMs(50, 50, 1000), 1000)
    assert.equal(heartbeatDueInMs(50, 1049, 1000), 1)
    assert.equal(heartbeatDueInMs(50, 1050, 1000), 0)
    assert.equal(heartbeatDueInMs(50, 9999, 1000), 0)
  })
})
