import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PartitionMap } from '../../../../replicator/flow/maps/partition-map.ts'
import type { Outgoing } from '../../../../replicator/flow/partition-window.ts'
import { allOutdated, planChunks } from '../../../../replicator/offsets/map-chunks.ts'
import { OffsetMap } from '../../../../replicator/offsets/offset-map.ts'
import { readChunks } from '../../../../replicator/offsets/read-chunks.ts'
import { sourceOffset, targetOffset } from '../../../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../../../replicator/topology/identifiers.ts'

const key = { flow: flowId(regionAlias('a'), regionAlias('b')), topic: 'orders', partition: 3 }
const ids = { topicId: 'one', targetTopicId: 'two' }
const pair = (source: bigint, target: bigint) => ({
  source: sourceOffset(source),
  target: targetOffset(target),
})

const outgoing = (base: bigint, records: number, offsets?: Outgoing['offsets']): Outgoing => ({
  batch: Buffer.alloc(0),
  records,
  sourceBase: sourceOffset(base),
  sourceNext: sourceOffset(base + BigInt(records)),
  timestampMs: 0,
  lease: { bytes: 0, retain() {}, release() {} },
  ...(offsets === undefined ? {} : { offsets }),
})

const started = (source: bigint, target: bigint) => new PartitionMap(key, ids, pair(source, target))

const exact = (map: OffsetMap, position: bigint): bigint => {
  const answer = map.translate(sourceOffset(position))
  assert.equal(answer.kind, 'exact', `${position}: ${JSON.stringify(answer, (_, v) => String(v))}`)
  return answer.kind === 'exact' ? answer.offset : -1n
}

/** What the map topic would hold of a map that copied so. */
function writtenBy(map: OffsetMap): ReturnType<typeof readChunks> {
  const { records } = planChunks(new Map(), map, { key, ids })
  return readChunks(new Map(records.map(({ value }, chunk) => [chunk, value!])), ids)
}

describe('the offset map of a partition that is being copied', () => {
  test('a batch that passed through is a run', () => {
    const map = started(10n, 100n)
    map.copied(outgoing(10n, 5), targetOffset(101n))
    map.copied(outgoing(15n, 2), targetOffset(106n))
    assert.equal(map.map.size, 1)
    assert.equal(exact(map.map, 16n), 107n)
  })

  test('a re-encoded batch is a run for each stretch without a gap', () => {
    const map = started(0n, 0n)
    const offsets = [
      { firstOffset: 2n, recordCount: 1 },
      { firstOffset: 7n, recordCount: 3 },
    ]
    map.copied(outgoing(2n, 4, offsets), targetOffset(1n))
    assert.equal(exact(map.map, 2n), 1n)
    assert.equal(exact(map.map, 3n), 2n)
    assert.equal(exact(map.map, 9n), 4n)
  })

  test('what was written before is put in front, with a coarse span up to the start pair', () => {
    const before = new OffsetMap(pair(0n, 0n))
    before.append({ ...pair(0n, 1n), count: 10 })
    const map = started(14n, 17n)
    map.copied(outgoing(14n, 6), targetOffset(18n))
    assert.equal(map.plan(), undefined, 'nothing is written before it is known what there is')
    map.join(writtenBy(before))
    assert.equal(exact(map.map, 4n), 5n)
    assert.equal(map.map.translate(sourceOffset(12n)).kind, 'between')
    assert.equal(exact(map.map, 15n), 19n)
    const plan = map.plan()
    assert(plan !== undefined && plan.records.length > 0)
    map.wrote(plan, false)
    assert.equal(map.plan()?.records.length, plan.records.length, 'none of it may have been appended')
    map.wrote(plan, true)
    assert.equal(map.plan()?.records.length, 0)
  })

  test('where copying was sent back, what was written before is written over', () => {
    const before = new OffsetMap(pair(0n, 0n))
    before.append({ ...pair(0n, 1n), count: 10 })
    const map = started(5n, 12n)
    map.copied(outgoing(5n, 2), targetOffset(12n))
    map.join(writtenBy(before))
    assert.equal(map.map.start.source, 5n)
    assert(map.plan()!.records.some(({ value }) => value !== null))
  })

  test('what was skipped behind the last batch is no unknown', () => {
    const map = started(0n, 0n)
    map.copied(outgoing(0n, 4), targetOffset(1n))
    map.follow(() => pair(6n, 5n))
    assert.equal(exact(map.map, 6n), 5n)
    assert.equal(map.map.translate(sourceOffset(7n)).kind, 'not-copied-yet')
  })

  test('a partition that is taken anew goes on in its map', () => {
    const map = started(0n, 0n)
    map.join({ map: undefined, written: allOutdated([]), damaged: [] })
    map.copied(outgoing(0n, 4), targetOffset(1n))
    map.goOn(pair(6n, 8n))
    map.copied(outgoing(6n, 1), targetOffset(8n))
    assert.equal(exact(map.map, 2n), 3n)
    assert.equal(map.map.translate(sourceOffset(5n)).kind, 'between')
    assert.equal(exact(map.map, 6n), 8n)
    map.goOn(pair(3n, 20n))
    assert.equal(map.map.start.source, 3n, 'sent back: only what it does now is true')
    assert.notEqual(map.plan(), undefined)
  })
})
