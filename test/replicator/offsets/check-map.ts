import assert from 'node:assert/strict'
import type { CoarseSpan, OffsetMap, Translation } from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import type { Truth } from './copy-model.ts'

const s = (value: number) => sourceOffset(BigInt(value))
const t = (value: number) => targetOffset(BigInt(value))
const pair = (source: number, target: number) => ({ source: s(source), target: t(target) })
const exact = (offset: number) => ({ kind: 'exact', offset: BigInt(offset), isNextRecord: true })

/** Every position of both logs, against the pairs that were really copied. */
export function checkAgainst(truth: Truth, map: OffsetMap): void {
  assert.deepEqual(map.end, pair(truth.source, truth.target))
  checkSide(truth, map, 'source', 'target', (position) => map.translate(s(position)))
  checkSide(truth, map, 'target', 'source', (position) => map.translateBack(t(position)))
  for (const copy of truth.copies) {
    const there = map.translate(s(copy.source))
    if (there.kind !== 'exact' || !there.isNextRecord) continue
    assert.equal(there.offset, BigInt(copy.target))
    assert.deepEqual(map.translateBack(there.offset), exact(copy.source), 'and back')
  }
  const coarse = [...map.spans()].filter((known): known is CoarseSpan => !('count' in known))
  assert.equal(map.size, [...map.spans()].length)
  for (const known of coarse)
    assert.ok(known.sourceFrom < known.sourceTo && known.targetFrom < known.targetTo)
}

function checkSide(
  truth: Truth,
  map: OffsetMap,
  side: 'source' | 'target',
  other: 'source' | 'target',
  translate: (position: number) => Translation<bigint>,
): void {
  let least = 0n
  let most = 0n
  for (let position = 0; position <= truth[side] + 2; position++) {
    const below = truth.copies.findLast((copy) => copy[side] < position)?.[other]
    const next = truth.copies.find((copy) => copy[side] >= position)?.[other]
    const told = translate(position)
    const place = `${side} ${position}: ${JSON.stringify(told, (_, value) => (typeof value === 'bigint' ? Number(value) : value))}`
    const holdsBelow = (offset: bigint) => below === undefined || below < offset
    const holdsAbove = (offset: bigint) => next === undefined || next >= offset
    const inCoarse = [...map.spans()].some(
      (known) => !('count' in known) && known[`${side}From`] < position && position < known[`${side}To`],
    )
    if (told.kind === 'before-the-map') {
      assert.ok(position < map.start[side], place)
      assert.deepEqual(told.first, map.start)
    } else if (told.kind === 'not-copied-yet') {
      assert.ok(position > truth[side], place)
      assert.deepEqual(told.last, map.end)
    } else if (told.kind === 'exact') {
      assert.ok(!inCoarse, place)
      assert.ok(holdsBelow(told.offset) && holdsAbove(told.offset), place)
      if (told.isNextRecord) assert.equal(next, Number(told.offset), place)
      assert.ok(told.offset >= least && told.offset >= most, place)
      least = told.offset
      most = told.offset
    } else {
      assert.ok(inCoarse, place)
      assert.ok(holdsAbove(told.from) && holdsBelow(told.to) && told.from < told.to, place)
      assert.ok(told.from >= least && told.to >= most, place)
      least = told.from
      most = told.to
    }
  }
}
